"""Where runs are kept: a folder each, with a name that people can read, and the result in it.

Which files are beside it is the business of ``stages`` (rows) and ``report``; ``runs`` keeps the list.
"""

import os
import re
import time
from pathlib import Path
from typing import Final

import msgspec

from deploy.errors import UserError
from deploy.experiments.keeping.runs import RESULT, default_root
from deploy.experiments.result import RunResult

SLUG_MAX: Final = 32
TRIES: Final = 100


def slug(title: str) -> str:
    """A title as a part of a file name: "Noisy neighbour!" is "noisy-neighbour"."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return words[:SLUG_MAX].rstrip("-") or "run"


def new_folder(title: str, seed: int, root: Path | None = None) -> Path:
    """A new folder for a run; its name is the run's id. Raises UserError if it cannot be made."""
    root = root or default_root()
    stem = f"{slug(title)}-s{seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in range(TRIES):
        folder = root / (stem if not number else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(
                f"{folder}: cannot be made: {error.strerror}; give another one with --out"
            ) from None
        return folder
    raise UserError(f"{root / stem}: {TRIES} runs of that name in one second; give a folder with --out")


def given_folder(folder: Path) -> Path:
    """A folder that the user named: made if it is not there, refused if something is in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise UserError(f"--out {folder}: {error.strerror}; give a folder that can be written") from None
    if taken:
        raise UserError(f"--out {folder}: it is not empty; give a new one")
    return folder


def save(result: RunResult, folder: Path) -> Path:
    """Keep the result in the run's folder; whole, or not at all."""
    path = folder / RESULT
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(result))
    os.replace(part, path)
    return path
