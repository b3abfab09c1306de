"""A recorder that keeps the newest rows only: the oldest file is used again for the next.

A file that is used again is no file of rows while it is emptied, and then it has another name and another
place, by which a reader that had it open notices. Its pages stay mapped, so that a row costs no page fault.
"""

import mmap
from collections import deque
from pathlib import Path
from typing import Final

from deploy.recording import segments
from deploy.recording.rows import domain_of, incarnation_of
from deploy.recording.segments import HEADER_BYTES, Recorder, Recording

FILES_MIN: Final = 2  # one that is written, and one that can be read


class RingRecorder(Recorder):
    """At most ``recording.ring`` files of this node stay, of a domain in all of its lives together."""

    def __init__(self, recording: Recording) -> None:
        self._older = deque(of_domain(recording))  # of processes before this one
        self._files: deque[tuple[Path, mmap.mmap]] = deque()
        self._files_max = max(FILES_MIN, recording.ring)
        self._zeros = bytes(recording.segment_bytes)
        super().__init__(recording)

    def _mapped(self, path: Path) -> mmap.mmap:
        """A new file if there may be one more, else the oldest; raises OSError if somebody took that away."""
        make_room(self._older, len(self._files), self._files_max)
        if len(self._files) < self._files_max:
            mapped = super()._mapped(path)
        else:
            oldest, mapped = self._files.popleft()
            mapped[:HEADER_BYTES] = self._zeros[:HEADER_BYTES]
            mapped[HEADER_BYTES:] = self._zeros[HEADER_BYTES:]
            oldest.rename(path)
        self._files.append((path, mapped))
        return mapped

    def _room(self) -> bool:
        return True

    def _finish(self, words: memoryview, mapped: mmap.mmap, path: Path, end: int) -> None:
        words.release()

    def close(self) -> None:
        super().close()
        for _, mapped in self._files:
            mapped.close()
        self._files.clear()


def recorder(recording: Recording) -> Recorder:
    """What records in that way. Raises OSError as Recorder."""
    return RingRecorder(recording) if recording.ring else Recorder(recording)


def make_room(older: deque[Path], own: int, files_max: int) -> None:
    """For one more file beside ``own`` ones: the oldest of processes before this one go."""
    while older and len(older) + own >= files_max:
        older.popleft().unlink(missing_ok=True)


def of_domain(recording: Recording) -> list[Path]:
    """The files of this node's earlier lives, of a domain those of all its incarnations, oldest first."""
    name = domain_of(recording.node)
    found = segments.nodes(Path(recording.folder))
    lives = [node for node in found if domain_of(node) == name]
    return [path for node in sorted(lives, key=incarnation_of) for path in found[node]]
