"""Every doorbell is answered, once: what Xen owes each domain for each trap."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.experiments.checkers.calls import Call
from deploy.experiments.checkers.excuses import ANSWER_COPIED, ENDED
from deploy.recording.events import Returned, Trapped


class Answers(Judge):
    name = "answers"
    claim = "Every trap gets exactly one answer or one explicit error, and nothing is answered unasked."
    knows = (
        "traps as Xen received them, what ended them at the domains, frames that are told to be lost, "
        "domains that ended"
    )
    cannot = (
        "tell a slow answer from none: a trap younger than the guests' patience at the end is pending; an "
        'Error "refused" may be about any frame and is nobody\'s second answer'
    )

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self.copies = 0
        self.pending = 0
        self.excused = 0

    def on(self) -> Mapping[type, Handler]:
        return {Trapped: self._trapped, Returned: self._returned}

    def _trapped(self, event: Trapped) -> Iterable[Violation]:
        self.judged += self.evidence.calls.step.earlier is None
        return ()

    def _returned(self, event: Returned) -> Iterable[Violation]:
        step = self.evidence.calls.step
        call, earlier = step.call, step.earlier
        if event.code == "refused":
            return ()
        if call is None:
            return self._unasked(event)
        if isinstance(earlier, Returned):
            if self.evidence.planned(ANSWER_COPIED) and _same(earlier, event):
                self.copies += 1
                return ()
            text = f"{call.name} was answered twice: {_told(earlier)}, then {_told(event)}"
            return (self.wrong(event, text, event.domain, call.trap, earlier),)
        return ()

    def _unasked(self, event: Returned) -> Iterable[Violation]:
        if not self.context.complete or self.evidence.calls.forgotten:
            self.abstained += 1
            return ()
        text = f"{event.domain} got {_told(event)} for request {event.request}, which it never asked"
        return (self.wrong(event, text, event.domain),)

    def missing(self) -> Iterator[Violation]:
        left = [call for call in self.evidence.calls.open() if not self._excused(call)]
        waiting = {call.domain for call in left if call.smc is None}
        behind_lost = waiting if len(waiting) <= self.evidence.calls.lost_smcs else set()
        for call in left:
            if call.domain in behind_lost and call.smc is None:
                self.excused += 1
                continue
            trap = call.trap
            assert trap is not None
            where = "it was never forwarded" if call.smc is None else "EL3 got it"
            if call.answer is not None:
                where = "EL3 had answered"
            yield self.wrong(trap, f"{call.name} was never answered; {where}", call.domain, call.smc)

    def _excused(self, call: Call) -> bool:
        trap = call.trap
        assert trap is not None
        if self.evidence.now_ns - trap.at_ns < self.context.patience_ns:
            self.pending += 1
            return True
        if call.refused or call.missed or self.evidence.roster.gone(call.domain) or self._hit(call):
            self.excused += 1
            return True
        return False

    def _hit(self, call: Call) -> bool:
        """Whether the domain was killed, or EL3 ended, while the call was under way."""
        trap = call.trap
        assert trap is not None
        return self.evidence.touched(ENDED, call.domain, trap.at_ns, self.evidence.now_ns)

    def more(self) -> Mapping[str, Any]:
        return {"copies": self.copies, "pending_at_the_end": self.pending, "excused": self.excused}


def _same(one: Returned, other: Returned) -> bool:
    return (one.kind, one.x0, one.code, one.head, one.payload) == (
        other.kind,
        other.x0,
        other.code,
        other.head,
        other.payload,
    )


def _told(event: Returned) -> str:
    if event.kind == "error":
        return f"error {event.code!r} ({'definite' if event.definite else 'indefinite'})"
    if event.kind == "undef":
        return "an undefined instruction"
    return f"a return (x0 {event.x0:#x}, header {event.head:#x})" if event.head >= 0 else "a return"
