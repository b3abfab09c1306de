"""Brings what a node records to its supervisor while it works, so that kill -9 loses next to nothing of it.

Whole rows only, each piece when the last one is on the supervisor's disk. It reads the files that the
recorder writes, as any reader of them may; it does not know what a row means.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.launching import messages as m
from deploy.recording.segments import HEADER_BYTES, SUFFIX, number_of, place, read_on

EVERY_S: Final = 0.5
RING_EVERY_S: Final = 0.2  # of a flight recorder, for people who look
LATE_NS: Final = 1_500_000_000  # after so long a row is with the supervisor, unless the machine is overloaded


class Courier:
    """``send`` gives whether a piece was taken; what was not is sent again. Rows that a ring has overwritten
    before they were sent are lost.
    """

    def __init__(self, folder: Path, send: Callable[[m.Rows], bool], every_s: float = EVERY_S) -> None:
        self._folder = folder
        self._send = send
        self._every_s = every_s
        self._at: dict[Path, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rows", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._bring()

    def finish(self) -> bool:
        """Nothing is recorded any more: bring the rest. False if it was not taken."""
        self._stop.set()
        self._thread.join()
        return self._bring(last=True)

    def _bring(self, last: bool = False) -> bool:
        try:
            paths = sorted(self._folder.glob(f"*{SUFFIX}"))
            self._at = {path: self._at[path] for path in paths if path in self._at}
            return all(self._bring_file(path, last) for path in paths)
        except OSError:
            return False  # the folder goes: the process ends against its will

    def _bring_file(self, path: Path, last: bool) -> bool:
        """What is new in it. Its head counts the rows without room, so it comes once more at the end."""
        handle = os.open(path, os.O_RDONLY)
        try:
            where = place(handle)
            if where is None or where[0] != number_of(path):  # it is being made, or used again
                return True
            if path not in self._at or last:
                if not self._send(m.Rows(path.name, 0, os.pread(handle, HEADER_BYTES, 0))):
                    return False
                self._at.setdefault(path, HEADER_BYTES)
            return self._bring_rows(path, handle, where)
        finally:
            os.close(handle)

    def _bring_rows(self, path: Path, handle: int, where: tuple[int, int]) -> bool:
        while True:
            at = self._at[path]
            end, _ = read_on(handle, at, m.CHUNK_BYTES)
            if end == at:
                return True
            rows = os.pread(handle, end - at, at)
            if place(handle) != where:  # used again meanwhile: what was read may be torn
                return True
            if not self._send(m.Rows(path.name, at, rows)):
                return False
            self._at[path] = end
