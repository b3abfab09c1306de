"""The SCMI shared-memory page ("SMT" area): snapshot, claim, reply (DEN0056, shared memory transport).

A page is read once into private bytes and those are judged; an answer is written back in one stated
order, channel status last. This module does not know whose page it is, nor whether it travels in a
frame (carried) or is mapped by two processes (mapped).
"""

from typing import Annotated, Protocol

from bus.fields import Bits, Message, layout, u32, u64

PAGE_BYTES = 4096
STATUS = Bits(error=1, free=0)
FLAGS = Bits(interrupt_enable=0)
FREE = STATUS.pack(free=1)
ERROR = STATUS.pack(error=1)
INTERRUPT = FLAGS.pack(interrupt_enable=1)


class Area(Message, frozen=True):
    """The fixed part of the page; the payload follows."""

    reserved: Annotated[int, u32("zero")]
    channel_status: Annotated[int, u32("who owns the area, and whether transport failed", bits=STATUS)]
    implementation_defined: Annotated[int, u64("zero")]
    channel_flags: Annotated[int, u32("asked of the platform", bits=FLAGS)]
    length: Annotated[int, u32("4 (the header) + payload bytes")]
    message_header: Annotated[int, u32("see bus.scmi.header")]


_LAYOUT = layout(Area)
_UNPACK = _LAYOUT.fixed.unpack_from
_PACK = _LAYOUT.fixed.pack
STATUS_AT = _LAYOUT.offsets["channel_status"]
FLAGS_AT = _LAYOUT.offsets["channel_flags"]
LENGTH_AT = _LAYOUT.offsets["length"]
HEADER_AT = _LAYOUT.offsets["message_header"]
PAYLOAD_AT = _LAYOUT.size
HEADER_BYTES = PAYLOAD_AT - HEADER_AT
PAYLOAD_BYTES_MAX = PAGE_BYTES - PAYLOAD_AT
IDLE = _PACK(0, FREE, 0, 0, 0, 0)
FAILED = _PACK(0, FREE | ERROR, 0, 0, 0, 0)


class PageError(ValueError):
    """A page that holds no message: too short, a length under 4, or one beyond the area."""


class Memory(Protocol):
    """Physical memory as one node sees it: ``map`` gives the writable page at an address."""

    def map(self, address: int) -> "Buffer": ...


Buffer = memoryview | bytearray


class PrivateMemory:
    """Memory of one node alone: pages start idle, as the platform leaves them at start of day."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def map(self, address: int) -> bytearray:
        page = self._pages.get(address)
        if page is None:
            page = self._pages[address] = bytearray(PAGE_BYTES)
            page[:PAYLOAD_AT] = IDLE
        return page


def read_message(page: bytes, area_bytes: int = PAGE_BYTES) -> tuple[int, bytes]:
    """The (message header, payload) of a private snapshot.

    ``area_bytes`` is what the platform supports; the page may be a prefix of it. Raises PageError.
    """
    if len(page) < PAYLOAD_AT:
        raise PageError(f"a page has at least {PAYLOAD_AT} bytes, this one {len(page)}")
    _, _, length, header = fields(page)
    return header, payload_of(page, length, area_bytes)


def payload_of(page: bytes, length: int, area_bytes: int = PAGE_BYTES) -> bytes:
    """The payload of a snapshot whose ``length`` is known. Raises PageError."""
    end = HEADER_AT + length
    if length < HEADER_BYTES:
        raise PageError(f"length is {length}, but the header alone takes {HEADER_BYTES}")
    if end > area_bytes or end > len(page):
        raise PageError(f"length is {length}, beyond the {min(area_bytes, len(page))}-byte area")
    return page[PAYLOAD_AT:end]


def status_of(page: bytes | Buffer) -> int:
    """The channel status word."""
    return int.from_bytes(bytes(page[STATUS_AT : STATUS_AT + 4]), "little")


def fields(page: bytes) -> tuple[int, int, int, int]:
    """(channel status, flags, length, message header) of a page of at least 28 bytes."""
    _, status, _, flags, length, header = _UNPACK(page)
    return status, flags, length, header


def request(header: int, payload: bytes, flags: int = 0) -> bytes:
    """The page as an agent leaves it before the doorbell: FREE and ERROR clear."""
    return _PACK(0, 0, 0, flags, HEADER_BYTES + len(payload), header) + payload


def reply(header: int, payload: bytes) -> bytes:
    """The page as the platform leaves it: FREE set, the header copied from the request."""
    return _PACK(0, FREE, 0, 0, HEADER_BYTES + len(payload), header) + payload


def publish(buffer: Buffer, content: bytes) -> None:
    """Write ``content`` into a shared page: payload, length and header first, channel status last.

    Raises PageError for content that is no page, or more than the buffer takes.
    """
    if not PAYLOAD_AT <= len(content) <= len(buffer):
        raise PageError(f"{len(content)} bytes to write; a page takes {PAYLOAD_AT} to {len(buffer)}")
    buffer[PAYLOAD_AT : len(content)] = content[PAYLOAD_AT:]
    buffer[STATUS_AT + 4 : PAYLOAD_AT] = content[STATUS_AT + 4 : PAYLOAD_AT]
    buffer[STATUS_AT : STATUS_AT + 4] = content[STATUS_AT : STATUS_AT + 4]
