"""Where on its line a mistake stands: the column and width that are underlined.

Trees and configurations remember lines, not columns. This module reads the files again as text and looks
for the property, the cell of a list or the item at or below that line. What it does not find it leaves
open. It judges nothing.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from deploy.devicetree.blob import is_blob
from deploy.devicetree.limits import FILE_BYTES_MAX
from deploy.errors import UserError
from deploy.files import decode, read_bytes
from deploy.lint.finding import Finding, Spot

LOOK_LINES = 400  # how far below its property's line an item is looked for

_WORD = r"[A-Za-z0-9,._+*#?@-]"
# Up to a semicolon or a comment, of a tree's source, an xl.cfg or a TOML file.
_VALUE = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|/(?![/*])|[^;"'#/]|\#(?!\s))*""")
_TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|[A-Za-z_]\w*:)
      | (?P<cell>\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|&\{[^}]*\}|&\w+|[\w'-]+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


Range = tuple[int, int, int]
"""Line and column from 0, and width."""

Span = tuple[int, int]
"""First character and end, in a text."""


class Texts:
    """The lines of source files, each read once; a blob or an unreadable file has none."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}
        self._cells: dict[tuple[str, int | None, str], tuple[str, list[Span]]] = {}

    def lines(self, file: str) -> list[str]:
        if file not in self._lines:
            self._lines[file] = _read(file)
        return self._lines[file]

    def line(self, file: str, number: int | None) -> str | None:
        """Line ``number`` of ``file``, counted from 1, or None."""
        lines = self.lines(file)
        return lines[number - 1] if number is not None and 0 < number <= len(lines) else None

    def cells(self, spot: Spot) -> tuple[str, list[Span]]:
        """The text from the line of ``spot`` on, and where in it the cells of its property stand."""
        key = (spot.file, spot.line, spot.prop)
        if key not in self._cells:
            text = "\n".join(self.below(spot))
            self._cells[key] = text, _spans(text, spot.prop)
        return self._cells[key]

    def below(self, spot: Spot) -> list[str]:
        """The line of ``spot`` and some below it."""
        start = (spot.line or 1) - 1
        return self.lines(spot.file)[start : start + LOOK_LINES]


def _read(file: str) -> list[str]:
    try:
        content = read_bytes(Path(file), FILE_BYTES_MAX)
        # Lines are what dtlib and xl count: other characters that Python splits at are ordinary text.
        return [] if is_blob(content) else decode(content, file).replace("\r\n", "\n").split("\n")
    except UserError:
        return []


def located(finding: Finding, texts: Texts) -> Finding:
    """The finding with columns."""
    also = tuple((text, _located(spot, texts)) for text, spot in finding.also)
    return msgspec.structs.replace(finding, spot=_located(finding.spot, texts), also=also)


def _located(spot: Spot, texts: Texts) -> Spot:
    if spot.column is not None or texts.line(spot.file, spot.line) is None:
        return spot
    for found in _candidates(spot, texts.below(spot), texts):
        if found is not None:
            line, column, width = found
            return msgspec.structs.replace(
                spot, line=(spot.line or 1) + line, column=column + 1, width=max(width, 1)
            )
    return spot


def _candidates(spot: Spot, lines: list[str], texts: Texts) -> Iterator[Range | None]:
    """Ever coarser answers."""
    if spot.text:
        yield _item(lines, spot.text)
    if spot.cells:
        yield _cells(*texts.cells(spot), *spot.cells)
    if spot.prop:
        yield _statement(lines[0], spot.prop)
    if spot.node:
        yield _node(lines[0], spot.node.rsplit("/", 1)[1])
    yield _rest(lines[0])


def _item(lines: list[str], text: str) -> Range | None:
    for at, line in enumerate(lines):
        column = line.find(text)
        if column >= 0:
            return at, column, len(text)
    return None


def _statement(line: str, prop: str) -> Range | None:
    """``prop = value``, as much of it as is on this line."""
    match = re.search(rf"(?<!{_WORD}){re.escape(prop)}(?!{_WORD})", line)
    if not match:
        return None
    end = _VALUE.match(line, match.end())
    text = line[match.start() : end.end() if end else None]
    return 0, match.start(), len(text.rstrip())


def _node(line: str, name: str) -> Range | None:
    for match in re.finditer(rf"({_WORD}+|/|&\w+|&\{{[^}}]*\}})\s*\{{", line):
        if match[1] == name or match[1].startswith("&") or not name:
            return 0, match.start(1), len(match[1])
    return None


def _rest(line: str) -> Range | None:
    text = line.strip()
    return (0, line.index(text), len(text)) if text else None


def _cells(text: str, spans: list[Span], first: int, count: int) -> Range | None:
    """Cells ``first`` and following, up to the end of the first one's line."""
    wanted = spans[first : first + count]
    if not wanted:
        return None
    begin = wanted[0][0]
    line_end = text.find("\n", begin)
    end = max(stop for _, stop in wanted if line_end < 0 or stop <= line_end)
    return text.count("\n", 0, begin), begin - (text.rfind("\n", 0, begin) + 1), end - begin


def _spans(text: str, prop: str) -> list[Span]:
    """Where in ``text`` each cell of ``prop = <...>, <...>;`` stands."""
    start = re.search(rf"(?<!{_WORD}){re.escape(prop)}\s*=", text)
    spans: list[Span] = []
    for match in _TOKEN.finditer(text, start.end()) if start else ():
        if match["cell"]:
            spans.append(match.span())
        elif match["other"] and match["other"] not in "<>,":
            break
    return spans
