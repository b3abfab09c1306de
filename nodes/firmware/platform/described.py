"""What every table of ``platform.toml`` is built from: value types, the base, rules that topics share.

It knows no topic; ``choices`` has what lists and ranges have in common.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from nodes.limits import TREE_DEPTH

Id = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=63, pattern=r"^[ -~]+$")]
Hertz = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Microseconds = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=0xFFFF_FFFF)]
Sharing = Literal["votes", "exclusive"]


def says(meaning: str) -> msgspec.Meta:
    """What a key means, for the reference of platform.toml."""
    return msgspec.Meta(description=meaning)


ResourceId = Annotated[Id, says("its number in messages and device trees")]
ResourceName = Annotated[Name, says("as agents are told it; what is beyond 15 characters, by NAME_GET only")]


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


def delay(place: str, takes_us: int, offered: bool) -> Iterator[str]:
    """A problem for a time that no asynchronous set takes, because there is none."""
    if takes_us and not offered:
        yield f"{place}: only an asynchronous set takes time; set async_set or leave it out"


def tree(place: str, one: int, parents: Mapping[int, int | None]) -> Iterator[str]:
    """A problem if the parents above ``one`` are not all there, lead back to it or are too many."""
    above, steps = parents[one], 0
    while above is not None:
        if above not in parents:
            if above == parents[one]:
                yield f"{place}: there is no {above} of its kind; add it or correct the number"
            return
        if above == one:
            yield f"{place}: {one} is above itself; leave out one parent of the ring"
            return
        steps += 1
        if steps > TREE_DEPTH:
            yield f"{place}: more than {TREE_DEPTH} parents above {one}; make the tree flatter"
            return
        above = parents[above]
