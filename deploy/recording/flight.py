"""Rows read while nodes still write them, from another process, without stopping anybody.

A row's length is stored last: what has a length is whole. A file that a ring uses again says so before
anything else in it changes, and a reader looks there again after it has read: it is never shown a row that
is being overwritten. One that was too slow finds a gap, and counts the rows in it. It works on a flight
recorder's folder and on that of an experiment under way alike. It knows nothing of what a row means.
"""

import os
from collections import deque
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Final

from deploy.recording import names, segments
from deploy.recording.names import Names
from deploy.recording.rows import Row
from nodes.limits import FLIGHT_READ_BYTES

_NOBODY_YET: Final = Names(0, 0)


class Reader:
    """``read`` gives what is new, by time. ``missed``: rows that were overwritten before they were read;
    ``before``: those that were overwritten when the reader began.

    ``names``: as they are on disk now. Holds at most FLIGHT_READ_BYTES of each node at a time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.missed = self.before = 0
        self.names = names.load(folder) or _NOBODY_YET
        self._seen: tuple[int, int] = (0, 0)
        self._peers: dict[bytes, str] = {}
        self._nodes: dict[str, _Node] = {}
        self._begun = False

    def read(self, until_ns: int | None = None) -> Iterator[Row]:
        """Every whole row that is there and was not given yet, at most until that time of the run."""
        while True:
            self._look_up_names()
            for node, paths in segments.nodes(self.folder).items():
                if node not in self._nodes:
                    self._nodes[node] = _Node(node)
                self._nodes[node].fill(paths, self._peers)
            gaps = sum(node.missed for node in self._nodes.values())
            if not self._begun:
                self._begun, self.before = True, gaps
            self.missed = gaps - self.before
            behind = [node.rows[-1][0] for node in self._nodes.values() if not node.drained and node.rows]
            ready = self._take(min(behind, default=None), until_ns)
            yield from ready
            if not behind or (until_ns is not None and min(behind) > until_ns):
                return

    def _take(self, sure_ns: int | None, until_ns: int | None) -> list[Row]:
        """What no earlier row can come before any more; of equal times a node's own order holds."""
        limits = [limit for limit in (sure_ns, until_ns) if limit is not None]
        limit_ns = min(limits, default=None)
        ready: list[Row] = []
        for node in self._nodes.values():
            rows = node.rows
            while rows and (limit_ns is None or rows[0][0] <= limit_ns):
                ready.append(rows.popleft())
        ready.sort(key=itemgetter(0))
        return ready

    def _look_up_names(self) -> None:
        try:
            found = (self.folder / names.FILE).stat()
        except OSError:
            return
        if (found.st_mtime_ns, found.st_ino) != self._seen:
            self._seen = found.st_mtime_ns, found.st_ino
            self.names = names.load(self.folder) or self.names
            self._peers = {**self.names.by_digest(), segments.NOBODY: ""}

    def close(self) -> None:
        for node in self._nodes.values():
            node.leave()


class _Node:
    """How far one node's rows were read. ``drained``: there was no more when it was last filled."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: deque[Row] = deque()
        self.missed = 0
        self.drained = True
        self._path: Path | None = None  # the file that is read, or was read last
        self._handle = -1
        self._place = (0, 0)  # of the file
        self._at = 0
        self._number = 0  # of the next row of this process

    def fill(self, paths: list[Path], peers: dict[bytes, str]) -> None:
        """Read on, a chunk. ``paths``: its files, listed before: if there is a later one, ours is whole."""
        self.drained = False
        if self.rows:
            self.drained = self._handle < 0 and not self._later(paths)
            return
        while True:
            if self._handle < 0 and not self._enter(paths):
                self.drained = True
                return
            end, rows = segments.read_on(self._handle, self._at, FLIGHT_READ_BYTES)
            if segments.place(self._handle) != self._place:  # it is used again: what was read may be torn
                self.leave()
                continue
            if rows:
                self._at = end
                self._number += len(rows)
                name = self.name
                self.rows.extend(
                    (at_ns, name, peers.get(short) or short.hex(), event, envelope, page)
                    if short != segments.NOBODY
                    else (at_ns, name, "", event, envelope, page)
                    for at_ns, short, event, envelope, page in rows
                )
                return
            if not self._later(paths):
                self.drained = True
                return
            self.leave()

    def _later(self, paths: list[Path]) -> list[Path]:
        return [path for path in paths if self._path is None or path.name > self._path.name]

    def _enter(self, paths: list[Path]) -> bool:
        """Open the first file that was not read; one that is gone by now leaves a gap, which is counted."""
        for path in self._later(paths):
            try:
                handle = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            place = segments.place(handle)
            if place is None or place[0] != segments.number_of(path):
                os.close(handle)
                continue  # it is being made, or it is used again by now
            _, before = place
            if self._path is None or segments.life_of(path) != segments.life_of(self._path):
                self._number = 0
            self.missed += max(0, before - self._number)
            self._path, self._handle, self._at, self._number = path, handle, segments.HEADER_BYTES, before
            self._place = place
            return True
        return False

    def leave(self) -> None:
        """Close the file that is read."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
