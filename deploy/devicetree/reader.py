"""How dtlib's parser meets files: bounded reading, includes, and errors that say where and what to do.

dtlib is built to read one trusted file; this subclass makes the same parser read several, one after
another, from people who make mistakes. It knows nothing of nodes; ``deploy.devicetree.source`` does. The
hooks override private methods of dtlib, which is why its version is pinned.
"""

import io
import re
from pathlib import Path
from typing import Any, NoReturn

from devicetree import dtlib

from deploy.devicetree.limits import FILE_BYTES_MAX, INCLUDE_DEPTH_MAX, SOURCE_BYTES_MAX
from deploy.errors import UserError
from deploy.files import decode, read_bytes

_DIRECTIVES = "include|define|undef|ifdef|ifndef|if|elif|else|endif|error|warning|pragma"
_DIRECTIVE = re.compile(rf"[ \t]*#[ \t]*(?:{_DIRECTIVES})\b(?![-,.+])")
_DIRECTIVE_NAME = re.compile(rf"#(?:{_DIRECTIVES})")
_MACRO = re.compile(r"[A-Z_][A-Za-z0-9_]*")
_SHIFT_BITS_MAX = 64
_CPP = "run it through the C preprocessor first: cpp -nostdinc -undef -D__DTS__ -x assembler-with-cpp"


class Reader(dtlib.DT):  # type: ignore[misc]  # dtlib carries no types
    """dtlib's lexer and expression evaluator over bounded files, raising UserError with ``file:line``."""

    def __init__(self) -> None:
        # dtlib's own constructor reads and finishes one file. It is not called: this is the state it makes.
        self._include_path: list[str] = []
        self._force = False
        self.alias2node: dict[str, Any] = {}
        self._root: Any = None
        self.memreserves: list[Any] = []
        self._text_bytes = 0
        self._last_name = ""
        self._begin(Path(), "")

    def _begin(self, path: Path, text: str) -> None:
        """Point the lexer at the start of another file."""
        self._paths = [path]
        self._filestack: list[Any] = []
        self._lexer_state = dtlib._DEFAULT
        self._saved_token: Any = None
        self._show(str(path), text)

    def _show(self, name: str, text: str) -> None:
        self._text_bytes += len(text)
        if self._text_bytes > SOURCE_BYTES_MAX:
            raise UserError(f"{name}: the sources with all their includes exceed {SOURCE_BYTES_MAX} bytes")
        self.filename = name
        self._file_contents = text.replace("\r\n", "\n")
        self._tok_i = self._tok_end_i = 0
        self._lineno = 1

    def here(self) -> str:
        """``file:line`` of the parser; the original file's when cpp left its line markers."""
        return f"{self.filename}:{self._lineno}"

    def _next_token(self) -> Any:
        token = super()._next_token()
        if token.id == dtlib._T.PROPNODENAME:
            self._last_name = token.val
        return token

    def _open(self, filename: str, mode: str = "r", **_: Any) -> io.BytesIO:
        """dtlib asks for the file of an ``/incbin/``."""
        try:
            return io.BytesIO(read_bytes(self._beside(filename), FILE_BYTES_MAX))
        except UserError as error:
            self._parse_error(f"/incbin/: {error}")

    def _enter_file(self, filename: str) -> None:
        path = self._beside(self._unescape(filename.encode()).decode())
        if path.resolve() in (opened.resolve() for opened in self._paths):
            self._parse_error(f"/include/ of {path} by itself, through {self._paths[-1]}; break the loop")
        if len(self._paths) > INCLUDE_DEPTH_MAX:
            self._parse_error(f"/include/ nests deeper than {INCLUDE_DEPTH_MAX}; flatten the includes")
        try:
            text = decode(read_bytes(path, FILE_BYTES_MAX), str(path))
        except UserError as error:
            self._parse_error(f"/include/: {error}")
        self._filestack.append(
            dtlib._FileStackElt(self.filename, self._lineno, self._file_contents, self._tok_end_i)
        )
        self._paths.append(path)
        self._show(str(path), text)

    def _leave_file(self) -> None:
        super()._leave_file()
        self._paths.pop()

    def _beside(self, filename: str) -> Path:
        return self._paths[-1].parent / filename

    def _eval_shift(self) -> int:
        # Python's integers have no end: <(1 << 99999999999)> would fill the memory.
        value: int = self._eval_add()
        while True:
            if self._check_token("<<"):
                value <<= self._shift_bits()
            elif self._check_token(">>"):
                value >>= self._shift_bits()
            else:
                return value

    def _shift_bits(self) -> int:
        bits: int = self._eval_add()
        if not 0 <= bits <= _SHIFT_BITS_MAX:
            self._parse_error(f"cannot shift by {bits} bits; a cell has 32")
        return bits

    def _parse_error(self, complaint: object) -> NoReturn:
        remedy = self._preprocessor_remedy()
        raise UserError(f"{self.here()}: {remedy or complaint}")

    def _preprocessor_remedy(self) -> str:
        """What to do when the error comes from text meant for the C preprocessor, else ''."""
        start = self._file_contents.rfind("\n", 0, self._tok_i) + 1
        line = self._file_contents[start:].split("\n", 1)[0]
        if _DIRECTIVE.match(line):
            return f"C preprocessor line {line.strip()[:60]!r}: {_CPP}"
        if _DIRECTIVE_NAME.fullmatch(self._last_name):
            return f"C preprocessor line {self._last_name!r} here or just above: {_CPP}"
        macro = _MACRO.match(self._file_contents, self._tok_i)
        if macro and self._lexer_state == dtlib._DEFAULT:
            return f"expected a value, found {macro[0][:60]!r}; if that is a C macro, {_CPP}"
        return ""
