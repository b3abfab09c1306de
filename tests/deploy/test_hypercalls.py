"""The toolstack's requests to Xen: an answer that nobody waits for any more is counted and dropped."""

from typing import Any

import pytest

from bus import frames
from bus.links import XEN, Delivery
from deploy.engines.hypercalls import Hypercalls
from deploy.toolstack import ToolstackError
from nodes.meters import Meters


class Xen:
    """Both the link to it and the engine that waits: it answers in ``pump``, or keeps silent."""

    failure: str | None = None

    def __init__(self) -> None:
        self.socket = self
        self.meters = Meters("supervisor")
        self.asked: list[Any] = []
        self.answers: list[Any] = []
        self.silent = False
        self.calls = Hypercalls(self, self, self.meters)  # type: ignore[arg-type]

    def poll(self, _timeout: int) -> int:
        return len(self.answers)

    def receive(self) -> Delivery | None:
        return (XEN, frames.encode(self.answers.pop(0)), b"") if self.answers else None

    def send(self, _peer: bytes, envelope: bytes, _page: bytes) -> bool:
        frame = frames.decode(envelope)
        if isinstance(frame, frames.Domctl):
            self.asked.append(frame)
        return True

    def pump(self, _timeout_s: float, extra: bool = True) -> None:
        if not self.silent:
            self.answer()
        self.calls.hear(lambda frame: None)

    def answer(self) -> None:
        for asked in self.asked:
            self.answers.append(frames.DomctlReply(1, asked.request, 0, 0, 7, "", ()))
        self.asked.clear()

    def late(self) -> int:
        return self.meters.counter("trapline_bus_dropped_total")[("late",)]


def test_late_answers_do_not_pile_up() -> None:
    xen = Xen()
    xen.silent = True
    for _ in range(3):
        with pytest.raises(ToolstackError, match="no answer") as caught:
            xen.calls.domctl(frames.UnpauseDomain(7), within_s=-1.0)
        assert not caught.value.definite
    xen.calls.tell(frames.NodeLost("firmware"))
    xen.answer()
    xen.calls.hear(lambda frame: None)
    assert xen.late() == 4
    xen.silent = False
    assert xen.calls.domctl(frames.UnpauseDomain(7)).domid == 7
    assert xen.late() == 4
