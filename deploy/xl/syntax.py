"""The grammar of an xl.cfg: settings ``key = value`` and ``key += value``, values being atoms or lists.

A number stays the text it was written as, as in xl: its meaning depends on the key. This module knows
no key; ``deploy.xl.cfg`` does.
"""

from collections.abc import Iterator

import msgspec

from deploy.errors import UserError
from deploy.xl.lexer import Kind, Token, tokens

NESTING_MAX = 8

Value = str | list["Value"]


class Setting(msgspec.Struct, frozen=True):
    """The final value of one key, and the line of its last assignment."""

    value: Value
    line: int


def settings(text: str, source: str) -> dict[str, Setting]:
    """Every key of ``text`` with its value, in order of first appearance.

    ``source`` names the file in errors. A later ``=`` replaces the value, ``+=`` appends a list to a
    list or a string to a string. Raises UserError with ``source:line`` where the text is not an xl.cfg.
    """
    return _Parser(tokens(text, source), source).settings()


class _Parser:
    def __init__(self, stream: Iterator[Token], source: str) -> None:
        self._stream = stream
        self._source = source
        self._token = next(stream)

    def settings(self) -> dict[str, Setting]:
        found: dict[str, Setting] = {}
        while self._token.kind is not Kind.END:
            if self._at(";") or self._token.kind is Kind.NEWLINE:
                self._advance()
                continue
            self._assignment(found)
            if not (self._at(";") or self._token.kind in (Kind.NEWLINE, Kind.END)):
                raise self._unexpected("a new line or ';' after the value")
        return found

    def _assignment(self, found: dict[str, Setting]) -> None:
        if self._token.kind is not Kind.NAME:
            raise self._unexpected("a key")
        key = self._advance()
        if not (self._at("=") or self._at("+=")):
            raise self._unexpected(f"'=' or '+=' after {key.text!r}")
        operator = self._advance()
        value = self._value(0)
        if operator.text == "+=" and key.text in found:
            value = self._joined(found[key.text].value, value, key)
        found[key.text] = Setting(value, key.line)

    def _joined(self, before: Value, more: Value, key: Token) -> Value:
        if isinstance(before, str) and isinstance(more, str):
            return before + more
        if isinstance(before, list) and isinstance(more, list):
            return before + more
        raise UserError(
            f"{self._source}:{key.line}: {key.text}: cannot add a [list] to a string or a string to a list"
        )

    def _value(self, depth: int) -> Value:
        if self._token.kind in (Kind.TEXT, Kind.NUMBER):
            return self._advance().text
        if not self._at("["):
            raise self._unexpected("a number, a quoted string or a [list]")
        if depth == NESTING_MAX:
            raise UserError(
                f"{self._source}:{self._token.line}: lists nest deeper than {NESTING_MAX}; flatten them"
            )
        return self._list(depth)

    def _list(self, depth: int) -> Value:
        opened = self._advance()
        items: list[Value] = []
        self._skip_newlines()
        while not self._at("]"):
            items.append(self._value(depth + 1))
            self._skip_newlines()
            if self._at(","):
                self._advance()
                self._skip_newlines()
            elif not self._at("]"):
                raise self._unexpected(f"',' or ']' in the list opened on line {opened.line}")
        self._advance()
        return items

    def _skip_newlines(self) -> None:
        while self._token.kind is Kind.NEWLINE:
            self._advance()

    def _at(self, mark: str) -> bool:
        return self._token.kind is Kind.MARK and self._token.text == mark

    def _advance(self) -> Token:
        token = self._token
        if token.kind is not Kind.END:
            self._token = next(self._stream)
        return token

    def _unexpected(self, wanted: str) -> UserError:
        token = self._token
        shown = token.kind.value if token.kind in (Kind.NEWLINE, Kind.END) else repr(token.text)
        return UserError(f"{self._source}:{token.line}: expected {wanted}, found {shown}")
