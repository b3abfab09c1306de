"""Captures of a platform that is running, or of a recorded run: rows from where they are, into a file.

What a packet looks like it leaves to ``capture``. What a capture is for: CAPTURE.md.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from deploy.errors import UserError
from deploy.experiments.history import files, recorded
from deploy.experiments.keeping.runs import Runs
from deploy.files import private
from deploy.rundir import RunDirectory
from deploy.tracing.capture import CaptureWriter, gap
from deploy.tracing.live import LOOK_S, Live

SIMULATED: Final = "sim"  # the engine whose clock is no wall clock: its captures begin in 1970

WAIT_S: Final = 3.0  # for the description of a platform that has just started


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file to write, for nobody else: it holds what guests said. What keeps it from being written is a
    UserError.
    """
    try:
        with open(path, "wb", opener=private) as file:
            yield file
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another file") from None


class Description:
    """run.json of a platform: ``fresh`` gives it when it is there, and again when it has changed."""

    def __init__(self, run: RunDirectory) -> None:
        self._path = run.flight / recorded.FILE
        self._seen: tuple[int, int] = (0, 0)

    def fresh(self) -> bytes:
        """b"" if there is nothing new."""
        try:
            found = self._path.stat()
            stamp = found.st_mtime_ns, found.st_ino
            content = b"" if stamp == self._seen else self._path.read_bytes()
        except OSError:
            return b""
        self._seen = stamp
        return content

    def first(self) -> bytes:
        """Waits a moment for it: a platform writes it soon after its start. b"" if it does not come."""
        last = time.monotonic() + WAIT_S
        while not (content := self.fresh()) and time.monotonic() < last:
            time.sleep(LOOK_S)
        return content


def save_live(
    run: RunDirectory,
    live: Live,
    file: BinaryIO,
    *,
    follow: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> CaptureWriter:
    """Write what a platform's flight recorder holds; with ``follow`` also what comes, to its end or ``stop``.

    Raises OSError as the file does.
    """
    description = Description(run)
    writer = CaptureWriter(file, origin_ns=live.wall_ns, comment=f"of {run.path.name}, a running platform")
    told, at_ns = 0, 0
    writer.describe(description.fresh() if follow else description.first())
    for row in live.follow(stop if follow else lambda: True):
        if row is not None:
            at_ns = max(at_ns, row[0])
            writer.add(row)
            continue
        writer.describe(description.fresh())
        if live.missed > told:
            writer.add(gap(at_ns, live.missed - told))
            told = live.missed
        writer.flush()
    if not writer.described:
        writer.describe(description.first())
    return writer


def save_run(folder: Path, made: recorded.Recorded, file: BinaryIO) -> CaptureWriter:
    """Write all rows of the recorded run ``made``; raises UserError for a folder without them."""
    writer = CaptureWriter(file, origin_ns=_began_ns(folder, made), comment=f"of the run {made.run_id}")
    truncated = int(files.meta(folder).get(files.TRUNCATED, 0))
    writer.describe((folder / recorded.FILE).read_bytes(), truncated)
    writer.write(files.read_rows(folder))
    return writer


def _began_ns(folder: Path, made: recorded.Recorded) -> int:
    """Unix time when the run began, as well as anybody knows; 0 on virtual time."""
    if made.engine == SIMULATED:
        return 0
    try:
        return int(Runs().get(made.run_id).started_at * 1e9)
    except UserError:  # moved here from elsewhere
        return (folder / recorded.FILE).stat().st_mtime_ns
