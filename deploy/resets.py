"""The last reset of each agent, as Xen's events tell it: when, of whose domain, and why.

It hears events and keeps one row per agent; when they came is the caller's to know.
"""

import re

import msgspec

from bus.frames import Lifecycle

_RESET = re.compile(r"agent (\d+) reset")


class AgentReset(msgspec.Struct, frozen=True):
    """``at_s``: seconds after the platform's start; ``reason``: destroy, crash, reboot, ..."""

    at_s: float
    domain: str
    reason: str


class LastResets:
    """Ask ``of`` an agent; None if it was never reset."""

    def __init__(self) -> None:
        self._by_agent: dict[int, AgentReset] = {}
        self._reasons: dict[int, str] = {}

    def hear(self, at_s: float, frame: Lifecycle) -> None:
        """Take in an event of a domain: the reason comes with "dying", before its agent is reset."""
        if frame.event == "dying":
            self._reasons[frame.domid] = frame.detail
        elif frame.event == "reset":
            found = _RESET.match(frame.detail)
            if found is not None:
                reason = self._reasons.get(frame.domid, "")
                self._by_agent[int(found[1])] = AgentReset(at_s, frame.name, reason)
        elif frame.event == "dead":
            self._reasons.pop(frame.domid, None)

    def of(self, agent: int | None) -> AgentReset | None:
        """The last one of an agent."""
        return None if agent is None else self._by_agent.get(agent)
