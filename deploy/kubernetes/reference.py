"""The table of values in README.md, read off values.yaml: each key with the comment above it."""

import re
from pathlib import Path
from typing import Final

from bus.reference import table

VALUES: Final = Path(__file__).parent / "trapline" / "values.yaml"
_KEY: Final = re.compile(r"( *)([A-Za-z]+):(?: (.*))?")


def rows(text: str) -> list[tuple[str, str, str]]:
    """(key, default, comment) of every key that has a comment; those below it are its value."""
    found: list[tuple[str, str, str]] = []
    above: list[str] = []
    path: list[str] = []
    inside = -1  # how deep the last key with a comment is
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            above.append(stripped.removeprefix("#").strip())
            continue
        key = _KEY.fullmatch(line)
        if key is None:
            above = []
            continue
        depth = len(key[1]) // 2
        path = [*path[:depth], key[2]]
        if above:
            found.append((".".join(path), key[3] or "", " ".join(above)))
            inside = depth
        elif 0 <= inside < depth:
            name, value, comment = found[-1]
            found[-1] = (name, ", ".join(part for part in (value, f"{key[2]} {key[3]}") if part), comment)
        else:
            inside = -1
        above = []
    return found


def values() -> str:
    """The table."""
    told = rows(VALUES.read_text(encoding="utf-8"))
    return table(
        ("key", "default", "meaning"),
        [(f"`{key}`", f"`{value}`", comment) for key, value, comment in told],
    )
