"""The record itself: rows in order, time that never goes back."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.recording.events import (
    Asked,
    Began,
    Ended,
    Event,
    Executed,
    Forwarded,
    Interrupted,
    Lived,
    Missed,
    Noted,
    Replied,
    Returned,
    Trapped,
)
from deploy.recording.rows import is_domain

NODES_MAX: Final = 8192  # whose last time is remembered; the one first met goes first


class Order(Judge):
    name = "order"
    claim = "Events are numbered upwards, at no node does time go back, no answer is older than its question."
    knows = "numbers and times of the rows"
    cannot = "tell how far the clocks of two machines are apart"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._last: dict[str, Event] = {}
        self._number = -1

    def on(self) -> Mapping[type, Handler]:
        return {
            **{kind: self._at("xen") for kind in (Trapped, Asked)},
            **{kind: self._at("toolstack") for kind in (Replied, Lived)},
            Forwarded: self._at("firmware"),
            Executed: self._executed,
            Returned: self._returned,
            Ended: lambda event: self._next(event.domain, event),
            **{
                kind: lambda event: self._next(event.node, event)
                for kind in (Interrupted, Missed, Began, Noted)
            },
        }

    def _at(self, node: str) -> Callable[[Any], Iterable[Violation]]:
        return lambda event: self._next(node, event)

    def _next(self, node: str, event: Event) -> Iterable[Violation]:
        self.judged += 1
        last = self._last.get(node)
        self._last[node] = event
        number, self._number = self._number, event.number
        if last is not None and event.at_ns >= last.at_ns and event.number > number:
            return ()
        return self._badly(node, event, last, number)

    def _badly(self, node: str, event: Event, last: Event | None, number: int) -> list[Violation]:
        if len(self._last) > NODES_MAX:
            del self._last[next(iter(self._last))]
        found = []
        if event.number <= number:
            found.append(self.wrong(event, f"event {event.number} comes after event {number}"))
        if last is not None and event.at_ns < last.at_ns:
            text = f"time went back at {node}, from {last.at_ns} ns to {event.at_ns} ns"
            found.append(self.wrong(event, text, node if is_domain(node) else "", last))
        return found

    def _executed(self, event: Executed) -> Iterable[Violation]:
        call = self.evidence.calls.step.call
        return self._after(event, call.smc if call is not None else None) or self._next("xen", event)

    def _returned(self, event: Returned) -> Iterable[Violation]:
        call = self.evidence.calls.step.call
        earlier = call.trap if call is not None else None
        return self._after(event, earlier) or self._next(event.domain, event)

    def _after(self, event: Event, question: Event | None) -> Iterable[Violation]:
        if question is None or event.at_ns >= question.at_ns:
            return ()
        text = f"an answer at {event.at_ns} ns is older than its question at {question.at_ns} ns"
        return (self.wrong(event, text, "", question),)
