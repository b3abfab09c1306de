"""The bytes of hostility: pages that break one rule each, and junk that is no frame or may not be sent.

All is drawn from an attack's seed and the number of the occasion. It knows neither time nor links.
"""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from bus import frames, shmem
from bus.chance import below, mixed
from bus.scmi import base, header
from nodes.guest.calls import Ask
from nodes.limits import AREA_BYTES

VERSION: Final = frames.PROTOCOL_VERSION
Kind = Literal[
    "spurious_doorbell",
    "oversize",
    "undersize",
    "error_preset",
    "foreign_flood",
    "junk_frames",
    "trap_storm",
    "header_flip",
    "rewrite_page",
]
PING: Final = Ask(base.PROTOCOL.id, 0, b"", "hostile")  # PROTOCOL_VERSION: harmless, were it not for the page
# length words beyond any area: one byte too many, beyond a page, and two that overflow a careless sum
OVERSIZE: Final = (AREA_BYTES - shmem.HEADER_AT + 1, shmem.PAGE_BYTES, 0x7FFF_FFFF, 0xFFFF_FFFF)
RANDOM_BYTES: Final = 64
_WORDS, _PICK, _DETAIL = 1, 2, 3  # what a draw is for


class Occasion(msgspec.Struct, frozen=True, gc=False):
    """The ``number``-th time that an attack strikes; what it does is drawn from ``seed``."""

    seed: int
    number: int

    def pick(self, bound: int, what: int = _PICK) -> int:
        """A whole number in [0, bound)."""
        return below(bound, self.seed, self.number, what)


def ping(token: int) -> int:
    """A harmless message's header word."""
    return header.pack(PING.protocol_id, PING.message_id, token & header.TOKEN_MAX)


def page(kind: str, occasion: Occasion) -> bytes:
    """A harmless message in a page that breaks one rule."""
    status, length = {
        "spurious_doorbell": (shmem.FREE, shmem.HEADER_BYTES),
        "error_preset": (shmem.ERROR, shmem.HEADER_BYTES),
        "oversize": (0, OVERSIZE[occasion.pick(len(OVERSIZE))]),
        "undersize": (0, occasion.pick(shmem.HEADER_BYTES)),
    }[kind]
    content = bytearray(shmem.request(ping(occasion.number), b""))
    content[shmem.STATUS_AT : shmem.STATUS_AT + 4] = status.to_bytes(4, "little")
    content[shmem.LENGTH_AT : shmem.LENGTH_AT + 4] = length.to_bytes(4, "little")
    return bytes(content)


def junk(occasion: Occasion, request: int) -> bytes:
    """Any of the kinds of junk; ``request`` is named where there is a place for it."""
    return JUNK[occasion.pick(len(JUNK))](occasion, request)


def at_random(occasion: Occasion, request: int) -> bytes:
    words = (mixed(occasion.seed, occasion.number, _WORDS, at) for at in range(RANDOM_BYTES // 8))
    return b"".join(word.to_bytes(8, "little") for word in words)[: 1 + occasion.pick(RANDOM_BYTES, _DETAIL)]


def wrong_version(occasion: Occasion, request: int) -> bytes:
    """A trap of the next version of the wire."""
    trap = msgspec.msgpack.decode(_trap(request))
    trap[1] = VERSION + 1
    return msgspec.msgpack.encode(trap)


def cut_off(occasion: Occasion, request: int) -> bytes:
    whole = _trap(request)
    return whole[: 1 + occasion.pick(len(whole) - 1, _DETAIL)]


def forbidden(occasion: Occasion, request: int) -> bytes:
    """A frame of Xen's, of EL3's or of the toolstack's: a domain's link may send none of them."""
    made = (
        frames.Welcome(VERSION, request, 0, 0, "dom0"),
        frames.Smc(VERSION, request, 0, (0,) * 8, 0),
        frames.SmcReturn(VERSION, request, 0, (0,) * 4),
        frames.Return(VERSION, request, 0, (0,) * 4),
        frames.Domctl(VERSION, request, 0, frames.DestroyDomain(1)),
        frames.Interrupt(VERSION, request, 0, 32, 0),
        frames.Console(VERSION, request, 0, frames.EL3_DOMID, b""),
    )
    return frames.encode(made[occasion.pick(len(made), _DETAIL)])


def huge(occasion: Occasion, request: int) -> bytes:
    """One byte more than an envelope may have: for whoever reads it to judge, the sockets still take it."""
    return bytes(frames.ENVELOPE_BYTES_MAX + 1)


def _trap(request: int) -> bytes:
    return frames.encode(frames.Trap(VERSION, request, request, 0x17, 0, (0,) * 8, 0))


JUNK: Final[tuple[Callable[[Occasion, int], bytes], ...]] = (
    at_random,
    wrong_version,
    cut_off,
    forbidden,
    huge,
)
