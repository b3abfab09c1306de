"""Metering: accounts to the token and to the nanosecond, and what becomes of the traps."""

from typing import Any

import pytest

from bus import frames
from nodes.contract import Note, Tick
from nodes.limits import CHANNEL_WAITERS, METER_WAITERS
from nodes.xen.config import Tuning
from nodes.xen.domain import Domain
from nodes.xen.metering import SECOND_NS, Allowance, Limit, MeterConfig, allowance
from tests.nodes.trees import FID
from tests.nodes.xen import TOOLSTACK, Bench

METRIC = "trapline_meter_refusals_total"
REFUSED = 2**64 - 1
START = 5_000_000_000


# ---- the allowance ------------------------------------------------------------------------------


def admitted(one: Allowance, now_ns: int, in_flight: int = 0) -> str:
    reason = one.passed(in_flight, now_ns)
    if not reason:
        one.take()
    return reason


@pytest.mark.parametrize("burst", [0, 1, 2, 16])
def test_a_full_bucket_is_so_many_calls(burst: int) -> None:
    one = Allowance(Limit(rate=1.0, burst=burst))
    found = [admitted(one, START) for _ in range(max(1, burst) + 1)]
    assert found == [""] * max(1, burst) + ["rate"]


@pytest.mark.parametrize("rate", [0.000_001, 0.3, 1.0, 3.0, 1000.0, 2_000.5, 1e9])
def test_a_token_comes_back_to_the_nanosecond(rate: float) -> None:
    one = Allowance(Limit(rate=rate, burst=1))
    assert admitted(one, START) == ""
    ready = one.ready_ns(START)
    assert ready == START + -(-SECOND_NS * 1_000_000 // round(rate * 1_000_000))
    assert one.passed(0, ready - 1) == "rate"
    assert admitted(one, ready) == ""
    assert admitted(one, ready) == "rate"


def test_a_long_rest_fills_no_more_than_the_bucket() -> None:
    one = Allowance(Limit(rate=10.0, burst=3))
    for at_ns in (START, START + 1000 * SECOND_NS):
        assert [admitted(one, at_ns) for _ in range(4)] == ["", "", "", "rate"]


@pytest.mark.parametrize(("rate", "burst"), [(7.0, 2), (333.0, 5), (2000.0, 16)])
def test_over_a_long_time_it_is_the_rate(rate: float, burst: int) -> None:
    one = Allowance(Limit(rate=rate, burst=burst))
    step = int(SECOND_NS / rate / 7)
    passed = sum(not admitted(one, START + at * step) for at in range(7 * 300))
    assert passed == 300 + burst - 1


def test_the_limit_of_calls_in_flight_has_two_sides() -> None:
    one = Allowance(Limit(in_flight=2))
    assert [one.passed(count, START) for count in (0, 1, 2, 3)] == ["", "", "in_flight", "in_flight"]


def test_el3s_time_is_paid_back() -> None:
    one = Allowance(Limit(el3_us_per_s=1000.0))
    assert admitted(one, START) == ""
    one.spend(1_000_000, START)
    assert one.passed(0, START) == "el3_time", "the second's budget is spent"
    assert one.ready_ns(START) == START + 1
    assert one.passed(0, START + 1) == ""
    one.spend(500_001, START + 1)
    ready_ns = START + 1 + 500_001_000
    assert one.ready_ns(START + 1) == ready_ns
    assert one.passed(0, ready_ns - 1) == "el3_time"
    assert one.passed(0, ready_ns) == ""


def test_what_is_owed_is_at_most_a_second() -> None:
    one = Allowance(Limit(el3_us_per_s=1000.0))
    one.spend(60 * SECOND_NS, START)
    assert one.ready_ns(START) == START + SECOND_NS + 1


def test_the_first_limit_that_is_passed_is_the_reason() -> None:
    one = Allowance(Limit(rate=1.0, burst=1, in_flight=1, el3_us_per_s=1.0))
    one.spend(SECOND_NS, START)
    assert one.passed(0, START) == "el3_time"
    one.take()
    assert one.passed(0, START) == "rate"
    assert one.passed(1, START) == "in_flight"


@pytest.mark.parametrize(
    ("domain", "limits", "expected"),
    [
        ("ivi", {"ivi": 1, "guests": 2, "*": 3}, 1),
        ("ivi", {"guests": 2, "*": 3}, 2),
        ("ivi", {"*": 3}, 3),
        ("ivi", {"cluster": 4}, None),
        ("dom0", {"guests": 2}, None),
        ("dom0", {"guests": 2, "*": 3}, 3),
        ("dom0", {"dom0": 5}, 5),
    ],
)
def test_whose_limit_it_is(domain: str, limits: dict[str, int], expected: int | None) -> None:
    rows = {name: Limit(rate=rate) for name, rate in limits.items()}
    for mode in ("observe", "enforce"):
        found = allowance(MeterConfig(mode, rows), domain)  # type: ignore[arg-type]
        assert (None if found is None else found.limit.rate) == expected
    assert allowance(MeterConfig("off", rows), domain) is None


# ---- the mediator -----------------------------------------------------------------------------


def metered(limit: Limit, mode: Any = "enforce", answer: Any = "", *, record: bool = False) -> Bench:
    config = MeterConfig(mode, {"domu": limit}, answer)
    return Bench(tuning=Tuning(metering=config, record=record))


def tick(bench: Bench, at_ns: int) -> None:
    bench.now_ns = at_ns - 1000
    bench.feed(Tick())


def test_a_refused_trap_never_reaches_el3() -> None:
    bench = metered(Limit(rate=1.0, burst=2), record=True)
    domain = bench.create("domu", 2)
    seen = len(bench.seen)
    answers = [bench.trapped(domain, FID[2], 7, 8, 9) for _ in range(3)]
    assert [answer.x for answer in answers] == [(0, 7, 8, 9), (0, 7, 8, 9), (REFUSED, 7, 8, 9)]
    assert len(bench.seen) == seen + 2
    assert bench.counted(METRIC) == {("2", "rate", "enforce"): 1}
    assert bench.counted("trapline_smc_traps_total")["domu", "doorbell", "refused"] == 1
    notes = [line for line in bench.lines if isinstance(line, Note)]
    assert notes == [Note("metered", answers[2].request, (2, 1), "rate")]
    bench.now_ns += SECOND_NS
    assert bench.trapped(domain, FID[2]).x[0] == 0


def test_observing_counts_the_same_and_refuses_nothing() -> None:
    counts = []
    for mode in ("observe", "enforce"):
        bench = metered(Limit(rate=100.0, burst=3), mode, record=mode == "observe")
        domain = bench.create("domu", 2)
        seen = len(bench.seen)
        answers = []
        for _ in range(50):
            bench.now_ns += 3_000_000
            answers.append(bench.trapped(domain, FID[2]).x[0])
        counts.append(bench.counted(METRIC)["2", "rate", mode])
        if mode == "observe":
            assert answers == [0] * 50
            assert len(bench.seen) == seen + 50
            assert all(line.numbers == (2, 0) for line in bench.lines if isinstance(line, Note))
    assert counts[0] == counts[1] > 20


def test_others_and_xen_itself_are_not_metered() -> None:
    bench = metered(Limit(rate=0.001, burst=1))
    bench.create("domu", 2)
    other = bench.create("other", 3)
    for _ in range(20):
        assert bench.trapped(other, FID[3]).x[0] == 0
    assert bench.rc(frames.DestroyDomain(1)) == 0
    assert bench.counted(METRIC) == {}


def test_a_new_incarnation_begins_with_a_full_bucket() -> None:
    bench = metered(Limit(rate=0.001, burst=1))
    for _ in range(2):
        domain = bench.create("domu", 2)
        assert [bench.trapped(domain, FID[2]).x[0] for _ in range(2)] == [0, REFUSED]
        assert bench.rc(frames.DestroyDomain(domain.domid)) == 0


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_calls_in_flight(limit: int) -> None:
    bench = metered(Limit(in_flight=limit))
    domain = bench.create("domu", 2)
    requests = [bench.trap(domain, FID[2]) for _ in range(limit + 1)]
    assert bench.answer(domain.link, requests[-1]).x[0] == REFUSED
    bench.el3_all()
    assert [bench.answer(domain.link, request).x[0] for request in requests[:-1]] == [0] * limit
    assert bench.trapped(domain, FID[2]).x[0] == 0


def test_el3s_time_counts_from_the_smc_to_its_return() -> None:
    bench = metered(Limit(el3_us_per_s=100.0))
    domain = bench.create("domu", 2)
    bench.trap(domain, FID[2])
    bench.now_ns += 200_000
    bench.el3_all()
    assert bench.trapped(domain, FID[2]).x[0] == REFUSED
    assert bench.counted(METRIC) == {("2", "el3_time", "enforce"): 1}
    bench.now_ns += 2 * SECOND_NS
    assert bench.trapped(domain, FID[2]).x[0] == 0


def test_other_traps_are_free() -> None:
    bench = metered(Limit(rate=0.001, burst=1))
    domain = bench.create("domu", 2)
    for _ in range(5):
        assert bench.trapped(domain, FID[3]).x[0] == REFUSED
    assert bench.counted(METRIC) == {}
    assert bench.trapped(domain, FID[2]).x[0] == 0


# ---- held back --------------------------------------------------------------------------------


def holding(limit: Limit) -> tuple[Bench, Domain]:
    bench = metered(limit, answer="wait")
    return bench, bench.create("domu", 2)


def test_a_trap_is_held_back_until_its_token_is_there() -> None:
    bench, domain = holding(Limit(rate=1000.0, burst=1))
    requests = [bench.trap(domain, FID[2]) for _ in range(3)]
    began_ns = bench.now_ns - 2000
    bench.el3_all()
    assert [len(bench.answers(domain.link, request)) for request in requests] == [1, 0, 0]
    for number, due_ns in ((1, began_ns + 1_000_000), (2, began_ns + 2_000_000)):
        assert bench.core.deadline_ns() == due_ns
        tick(bench, due_ns - 1)
        assert not bench.smcs
        tick(bench, due_ns)
        bench.el3_all()
        assert bench.answer(domain.link, requests[number]).x[0] == 0
    assert bench.core.deadline_ns() is None
    assert bench.counted(METRIC) == {("2", "rate", "wait"): 2}


def test_not_more_than_so_many_are_held_back() -> None:
    bench, domain = holding(Limit(rate=1.0, burst=1))
    requests = [bench.trap(domain, FID[2]) for _ in range(1 + METER_WAITERS + 1)]
    assert bench.answer(domain.link, requests[-1]).x[0] == REFUSED
    assert bench.counted(METRIC) == {("2", "rate", "wait"): METER_WAITERS, ("2", "rate", "enforce"): 1}


@pytest.mark.parametrize("op", [frames.DestroyDomain(1), frames.DestroyDomain(1, "crash")])
def test_what_is_held_back_ends_with_its_domain(op: frames.DestroyDomain) -> None:
    bench, domain = holding(Limit(rate=1.0, burst=1))
    requests = [bench.trap(domain, FID[2]) for _ in range(3)]
    bench.domctl(op)
    for request in requests[1:]:
        error = bench.answer(domain.link, request)
        assert (error.code, error.definite) == ("not-running", True)
    bench.el3_all()
    assert bench.core.deadline_ns() is None
    assert domain.domid not in bench.core.hypervisor.domains


def test_what_is_held_back_while_el3_goes_ends_explicitly() -> None:
    bench, domain = holding(Limit(rate=1.0, burst=1))
    requests = [bench.trap(domain, FID[2]) for _ in range(2)]
    bench.rc(frames.NodeLost("firmware"))
    due_ns = bench.core.deadline_ns()
    assert due_ns is not None
    tick(bench, due_ns)
    error = bench.answer(domain.link, requests[1])
    assert (error.code, error.definite) == ("el3-lost", True)


def test_calls_in_flight_are_never_held_back() -> None:
    bench, domain = holding(Limit(in_flight=1))
    bench.trap(domain, FID[2])
    assert bench.trapped(domain, FID[2]).x[0] == REFUSED


def test_a_hypercall_does_not_wait_for_tokens() -> None:
    bench, domain = holding(Limit(rate=0.001, burst=1))
    for _ in range(CHANNEL_WAITERS):
        bench.trap(domain, FID[2])
    assert bench.rc(frames.AssignDevice(domain.domid, "/soc/i2c@1000")) == 0
    assert bench.sent[TOOLSTACK]
