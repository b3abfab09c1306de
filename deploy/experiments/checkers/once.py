"""A trap has its effect at most once, whatever links do to the frames that carry it."""

from collections.abc import Iterable, Mapping
from typing import Any

from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.experiments.checkers.excuses import SMC_COPIED
from deploy.recording.events import Executed, Forwarded


class AtMostOnce(Judge):
    name = "at_most_once"
    claim = "EL3 carries out a trap at most once."
    knows = "SMCs as EL3 received them and its returns"
    cannot = "see an effect by itself: EL3 that acts twice, and answers once looks right"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self.copies = 0

    def on(self) -> Mapping[type, Handler]:
        return {Forwarded: self._forwarded, Executed: self._executed}

    def _forwarded(self, event: Forwarded) -> Iterable[Violation]:
        step = self.evidence.calls.step
        call, earlier = step.call, step.earlier
        if call is None or not isinstance(earlier, Forwarded):
            self.judged += 1
            return ()
        if earlier.request != event.request:
            text = f"{call.name} came to EL3 as Xen's request {earlier.request} and again as {event.request}"
            return (self.wrong(event, text, call.domain, earlier),)
        if self.evidence.planned(SMC_COPIED) and _asks(earlier) == _asks(event):
            self.copies += 1
            return ()
        text = f"Xen's request {event.request} ({call.name}) came to EL3 twice"
        return (self.wrong(event, text, call.domain, earlier),)

    def _executed(self, event: Executed) -> Iterable[Violation]:
        step = self.evidence.calls.step
        call, earlier = step.call, step.earlier
        if call is None or not isinstance(earlier, Executed):
            return ()
        if self.evidence.planned(SMC_COPIED) and _says(earlier) == _says(event):
            self.copies += 1
            return ()
        text = f"EL3 answered Xen's request {event.request} ({call.name}) twice"
        if _says(earlier) != _says(event):
            text += f", and not the same: {_told(earlier)}, then {_told(event)}"
        return (self.wrong(event, text, call.domain, call.smc, earlier),)

    def more(self) -> Mapping[str, Any]:
        return {"copies": self.copies}


def _asks(event: Forwarded) -> tuple[int, int, bytes]:
    return event.function, event.head, event.payload


def _says(event: Executed) -> tuple[int, int, int, bytes]:
    return event.x0, event.channel_status, event.head, event.payload


def _told(event: Executed) -> str:
    return f"x0 {event.x0:#x}, header {event.head:#x}, status {event.status}"
