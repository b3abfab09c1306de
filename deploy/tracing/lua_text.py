"""Values as Lua text, and the register of Wireshark fields: each once, by what tells it from others.

It knows Lua's syntax and what a ProtoField takes; it does not know what a field is for.
"""

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, Final

from bus import smccc

WORD: Final = re.compile(r"[A-Za-z_]\w*")
KEYWORDS: Final = frozenset(
    {"function", "end", "repeat", "nil", "not", "and", "or", "in", "for", "if"}
)  # of Lua
ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def lua(value: Any, depth: int = 0) -> str:
    """``value`` as a Lua expression; ``depth`` levels of tables have a line per entry.

    What is None in a mapping is left out.
    """
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str):
        return f'"{value.translate(ESCAPES)}"'
    if isinstance(value, Mapping):
        entries = [f"{_key(key)} = {lua(one, depth - 1)}" for key, one in value.items() if one is not None]
    else:
        entries = [lua(one, depth - 1) for one in _without_last_nils(list(value))]
    if depth > 0 and entries:
        return "{\n" + "".join(f"{entry},\n" for entry in entries) + "}"
    return "{ " + ", ".join(entries) + " }" if entries else "{}"


def _without_last_nils(values: list[Any]) -> list[Any]:
    while values and values[-1] is None:
        values.pop()
    return values


def _key(key: Any) -> str:
    if isinstance(key, str) and WORD.fullmatch(key) and key not in KEYWORDS:
        return key
    return f"[{lua(key)}]"


def table_text(name: str, entries: Iterable[str]) -> str:
    """A table with one numbered entry per line."""
    lines = (f"[{number}] = {entry}," for number, entry in enumerate(entries, 1))
    return f"local {name} = {{\n" + "\n".join(lines) + "\n}\n"


class Fields:
    """``rows``: what makes each ProtoField; ``values``: names of values. Numbers count from 1, as in Lua."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.values: list[dict[int, str]] = []
        self._known: dict[tuple[Any, ...], int] = {}

    def number(
        self,
        kind: str,
        abbrev: str,
        *,
        name: str = "",
        base: str | None = None,
        values: int | None = None,
        mask: int | None = None,
        text: str = "",
    ) -> int:
        """``kind``: of ProtoField; ``abbrev``: what filters name; its last word is the ``name`` by default.

        ``text`` is that of the first of its kind.
        """
        key = (kind, abbrev, name or abbrev.rpartition(".")[2], base, values, mask)
        found = self._known.get(key)
        if found is None:
            self.rows.append((*key, text or None))
            found = self._known[key] = len(self.rows)
        return found

    def names(self, values: Mapping[str, int]) -> int | None:
        """The number of a table of names; None for an empty one."""
        if not values:
            return None
        table = {number: name for name, number in reversed(list(values.items()))}
        table = dict(sorted(table.items()))
        if table not in self.values:
            self.values.append(table)
        return self.values.index(table) + 1


def names_of_function() -> tuple[dict[str, int], list[tuple[str, int, dict[str, int]]]]:
    """Function identifiers that have a name; and the parts of one: name, mask, names."""
    known = (
        "VERSION",
        "ARCH_FEATURES",
        "PSCI_VERSION",
        "PSCI_SYSTEM_OFF",
        "PSCI_SYSTEM_RESET",
        "PSCI_FEATURES",
    )
    functions = {name: int(getattr(smccc, name)) for name in known}
    owners = _names(smccc.Owner)
    for first, last, name in (("TRUSTED_APP_FIRST", "TRUSTED_APP_LAST", "TRUSTED_APP"),
                              ("TRUSTED_OS_FIRST", "TRUSTED_OS_LAST", "TRUSTED_OS")):  # fmt: skip
        owners |= {f"{name}_{one}": one for one in range(owners.pop(first), owners.pop(last) + 1)}
    parts = [
        ("fast", smccc.FAST, {"yielding": 0, "fast": 1}),
        ("calling_convention", smccc.SMC64, {"SMC32": 0, "SMC64": 1}),
        ("owner", 0x3F << 24, owners),
        ("number", 0xFFFF, {}),
    ]
    return functions, parts


def _names(enum: type[IntEnum]) -> dict[str, int]:
    return {one.name: int(one) for one in enum}
