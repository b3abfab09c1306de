"""The ledger on disk: one coordinator at a time, what was acknowledged is on the disk, nothing is ever
rewritten.

It does not know what records mean.
"""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

from deploy.errors import UserError
from deploy.files import private
from deploy.fleet.ledger import Damaged, Reading, Record, encode

LEDGER: Final = "fleet.ledger"
LOCK: Final = "lock"
LOCK_S: Final = 2.0  # the workers of a coordinator that was just killed end within that
TRY_S: Final = 0.02


def exists(folder: Path) -> bool:
    return (folder / LEDGER).is_file()


def read(folder: Path) -> Iterator[Record]:
    """Every record of a fleet, also of one that runs now. Raises UserError."""
    path = folder / LEDGER
    try:
        with path.open("rb") as lines:
            yield from Reading().records(lines)
    except FileNotFoundError:
        raise UserError(f"{folder}: no fleet there; give the DIR of a 'trapline fleet run'") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except Damaged as damage:
        raise _damaged(path, damage) from None


def _damaged(path: Path, damage: Damaged) -> UserError:
    return UserError(
        f"{path}: {damage} is broken and there are whole ones behind it; no coordinator does that: restore "
        "the file, or begin anew with another --out"
    )


class LedgerFile:
    """Open for one coordinator; raises UserError if another has it, or it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LEDGER
        try:
            self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._take(folder)
            self._file = open(self.path, "ab+", buffering=0, opener=private)  # noqa: SIM115 - kept open
        except OSError as error:
            raise UserError(f"--out {folder}: {error.strerror}; give a folder that can be written") from None
        self._good = 0

    def _take(self, folder: Path) -> None:
        deadline = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(self._lock)
                    raise UserError(
                        f"--out {folder}: a coordinator is at work there; wait for it, or give another folder"
                    ) from None
                time.sleep(TRY_S)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def records(self) -> Iterator[Record]:
        """What is in it, from the beginning; once it was read to its end, a torn line there is cut off."""
        reading = Reading()
        try:
            with self.path.open("rb") as lines:
                yield from reading.records(lines)
            self._good = reading.good_bytes
            self._cut()
        except OSError as error:
            raise self._refused(error) from None
        except Damaged as damage:
            raise _damaged(self.path, damage) from None

    def append(self, records: Iterable[Record]) -> None:
        """All of these are on the disk when this returns, or none counts. Raises UserError."""
        lines = b"".join(map(encode, records))
        if not lines:
            return
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._cut()
            raise self._refused(error) from None
        except BaseException:  # Ctrl-C: half a line would stand before the next one
            self._cut()
            raise
        self._good += len(lines)

    def _cut(self) -> None:
        """Take back what was not written whole."""
        os.ftruncate(self._file.fileno(), self._good)

    def _refused(self, error: OSError) -> UserError:
        return UserError(
            f"{self.path}: {error.strerror}; make room or mend it, then go on with --resume: what was "
            "counted is kept"
        )

    def left(self) -> None:
        """In a forked child: this is the parent's, and a lock must not outlive it."""
        os.close(self._lock)
        os.close(self._file.fileno())

    def close(self) -> None:
        self._file.close()
        os.close(self._lock)
