"""What every table of ``platform.toml`` is built from: value types, the base, helpers for rules."""

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated

import msgspec

Id = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=63, pattern=r"^[ -~]+$")]
Hertz = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Microseconds = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=0xFFFF_FFFF)]


class PlatformError(ValueError):
    """A platform description that cannot be: names the key, the rule and how to fix it."""


class Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every table in ``platform.toml``: a key that is not listed is an error."""


def repeated(table: str, key: str, values: Sequence[object]) -> Iterator[str]:
    """A problem for each value that an entry before it has already."""
    seen: dict[object, int] = {}
    for at, value in enumerate(values):
        if value in seen:
            yield f"{table}[{at}].{key}: {value!r} is taken by {table}[{seen[value]}]; give each its own"
        seen.setdefault(value, at)


def unknown(place: str, wanted: Sequence[int], kind: str, known: Collection[int]) -> Iterator[str]:
    """A problem for each id in ``wanted`` that no table of ``kind`` has."""
    for one in wanted:
        if one not in known:
            yield f"{place}: no [[{kind}]] has id {one}; add it or correct the number"
