"""The last reset of an agent, as Xen's events tell it."""

from bus.frames import PROTOCOL_VERSION, Lifecycle
from deploy.resets import AgentReset, LastResets
from nodes.xen.channel import Relinquished


def tell(resets: LastResets, at_s: float, domid: int, event: str, detail: str) -> None:
    resets.hear(at_s, Lifecycle(PROTOCOL_VERSION, 0, 0, domid, f"dom{domid}", event, detail))


def test_the_latest_is_kept_with_its_reason_by_agent() -> None:
    resets = LastResets()
    tell(resets, 1.0, 2, "dying", "crash")
    tell(resets, 1.5, 3, "dying", "destroy")
    tell(resets, 2.0, 2, "reset", f"agent 7 {Relinquished.RESET}")
    assert resets.of(7) == AgentReset(2.0, "dom2", "crash")
    tell(resets, 2.5, 3, "reset", f"agent 7 {Relinquished.RESET}")
    assert resets.of(7) == AgentReset(2.5, "dom3", "destroy")
    assert resets.of(3) is None
    assert resets.of(None) is None


def test_what_is_free_but_not_reset_was_no_reset() -> None:
    resets = LastResets()
    for done in (Relinquished.MISSING, Relinquished.SILENT):
        tell(resets, 1.0, 2, "reset", f"agent 7 {done}")
    tell(resets, 1.0, 2, "refused", "reset of agent 7: no")
    assert resets.of(7) is None


def test_a_reason_does_not_outlive_its_domain() -> None:
    resets = LastResets()
    tell(resets, 1.0, 2, "dying", "crash")
    tell(resets, 2.0, 2, "dead", "crash")
    tell(resets, 3.0, 2, "reset", f"agent 7 {Relinquished.RESET}")
    assert resets.of(7) == AgentReset(3.0, "dom2", "")
