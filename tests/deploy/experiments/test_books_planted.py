"""A call that Xen or EL3 loses or doubles does not balance, with no checker and no frames in the record."""

import pytest

from deploy.experiments.conductor import run
from deploy.experiments.describing.scenario import Fault, Load, Phases, PlatformChoice, Scenario
from tests.stress.planted import planted

SHORT = Phases(warm_up_ms=5, faults_ms=60, heal_ms=15, drain_ms=10)


def scenario(record: str) -> Scenario:
    return Scenario(
        title="Books",
        platform=PlatformChoice(guests=2),
        load=(Load("guests", kind="closed", think_us=0.0),),
        fault=(Fault("process.kill", where="guest1", at_ms=10.0),),
        phases=SHORT,
        record=record,  # type: ignore[arg-type]
        checkers=(),
    )


@pytest.mark.parametrize("record", ["calls", "none"])
@pytest.mark.parametrize(
    ("node", "bug"),
    [
        ("xen", "drops-return"),
        ("xen", "answers-twice"),
        ("firmware", "drops-smc"),
        ("firmware", "answers-twice"),
    ],
)
def test_a_lost_or_doubled_answer_does_not_add_up(node: str, bug: str, record: str) -> None:
    with planted(node, bug, 1):
        found = run(scenario(record), 1, "sim")
    who = "Xen" if node == "xen" else "EL3"
    assert found.verdict == "fail"
    assert f"does not add up: {who} received" in found.reason or "still under way" in found.reason
    assert _differ(found.account, who)


def _differ(account: object, who: str) -> bool:
    of: dict[str, int] = dict(account)  # type: ignore[call-overload]
    if who == "EL3":
        return of["el3_received"] != of["el3_returned"]
    ended = sum(of[f"xen_{key}"] for key in ("returned", "errors", "undelivered", "under_way"))
    return of["xen_received"] != ended


def test_without_a_bug_it_adds_up() -> None:
    found = run(scenario("calls"), 1, "sim")
    assert found.verdict == "pass", found.reason
    of = found.account
    assert (
        of["xen_received"]
        == of["issued"]
        == of["answered"] + of["definite"] + of["indefinite"] + of["killed"]
    )
    assert not _differ(of, "Xen")
    assert not _differ(of, "EL3")
