"""The header of an answer is that of its question, bit for bit: protocol, message, token."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bus.scmi import header
from bus.shmem import ERROR
from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.experiments.checkers.excuses import OTHER_TOKEN
from deploy.recording.events import Executed, Forwarded, Interrupted

TOKEN: Final = header.HEADER.pack(token=header.TOKEN_MAX)
ASKED_KEPT: Final = 256  # of one agent: commands whose delayed responses may still come


class Tokens(Judge):
    name = "tokens"
    claim = "Every answer has the header of its request: its protocol, its message, its token."
    knows = "the header words that EL3 received and sent, and commands that delayed responses belong to"
    cannot = "judge an area that says ERROR (it has no message), nor mapped pages"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self.delayed = 0
        self._asked: dict[int, dict[int, None]] = {}
        self._lines = {
            agent.p2a_interrupt: agent.id
            for agent in self.context.topology.platform.agent
            if agent.p2a_interrupt is not None
        }
        self._returns = {agent.smc_id: agent.id for agent in self.context.topology.platform.agent}

    def on(self) -> Mapping[type, Handler]:
        return {Forwarded: self._forwarded, Executed: self._executed, Interrupted: self._interrupted}

    def _forwarded(self, event: Forwarded) -> Iterable[Violation]:
        agent = self._returns.get(event.function)
        if event.head >= 0 and agent in self._lines.values() and agent is not None:
            asked = self._asked.setdefault(agent, {})
            asked.pop(event.head, None)
            asked[event.head] = None
            if len(asked) > ASKED_KEPT:
                del asked[next(iter(asked))]
        return ()

    def _executed(self, event: Executed) -> Iterable[Violation]:
        call = self.evidence.calls.step.call
        smc = call.smc if call is not None else None
        if call is None or smc is None or smc.head < 0 or event.head < 0 or event.channel_status & ERROR:
            return ()
        self.judged += 1
        different = event.head ^ smc.head
        if not different:
            return ()
        planned = self.evidence.touched(OTHER_TOKEN, call.domain, smc.at_ns, event.at_ns)
        if planned and not different & ~TOKEN:
            self.abstained += 1
            return ()
        what = "another token" if not different & ~TOKEN else "another header"
        text = f"the answer to {call.name} has {what}: asked {smc.head:#x}, answered {event.head:#x}"
        return (self.wrong(event, text, call.domain, smc),)

    def _interrupted(self, event: Interrupted) -> Iterable[Violation]:
        """A delayed response belongs to a command that this agent sent."""
        if event.end or event.node != "xen" or event.head < 0:
            return ()
        if header.message_type(event.head) != header.MessageType.DELAYED_RESPONSE:
            return ()
        agent = self._lines.get(event.intid)
        if agent is None:
            return ()
        self.judged += 1
        self.delayed += 1
        command = event.head & ~header.HEADER.pack(message_type=header.MessageType.DELAYED_RESPONSE)
        asked = self._asked.get(agent, {})
        if command in asked or len(asked) >= ASKED_KEPT:
            return ()
        text = f"agent {agent} got a delayed response {event.head:#x} to a command that it never sent"
        return (self.wrong(event, text),)

    def more(self) -> Mapping[str, Any]:
        return {"delayed_responses": self.delayed}
