"""What a fleet's ledger says, and how it is written: one line a record, each with its own checksum. Pure.

A coordinator that is killed at any byte leaves whole lines and at most one torn at the end: that one is cut
off, for nobody was told of it. A line that is broken with whole ones behind it was broken by somebody else.
"""

from collections.abc import Iterable, Iterator
from typing import Final
from zlib import crc32

import msgspec

from deploy.fleet.messages import Outcome
from deploy.fleet.plan import Plan

SUM_DIGITS: Final = 8


class Planned(msgspec.Struct, frozen=True, tag="planned"):
    """The first record, and the only one of its kind."""

    plan: Plan


class Began(msgspec.Struct, frozen=True, tag="began"):
    """A coordinator begins: what was given before has nobody to answer to, and is to be given again."""

    at: float
    workers: int


class Given(msgspec.Struct, frozen=True, tag="given"):
    job: int
    attempt: int


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The result of a job: there is one at most."""

    job: int
    attempt: int
    outcome: Outcome


class Died(msgspec.Struct, frozen=True, tag="died"):
    """Whoever had the attempt ended without an answer. ``final``: it is not tried again, the job is lost."""

    job: int
    attempt: int
    how: str
    final: bool = False


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """An answer to an attempt that is not the newest one, or a second one to the same."""

    job: int
    attempt: int


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A coordinator ends in order, after so many seconds."""

    at: float
    wall_s: float


Record = Planned | Began | Given | Done | Died | Refused | Ended
_encoder = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Record)


class Damaged(Exception):  # noqa: N818 - what happened to the file
    """Not what a coordinator left, however it ended; says where."""


def encode(record: Record) -> bytes:
    """The record's line."""
    text = _encoder.encode(record)
    return b"%08x %s\n" % (crc32(text), text)


def decode(line: bytes) -> Record | None:
    """What a line says; None if it is not whole."""
    if len(line) <= SUM_DIGITS + 1 or not line.endswith(b"\n"):
        return None
    text = line[SUM_DIGITS + 1 : -1]
    if line[: SUM_DIGITS + 1] != b"%08x " % crc32(text):
        return None
    try:
        record: Record = _decoder.decode(text)
    except msgspec.DecodeError:
        return None
    return record


class Reading:
    """Goes through a ledger's lines; ``good_bytes``: how many of the bytes are whole records, so far."""

    def __init__(self) -> None:
        self.good_bytes = 0

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """Every whole record. Raises Damaged if there is one behind a broken line."""
        broken_at: int | None = None
        for number, line in enumerate(lines, 1):
            record = decode(line)
            if record is None:
                broken_at = number if broken_at is None else broken_at
                continue
            if broken_at is not None:
                raise Damaged(f"line {broken_at}")
            self.good_bytes += len(line)
            yield record
