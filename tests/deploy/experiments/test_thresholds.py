"""Objectives: both sides of each bound, multiples of what a domain has alone, values that nobody can tell."""

import pytest

from deploy.experiments.describing.plan import Phase
from deploy.experiments.describing.scenario import Load, Scenario, Threshold
from deploy.experiments.judging import thresholds
from deploy.experiments.judging.tally import Tally
from deploy.experiments.result import ThresholdResult
from deploy.recording import events

PHASES = (Phase("faults", 0, 1_000_000),)


def alone(took_ns: int) -> dict[str, Tally]:
    tally = Tally(PHASES, {"a": Load("a", kind="closed")})
    if took_ns:
        tally.see(events.Ended(0, 10 + took_ns, "a#1", 1, 0x10, 10, 10, "", True, 0))
    return {"a": tally}


def judged(one: Threshold, value: float | None, took_ns: int = 0) -> ThresholdResult:
    scenario = Scenario("A try", threshold=(one,))
    (found,) = thresholds.judge(scenario, lambda _: value, alone(took_ns))
    return found


@pytest.mark.parametrize(("value", "held"), [(4.0, True), (5.0, True), (5.001, False), (None, False)])
def test_at_most(value: float | None, held: bool) -> None:
    assert judged(Threshold("p99_us", at_most=5.0), value).held is held


@pytest.mark.parametrize(("value", "held"), [(0.89, False), (0.9, True), (1.0, True), (None, False)])
def test_at_least(value: float | None, held: bool) -> None:
    assert judged(Threshold("fairness", at_least=0.9), value).held is held


@pytest.mark.parametrize(("value", "held"), [(1.0, False), (2.0, True), (3.0, True), (4.0, False)])
def test_between(value: float, held: bool) -> None:
    assert judged(Threshold("rate", at_least=2.0, at_most=3.0), value).held is held


@pytest.mark.parametrize(("value", "held"), [(300.0, True), (300.1, False)])
def test_a_multiple_of_what_the_domain_has_alone(value: float, held: bool) -> None:
    bound = Threshold("max_us", domain="a", at_most=3.0, times_solo=True)
    found = judged(bound, value, took_ns=100_000)
    assert found.held is held
    assert found.bound == "<= 300 (100 alone)"
    assert found.text == "max_us of a in faults at most 3 times solo"


def test_what_is_not_known_alone_does_not_hold() -> None:
    found = judged(Threshold("max_us", domain="a", at_most=3.0, times_solo=True), 1.0)
    assert not found.held
    assert found.bound.startswith("unknown")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "unknown"), (0.0, "0"), (12_345.0, "12 345"), (0.98765, "0.9877"), (1234.56, "1 235")],
)
def test_numbers_read_well(value: float | None, shown: str) -> None:
    assert thresholds.number(value) == shown
