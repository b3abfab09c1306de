"""Drives one core over one link: bytes in, frames, events, effects, bytes out.

Both engines use it, so both run the same code around the same cores. It knows neither processes
nor where time comes from.
"""

from collections.abc import Callable, Sequence
from typing import Any

from bus import frames
from bus.links import Delivery, Link
from deploy.recording.identities import without_identities
from deploy.recording.rows import BOOTED, NOTE, RECEIVED, TICKED, UNDELIVERED
from nodes.contract import Boot, Core, Effect, Event, Halt, Note, Received, Send, SendBytes, Tick, Undelivered
from nodes.metric_labels import OTHER

LogLine = Callable[[str, str], None]
Tap = Callable[
    [int, bytes, int, bytes, bytes], None
]  # (now_ns, peer, event, envelope, page): see recording.rows
KINDS = {kind: kind.__name__.lower() for kind in frames.FRAME_TYPES}


class Driver:
    """``halted`` is set once the core said Halt. Counts frames and bytes in the core's own meters.

    ``frame``: the one that is being handled, for whoever logs; None when something else is.

    ``tap`` is told of all that goes into the core, of what could not be sent, and of the core's notes.
    """

    def __init__(self, core: Core, link: Link, log: LogLine, tap: Tap | None = None) -> None:
        self.core = core
        self.link = link
        self.halted: Halt | None = None
        self.frame: Any = None
        self._log = log
        self._tap = tap
        self._step = core.step
        self._encode = frames.encode
        self._decode = frames.decode
        self._messages = core.meters.counter("trapline_bus_messages_total")
        self._bytes = core.meters.counter("trapline_bus_bytes_total")
        self._drops = core.meters.counter("trapline_bus_dropped_total")
        self._in: dict[Any, int] = dict.fromkeys(KINDS, 0)  # whole sums, as all that follows
        self._out: dict[Any, int] = dict.fromkeys(KINDS, 0)
        self._bytes_in = self._bytes_out = 0
        core.meters.collect = self._collect

    def boot(self, now_ns: int) -> None:
        if self._tap is not None:
            self._tap(now_ns, b"", BOOTED, b"", b"")
        self.feed(Boot(), now_ns)

    def tick(self, now_ns: int) -> None:
        if self._tap is not None:
            self._tap(now_ns, b"", TICKED, b"", b"")
        self.feed(Tick(), now_ns)

    def feed(self, event: Event, now_ns: int) -> None:
        self.frame = None
        self._perform(self._step(event, now_ns), now_ns)

    def deliver(self, delivery: Delivery, now_ns: int) -> None:
        """One message from the link. One that does not parse is counted and dropped."""
        peer, envelope, page = delivery
        if self._tap is not None:
            self._tap(now_ns, peer, RECEIVED, envelope, page)
        self.take(peer, envelope, page, now_ns)

    def take(self, peer: bytes, envelope: bytes, page: bytes, now_ns: int) -> None:
        """The same for a message that the tap knows already."""
        try:
            frame = self._decode(envelope)
        except frames.BadFrame as error:
            self.malformed(str(error))
            return
        self.frame = frame
        self._in[type(frame)] += 1
        self._bytes_in += len(envelope) + len(page)
        effects = self._step(Received(peer, frame, page), now_ns)
        if effects:
            self._perform(effects, now_ns)

    def give_up(self, peer: bytes, now_ns: int) -> None:
        """The peer is gone for good; a row without a message tells it."""
        if self._tap is not None:
            self._tap(now_ns, peer, UNDELIVERED, b"", b"")
        self.feed(Undelivered(peer, None), now_ns)

    def malformed(self, reason: str) -> None:
        """Count a message that is none; the log gets the first few of them only."""
        self._drops[("malformed",)] += 1
        if self._drops[("malformed",)] <= 3:
            self._log("warning", f"dropped a malformed message: {reason}")

    def _perform(self, effects: Sequence[Effect], now_ns: int) -> None:
        lost: tuple[Undelivered, ...] = ()
        for effect in effects:
            if type(effect) is Send:
                page = effect.page
                envelope = self._encode(effect.frame)
                if self.link.send(effect.peer, envelope, page):  # not kept: a link changes it for its rules
                    self._out[type(effect.frame)] += 1
                    self._bytes_out += len(envelope) + len(page)
                else:
                    lost = (*lost, Undelivered(effect.peer, effect.frame))
                    if self._tap is not None:
                        self._tap(now_ns, effect.peer, UNDELIVERED, without_identities(envelope), page)
            elif type(effect) is Note:
                if self._tap is not None:
                    self._tap(now_ns, b"", NOTE, self._encode(effect), b"")
            elif isinstance(effect, Halt):
                self.halted = self.halted or effect
            elif type(effect) is SendBytes:
                self._send_bytes(effect, now_ns)
            else:
                self._other(effect)
        for event in lost:
            self.feed(event, now_ns)

    def _send_bytes(self, effect: SendBytes, now_ns: int) -> None:
        """Bytes that need be no frame; the core does not hear of those that cannot be handed over."""
        if self.link.send(effect.peer, effect.envelope, effect.page):
            self._messages[(OTHER, "out")] += 1
            self._bytes_out += len(effect.envelope) + len(effect.page)
        else:
            self._drops[("undelivered",)] += 1
            if self._tap is not None:
                self._tap(now_ns, effect.peer, UNDELIVERED, effect.envelope, effect.page)

    def _collect(self) -> None:
        """Bring what was counted here into the core's meters, where it has labels.

        Another thread may ask while this core counts: nothing is set back, so nothing is lost.
        """
        for way, counted in (("in", self._in), ("out", self._out)):
            for kind, count in counted.items():
                if count:
                    self._messages.put((KINDS[kind], way), count)
        for way, count in (("in", self._bytes_in), ("out", self._bytes_out)):
            if count:
                self._bytes.put((way,), count)

    def _other(self, effect: Any) -> None:
        self._log(effect.level, effect.text)
