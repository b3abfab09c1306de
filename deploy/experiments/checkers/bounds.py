"""Queues have bounds: one call in a channel, so many behind it, one message in an agent's page."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bus.scmi import base, header
from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.experiments.checkers.calls import Call
from deploy.experiments.checkers.excuses import PAGE_AGAIN
from deploy.recording.events import (
    Asked,
    Began,
    Executed,
    Forwarded,
    Interrupted,
    Missed,
    Replied,
    Returned,
    Trapped,
)
from nodes.limits import CHANNEL_WAITERS

ARRIVED_KEPT: Final = 1 << 16  # traps that were neither forwarded nor answered
RESET: Final = header.pack(base.PROTOCOL.id, 0xB)
COMMAND: Final = header.HEADER.pack(protocol_id=0xFF, message_id=0xFF)


class Bounds(Judge):
    name = "bounds"
    claim = (
        f"One call is in flight per channel, at most {CHANNEL_WAITERS} wait for it, and one message is in "
        "an agent's P2A page."
    )
    knows = "when Xen, EL3 and domains received what; which limits the nodes state (`nodes/limits.py`)"
    cannot = "see queues inside of nodes, only what leaves them; mapped P2A pages; Xen without channel locks"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self.most = {"waiting": 0, "hypercalls": 0}
        limits = self.context.limits
        self._waiters_max = limits.get("CHANNEL_WAITERS", CHANNEL_WAITERS)
        self._locks = self.context.topology.profile.driver == "multiagent"
        self._in_flight: dict[int, Call] = {}
        self._sent: dict[str, int] = {}
        self._arrived: dict[tuple[str, int], int] = {}
        self._hypercalls: set[int] = set()
        self._lines = {
            one.p2a_interrupt: one.id
            for one in self.context.topology.platform.agent
            if one.p2a_interrupt is not None
        }
        self._pages: dict[int, Interrupted] = {}
        self._grace: set[int] = set()
        self._late: set[int] = set()

    def on(self) -> Mapping[type, Handler]:
        return {
            Trapped: self._trapped,
            Forwarded: self._forwarded,
            Executed: self._executed,
            Returned: self._returned,
            Interrupted: self._interrupted,
            Missed: self._missed,
            Began: self._began,
            Asked: self._asked,
            Replied: self._replied,
        }

    # ---- channels -----------------------------------------------------------------------------

    def _trapped(self, event: Trapped) -> Iterable[Violation]:
        arrived = self._arrived
        arrived[event.domain, event.request] = self._sent.get(event.domain, 0)
        if len(arrived) > ARRIVED_KEPT:
            del arrived[next(iter(arrived))]
        return ()

    def _forwarded(self, event: Forwarded) -> Iterable[Violation]:
        step = self.evidence.calls.step
        call = step.call
        if step.earlier is not None or call is None:
            return ()
        self.judged += 1
        self._reset(event)
        found = [*self._waited(event), *self._second(event)]
        self._in_flight[event.function] = call
        return found

    def _waited(self, event: Forwarded) -> Iterable[Violation]:
        if not event.cause:
            return
        sent = self._sent.get(event.domain, 0)
        self._sent[event.domain] = sent + 1
        ahead = sent - self._arrived.pop((event.domain, event.cause), sent)
        self.most["waiting"] = max(self.most["waiting"], ahead)
        if ahead > self._waiters_max:
            text = f"{ahead} calls of {event.domain} waited before its call {event.cause}"
            yield self.wrong(event, f"{text}, the limit is {self._waiters_max}", event.domain)

    def _second(self, event: Forwarded) -> Iterable[Violation]:
        other = self._in_flight.get(event.function)
        if other is None or other.smc is None or not self._locks:
            return
        if other.answer is not None or other.result is not None or other.missed:
            return  # over, or Xen gave it up
        if event.function in self._late:
            self._late.discard(event.function)  # of a Xen that is gone, and came after its end
            return
        patience_ns = self.context.topology.tuning.patience_ns
        if self.evidence.calls.lost_smcs or (patience_ns and event.at_ns - other.smc.at_ns >= patience_ns):
            self.abstained += 1
            return
        text = f"EL3 got request {event.request} on the channel {event.function:#x}"
        text += f" while request {other.smc.request} ({other.name}) was in flight there"
        yield self.wrong(event, text, event.domain, other.smc)

    def _executed(self, event: Executed) -> Iterable[Violation]:
        call = self.evidence.calls.step.call
        smc = call.smc if call is not None else None
        if smc is not None and self._in_flight.get(smc.function) is call:
            del self._in_flight[smc.function]
        return ()

    def _returned(self, event: Returned) -> Iterable[Violation]:
        self._arrived.pop((event.domain, event.request), None)
        return ()

    def _missed(self, event: Missed) -> Iterable[Violation]:
        if event.kind in ("interrupt", "endofinterrupt"):
            self._grace.update(self._lines)
        return ()

    def _began(self, event: Began) -> Iterable[Violation]:
        if self.evidence.roster.restarts["xen"] > 1 and event.node == "xen":
            self._late.update(self.evidence.roster.agent_of_function)
        if event.node in ("xen", "firmware"):
            self._in_flight.clear()
            self._pages.clear()
            self._arrived.clear()
            self._hypercalls.clear()
        else:
            self._sent.pop(event.node, None)
        return ()

    # ---- the way back -------------------------------------------------------------------------

    def _reset(self, event: Forwarded) -> None:
        """An agent that is reset has its page back, but what EL3 sent before may still be on its way."""
        if event.head >= 0 and event.head & COMMAND == RESET:
            agent = int.from_bytes(event.payload[:4], "little")
            for line, owner in self._lines.items():
                if owner == agent:
                    self._pages.pop(line, None)
                    self._grace.add(line)

    def _interrupted(self, event: Interrupted) -> Iterable[Violation]:
        line = event.intid
        if line not in self._lines or event.head < 0:
            return ()
        if event.end:
            if event.node == "firmware":
                self._pages.pop(line, None)
                self._grace.discard(line)
            return ()
        if event.node != "xen":
            return ()
        self.judged += 1
        before = self._pages.get(line)
        self._pages[line] = event
        if before is None or self.evidence.planned(PAGE_AGAIN):
            return ()
        if line in self._grace:
            self._grace.discard(line)
            return ()
        text = f"EL3 wrote a second message into the page of agent {self._lines[line]}, not given back yet"
        return (self.wrong(event, text, "", before),)

    # ---- hypercalls ---------------------------------------------------------------------------

    def _asked(self, event: Asked) -> Iterable[Violation]:
        if len(self._hypercalls) < ARRIVED_KEPT:
            self._hypercalls.add(event.request)
        self.most["hypercalls"] = max(self.most["hypercalls"], len(self._hypercalls))
        return ()

    def _replied(self, event: Replied) -> Iterable[Violation]:
        self._hypercalls.discard(event.request)
        return ()

    def more(self) -> Mapping[str, Any]:
        return {f"most_{name}": value for name, value in self.most.items()}
