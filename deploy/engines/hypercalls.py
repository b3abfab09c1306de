"""The toolstack's link to Xen: domctl and console requests, their answers, and what Xen tells unasked.

One request waits at a time. While it waits the engine goes on: ``Waiting.pump`` lets things happen,
``Waiting.failure`` says when nothing can happen any more.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

from bus import frames
from bus.links import XEN, Link
from bus.links.stamped import StampedLink, Time
from bus.links.zeromq import DealerLink
from deploy.engines.driver import Tap
from deploy.recording.rows import RECEIVED
from deploy.toolstack import ToolstackError
from nodes.meters import Meters

VERSION: Final = frames.PROTOCOL_VERSION
ANSWER_S = 10.0
PUMP_S = 0.2


class PlatformLostError(ToolstackError):
    """EL3 or Xen ended without being asked to: the platform is over."""


class Waiting(Protocol):
    """The engine as it is needed here."""

    failure: str | None

    def pump(self, timeout_s: float, extra: bool = True) -> None: ...


class Hypercalls:
    """``meters`` are the supervisor's: they count what does not parse. ``tap`` is told of all that Xen says.

    ``request`` is the number of the last request. ``lost``: why this link is not used any more, or None.
    ``shared``: the time of a platform on several machines.
    """

    def __init__(
        self,
        link: DealerLink,
        engine: Waiting,
        meters: Meters,
        tap: Tap | None = None,
        *,
        first_request: int = 0,
        cluster: bytes = b"",
        shared: Time | None = None,
    ) -> None:
        self.link = link
        self._link: Link = link if shared is None else StampedLink(link, shared)
        self._clock = time.monotonic_ns if shared is None else shared.now_ns
        self._engine = engine
        self._drops = meters.counter("trapline_bus_dropped_total")
        self._replies: dict[int, frames.Frame] = {}
        self._awaited: set[int] = set()
        self._tap = tap
        self.lost: str | None = None
        self.request = first_request
        self._welcomed: set[int] = set()  # the domains whose welcome nobody has asked for yet
        self._send(frames.Hello(VERSION, 0, 0, "toolstack", cluster, int(bool(cluster))))

    def _send(self, frame: frames.Frame) -> None:
        self._link.send(XEN, frames.encode(frame), b"")

    def hear(self, on_lifecycle: Callable[[frames.Lifecycle], None]) -> None:
        """Take in all that Xen has said; ``on_lifecycle`` is told of every event of a domain."""
        while self.link.socket.poll(0):
            delivery = self._link.receive()
            if delivery is None:
                return
            if self._tap is not None:
                self._tap(self._clock(), delivery[0], RECEIVED, delivery[1], delivery[2])
            try:
                frame = frames.decode(delivery[1])
            except frames.BadFrame:
                self._drops[("malformed",)] += 1
                continue
            if isinstance(frame, frames.Lifecycle):
                if frame.event == "link_up":
                    self._welcomed.add(frame.domid)
                on_lifecycle(frame)
            elif frame.request in self._awaited:
                self._replies[frame.request] = frame
            elif frame.request:
                self._drops[("late",)] += 1

    def close(self, why: str) -> None:
        """Whoever waits for an answer hears that it will not come, and why."""
        self.lost = why
        self.link.close()

    def _next(self) -> int:
        self.request += 1
        return self.request

    def tell(self, op: frames.Op) -> None:
        """A domctl whose answer nobody waits for."""
        request = self._next()
        self._send(frames.Domctl(VERSION, request, request, op))

    def domctl(self, op: frames.Op, within_s: float = ANSWER_S) -> frames.DomctlReply:
        request = self._next()
        answer = self._ask(frames.Domctl(VERSION, request, request, op), within_s)
        if not isinstance(answer, frames.DomctlReply):
            raise ToolstackError(f"Xen answered with {type(answer).__name__}", definite=False)
        return answer

    def console(self, domid: int, body: bytes, within_s: float = ANSWER_S) -> bytes:
        number = self._next()
        answer = self._ask(frames.Console(VERSION, number, number, domid, body), within_s)
        if not isinstance(answer, frames.ConsoleReply):
            raise ToolstackError(f"Xen answered with {type(answer).__name__}", definite=False)
        return answer.body

    def _ask(self, frame: frames.Frame, within_s: float = ANSWER_S) -> frames.Frame:
        if self._engine.failure:
            raise PlatformLostError(self._engine.failure)
        self._awaited.add(frame.request)
        try:
            self._send(frame)
            self._wait(lambda: frame.request in self._replies, "no answer from Xen", within_s)
        finally:
            self._awaited.discard(frame.request)
        answer = self._replies.pop(frame.request)
        if isinstance(answer, frames.Error):
            raise ToolstackError(answer.detail, answer.definite)
        return answer

    def await_welcome(self, info: frames.DomainInfo, runs: Callable[[], bool]) -> None:
        """Wait for Xen to welcome a domain whose process was just started; ``runs`` says if it still does."""
        welcomed = self._welcomed
        self._wait(lambda: info.domid in welcomed or not runs(), f"Xen did not welcome {info.name}")
        if info.domid not in welcomed:
            raise ToolstackError(f"{info.name} ended before Xen had welcomed it")
        welcomed.discard(info.domid)

    def _wait(self, done: Callable[[], bool], otherwise: str, within_s: float = ANSWER_S) -> None:
        deadline = time.monotonic() + within_s
        while not done():
            if self._engine.failure:
                raise PlatformLostError(self._engine.failure, definite=False)
            if self.lost:
                raise ToolstackError(self.lost, definite=False)
            if time.monotonic() > deadline:
                raise ToolstackError(f"{otherwise} within {within_s:.0f} s", definite=False)
            self._engine.pump(PUMP_S, extra=False)
