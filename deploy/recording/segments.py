"""What one node's process saw, kept so that kill -9 of that process loses nothing it had recorded.

Rows go into files that are mapped: once stored they belong to the kernel, not to the process. A row's length
is stored last, in one aligned word, so that a row that was cut short reads as the end. A peer is kept as a
digest of its link identity, for an identity is a secret; whoever reads brings the names. This module does not
know processes, nor what a row means.

A file: ``HEADER_BYTES`` (the magic, how many rows found no room, which file of its process it is, how many
rows are in the earlier ones), then rows, each on a multiple of 8: u32 length of what follows the first 8
bytes, u32 0, then i64 at_ns, 8 bytes of the digest, u32 length of the envelope, u8 event, 3 bytes 0, the
envelope, the page.
"""

import hashlib
import heapq
import mmap
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, unquote

import msgspec

from deploy.recording.rows import BOOTED, NOTE, Row
from nodes.limits import HISTORY_NODE_BYTES

SEGMENT_BYTES: Final = 4 << 20
SUFFIX: Final = ".rows"
DIGEST_BYTES: Final = 8
NOBODY: Final = bytes(DIGEST_BYTES)
PEERS_KEPT: Final = 4096  # digests that one node remembers; those of further peers are made again each time
_MAGIC: Final = b"TLROWS\0\1"
_DROPPED_AT: Final = 8  # the number of rows without room, u64
_PLACE_AT: Final = 16  # the number of this file, of this process, and of rows in the earlier ones
_PLACE: Final = struct.Struct("<QQ")
HEADER_BYTES: Final = 64
_HEAD: Final = struct.Struct("<q8sIB3x")
_START: Final = 8  # bytes before a row's head: its length and a word of zeros
_ALWAYS: Final = frozenset({NOTE, BOOTED})
_COUNT: Final = struct.Struct("<Q")
_LENGTH: Final = struct.Struct("<I")

Tap = Callable[[int, bytes, int, bytes, bytes], None]
Raw = tuple[int, bytes, int, bytes, bytes]  # (at_ns, digest, event, envelope, page)


class Recording(msgspec.Struct, frozen=True):
    """How a node records. ``origin_ns``: CLOCK_MONOTONIC at the start of the run. ``life``: which process of
    this node it is, from 0. ``rows``: all of them, or only "notes" and the node's beginning. Past
    ``bytes_max`` rows are counted, not kept.

    ``ring`` is not 0: it is for ``recording.ring``, and only so many files stay.
    """

    folder: str
    node: str
    origin_ns: int
    life: int = 0
    rows: Literal["frames", "notes"] = "frames"
    bytes_max: int = HISTORY_NODE_BYTES
    segment_bytes: int = SEGMENT_BYTES
    ring: int = 0


def digest(identity: bytes) -> bytes:
    """What is kept of a link identity; nobody's is all zeros."""
    if not identity:
        return NOBODY
    return hashlib.blake2b(identity, digest_size=DIGEST_BYTES, person=b"trapline-row").digest()


class Recorder:
    """``tap`` is what a driver calls; ``dropped`` counts rows that found no room.

    Raises OSError if not even the first file can be made.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._segment_bytes = recording.segment_bytes
        self._digests: dict[bytes, bytes] = {}
        self._number = 0
        self._used = 0
        self.dropped = 0
        self._origin_ns = recording.origin_ns
        self._full = False
        self._rows = 0
        self._open()
        self.tap: Tap = self._record if recording.rows == "frames" else self._record_notes

    def _open(self) -> None:
        """The next file, to begin with a row."""
        recording = self._recording
        name = f"{quote(recording.node, safe='#')}.{recording.life:04d}.{self._number:09d}{SUFFIX}"
        path = Path(recording.folder) / name
        self._map = self._mapped(path)
        _PLACE.pack_into(self._map, _PLACE_AT, self._number, self._rows)
        self._map[: len(_MAGIC)] = _MAGIC  # last: before it, this is no file of rows
        self._words = memoryview(self._map).cast("I")
        self._at = HEADER_BYTES
        self._path = path
        self._number += 1
        self._used += self._segment_bytes

    def _mapped(self, path: Path) -> mmap.mmap:
        """A new file with all its blocks: a full disk is an error here and now, not a SIGBUS later."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(handle, 0, self._segment_bytes)
            return mmap.mmap(handle, self._segment_bytes)
        except OSError:
            os.unlink(path)
            raise
        finally:
            os.close(handle)

    def _record(self, now_ns: int, peer: bytes, event: int, envelope: bytes, page: bytes) -> None:
        short = self._digests.get(peer) or self._digest(peer)
        row = _HEAD.pack(now_ns - self._origin_ns, short, len(envelope), event) + envelope + page
        begin = self._at
        body = begin + _START
        end = body + len(row)
        if end > self._segment_bytes:
            self._rotate(now_ns, peer, event, envelope, page)
            return
        self._map[body:end] = row
        self._words[begin >> 2] = len(row)  # last: before it, this row is not there
        self._at = end + 7 & ~7
        self._rows += 1

    def _record_notes(self, now_ns: int, peer: bytes, event: int, envelope: bytes, page: bytes) -> None:
        if event in _ALWAYS:
            self._record(now_ns, peer, event, envelope, page)

    def _rotate(self, now_ns: int, peer: bytes, event: int, envelope: bytes, page: bytes) -> None:
        """The next file takes the row, if there may be one more and it can hold it."""
        fits = HEADER_BYTES + _START + _HEAD.size + len(envelope) + len(page) <= self._segment_bytes
        if fits and not self._full and self._room():
            last = (self._words, self._map, self._path, self._at)
            try:
                self._open()
            except OSError:
                self._full = True
            else:
                self._finish(*last)
                self._count()
                self._record(now_ns, peer, event, envelope, page)
                return
        self.dropped += 1
        self._count()

    def _room(self) -> bool:
        """For one more file."""
        return self._used + self._segment_bytes <= self._recording.bytes_max

    def _count(self) -> None:
        _COUNT.pack_into(self._map, _DROPPED_AT, self.dropped)

    def _digest(self, peer: bytes) -> bytes:
        made = digest(peer)
        if len(self._digests) < PEERS_KEPT:
            self._digests[peer] = made
        return made

    def close(self) -> None:
        """Give back what the last file has left over. The recorder is not to be used any more."""
        self._finish(self._words, self._map, self._path, self._at)

    def _finish(self, words: memoryview, mapped: mmap.mmap, path: Path, end: int) -> None:
        """No row follows in this file."""
        words.release()
        mapped.close()
        if path.exists():
            os.truncate(path, end)


# ---- reading ----------------------------------------------------------------------------------


def nodes(folder: Path) -> dict[str, list[Path]]:
    """The files of every node that recorded there, in the order in which they were written."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        found.setdefault(unquote(path.name.rsplit(".", 3)[0]), []).append(path)
    return found


def dropped(folder: Path) -> dict[str, int]:
    """How many rows of each node found no room, where there are any. Before the files are consumed."""
    counts: dict[str, int] = {}
    for node, paths in nodes(folder).items():
        lives = {path.name.rsplit(".", 3)[1]: path for path in paths}  # the last file of each life knows
        missing = sum(_dropped_in(path) for path in lives.values())
        if missing:
            counts[node] = missing
    return counts


def _dropped_in(path: Path) -> int:
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    return int(_COUNT.unpack_from(head, _DROPPED_AT)[0]) if head.startswith(_MAGIC) else 0


def read_node(
    node: str,
    paths: list[Path],
    names: Mapping[bytes, str],
    consume: bool = False,
) -> Iterator[Row]:
    """One node's rows in order. A peer that ``names`` (by digest) does not know is named by its digest.

    ``consume`` deletes each file once it is read.
    """
    known = {**names, NOBODY: ""}
    for path in paths:
        for at_ns, short, event, envelope, page in _rows(path):
            yield (
                at_ns,
                node,
                known.get(short) or short.hex() * (short != NOBODY),
                event,
                envelope,
                page,
            )
        if consume:
            path.unlink()


def _rows(path: Path) -> Iterator[Raw]:
    """Until the end, or the first row that was cut short."""
    data = path.read_bytes()
    if data.startswith(_MAGIC):
        yield from _parsed(data, HEADER_BYTES)[1]


def _parsed(data: bytes, at: int) -> tuple[int, list[Raw]]:
    """(where the next row will begin, the whole rows from ``at`` on)."""
    rows = []
    while at + _START + _HEAD.size <= len(data):
        body = at + _START
        end = body + _LENGTH.unpack_from(data, at)[0]
        middle = body + _HEAD.size
        if end < middle or end > len(data):
            break
        at_ns, short, envelope_bytes, event = _HEAD.unpack_from(data, body)
        split = middle + envelope_bytes
        if split > end:
            break
        rows.append((at_ns, short, event, data[middle:split], data[split:end]))
        at = end + 7 & ~7
    return at, rows


def place(handle: int) -> tuple[int, int] | None:
    """(which file of its process this open one is, how many rows are in the earlier ones); None while it is
    being made, or made anew.
    """
    head = os.pread(handle, HEADER_BYTES, 0)
    if not head.startswith(_MAGIC):
        return None
    number, before = _PLACE.unpack_from(head, _PLACE_AT)
    return number, before


def number_of(path: Path) -> int:
    """Which file of its process that name means."""
    return int(path.name.rsplit(".", 2)[1])


def read_on(handle: int, at: int, bytes_max: int) -> tuple[int, list[Raw]]:
    """(where to go on, rows) of an open file that may be written meanwhile; at most so many bytes of them.

    Lengths are read first, and then what they vouch for: a row is stored before its length is.
    """
    lengths = os.pread(handle, bytes_max, at)
    end = 0
    while end + _START <= len(lengths) and (length := _LENGTH.unpack_from(lengths, end)[0]):
        if end + _START + length > len(lengths):
            break
        end = end + _START + length + 7 & ~7
    return (at + end, _parsed(os.pread(handle, end, at), 0)[1]) if end else (at, [])


def life_of(path: Path) -> int:
    """Which process of its node wrote it, from 0."""
    return int(path.name.rsplit(".", 3)[1])


def read_segments(folder: Path, names: Mapping[bytes, str], consume: bool = False) -> Iterator[Row]:
    """All nodes' rows by time; of equal times a node's own order holds.

    Holds one file of each node at a time, and only from its first row to its last.
    """
    found = nodes(folder)
    later = sorted(((_begins(paths[0]), node, paths) for node, paths in found.items()), reverse=True)
    merged: list[tuple[int, int, Row, Iterator[Row]]] = []
    order = 0
    while later or merged:
        if later and (not merged or later[-1][0] <= merged[0][0]):
            _, node, paths = later.pop()
            order += 1
            reader = read_node(node, paths, names, consume)
            for row in reader:
                heapq.heappush(merged, (row[0], order, row, reader))
                break
            continue
        _, place, row, reader = merged[0]
        yield row
        following = next(reader, None)
        if following is None:
            heapq.heappop(merged)
        else:
            heapq.heapreplace(merged, (following[0], place, following, reader))


def _begins(path: Path) -> int:
    """When a file's first row was; 0 if there is none."""
    with path.open("rb") as file:
        file.seek(HEADER_BYTES + _START)
        head = file.read(_HEAD.size)
    return int(_HEAD.unpack(head)[0]) if len(head) == _HEAD.size else 0
