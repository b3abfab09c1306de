"""Rows as packets of a capture, and back: what Wireshark opens and ``trapline replay`` plays.

One packet per row, on the interface of the node that saw it; the description of the platform (run.json) is
in packets of its own, in front and again when it changes. No link identity gets in: rows have names, and
the one frame that tells identities loses them. Where rows come from this module does not know. CAPTURE.md
has the format.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import msgspec

from bus.fields import Field, Message, WrongSize, decode, encode, i64, layout, u32, u64
from deploy.errors import UserError
from deploy.recording.identities import without_identities
from deploy.recording.rows import EVENTS, NOTE, Row, is_domain
from deploy.tracing.pcapng import Packet, Reader, Writer
from nodes.contract import Note

LAYOUT: Final = 1  # of the packets; another number is another layout
MARK: Final = 0x4C54  # "TL"
DESCRIPTION_MARK: Final = 0x4E55_524C  # "LRUN"
PART_BYTES: Final = 1 << 17  # of the description in one packet
DESCRIPTION_BYTES_MAX: Final = 64 << 20


class PacketHead(Message, frozen=True):
    """In front of every packet; node, peer, envelope and page follow, without padding."""

    mark: Annotated[int, Field("H", "0x4c54")]
    layout: Annotated[int, Field("B", "1")]
    event: Annotated[
        int, Field("B", "what happened to the node", values={name: n for n, name in enumerate(EVENTS)})
    ]
    node_bytes: Annotated[int, Field("H", "UTF-8: who saw it")]
    peer_bytes: Annotated[int, Field("H", "UTF-8: from whom, or to whom it did not get; 0: nobody")]
    envelope_bytes: Annotated[int, u32("msgpack: a frame, or what a note says")]
    page_bytes: Annotated[int, u32("of the shared-memory page")]
    at_ns: Annotated[int, i64("when, on the run's clock")]


class DescriptionHead(Message, frozen=True):
    """A packet with a part of the description, JSON as in run.json, which follows."""

    mark: Annotated[int, u32("0x4e55524c")]
    part: Annotated[int, Field("H", "from 0")]
    parts: Annotated[int, Field("H", "of them")]
    part_bytes: Annotated[int, u32("that follow")]
    truncated: Annotated[int, u64("rows that found no room before they got here")]


GAP: Final = "gap"  # a note of "run": so many rows were overwritten before they were read
PARTS: Final = ("node", "peer", "envelope", "page")  # what follows PacketHead, in order


class CaptureWriter:
    """A capture under way; after each ``flush`` the file is readable. ``written`` counts rows.

    ``origin_ns``: the wall clock (ns since 1970) at 0 of the rows' clock; 0 on virtual time. ``described``:
    whether it tells what the platform is made of; without that it cannot be replayed. Raises OSError as the
    file does.
    """

    def __init__(self, file: BinaryIO, *, origin_ns: int, comment: str = "") -> None:
        self.written = 0
        self.described = False
        self._file = file
        self._origin_ns = origin_ns
        self._out = Writer(file, "Trapline", comment)
        file.flush()

    def describe(self, made: bytes, truncated: int = 0) -> None:
        """What the platform is made of, as in run.json; a later one replaces it. Nothing for b"".

        ``truncated``: rows that were lost before they got here. Raises UserError for one too large.
        """
        if len(made) > DESCRIPTION_BYTES_MAX:
            raise UserError(
                f"the description of the platform has {len(made)} bytes, a capture takes "
                f"{DESCRIPTION_BYTES_MAX}; capture a smaller platform"
            )
        parts = [made[at : at + PART_BYTES] for at in range(0, len(made), PART_BYTES)]
        for number, part in enumerate(parts):
            head = DescriptionHead(DESCRIPTION_MARK, number, len(parts), len(part), truncated)
            place = self._out.interface("platform", "what the nodes were made of")
            self._out.packet(place, max(0, self._origin_ns), encode(head) + part)
            self.described = True
        self.flush()

    def add(self, row: Row) -> None:
        number = self._out.interface(row[1], role(row[1]))
        self._out.packet(number, max(0, self._origin_ns + row[0]), packed(row))
        self.written += 1

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.add(row)
        self.flush()

    def flush(self) -> None:
        self._file.flush()


def gap(at_ns: int, rows: int) -> Row:
    """The row that stands for ``rows`` that are missing."""
    return at_ns, "run", "", NOTE, msgspec.msgpack.encode(Note(GAP, 0, (rows,))), b""


def role(node: str) -> str:
    """What a person reads beside an interface's name."""
    if is_domain(node):
        return "a domain, and which of its lives"
    known = {"xen": "the hypervisor", "firmware": "EL3", "toolstack": "xl", "run": "the experiment"}
    return known.get(node.partition(".")[0], "")


def packed(row: Row) -> bytes:
    """The packet of a row."""
    at_ns, node, peer, event, envelope, page = row
    parts = (node.encode(), peer.encode(), without_identities(envelope), page)
    node_bytes, peer_bytes, envelope_bytes, page_bytes = map(len, parts)
    head = PacketHead(MARK, LAYOUT, event, node_bytes, peer_bytes, envelope_bytes, page_bytes, at_ns)
    return encode(head) + b"".join(parts)


def unpacked(data: bytes) -> Row:
    """The row of a packet; raises ValueError with what is wrong with it."""
    size = layout(PacketHead).size
    head = decode(PacketHead, data[:size])
    if head.mark != MARK or head.layout != LAYOUT:
        raise ValueError(
            f"a packet of layout {head.layout}, mark {head.mark:#x}; this Trapline reads {LAYOUT}"
        )
    if head.event >= len(EVENTS):
        raise ValueError(f"event {head.event}, there are {len(EVENTS)}")
    ends = [size]
    for part in PARTS:
        ends.append(ends[-1] + int(getattr(head, f"{part}_bytes")))
    if ends[-1] != len(data):
        raise ValueError(f"a packet of {len(data)} bytes whose parts have {ends[-1]}")
    node, peer, envelope, page = (data[begin:end] for begin, end in pairwise(ends))
    return head.at_ns, node.decode(), peer.decode(), head.event, envelope, page


def _describes(data: bytes) -> bool:
    return data.startswith(DESCRIPTION_MARK.to_bytes(4, "little"))


class Capture:
    """A capture at ``path``. ``made``: the platform's run.json, the last that is whole; b"" if there is none.

    ``rows`` goes through it; afterwards ``cut_bytes`` tells how many bytes of an unfinished packet were at
    the end. Raises UserError with the offset of what is no capture of ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut_bytes = 0
        self.truncated = 0
        self.made = self._description()

    def _description(self) -> bytes:
        reader = Reader(self.path)
        made = b""
        found: list[bytes] = []
        for packet in reader.packets():
            if not _describes(packet.data):
                continue
            head, data = self._part(reader, packet, len(found))
            found.append(data)
            if len(found) == head.parts:
                made, self.truncated = b"".join(found), head.truncated
                found.clear()
        return made

    def _part(self, reader: Reader, packet: Packet, number: int) -> tuple[DescriptionHead, bytes]:
        size = layout(DescriptionHead).size
        try:
            head = decode(DescriptionHead, packet.data[:size])
        except WrongSize as error:
            raise reader.wrong(packet.offset, str(error)) from None
        data = packet.data[size:]
        if head.part != number or head.part >= head.parts or len(data) != head.part_bytes:
            raise reader.wrong(
                packet.offset, f"part {head.part} of {head.parts} of the description is broken"
            )
        if number * PART_BYTES >= DESCRIPTION_BYTES_MAX:
            raise reader.wrong(packet.offset, f"a description beyond {DESCRIPTION_BYTES_MAX} bytes")
        return head, data

    def rows(self) -> Iterator[Row]:
        """Every row, in the order of the file."""
        reader = Reader(self.path)
        for packet in reader.packets():
            if packet.cut:
                raise reader.wrong(
                    packet.offset,
                    f"{packet.cut} bytes of packet are missing",
                    "capture, or save, without a limit to the length of packets",
                )
            if _describes(packet.data):
                continue
            try:
                yield unpacked(packet.data)
            except ValueError as error:
                raise reader.wrong(packet.offset, str(error)) from None
        self.cut_bytes = reader.cut_bytes
