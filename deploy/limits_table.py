"""EL3's bounds as Markdown, with the comments that stand beside them in ``nodes/limits.py``."""

import re
from pathlib import Path
from typing import Final

from nodes import limits

NAMES: Final = (
    "AGENTS",
    "RESOURCES",
    "RATES",
    "LEVELS",
    "PARENTS",
    "TREE_DEPTH",
    "AREA_BYTES",
    "CLOCK_ASYNC",
    "DELAYED_PENDING",
    "P2A_QUEUE",
    "MISBEHAVIOURS",
    "NOTE_CHARACTERS_MAX",
    "HELLO_AGAIN_NS",
)
_LINE = re.compile(r"^(?P<name>[A-Z_0-9]+) = [^#]+#(?P<what>.*)$", re.MULTILINE)


def markdown() -> str:
    """A row for each bound that EL3 has."""
    text = Path(limits.__file__).read_text(encoding="utf-8")
    said = {found["name"]: found["what"].strip() for found in _LINE.finditer(text)}
    rows = [f"| `{name}` | {getattr(limits, name):_} | {said[name]} |" for name in NAMES]
    return "\n".join(["| limit | | of what |", "| --- | --- | --- |", *rows, ""])
