"""Nodes' logs as they are read: JSON lines in the run directory, and what levels there are.

The newest of the files RUN/log/NODE.NUMBER.log is the one that is written; all but the last two are gone. Who
writes them is ``deploy.engines.node_log``. Lines are for what is rare; each message is in traces.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from deploy.errors import UserError

LEVELS: Final = ("debug", "info", "warning", "error")
DEFAULT: Final = "info"
SUFFIX: Final = ".log"
KEPT: Final = 2  # files of a node


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """``at``: the time of day, UTC. ``at_ns``: CLOCK_MONOTONIC, as traces have it.

    ``request`` and ``cause`` are those of the frame that it is about, 0 for none.
    """

    at: str
    at_ns: int
    node: str
    level: str
    text: str
    request: int = 0
    cause: int = 0


# ---- levels -----------------------------------------------------------------------------------


def levels(words: Sequence[str], option: str = "--log-level") -> dict[str, str]:
    """What "LEVEL" (for every node, "") and "NODE=LEVEL" mean; raises UserError for another level."""
    found = {}
    for word in words:
        node, _, level = word.rpartition("=")
        if level not in LEVELS or (not node and "=" in word):
            raise UserError(
                f"{option} {word}: give LEVEL or NODE=LEVEL, a level is one of {', '.join(LEVELS)}"
            )
        found[node] = level
    return found


def level_of(node: str, known: Mapping[str, str]) -> str:
    """The level of one node."""
    return known.get(node, known.get("", DEFAULT))


# ---- reading ----------------------------------------------------------------------------------

_decode = msgspec.json.Decoder(Line).decode


def files(folder: Path) -> dict[str, list[Path]]:
    """The files of every node that has written there, oldest first."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob(f"*.*{SUFFIX}")):
        found.setdefault(path.name.rsplit(".", 2)[0], []).append(path)
    return found


def file(folder: Path, node: str, number: int) -> Path:
    """The name of one of them."""
    return folder / f"{node}.{number:06d}{SUFFIX}"


def read(folder: Path, wanted: Sequence[str] = ()) -> list[Line]:
    """What is kept, of all nodes or of ``wanted``, by time."""
    return Follower(folder, wanted).fresh()


class Follower:
    """``fresh`` gives the lines that were written since it was asked last, by time."""

    def __init__(self, folder: Path, wanted: Sequence[str] = ()) -> None:
        self._folder = folder
        self._wanted = wanted
        self._read: dict[Path, int] = {}  # bytes, of the files that are there

    def fresh(self) -> list[Line]:
        there = files(self._folder)
        paths = [path for node in self._wanted or there for path in there.get(node, ())]
        self._read = {path: self._read.get(path, 0) for path in paths}
        found = [line for path in paths for line in self._lines(path)]
        return sorted(found, key=lambda line: line.at_ns)

    def _lines(self, path: Path) -> Iterator[Line]:
        try:
            with path.open("rb") as opened:
                opened.seek(self._read[path])
                whole, newline, _ = opened.read().rpartition(b"\n")
        except FileNotFoundError:
            return
        self._read[path] += len(whole) + len(newline)
        for line in whole.splitlines():
            try:
                yield _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # somebody else wrote into it
