"""``assignment``: devices that were assigned, and grants that were not."""

from collections.abc import Callable, Sequence

from bus.scmi.status import Status
from tests.deploy.experiments.checkers.histories import AGENTS, Told, asked, found, results, word

NAME = "assignment"
GPU = "path=/soc/gpu@fd000000"  # device 6


def story(*grants: Callable[[Told], None], rc: int = 0) -> Told:
    """ivi (domain 1) is assigned the gpu; meanwhile Xen says to EL3 what ``grants`` do."""
    told = Told()
    told.asked(7, "assign_device", 1, GPU)
    for grant in grants:
        grant(told)
    told.replied(7, rc)
    return told


def grant(agent: str, device: int, status: int = 0, flags: int = 1) -> Callable[[Told], None]:
    values = {"agent_id": AGENTS[agent], "device_id": device, "flags": flags}
    return lambda told: told.xen(asked("base", "BASE_SET_DEVICE_PERMISSIONS", **values), word(status))


def wrong(told: Told, faults: Sequence[str] = ()) -> int:
    return len(found(told, NAME, faults=faults))


def test_an_assignment_that_was_granted() -> None:
    (result,) = results(story(grant("ivi", 6)), NAME)
    assert result.violations == ()
    assert result.facts["judged"] == 1


def test_one_that_was_not() -> None:
    told = story()
    told.grant("ivi", 6)
    (violation,) = found(told, NAME)
    assert "let agent 3 have device 6" in violation.text


def test_another_device_another_agent_or_a_withdrawal_is_no_grant() -> None:
    assert wrong(story(grant("ivi", 5))) == 1
    assert wrong(story(grant("tcu", 6))) == 1
    assert wrong(story(grant("ivi", 6, flags=0))) == 1


def test_what_was_refused_is_not_judged() -> None:
    assert wrong(story(grant("ivi", 5), rc=-13)) == 0
    assert wrong(story(grant("ivi", 6, Status.HARDWARE_ERROR))) == 0


def test_a_device_without_ids_needs_no_grant() -> None:
    told = Told()
    told.asked(7, "assign_device", 1, "path=/soc")
    told.replied(7)
    assert wrong(told) == 0
