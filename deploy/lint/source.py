"""Judges the text of device tree sources: what is lost as soon as a source is parsed."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from deploy.lint.finding import Finding, Spot, finding
from deploy.lint.locate import Texts
from deploy.lint.material import Material

_TOKEN = re.compile(
    r"""(?P<line>^[ \t]*\#[ \t]*(?:line[ \t]+)?(?P<number>\d+)[ \t]+"(?P<file>[^"\n]*)"[^\n]*$)
      | (?P<cpp>^[ \t]*\#[ \t]*(?:include|define|undef|if|ifdef|ifndef|else|elif|endif|error|warning|pragma)
               \b(?:\\\n|[^\n])*)
      | (?P<include>/include/\s*"(?P<path>[^"\n]*)")
      | (?P<skip>//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|<[^>]*>|\[[^\]]*\]|[ \t]+)
      | (?P<newline>\n)
      | (?P<mark>[{};=])
      | (?P<word>&\{[^}\n]*\}|&\w+|/?[A-Za-z0-9,._+*\#?@-]+/?|/)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


class _Open(msgspec.Struct):
    """A node whose braces are open: its name, and the line of its first subnode, 0 for none yet."""

    name: str
    first_subnode: int = 0
    subnode: str = ""


def judge(material: Material, texts: Texts) -> Iterator[Finding]:
    """Properties after subnodes, in every source that was given or is included by one."""
    others = [str(path) for path in (*material.inputs.xl, material.inputs.platform)]
    for file in material.files:
        if file in others:
            continue
        yield from _file(file, texts, set())


def _file(file: str, texts: Texts, seen: set[str]) -> Iterator[Finding]:
    lines = texts.lines(file)
    if not lines or file in seen:
        return
    seen.add(file)
    scanner = _Scanner(file)
    yield from scanner.scan("\n".join(lines))
    for path in scanner.included:
        yield from _file(str(Path(file).parent / path), texts, seen)


class _Scanner:
    """One pass over one source: braces, names and semicolons, nothing else."""

    def __init__(self, file: str) -> None:
        self.included: list[str] = []
        self._file, self._line = file, 1
        self._open: list[_Open] = []
        self._name, self._name_line = "", 0
        self._skip = False  # what follows, up to a semicolon, is no name

    def scan(self, text: str) -> Iterator[Finding]:
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup
            if match["line"]:
                self._file, self._line = match["file"], int(match["number"]) - 1
            elif match["include"]:
                self.included.append(match["path"])
            elif kind == "mark":
                yield from self._mark(match[0])
            elif kind == "word" and not self._skip:
                self._name, self._name_line = match[0], self._line
                self._skip = match[0].startswith(("/delete-", "/memreserve/"))
            if not match["line"]:
                self._line += match[0].count("\n")

    def _mark(self, mark: str) -> Iterator[Finding]:
        if mark == "=":
            self._skip = True
        elif mark == "{":
            if self._open and not self._open[-1].first_subnode:
                self._open[-1].first_subnode, self._open[-1].subnode = self._name_line, self._name
            self._open.append(_Open(self._name))
            self._name = ""
        elif mark == "}":
            if self._open:
                self._open.pop()
            self._name = ""
        else:
            yield from self._statement()
            self._name, self._skip = "", False

    def _statement(self) -> Iterator[Finding]:
        node = self._open[-1] if self._open else None
        name = self._name
        if node is None or not node.first_subnode or not name or name.startswith(("/", "&")):
            return
        message = f"{name} stands after the subnode {node.subnode}"
        names = [one.name for one in self._open]
        path = "/" + "/".join(names[1:]) if names[0] == "/" else ""
        below = f"{path.rstrip('/')}/{node.subnode}" if path else ""
        first = ("the subnode", Spot(self._file, node.first_subnode, node=below))
        spot = Spot(self._file, self._name_line, node=path, prop=name)
        yield finding("property-after-subnode", spot, message, "", first)
