"""Files as a whole: a user's is read, with every way that can fail told as a UserError; one's own replaced.

It does not know what is in a file.
"""

import os
from pathlib import Path
from typing import Final

from deploy.errors import UserError

HALF: Final = ".new"  # what is being written, until it takes its name


def read_bytes(path: Path, bytes_max: int) -> bytes:
    """The content of a regular file of 1..``bytes_max`` bytes; UserError when there is no such file."""
    try:
        # A pipe or a device could block or never end, so only regular files are opened.
        if not path.is_file():
            raise UserError(f"{path}: {_absence(path)}")
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: cannot be read: {error}") from error
    if not content:
        raise UserError(f"{path}: the file is empty")
    if len(content) > bytes_max:
        raise UserError(
            f"{path}: the file is larger than the limit of {bytes_max} bytes; is it the right file?"
        )
    return content


def _absence(path: Path) -> str:
    if path.is_dir():
        return "is a directory; name a file in it"
    if path.exists():
        return "is not a regular file"
    return "no such file; check the path"


def read_text(path: Path, bytes_max: int) -> str:
    """Like ``read_bytes``, decoded as UTF-8; UserError names the line of the first byte that is not."""
    content = read_bytes(path, bytes_max)
    return decode(content, str(path))


def decode(content: bytes, source: str) -> str:
    """``content`` as UTF-8 text; UserError with ``source:line`` of the first byte that is not."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise UserError(
            f"{source}:{line}: byte {byte:#04x} is not UTF-8 text; re-encode the file as UTF-8"
        ) from None


def replace(path: Path, content: bytes) -> None:
    """Write a file of one's own, for nobody else, so that a reader sees the old one or the new one, never
    half. Raises OSError.
    """
    half = path.with_name(path.name + HALF)
    with open(half, "wb", opener=private) as file:
        file.write(content)
    half.rename(path)


def private(path: str, flags: int) -> int:
    """An opener (``open(..., opener=private)``): a file that it makes is for nobody else."""
    return os.open(path, flags, 0o600)
