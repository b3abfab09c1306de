"""Which pieces of row files are taken from a node, of which file and how many bytes, and in which order.

An experiment's rows are all kept, up to a bound; of a flight recorder the newest files are. Nothing is
written here, old files are removed.
"""

import re
from collections import deque
from pathlib import Path
from urllib.parse import quote

from deploy.launching import messages as m
from deploy.recording.ring import FILES_MIN, make_room, of_domain
from deploy.recording.segments import SUFFIX, Recording


class RowFiles:
    """Of one process that records like that, to the end."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        node = re.escape(quote(recording.node, safe="#"))
        self._name = re.compile(rf"{node}\.{recording.life:04d}\.(\d{{9}}){re.escape(SUFFIX)}")

    def takes(self, piece: m.Rows) -> bool:
        """Whether it may be written; room is made for it."""
        name = self._name.fullmatch(piece.file)
        end = piece.at + len(piece.data)
        if name is None or piece.at < 0 or end > self.recording.segment_bytes:
            return False
        return self._has_room(int(name[1]), piece.file, end)

    def _has_room(self, number: int, file: str, end: int) -> bool:
        """For the bytes before ``end`` of a file that it may have, by its name."""
        return number * self.recording.segment_bytes + end <= self.recording.bytes_max


class RingFiles(RowFiles):
    """The newest of them."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording)
        self._older: deque[Path] | None = None  # of processes before this one
        self._names: dict[int, str] = {}  # of the files that there are, by number, the oldest first

    def _has_room(self, number: int, file: str, end: int) -> bool:
        """A new file has to be newer than the others; the oldest goes."""
        if number in self._names:
            return True
        if self._names and number < next(reversed(self._names)):
            return False
        if self._older is None:
            self._older = deque(of_domain(self.recording))
        files_max = max(FILES_MIN, self.recording.ring)
        make_room(self._older, len(self._names), files_max)
        while len(self._names) >= files_max:
            oldest = self._names.pop(next(iter(self._names)))
            (Path(self.recording.folder) / oldest).unlink(missing_ok=True)
        self._names[number] = file
        return True


def files_of(recording: Recording) -> RowFiles:
    return RingFiles(recording) if recording.ring else RowFiles(recording)
