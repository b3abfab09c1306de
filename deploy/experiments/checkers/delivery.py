"""What travels on behalf of a domain is that domain's, both ways: registers, pages, interrupts."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from bus.scmi import base, header
from bus.shmem import ERROR
from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.experiments.checkers.excuses import FORGOTTEN, OVERTAKEN
from deploy.recording.events import Executed, Forwarded, Interrupted, Noted, Returned

RAISES_KEPT: Final = 64  # of one line: those that may still be injected
METERED_KEPT: Final = 1024
DISCOVER: Final = header.pack(base.PROTOCOL.id, 0x7)
RESET: Final = header.pack(base.PROTOCOL.id, 0xB)
COMMAND: Final = header.HEADER.pack(protocol_id=0xFF, message_id=0xFF)


class Delivery(Judge):
    name = "delivery"
    claim = "No message reaches another agent or a dead incarnation, and none is changed on its way."
    knows = "what Xen, EL3 and the domains received; whose channel and interrupts are whose (platform.toml)"
    cannot = "compare pages that never travelled (mapped mode), nor see who reads memory"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self.pages = 0
        self.interrupts = 0
        self._raises: dict[int, deque[tuple[int, bytes]]] = {}
        self._metered: dict[int, None] = {}
        self._owner = {
            line: agent.id
            for agent in self.context.topology.platform.agent
            for line in (agent.p2a_interrupt, agent.a2p_interrupt)
            if line is not None
        }

    def on(self) -> Mapping[type, Handler]:
        return {
            Forwarded: self._forwarded,
            Executed: self._executed,
            Returned: self._returned,
            Interrupted: self._interrupted,
            Noted: self._noted,
        }

    # ---- towards EL3 --------------------------------------------------------------------------

    def _forwarded(self, event: Forwarded) -> Iterable[Violation]:
        step = self.evidence.calls.step
        call = step.call
        if step.earlier is not None or call is None:
            return ()  # a second one is ``at_most_once``'s business
        self.judged += 1
        if not event.cause:
            return self._own(event)
        trap = call.trap
        if trap is None:
            if not self.context.complete or self.evidence.calls.forgotten:
                self.abstained += 1
                return ()
            text = f"EL3 got an SMC {event.function:#x} for request {event.cause}, which nobody trapped"
            return (self.wrong(event, text, event.domain),)
        if trap.x and trap.x[0] & 0xFFFF_FFFF != event.function:
            text = f"{call.name} rang {trap.x[0]:#x}, EL3 got {event.function:#x}"
            return (self.wrong(event, text, event.domain, trap),)
        whose = self.evidence.roster.function(event.domain)
        if whose is None:
            self.abstained += 1
        elif whose != event.function:
            text = f"{call.name} reached EL3 on the channel {event.function:#x}, its own is {whose:#x}"
            return (self.wrong(event, text, event.domain, trap),)
        if event.head >= 0 or trap.head >= 0:
            self.pages += 1
            if (event.head, event.payload) != (trap.head, trap.payload):
                text = f"the page of {call.name} is another one in EL3 than in the trap"
                return (self.wrong(event, text, event.domain, trap),)
        return ()

    def _own(self, event: Forwarded) -> Iterable[Violation]:
        """Xen speaks on its own channel; on others only to learn whose they are."""
        if event.head < 0 or event.head & COMMAND == DISCOVER:
            return ()
        agent = self.evidence.roster.agent_of_function.get(event.function)
        trusted = {one.id for one in self.context.topology.platform.agent if one.trusted}
        if header.protocol_id(event.head) != base.PROTOCOL.id or (trusted and agent not in trusted):
            text = f"Xen itself sent {event.head:#x} on the channel {event.function:#x}"
            return (self.wrong(event, text),)
        return ()

    # ---- towards the domain -------------------------------------------------------------------

    def _executed(self, event: Executed) -> Iterable[Violation]:
        step = self.evidence.calls.step
        if step.call is None:
            if not self.context.complete or self.evidence.planned(FORGOTTEN):
                self.abstained += 1
                return ()
            return (self.wrong(event, f"EL3 answered Xen's request {event.request}, which it never got"),)
        smc = step.call.smc
        if smc is not None and not smc.cause and smc.head & COMMAND == RESET and event.status == 0:
            self._withdrawn(int.from_bytes(smc.payload[:4], "little"))
        return ()

    def _withdrawn(self, agent: int) -> None:
        """The agent was reset: nothing that was raised for it before may reach whoever has it next."""
        for line, owner in self._owner.items():
            if owner == agent:
                self._raises.pop(line, None)

    def _returned(self, event: Returned) -> Iterable[Violation]:
        step = self.evidence.calls.step
        call = step.call
        if call is None or step.earlier is not None or event.kind != "return":
            return ()  # both are the business of ``answers``
        self.judged += 1
        answer = call.answer
        if call.smc is None:
            if event.head < 0 or event.request in self._metered:
                return ()
            text = f"{call.name} came back with a page (header {event.head:#x}), but EL3 never got it"
            return (self.wrong(event, text, event.domain, call.trap),)
        if answer is None:
            text = f"{call.name} came back before EL3 returned from it"
            return (self.wrong(event, text, event.domain, call.trap, call.smc),)
        if event.x0 != answer.x0:
            text = f"{call.name}: EL3 returned x0 {answer.x0:#x}, the domain got {event.x0:#x}"
            return (self.wrong(event, text, event.domain, call.trap, answer),)
        if event.head >= 0 or answer.head >= 0:
            self.pages += 1
            if (event.head, event.payload, event.channel_status & ERROR) != (
                answer.head,
                answer.payload,
                answer.channel_status & ERROR,
            ):
                text = f"the page that {event.domain} got for {call.name} is not the one that EL3 made for it"
                return (self.wrong(event, text, event.domain, call.trap, answer),)
        return ()

    # ---- the way back -------------------------------------------------------------------------

    def _interrupted(self, event: Interrupted) -> Iterable[Violation]:
        if event.end:
            return ()
        if event.node == "xen":
            raises = self._raises.setdefault(event.intid, deque(maxlen=RAISES_KEPT))
            raises.append((event.head, event.payload))
            return ()
        agent = self._owner.get(event.intid)
        mine = self.evidence.roster.agent(event.node)
        if mine is None or agent is None:
            self.abstained += 1
            return ()
        self.judged += 1
        self.interrupts += 1
        if agent != mine:
            text = f"{event.node} (agent {mine}) got interrupt {event.intid}, which is agent {agent}'s"
            return (self.wrong(event, text, event.node),)
        if event.head >= 0 and (event.head, event.payload) not in self._raises.get(event.intid, ()):
            if self.evidence.planned(OVERTAKEN):
                self.abstained += 1
                return ()
            text = f"{event.node} got a message {event.head:#x} that EL3 did not send to it in this life"
            return (self.wrong(event, text, event.node),)
        return ()

    def _noted(self, event: Noted) -> Iterable[Violation]:
        if event.what == "metered":
            self._metered[event.request] = None
            if len(self._metered) > METERED_KEPT:
                del self._metered[next(iter(self._metered))]
        return ()

    def more(self) -> Mapping[str, Any]:
        return {"pages_compared": self.pages, "interrupts": self.interrupts}
