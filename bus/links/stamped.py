"""A link between machines: each message says when it was sent, so nobody hears of it before that.

Clocks of machines agree only so far, and a history that is put in order by time must not show an answer
before its question. So the receiver's clock is at least as late as the sender's was (Lamport's rule). The
time is the last 8 bytes of the page's part; both ends of a link must be of this kind.
"""

import struct
from typing import Final, Protocol

from bus.links import Delivery, Link

_STAMP: Final = struct.Struct("<q")
STAMP_BYTES: Final = _STAMP.size


class Time(Protocol):
    """The time of the platform, on this machine."""

    def now_ns(self) -> int: ...

    def at_least(self, then_ns: int) -> None:
        """From now on it is later than that, unless that cannot be true."""
        ...


class StampedLink:
    """A ``Link`` over ``inner``. What comes without a time is passed on as it is."""

    def __init__(self, inner: Link, time: Time) -> None:
        self._time = time
        self._send = inner.send
        self._receive = inner.receive
        self.set_timeout_ns = inner.set_timeout_ns
        self.close = inner.close

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        return self._send(peer, envelope, page + _STAMP.pack(self._time.now_ns()))

    def receive(self) -> Delivery | None:
        delivery = self._receive()
        if delivery is None or len(delivery[2]) < STAMP_BYTES:
            return delivery
        peer, envelope, page = delivery
        self._time.at_least(*_STAMP.unpack(page[-STAMP_BYTES:]))
        return peer, envelope, page[:-STAMP_BYTES]
