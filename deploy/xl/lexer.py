"""Tokens of an xl.cfg: names, strings, numbers, punctuation and line ends, each with its line.

Same tokens as xl's own scanner. It does not know the grammar; that is ``deploy.xl.syntax``.
"""

import enum
import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from deploy.errors import UserError


class Kind(enum.Enum):
    NAME = "a key"
    TEXT = "a string"
    NUMBER = "a number"
    MARK = "punctuation"
    NEWLINE = "the end of the line"
    END = "the end of the file"


class Token(NamedTuple):
    """One token; ``text`` is the meaning of a string, and the spelling of everything else."""

    kind: Kind
    text: str
    line: int


_TOKEN = re.compile(
    r"""(?P<SKIP>[ \t]+|\#[^\n]*)
      | (?P<NEWLINE>\n)
      | (?P<NAME>[a-z][_0-9a-z]*)
      | (?P<NUMBER>[0-9][0-9a-fx]*)
      | (?P<TEXT>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
      | (?P<MARK>\+=|[,\[\]=;])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = dict(zip("\"'\\abfnrtv", "\"'\\\a\b\f\n\r\t\v", strict=True))


def tokens(text: str, source: str) -> Iterator[Token]:
    """The tokens of ``text``, closed by one END; UserError with ``source:line`` at a bad character."""
    line, at = 1, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            _refuse(text[at : text.find("\n", at) if "\n" in text[at:] else None], source, line)
        at = match.end()
        kind = match.lastgroup or ""
        if kind == "TEXT":
            yield Token(Kind.TEXT, _unquote(match[0], source, line), line)
        elif kind != "SKIP":
            yield Token(Kind[kind], match[0], line)
        line += kind == "NEWLINE"
    yield Token(Kind.END, "", line)


def _refuse(rest: str, source: str, line: int) -> NoReturn:
    if rest[0] == "\r":
        remedy = "xl refuses carriage returns; save the file with Unix line ends"
    elif rest[0] in "\"'":
        remedy = "the string is not closed on its line; add the closing quote"
    elif rest[0].isupper():
        remedy = "keys are lower case"
    else:
        remedy = "values are numbers, quoted strings or [lists]; quote the text"
    raise UserError(f"{source}:{line}: unexpected {rest[:40]!r}: {remedy}")


def _unquote(quoted: str, source: str, line: int) -> str:
    def plain(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            raise UserError(
                f"{source}:{line}: unknown escape {match[0]!r} in a string; write the character itself"
            )
        return _ESCAPES[match[1]]

    return _ESCAPE.sub(plain, quoted[1:-1])
