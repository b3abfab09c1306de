"""Where in a TOML file a key stands: "fault[2].kind" to a line number, for messages that name the place.

It reads tables and keys as people write them, line by line; what stands in an inline table has its key's
line. It judges nothing.
"""

import re

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")


def line_of(text: str, path: str) -> int | None:
    """The line, from 1, of the key that ``path`` names, else of its table; None if there is neither."""
    steps = _STEP.findall(path)
    if not steps:
        return None
    table, at = steps[0][0], int(steps[0][1] or 0)
    key = steps[1][0] if len(steps) > 1 else ""
    found: int | None = None
    current, seen = "", -1
    for number, line in enumerate(text.split("\n"), 1):
        header, pair = _HEADER.match(line), _KEY.match(line)
        if header is not None:
            current = header[2]
            seen += current == table
            if current == table and (seen == at or header[1] == "["):
                found = found or number
        elif pair is not None:
            at_top = not current and pair[1] == table
            if at_top or (current == table and seen == at and pair[1] == key):
                return number
    return found
