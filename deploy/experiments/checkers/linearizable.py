"""Shared resources look to their clients as if every operation had taken effect at one moment."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from bus.scmi import header, perf, system
from bus.scmi.protocol import NEGOTIATE_PROTOCOL_VERSION
from bus.scmi.status import Status
from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.experiments.checkers.calls import said
from deploy.experiments.checkers.excuses import UNORDERED, VALUE_SCRIBBLED
from deploy.experiments.checkers.grants import RESET
from deploy.experiments.checkers.registers import KEY, SEEN, Key, Registers
from deploy.experiments.checkers.search import Op, OpFate, OpKind, Search
from deploy.recording.events import (
    Began,
    Event,
    Executed,
    Forwarded,
    Interrupted,
    Returned,
    Trapped,
)

SYSTEM_SET: Final = header.pack(system.PROTOCOL.id, system.SYSTEM_POWER_STATE_SET.id)
NEGOTIATE: Final = header.pack(perf.PROTOCOL.id, NEGOTIATE_PROTOCOL_VERSION.id)
DELAYED: Final = header.HEADER.pack(message_type=header.MessageType.DELAYED_RESPONSE)
READ_BYTES: Final = {
    "": 4,
    "rate": 12,
    "config": 12,
    "attributes": 8,
    "state": 8,
    "microvolts": 8,
    "limits": 12,
}
WAITING_MAX: Final = 1 << 16  # calls whose end is awaited, and delayed responses


class WaitingCall:
    """A call under way, or accepted and done later."""

    __slots__ = ("key", "op", "trap")

    def __init__(self, key: Key, op: Op, trap: Trapped) -> None:
        self.key = key
        self.op = op
        self.trap = trap


class Linearizable(Judge):
    name = "linearizable"
    claim = (
        "What clients see of a shared clock, power, voltage or performance domain is explained by some order "
        "of everybody's wishes and resets that respects time."
    )
    knows = (
        "when calls began at Xen and ended at the domains, their values, resets of agents, restarts of EL3; "
        "how wishes combine (EL3.md)"
    )
    cannot = (
        "judge resources that others drive (parents, rails and clocks of performance domains, capped ones), "
        "exclusive ones, agents with numbers of their own, mapped pages; a search that reaches its bound is "
        "undecided"
    )

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._registers = Registers(self.context.topology)
        self._ordered = not evidence.planned(UNORDERED)
        self._searches: dict[Key, Search] = {}
        self._touched: dict[int, dict[Key, None]] = {}
        self._calls: dict[tuple[str, int], WaitingCall] = {}
        self._later: dict[tuple[int, int], WaitingCall] = {}
        self._resets: dict[int, list[tuple[Key, Op]]] = {}
        self._broken = not self.context.complete
        self._lines = {
            one.p2a_interrupt: one.id
            for one in self.context.topology.platform.agent
            if one.p2a_interrupt is not None
        }

    def on(self) -> Mapping[type, Handler]:
        return {
            Trapped: self._trapped,
            Forwarded: self._forwarded,
            Executed: self._executed,
            Returned: self._returned,
            Interrupted: self._interrupted,
            Began: self._began,
        }

    # ---- calls --------------------------------------------------------------------------------

    def _trapped(self, event: Trapped) -> Iterable[Violation]:
        if self.evidence.calls.step.earlier is not None or self._broken or event.head < 0:
            return ()
        operation = self._registers.operation(event.head, event.payload)
        if operation is None:
            if event.head & KEY == NEGOTIATE:
                self._drop("perf_domain")
            return ()
        function = event.x[0] & 0xFFFF_FFFF
        agent = self.evidence.roster.agent_of_function.get(function)
        own = self.evidence.roster.function(event.domain)
        if agent is None or (own is not None and own != function):
            return ()
        if self._registers.dense or agent in self._registers.numbered:
            self.abstained += 1
            return ()
        kind = OpKind.READ if operation.what else OpKind.WISH
        op = Op(kind, agent, event.number, operation.what, operation.value)
        op.later = operation.later
        self._search(operation.key).begin(op)
        self._touched.setdefault(agent, {})[operation.key] = None
        self._calls[event.domain, event.request] = WaitingCall(operation.key, op, event)
        if len(self._calls) > WAITING_MAX:
            del self._calls[next(iter(self._calls))]
        return ()

    def _search(self, key: Key) -> Search:
        search = self._searches.get(key)
        if search is None:
            model = self._registers.model(key)
            assert model is not None
            search = self._searches[key] = Search(model, self._ordered)
        return search

    def _returned(self, event: Returned) -> Iterable[Violation]:
        waiting = self._calls.pop((event.domain, event.request), None) if event.code != "refused" else None
        if waiting is None:
            return ()
        op, search = waiting.op, self._searches[waiting.key]
        fate = self._fate(event, waiting)
        if fate is OpFate.DONE and op.kind is OpKind.READ:
            op.value = SEEN[op.what](event.payload)
        if fate is OpFate.DONE and op.later:
            search.settle(op, OpFate.OPEN)
            self._later[op.agent, waiting.trap.head] = waiting
            if len(self._later) > WAITING_MAX:
                del self._later[next(iter(self._later))]
        else:
            search.settle(op, fate)
        return self._advance(waiting.key, search, event)

    def _fate(self, event: Returned, waiting: WaitingCall) -> OpFate:
        if event.kind == "error":
            return OpFate.VOID if event.definite else OpFate.OPEN
        trap = waiting.trap
        if self.evidence.touched(VALUE_SCRIBBLED, event.domain, trap.at_ns, event.at_ns):
            self.abstained += 1
            return OpFate.OPEN
        if said(event) != Status.SUCCESS:
            return OpFate.VOID
        enough = READ_BYTES.get(waiting.op.what, 8) if waiting.op.what else 0
        return OpFate.DONE if len(event.payload) >= enough else OpFate.VOID

    def _advance(self, key: Key, search: Search, event: Event) -> Iterable[Violation]:
        op = search.advance()
        return (self._unexplained(key, op, event),) if op is not None else ()

    def _unexplained(self, key: Key, op: Op, event: Event | None) -> Violation:
        kind, number, aspect = key
        what = f"the {aspect} of " if aspect else ""
        if op.kind is OpKind.READ:
            text = f"agent {op.agent} read {op.value!r} as {what}{kind} {number} ({op.what}), "
            text += "which no order of wishes and resets explains"
        else:
            text = f"agent {op.agent}'s {op.kind.value} of {what}{kind} {number} fits into no order"
        numbers = {op.event, event.number} if event is not None else {op.event}
        at_ns = event.at_ns if event is not None else self.evidence.now_ns
        return Violation(self.name, at_ns, text, (), tuple(sorted(numbers)))

    def _interrupted(self, event: Interrupted) -> Iterable[Violation]:
        """A delayed response: what was accepted is done, or certainly is not."""
        if event.end or event.node != "xen" or event.head < 0 or event.head & DELAYED != DELAYED:
            return ()
        agent = self._lines.get(event.intid)
        waiting = self._later.pop((agent, event.head & ~DELAYED), None) if agent is not None else None
        if waiting is None:
            return ()
        search = self._searches[waiting.key]
        search.fulfil(waiting.op, int.from_bytes(event.payload[:4], "little") == 0)
        return self._advance(waiting.key, search, event)

    # ---- resets -------------------------------------------------------------------------------

    def _forwarded(self, event: Forwarded) -> Iterable[Violation]:
        if event.head < 0 or self.evidence.calls.step.earlier is not None:
            return ()
        key = event.head & KEY
        if key == SYSTEM_SET:
            self._drop("")
        elif key == RESET and len(event.payload) == 8 and self._frees(event.payload[4] & 1):
            subject = int.from_bytes(event.payload[:4], "little")
            begun = self._resets[event.request] = []
            for resource in self._touched.get(subject, ()):
                op = Op(OpKind.RESET, subject, event.number)
                self._searches[resource].begin(op)
                begun.append((resource, op))
        return ()

    def _frees(self, permissions: int) -> bool:
        firmware = self.context.topology.firmware
        return firmware.reset == "full" and bool(permissions or firmware.reset_flags_0 == "configuration")

    def _executed(self, event: Executed) -> Iterable[Violation]:
        found: list[Violation] = []
        for key, op in self._resets.pop(event.request, ()):
            search = self._searches[key]
            if said(event) == Status.SUCCESS:
                search.give_up(op.agent, but=op)  # nobody is there any more to be told
                search.settle(op, OpFate.DONE)
            else:
                search.settle(op, OpFate.VOID)
            found.extend(self._advance(key, search, event))
        return found

    def _began(self, event: Began) -> Iterable[Violation]:
        found: list[Violation] = []
        if event.node in ("firmware", "xen"):
            for key, search in self._searches.items():
                if event.node == "firmware":
                    search.restart()
                else:
                    search.give_up(None)
                found.extend(self._advance(key, search, event))
            if event.node == "firmware":
                self._later.clear()
        return found

    def _drop(self, kind: str) -> None:
        """From now on nobody can tell what these resources are."""
        for key, search in self._searches.items():
            if not kind or key[0] == kind:
                search.stop()
        self._broken = self._broken or not kind

    def missing(self) -> Iterator[Violation]:
        for key, search in self._searches.items():
            search.give_up(None)
            unexplained = search.advance()
            if unexplained is not None:
                yield self._unexplained(key, unexplained, None)

    def more(self) -> Mapping[str, Any]:
        searches = self._searches.values()
        return {
            "judged": sum(one.explained for one in searches),
            "resources": len(searches),
            "undecided": sum(one.undecided for one in searches),
            "most_states": max((one.widest for one in searches), default=0),
        }
