"""Types and defaults of a file's keys in the words of someone who writes TOML.

It reads annotations and knows no key: ``platform_keys.py`` makes the page.
"""

from collections.abc import Callable, Iterator, Mapping
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import msgspec

HEX_FROM: Final = 0xFFFF  # a bound from here on, one less than a power of two, reads better in hex
WIDE: Final = 2**60  # ... and from here on as a power
WORDS: Final[Mapping[tuple[int, int], str]] = {
    (0, 2**16 - 1): "u16",
    (0, 2**32 - 1): "u32",
    (-(2**31), 2**31 - 1): "i32",
    (-(2**63), 2**63 - 1): "i64",
}
BOUNDS: Final = ("ge", "gt", "le", "min_length", "max_length", "description")
Link = Callable[[type[msgspec.Struct], str], str]


def bare(hint: Any) -> tuple[Any, dict[str, Any]]:
    """A type without its annotation, and what that says: bounds, a description."""
    if not hasattr(hint, "__metadata__"):
        return hint, {}
    said: dict[str, Any] = {}
    for meta in hint.__metadata__:
        said.update({key: getattr(meta, key) for key in BOUNDS if getattr(meta, key) is not None})
    return get_args(hint)[0], said


def members(hint: Any) -> list[Any]:
    """What a type may be: itself, or the members of a union but for None."""
    hint, _ = bare(hint)
    if get_origin(hint) not in (Union, UnionType):
        return [hint]
    return [one for one in get_args(hint) if one is not type(None)]


def element(hint: Any) -> Any:
    """What a list is of; None for what is no list."""
    hint, _ = bare(hint)
    return get_args(hint)[0] if get_origin(hint) is tuple else None


def tables(hint: Any) -> Iterator[tuple[type[msgspec.Struct], bool]]:
    """The tables that a key of this type may hold, each with whether in a list."""
    for one in members(hint):
        inside = element(one)
        for found in members(inside) if inside is not None else [one]:
            if is_table(found):
                yield found, inside is not None


def is_table(hint: Any) -> bool:
    return isinstance(hint, type) and get_origin(hint) is None and issubclass(hint, msgspec.Struct)


def described(hint: Any, link: Link) -> str:
    """A type in words; ``link`` gives a table's mention from its class and the word for it."""
    kinds = members(hint)
    if kinds and all(is_table(one) and tag(one) for one in kinds):
        return f"{link(kinds[0], 'table')} of `kind` {', '.join(map(tag, kinds))}"
    _, said = bare(hint)
    return " or ".join(dict.fromkeys(_one(one, said, link) for one in kinds))


def _one(hint: Any, outer: Mapping[str, Any], link: Link) -> str:
    hint, said = bare(hint)
    said = {**outer, **said}
    if is_table(hint):
        return link(hint, "table")
    if get_origin(hint) is Literal:
        return " or ".join(f"`{value(one, like_id=True)}`" for one in get_args(hint))
    if get_origin(hint) is tuple:
        return _list(hint, said, link)
    if get_origin(hint) in (Mapping, dict):
        return "table"
    if hint is float:
        return _fraction(said)
    if hint is int:
        return _range(said)
    if hint is str:
        return _string(said)
    return {bool: "boolean"}.get(hint, str(hint))


def _list(hint: Any, said: Mapping[str, Any], link: Link) -> str:
    inside, *more = get_args(hint)
    if more != [...]:
        return "pair [lowest, highest]"
    most, least = said.get("max_length"), said.get("min_length")
    size = f"{least or 0} to {most} " if most else f"{least} or more " if least else ""
    if is_table(inside):
        return f"list of {size}{link(inside, 'tables')}"
    kind = described(inside, link).replace("string", "strings")
    return f"list of {size}{kind if kind[0].isalpha() else f'integers ({kind})'}"


def _range(said: Mapping[str, Any]) -> str:
    low, high = said.get("ge"), said.get("le")
    if high is None:
        return "integer" if low is None else f"{number(low)} or more"
    return WORDS.get((low or 0, high), f"{number(low or 0)} to {number(high)}")


def _fraction(said: Mapping[str, Any]) -> str:
    low, high = said.get("ge", said.get("gt")), said.get("le")
    if high is None:
        return "number" if low is None else f"number, {low:g} or more"
    return f"number, {'above ' if 'gt' in said else ''}{low or 0:g} to {high:.10g}"


def _string(said: Mapping[str, Any]) -> str:
    most, least = said.get("max_length"), said.get("min_length") or 0
    return f"string of {least} to {most} characters" if most else "string"


def number(given: int) -> str:
    """A bound as it reads best."""
    if given <= -WIDE and given.bit_count() == 1:
        return f"-2^{given.bit_length() - 1}"
    if given >= WIDE:
        less = "" if given.bit_count() == 1 else " - 1"
        return f"2^{(given + bool(less)).bit_length() - 1}{less}"
    if given >= HEX_FROM and (given + 1).bit_count() == 1:
        return in_hex(given)
    return f"{given:_}" if abs(given) > 9999 else str(given)


def in_hex(given: int) -> str:
    """Grouped by four digits, but for the short ones."""
    return f"{given:#x}" if given < 1 << 20 else f"0x{given:_X}"


def value(given: object, *, like_id: bool = False) -> str:
    """A value as TOML has it; ``like_id``: large numbers in hex."""
    if given is None:
        return "absent"
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, float):
        return f"{given:.10g}"
    if isinstance(given, int):
        return in_hex(given) if like_id and given > HEX_FROM else number(given)
    if isinstance(given, str):
        return f'"{given}"'
    if isinstance(given, tuple):
        return f"[{', '.join(value(one) for one in given)}]"
    return "{}"


def default_of(field: msgspec.structs.FieldInfo, hint: Any) -> str:
    """A key's default, or that it has none."""
    if field.required:
        return "required"
    if field.default is None:
        return "absent"
    given = {} if field.default is msgspec.NODEFAULT else field.default
    return f"`{value(given, like_id=get_origin(members(hint)[0]) is Literal)}`"


def tag(table: type[msgspec.Struct]) -> str:
    """The kind that a table of a tagged union is of, "" for others."""
    return str(table.__struct_config__.tag or "")
