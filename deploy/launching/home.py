"""The private folder of a node that does not see its supervisor's files: its log, and what it records.

It goes with the process. What a process left that was killed is removed by the next one that makes its own
folder beside it: a folder whose lock nobody holds is nobody's.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

PREFIX: Final = "trapline-node-"
MADE: Final = "trapline-new-"  # until it is locked
LOCK: Final = "lock"


class Home:
    """``path`` has the folders ``log`` and ``rows``. Raises OSError."""

    def __init__(self, parent: Path) -> None:
        sweep(parent)
        made = Path(tempfile.mkdtemp(prefix=MADE, dir=parent))
        self._lock = os.open(made / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = made.with_name(made.name.replace(MADE, PREFIX, 1))
        made.rename(self.path)
        self.rows = self.path / "rows"
        for folder in (self.path / "log", self.rows):
            folder.mkdir(mode=0o700)

    def remove(self) -> None:
        """Safe to call twice, and from another thread."""
        shutil.rmtree(self.path, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Remove what processes left there that were killed."""
    for folder in parent.glob(f"{PREFIX}*"):
        if folder.lstat().st_uid == os.geteuid() and _abandoned(folder / LOCK):
            shutil.rmtree(folder, ignore_errors=True)


def _abandoned(path: Path) -> bool:
    try:
        lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
