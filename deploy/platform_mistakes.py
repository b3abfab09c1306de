"""What a decoder says of a wrong value in a TOML file, told as everything else is: key, rule, fix.

It knows the decoder's few sentences and asks the structs what a key takes. It judges nothing itself.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from nodes.firmware.key_types import WORDS, described, element, is_table, members, number, tag
from nodes.firmware.platform import Platform

SHOWN_MAX = 40
_PLACE = re.compile(r"(?: - at `(?P<key>key in )?\$(?P<path>[^`]*)`)?$")
_MISSING = re.compile(r"missing required field (?P<key>\w+)")
_UNKNOWN = re.compile(r"unknown field (?P<key>.*)")
_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
NOTHING: Any = object()
WIDTHS = {word: f"an integer, {number(low)} to {number(high)}" for (low, high), word in WORDS.items()}
LETTERS = {"[ -~]": ", printable ASCII only", "[A-Z0-9_]": ' such as "clock.CLOCK_RATE_SET"'}


def told(complaint: str, raw: Any, root: Any = Platform, file: str = "platform.toml") -> str:
    """``complaint`` of the decoder about ``raw``, the file without types, as ``key: rule; fix``.

    ``root`` is what the file is decoded to, ``file`` what it is called where no key can be named.
    """
    place = _PLACE.search(complaint)
    assert place is not None, "every part of it is optional"
    said = complaint[: place.start()].replace("`", "")
    path, hints, value = _walk(place["path"] or "", raw, root)
    missing, unknown = _MISSING.search(said), _UNKNOWN.search(said)
    below = f"{path}." if path else ""
    if missing:
        return f"{below}{missing['key']}: it is missing; give it {_takes(hints, missing['key'])}"
    if unknown:
        return f"{below}{unknown['key']}: there is no such key; {_instead(unknown['key'], hints, value)}"
    if place["key"] or not hints:
        return f"{path or file}: {said}; correct it"
    shown = "this" if value is NOTHING else _shown(value)
    letters = next((rule for pattern, rule in LETTERS.items() if pattern in said), "")
    return f"{path}: {shown} cannot be; give it {_words(hints)}{letters}"


def _walk(path: str, raw: Any, root: Any) -> tuple[str, list[Any], Any]:
    """What ``path`` leads to: the keys by name, the types that are possible, none if nobody can tell, the
    value.
    """
    hints: list[Any] = [root]
    told = ""
    for name, index in _STEP.findall(path):
        step = name or index
        if isinstance(raw, dict) and not name:
            values = [get_args(one)[1] for one in _members(hints) if get_origin(one) in (Mapping, dict)]
            step, hints = _wrong(raw, values), values
        elif name == "kind" and any(tag(one) for one in hints if is_table(one)):
            hints = [_kinds(hints)]
        elif name:
            hints = [hint for table in hints for hint in _key(table, name, raw)]
        else:
            hints = [element(one) for one in _members(hints) if element(one) is not None]
        hints = [one for hint in hints for one in _flat(hint)]
        raw = _inside(raw, step)
        told += f"[{step}]" if step.isdecimal() else f".{step}"
    return told.lstrip("."), hints, raw


def _members(hints: list[Any]) -> list[Any]:
    return [one for hint in hints for one in members(hint)]


def _wrong(raw: dict[str, Any], hints: list[Any]) -> str:
    """The key of a table with free keys whose value is of none of the types; the decoder does not say."""
    for key, value in raw.items():
        for hint in hints:
            try:
                msgspec.convert(value, hint)
            except msgspec.ValidationError:
                return key
    return "..."


def _flat(hint: Any) -> Iterator[Any]:
    """A union of tables as its members; anything else as it is."""
    found = members(hint)
    yield from found if all(is_table(one) for one in found) else [hint]


def _key(table: Any, name: str, raw: Any) -> Iterator[Any]:
    for one in members(table):
        if is_table(one) and tag(one) in ("", _inside(raw, "kind")):
            hints = get_type_hints(one, include_extras=True)
            if name in hints:
                yield hints[name]


def _inside(raw: Any, step: str) -> Any:
    if isinstance(raw, dict):
        return raw.get(step, NOTHING)
    if isinstance(raw, list) and step.isdecimal() and int(step) < len(raw):
        return raw[int(step)]
    return NOTHING


def _takes(hints: list[Any], key: str) -> str:
    """What ``key`` of the table takes."""
    if key == "kind":
        return _kinds(hints)
    own = [get_type_hints(one, include_extras=True) for one in hints if is_table(one)]
    return _words([one[key] for one in own if key in one]) or "a value"


def _kinds(tables: list[Any]) -> str:
    return " or ".join(f'"{tag(one)}"' for one in tables)


def _words(hints: list[Any]) -> str:
    if all(is_table(one) and tag(one) for one in hints):
        return f"a table with kind = {_kinds(hints)}"
    words = [one if isinstance(one, str) else _article(one) for one in hints]
    return " or ".join(dict.fromkeys(words))


def _article(hint: Any) -> str:
    words = described(hint, lambda _table, word: word).replace("`", "")
    if words == "boolean":
        return "true or false"
    if words.startswith(("list", "table", "string", "pair", "number")):
        return f"a {words}"
    return WIDTHS.get(
        words, f"an integer, {words}" if words[0] in "-0123456789" and " to " in words else words
    )


def _instead(key: str, hints: list[Any], value: Any) -> str:
    names = [
        name
        for one in hints
        if is_table(one) and tag(one) in ("", _inside(value, "kind"))
        for name in get_type_hints(one)
    ]
    close = get_close_matches(key, names, 1)
    return f"remove it, or write {close[0]}" if close else f"remove it; there are {', '.join(names)}"


def _shown(value: Any) -> str:
    if isinstance(value, list | dict):
        kind = "list" if isinstance(value, list) else "table"
        return f"a {kind}" if value else f"an empty {kind}"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."
