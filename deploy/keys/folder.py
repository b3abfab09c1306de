"""A folder that holds secrets: nobody but its owner may look into it, and files in it are whole or not there.

It does not know what is in the files.
"""

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.errors import UserError
from deploy.files import HALF, replace

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600


def make(path: Path) -> None:
    """A new folder, or an empty one of one's own; raises UserError."""
    try:
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        taken = next(iter(path.iterdir()), None)
    except OSError as error:
        raise UserError(f"{path}: cannot hold keys: {error.strerror}; choose another") from None
    if taken is not None:
        raise UserError(f"{path}: holds {taken.name!r} already; choose a new folder")
    check(path)


def check(path: Path) -> None:
    """Raises one UserError for all that lets others in, with the command that ends it."""
    try:
        found = [path, *sorted(path.rglob("*"))]
        facts = [(one, one.lstat()) for one in found]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; name a folder of keys of yours") from None
    if not stat.S_ISDIR(facts[0][1].st_mode):
        raise UserError(f"{path}: no folder; 'trapline keys new DIR' makes one")
    _check_owners(path, facts)
    open_folders = [one for one, fact in facts if stat.S_ISDIR(fact.st_mode) and fact.st_mode & 0o077]
    open_files = [one for one, fact in facts if stat.S_ISREG(fact.st_mode) and fact.st_mode & 0o177]
    if open_folders or open_files:
        raise UserError(f"{path}: others may read or change keys; run '{_remedy(open_folders, open_files)}'")


def _check_owners(path: Path, facts: Iterable[tuple[Path, os.stat_result]]) -> None:
    for one, fact in facts:
        if fact.st_uid not in (0, os.geteuid()):
            raise UserError(f"{one}: belongs to user {fact.st_uid}; run 'chown -R {os.geteuid()} {path}'")
        if not (stat.S_ISDIR(fact.st_mode) or stat.S_ISREG(fact.st_mode)):
            raise UserError(f"{one}: neither a file nor a folder; replace it by the file itself")


def _remedy(folders: list[Path], files: list[Path]) -> str:
    commands = []
    if folders:
        commands.append(f"chmod 700 {' '.join(map(str, folders))}")
    if files:
        commands.append(f"chmod 600 {' '.join(map(str, files))}")
    return " && ".join(commands)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else changes the folder meanwhile: who comes second waits. Raises UserError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; name a folder of keys of yours") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(path: Path, content: bytes) -> None:
    """The whole of it or nothing, for nobody else; raises UserError."""
    try:
        replace(path, content)
    except OSError as error:
        path.with_name(path.name + HALF).unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written: {error.strerror}; what was there is unchanged") from None
