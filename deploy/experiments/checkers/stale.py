"""Whoever was replaced does nothing any more: no SMC of theirs is executed, no old EL3 answers."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from bus.frames import incarnation_of
from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.experiments.checkers.calls import Call
from deploy.recording.events import Asked, Began, Event, Executed, Forwarded, Noted, Returned
from deploy.recording.rows import domain_of, is_domain
from deploy.recording.rows import incarnation_of as life_of

KEPT: Final = 4096  # of each table; the oldest is forgotten first
FIRMWARE, XEN = "firmware", "xen"
OLD_ANSWER: Final = "smcreturn from firmware~"
K = TypeVar("K")
V = TypeVar("V")


class StaleIncarnation(Judge):
    name = "stale_incarnation"
    claim = (
        "No SMC of an older incarnation is executed by EL3 after a newer one was welcomed, and no answer of "
        "an EL3 that was replaced reaches a guest as an answer."
    )
    knows = (
        "which incarnation of a domain, of Xen and of EL3 was welcomed or announced when; the incarnation of "
        "the Xen that numbered an SMC; what EL3 got and returned"
    )
    cannot = (
        "see what an SMC did whose return was lost, nor tell an old EL3's answer to what reached it only "
        "after its successor was announced"
    )

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self.refused = 0
        self._newest: dict[str, tuple[int, Noted]] = {}  # of each name, who was welcomed last
        self._xen: tuple[int, Noted] | None = None  # that has welcomed EL3
        self._replaced: Asked | None = None  # when EL3 was
        self._late: dict[int, Forwarded] = {}  # SMCs of an older Xen, after that
        self._given: dict[int, Call] = {}  # to EL3, by Xen's number, and not answered yet
        self._old: dict[tuple[str, int], Event] = {}  # answers of an EL3 that was replaced

    def on(self) -> Mapping[type, Handler]:
        return {
            Noted: self._noted,
            Began: self._began,
            Asked: self._asked,
            Forwarded: self._forwarded,
            Executed: self._executed,
            Returned: self._returned,
        }

    # ---- who is the newest --------------------------------------------------------------------

    def _noted(self, event: Noted) -> Iterable[Violation]:
        if event.what == "stale":
            self.refused += 1
            if event.node == FIRMWARE:
                self._late.pop(event.request, None)
        elif event.what == "unexpected" and event.node == XEN and event.text.startswith(OLD_ANSWER):
            call = self._given.pop(event.request, None)
            if call is not None and call.answer is None:
                _keep(self._old, (call.domain, call.request), event)
        elif event.what == "welcomed" and event.node == FIRMWARE:
            if event.numbers[0] > (self._xen[0] if self._xen else 0):
                self._xen = event.numbers[0], event
        elif event.what == "welcomed" and is_domain(event.node):
            name, life = domain_of(event.node), life_of(event.node)
            if life > self._newest.get(name, (0,))[0]:
                _keep(self._newest, name, (life, event))
        return ()

    def _began(self, event: Began) -> Iterable[Violation]:
        if event.node == FIRMWARE:  # another one, which no Xen has welcomed
            self._xen = None
            self._late.clear()
        return ()

    def _asked(self, event: Asked) -> Iterable[Violation]:
        if event.op == "node_expected":
            self._replaced = event
        return ()

    # ---- what they did ------------------------------------------------------------------------

    def _forwarded(self, event: Forwarded) -> Iterable[Violation]:
        step = self.evidence.calls.step
        if step.earlier is not None or step.call is None:
            return ()  # a copy is ``at_most_once``'s business
        self.judged += 1
        _keep(self._given, event.request, step.call)
        if self._xen is not None and incarnation_of(event.request) < self._xen[0]:
            _keep(self._late, event.request, event)
        trap = step.call.trap
        newest = self._newest.get(domain_of(event.domain))
        if trap is None or newest is None or life_of(event.domain) >= newest[0]:
            return ()
        if trap.number < newest[1].number:
            self.abstained += 1  # it was asked in time, and was late on its way to EL3
            return ()
        text = f"{step.call.name} reached EL3, though {newest[1].node} was welcomed before it rang"
        return (self.wrong(event, text, event.domain, newest[1], trap),)

    def _executed(self, event: Executed) -> Iterable[Violation]:
        step = self.evidence.calls.step
        call, replaced = step.call, self._replaced
        self._given.pop(event.request, None)
        late = self._late.pop(event.request, None)
        if late is not None and self._xen is not None:
            text = (
                f"EL3 executed request {event.request} of xen#{incarnation_of(event.request)}, though "
                f"xen#{self._xen[0]} had welcomed it before"
            )
            return (self.wrong(event, text, late.domain, self._xen[1], late),)
        if call is None or call.trap is None or call.smc is None or step.earlier is not None:
            return ()
        if replaced is not None and call.smc.number < replaced.number:
            _keep(self._old, (call.domain, call.request), event)
        return ()

    def _returned(self, event: Returned) -> Iterable[Violation]:
        answer = self._old.pop((event.domain, event.request), None) if event.kind == "return" else None
        if answer is None:
            return ()
        text = f"the answer of an EL3 that was replaced reached {event.domain} for its call {event.request}"
        return (self.wrong(event, text, event.domain, self._replaced, answer),)

    def more(self) -> Mapping[str, Any]:
        return {"refused": self.refused}


def _keep(table: dict[K, V], key: K, value: V) -> None:
    table[key] = value
    if len(table) > KEPT:
        del table[next(iter(table))]
