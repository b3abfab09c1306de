"""The pcapng container: a section, interfaces, packets; each block's layout is one table.

Only what a capture of ours needs: little-endian, one section, nanoseconds (draft-ietf-opsawg-pcapng). The
libraries on PyPI read a whole block tree with options as objects, know no cut-off file, and judge by a global
switch. What is in a packet this module does not know: that is ``deploy.tracing.capture``.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Final, TypeVar

import msgspec

from bus.fields import Field, Message, WrongSize, decode_front, encode, i64, layout, u32
from deploy.errors import UserError

BLOCK_BYTES_MAX: Final = 16 << 20  # as Wireshark has it; a longer one is garbage
PACKET_BYTES_MAX: Final = 262_144  # Wireshark's limit for a packet
INTERFACES_MAX: Final = 65_536  # of one capture; what later nodes saw is on the last one
TEXT_BYTES_MAX: Final = 1_024  # of one option
SECTION, INTERFACE, ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
OLD_PACKET, SIMPLE_PACKET = 2, 3
BYTE_ORDER: Final = 0x1A2B_3C4D
USER0: Final = 147  # LINKTYPE_USER0: for private use
NANOSECONDS: Final = 9
REMEDY: Final = "write it anew with 'trapline trace --save FILE.pcapng'"
M = TypeVar("M", bound=Message)


class BlockHead(Message, frozen=True):
    """In front of every block; its end repeats ``total_bytes``."""

    kind: Annotated[int, u32("block type")]
    total_bytes: Annotated[int, u32("of the whole block, a multiple of 4")]


class SectionHeader(Message, frozen=True):
    byte_order: Annotated[int, u32("0x1a2b3c4d as the writer's machine stores it")]
    major: Annotated[int, Field("H", "1")]
    minor: Annotated[int, Field("H", "0")]
    section_bytes: Annotated[int, i64("-1: not known")]


class InterfaceDescription(Message, frozen=True):
    link_type: Annotated[int, Field("H", "147: DLT_USER0")]
    reserved: Annotated[int, Field("H", "zero")]
    snap_bytes: Annotated[int, u32("the longest packet")]


class EnhancedPacket(Message, frozen=True):
    interface: Annotated[int, u32("the number of its InterfaceDescription, from 0")]
    time_high: Annotated[int, u32("upper half of the nanoseconds since 1970")]
    time_low: Annotated[int, u32("lower half")]
    captured_bytes: Annotated[int, u32("that follow")]
    original_bytes: Annotated[int, u32("more, if the packet was cut")]


class OptionHead(Message, frozen=True):
    code: Annotated[int, Field("H", "0 ends the options")]
    length: Annotated[int, Field("H", "of the value, without its padding to 4")]


OPTIONS: Final = {
    "comment": 1,
    "hardware": 2,
    "application": 4,
    "name": 2,
    "description": 3,
    "resolution": 9,
}
_HEAD_BYTES: Final = layout(BlockHead).size
_END_BYTES: Final = 4


class Block(msgspec.Struct, frozen=True):
    """``offset`` in the file, ``body`` without head and end."""

    offset: int
    kind: int
    body: bytes


class Packet(msgspec.Struct, frozen=True):
    """``offset`` of its block in the file; ``time_ns`` since 1970; ``cut``: bytes of it that are missing."""

    offset: int
    interface: int
    time_ns: int
    data: bytes
    cut: int


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _block(kind: int, body: bytes) -> bytes:
    whole = _HEAD_BYTES + len(body) + _END_BYTES
    return encode(BlockHead(kind, whole)) + body + whole.to_bytes(_END_BYTES, "little")


def _options(**texts: str | bytes) -> bytes:
    """A list of options, with its end; a text too long is cut."""
    data = b""
    for name, text in texts.items():
        value = text.encode()[:TEXT_BYTES_MAX] if isinstance(text, str) else text
        if value:
            data += encode(OptionHead(OPTIONS[name], len(value))) + _padded(value)
    return data + encode(OptionHead(0, 0))


class Writer:
    """Appends blocks to ``file``, each in one ``write``: what is there can be read at any time.

    Raises OSError as the file does.
    """

    def __init__(self, file: BinaryIO, application: str, comment: str = "") -> None:
        self._file = file
        self._interfaces: dict[str, int] = {}
        head = encode(SectionHeader(BYTE_ORDER, 1, 0, -1))
        file.write(_block(SECTION, head + _options(application=application, comment=comment)))

    def interface(self, name: str, description: str) -> int:
        """The number of an interface, described when it is first named."""
        number = self._interfaces.get(name)
        if number is not None:
            return number
        if len(self._interfaces) >= INTERFACES_MAX:
            return INTERFACES_MAX - 1
        options = _options(name=name, description=description, resolution=bytes([NANOSECONDS]))
        head = encode(InterfaceDescription(USER0, 0, PACKET_BYTES_MAX))
        self._file.write(_block(INTERFACE, head + options))
        return self._interfaces.setdefault(name, len(self._interfaces))

    def packet(self, interface: int, time_ns: int, data: bytes) -> None:
        """``time_ns`` since 1970. What is beyond PACKET_BYTES_MAX is cut, and the packet says so."""
        high, low = divmod(time_ns & (1 << 64) - 1, 1 << 32)
        kept = data[:PACKET_BYTES_MAX]
        head = encode(EnhancedPacket(interface, high, low, len(kept), len(data)))
        self._file.write(_block(ENHANCED_PACKET, head + _padded(kept)))


class Reader:
    """``blocks`` of a capture. After them ``cut_bytes`` tells how much of an unfinished block was left.

    Anything that is no block raises UserError with the file and the offset.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut_bytes = 0

    def wrong(self, offset: int, rule: str, remedy: str = REMEDY) -> UserError:
        return UserError(f"{self.path}: byte {offset}: {rule}; {remedy}")

    def blocks(self) -> Iterator[Block]:
        try:
            with self.path.open("rb") as file:
                left = os.fstat(file.fileno()).st_size
                yield from self._blocks(file, left)
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be read ({error.strerror}); give the name of a capture"
            ) from None

    def _blocks(self, file: BinaryIO, left: int) -> Iterator[Block]:
        at = 0
        while True:
            start = file.read(_HEAD_BYTES)
            if len(start) < _HEAD_BYTES:
                self.cut_bytes = len(start)
                break
            head = decode_front(BlockHead, start)
            self._check(at, head)
            if head.total_bytes > left - at:
                self.cut_bytes = left - at
                break
            rest = file.read(head.total_bytes - _HEAD_BYTES)
            if int.from_bytes(rest[-_END_BYTES:], "little") != head.total_bytes:
                raise self.wrong(at, f"a block's length is {head.total_bytes} in front, another one behind")
            block = Block(at, head.kind, rest[:-_END_BYTES])
            if block.kind == SECTION:
                self._section(block)
            yield block
            at += head.total_bytes
        if at == 0:
            raise self.wrong(0, "no pcapng section begins here")

    def _check(self, at: int, head: BlockHead) -> None:
        if at == 0 and head.kind != SECTION:
            raise self.wrong(0, "no pcapng capture begins like this")
        swapped = head.kind == SECTION and head.total_bytes & 0xFF == 0 and head.total_bytes > BLOCK_BYTES_MAX
        if swapped:
            raise self.wrong(at, "a big-endian section", "save it on a little-endian machine")
        if head.total_bytes % 4 or not _HEAD_BYTES + _END_BYTES <= head.total_bytes <= BLOCK_BYTES_MAX:
            raise self.wrong(at, f"a block of {head.total_bytes} bytes: 12 to {BLOCK_BYTES_MAX}, in fours")

    def _section(self, block: Block) -> None:
        if block.offset:
            raise self.wrong(block.offset, "a second section; a capture of ours has one")
        head = self._front(SectionHeader, block)
        if head.byte_order != BYTE_ORDER or head.major != 1:
            raise self.wrong(0, "no little-endian pcapng of version 1")

    def _front(self, cls: type[M], block: Block) -> M:
        try:
            return decode_front(cls, block.body)
        except WrongSize as error:
            raise self.wrong(block.offset, str(error)) from None

    def packets(self) -> Iterator[Packet]:
        """Packets in order; blocks that others add (names, statistics) are passed over."""
        interfaces = 0
        for block in self.blocks():
            if block.kind == INTERFACE:
                interfaces += 1
                self._interface(block)
            elif block.kind == ENHANCED_PACKET:
                yield self._packet(block, interfaces)
            elif block.kind in (OLD_PACKET, SIMPLE_PACKET):
                raise self.wrong(block.offset, "a packet of a kind that has no interface or no time")

    def _interface(self, block: Block) -> None:
        link = self._front(InterfaceDescription, block).link_type
        if link != USER0:
            raise self.wrong(block.offset, f"link type {link}; a capture of ours has {USER0}, DLT_USER0")

    def _packet(self, block: Block, interfaces: int) -> Packet:
        head = self._front(EnhancedPacket, block)
        begin = layout(EnhancedPacket).size
        data = block.body[begin : begin + head.captured_bytes]
        if len(data) < head.captured_bytes:
            raise self.wrong(block.offset, f"{head.captured_bytes} captured bytes do not fit into the block")
        if head.interface >= interfaces:
            raise self.wrong(block.offset, f"interface {head.interface}, only {interfaces} were described")
        cut = head.original_bytes - head.captured_bytes
        return Packet(block.offset, head.interface, head.time_high << 32 | head.time_low, data, cut)
