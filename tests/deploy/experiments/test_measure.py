"""Counting a history: phases, endings, what was under way, latencies, fairness; and the table of measures."""

import random

import pytest

from deploy.experiments.describing.plan import Phase
from deploy.experiments.describing.scenario import Load
from deploy.experiments.judging import measure
from deploy.experiments.judging.histogram import LatencyHistogram
from deploy.experiments.judging.tally import NOT_SUPPORTED, Tally, jain
from deploy.recording import events

PHASES = (
    Phase("warm_up", 0, 100),
    Phase("faults", 100, 1_100),
    Phase("heal", 1_100, 2_000),
    Phase("drain", 2_000, 3_000),
)
NOTHING = (0, -1, b"", None)


def tally(**kinds: str) -> Tally:
    return Tally(PHASES, {name: Load(name, kind=kind) for name, kind in kinds.items()})  # type: ignore[arg-type]


def trapped(at_ns: int, domain: str, request: int) -> events.Trapped:
    return events.Trapped(0, at_ns, domain, request, 0x17, 0, (1,) + (0,) * 7, 0, 4, 0x10, b"")


def returned(at_ns: int, domain: str, request: int, x0: int = 0, kind: str = "return") -> events.Returned:
    return events.Returned(0, at_ns, domain, request, kind, x0, "", True, *NOTHING)


def ended(
    at_ns: int,
    domain: str,
    request: int,
    intended_ns: int,
    *,
    code: str = "",
    definite: bool = True,
    status: int = 0,
) -> events.Ended:
    return events.Ended(0, at_ns, domain, request, 0x10, intended_ns, intended_ns, code, definite, status)


def test_a_call_belongs_to_the_phase_in_which_it_was_meant_to_begin() -> None:
    one = tally(a="closed")
    for intended_ns in (99, 100, 1_099, 1_100, 5_000):
        one.see(ended(6_000, "a#1", 1, intended_ns))
    counts = [one.count(phase, "a").answered for phase in ("warm_up", "faults", "heal", "drain", "all")]
    assert counts == [1, 2, 1, 1, 5]


def test_endings_are_told_apart_and_add_up() -> None:
    one = tally(a="closed", b="closed")
    one.see(ended(300, "a#1", 1, 200))
    one.see(ended(300, "a#1", 2, 200, status=-3))
    one.see(ended(300, "a#1", 3, 200, code="busy"))
    one.see(ended(300, "a#1", 4, 200, code="timeout", definite=False))
    one.see(trapped(300, "a#1", 5))
    one.finish()
    count = one.count("faults", "a")
    assert (count.answered, count.definite, count.indefinite, count.killed) == (2, 1, 1, 1)
    assert count.issued == 5
    assert count.statuses == {"SUCCESS": 1, "DENIED": 1}
    assert count.codes == {"busy": 1, "timeout": 1}
    assert one.count("faults", "b").issued == 0
    assert one.count("faults").issued == 5


def test_what_was_under_way_when_a_domain_ended_is_killed_once() -> None:
    one = tally(a="closed")
    one.see(trapped(200, "a#1", 7))
    one.see(trapped(210, "a#1", 8))
    one.see(returned(220, "a#1", 8))
    one.see(events.Missed(0, 230, "a#1", "xen", "lost", "trap", 9))
    one.see(events.Missed(0, 230, "a#1", "xen", "lost", "endofinterrupt", 10))
    one.see(events.Began(0, 400, "b#1"))
    assert one.count("faults", "a").killed == 0
    one.see(events.Began(0, 500, "a#2"))
    assert one.count("faults", "a").killed == 2
    one.finish()
    assert one.count("all", "a").killed == 2


def test_refused_traps_are_counted() -> None:
    one = tally(a="closed")
    for x0 in (0, 5, NOT_SUPPORTED, (1 << 64) - 1):
        one.see(returned(200, "a#1", 1, x0))
    one.see(returned(200, "a#1", 1, 0, "undef"))
    assert one.count("faults", "a").refused_traps == 3


def test_notes_tell_agents_resets_and_arrivals() -> None:
    one = tally(a="open")
    one.see(events.Noted(0, 0, "run", "domain", 0, (1, 1, 4, 0x82000104), "a"))
    one.see(events.Noted(0, 1_500, "firmware", "reset", 0, (4, 9, 2, 2), "votes"))
    one.see(events.Noted(0, 1_500, "firmware", "reset", 0, (5, 9, 0, 0), ""))
    one.see(events.Noted(0, 150, "a#1", "arrival_dropped", 0, (140,), "backlog"))
    one.see(events.Noted(0, 150, "xen", "metered", 0, (4, 1), "rate"))
    count = one.count("faults", "a")
    assert one.agents["a"] == 4
    assert (count.resets, count.leaks, count.dropped_arrivals, count.metered) == (1, 2, 1, {"rate": 1})


def test_the_slices_are_bounded_whatever_the_run_does() -> None:
    one = tally(a="closed")
    for at_ns in range(0, 100_000, 7):
        one.see(ended(at_ns, "a#1", 1, at_ns))
    assert len(one.pieces()) <= 120
    assert sum(piece.answered for _, _, piece in one.pieces()) == one.count("all").answered


def test_fairness() -> None:
    assert jain([1, 1, 1]) == pytest.approx(1.0)
    assert jain([1, 0, 0, 0]) == pytest.approx(0.25)
    assert jain([]) is None
    one = tally(a="open", b="open", dom0="open", c="idle")
    for _ in range(100):
        one.see(ended(300, "a#1", 1, 200))
    for at in range(10):
        one.see(ended(300, "b#1", 1, 200, code="" if at < 5 else "busy"))
    # a was answered all that it asked for, b half of it: (1.5)^2 / (2 * 1.25)
    assert measure.value("fairness", one, "faults") == pytest.approx(0.9)


def test_whoever_waits_for_answers_asks_for_as_much_as_the_luckiest_got() -> None:
    one = tally(a="closed", b="linux")
    for at in range(40):
        one.see(ended(300, "a#1" if at < 30 else "b#1", at, 200))
    assert one.fairness("faults") == pytest.approx(jain([1, 1 / 3]))


def test_quantiles_are_right_to_half_a_percent() -> None:
    rng = random.Random(3)
    values = sorted(int(rng.lognormvariate(10, 2)) for _ in range(20_000))
    one = LatencyHistogram()
    for value in values:
        one.add(value)
    for part in (0.0, 0.5, 0.9, 0.99, 0.999, 1.0):
        exact = values[max(0, -int(-part * len(values) // 1) - 1)]
        assert one.quantile_us(part) == pytest.approx(exact / 1e3, rel=0.005)
    assert one.max_ns == values[-1]


def test_a_histogram_of_nothing_and_of_small_numbers() -> None:
    one = LatencyHistogram()
    assert one.quantile_us(0.5) is None
    for value in (-5, 0, 1, 255, 256):
        one.add(value)
    assert one.quantile_us(0.0) == 0.0
    assert one.quantile_us(0.8) == 0.255
    assert one.quantile_us(1.0) == 0.256
    other = LatencyHistogram()
    other.add(10_000)
    other.merge(one)
    assert (other.total, other.max_ns) == (6, 10_000)


def test_measures_of_a_domain_that_did_nothing() -> None:
    one = tally(a="closed")
    one.finish()
    found = {row.name: measure.value(row.name, one, "faults", "a") for row in measure.MEASURES}
    assert found["p99_us"] is None
    assert found["max_us"] is None
    assert found["rate"] == 0.0
    assert found["answered"] == 0


def test_rates_are_per_second_of_the_phase() -> None:
    one = tally(a="open")
    one.see(ended(300, "a#1", 1, 200))
    one.see(events.Noted(0, 150, "a#1", "arrival_dropped", 0, (140,), "backlog"))
    assert measure.value("rate", one, "faults", "a") == 1_000_000.0
    assert measure.value("offered", one, "faults", "a") == 2_000_000.0
