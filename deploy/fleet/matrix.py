"""``--matrix``: lists and ranges of what differs between platforms, as text and as data. Pure.

``profile=v11,v12,seed=1..1000``: a comma separates values, and the next ``KEY=`` begins another key. Every
combination is a platform; those that differ in nothing but the seed are one *cell*. It does not know whether
a firmware of that name exists (``plan`` asks).
"""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from deploy.errors import UserError
from deploy.experiments.describing.scenario import PHASE_MS_MAX, SEED_MAX

SEED: Final = "seed"
CELLS_MAX: Final = 256
VALUES_MAX: Final = 1024  # that are written out for one key
Cell = tuple[tuple[str, str], ...]  # key and value, in the order of KEYS
RANGE = re.compile(r"(\d+)\.\.(\d+)")


class Block(msgspec.Struct, frozen=True):
    """One --matrix: every cell with every seed. Without ``seeds`` the plan chooses them."""

    cells: tuple[Cell, ...] = ((),)
    seeds: tuple[range, ...] = ()

    @property
    def seed_count(self) -> int:
        return sum(one.stop - one.start for one in self.seeds)  # len() ends at 63 bits

    def each_seed(self) -> Iterator[int]:
        return itertools.chain.from_iterable(self.seeds)


def _seconds(text: str) -> str:
    seconds = float(text)
    if not 0 < seconds <= PHASE_MS_MAX / 1000:
        raise ValueError
    return f"{seconds:g}"


def _faults(text: str) -> str:
    if text in ("all", "none"):
        return text
    return "+".join(str(int(one)) for one in text.split("+"))


def _name(text: str) -> str:
    if not text:
        raise ValueError
    return text


KEYS: Final[Mapping[str, tuple[Callable[[str], str], str]]] = {
    "profile": (_name, "the version of Xen's driver"),
    "firmware": (_name, "what EL3 plays"),
    "seconds": (_seconds, "seconds above 0, such as 0.5"),
    "faults": (_faults, "'all', 'none', or numbers of planned faults joined by '+', such as 3+7"),
}
"""How a value of each key is read, and what it is. The seed is beside them, for it is no part of a cell."""


def parse(text: str) -> Block:
    """What one --matrix means; raises UserError."""
    words = _split(text)
    seeds = tuple(_seeds(text, one) for one in words.pop(SEED, ()))
    _disjoint(text, seeds)
    values = {key: tuple(_value(text, key, one) for one in words[key]) for key in KEYS if key in words}
    for key, some in values.items():
        again = next((one for at, one in enumerate(some) if one in some[:at]), None)
        if again is not None:
            raise UserError(f"--matrix {text}: {key}={again} stands there twice; leave one out")
    if _product(values) > CELLS_MAX:
        raise UserError(
            f"--matrix {text}: {_product(values)} cells, a fleet has at most {CELLS_MAX}; give fewer values"
        )
    cells = itertools.product(*([(key, one) for one in some] for key, some in values.items()))
    return Block(tuple(cells), seeds)


def _product(values: Mapping[str, Sequence[Any]]) -> int:
    made = 1
    for some in values.values():
        made *= len(some)
    return made


def _split(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    key = ""
    for word in text.split(","):
        before, equals, after = word.strip().partition("=")
        if equals:
            key = before.strip()
            if key not in KEYS and key != SEED:
                raise UserError(f"--matrix {text}: no key {key!r}; there are {', '.join((*KEYS, SEED))}")
            if key in found:
                raise UserError(f"--matrix {text}: {key} stands there twice; give all its values at once")
            found[key] = []
        elif not key:
            raise UserError(f"--matrix {text}: give KEY=VALUE,VALUE, such as profile=v11,seed=1..100")
        found[key].append((after if equals else before).strip())
        if len(found[key]) > VALUES_MAX:
            raise UserError(f"--matrix {text[:60]}...: more than {VALUES_MAX} values of {key}; give a range")
    return found


def _value(text: str, key: str, word: str) -> str:
    read, what = KEYS[key]
    try:
        return read(word)
    except ValueError:
        raise UserError(f"--matrix {text}: {key}={word}: give {what}") from None


def _seeds(text: str, word: str) -> range:
    span = RANGE.fullmatch(word)
    if span is not None:
        first, last = int(span[1]), int(span[2])
    elif word.isascii() and word.isdigit():
        first = last = int(word)
    else:
        raise UserError(f"--matrix {text}: seed={word}: give a number or a range such as 1..1000")
    if first > last or last > SEED_MAX:
        raise UserError(f"--matrix {text}: seed={word}: from low to high, at most {SEED_MAX}")
    return range(first, last + 1)


def _disjoint(text: str, seeds: Sequence[range]) -> None:
    ordered = sorted(seeds, key=lambda one: one.start)
    for one, other in itertools.pairwise(ordered):
        if other.start < one.stop:
            raise UserError(f"--matrix {text}: seed {other.start} stands there twice; leave one out")


def named(cell: Cell) -> str:
    """A cell in words; "all" if there is only one."""
    return " ".join(f"{key}={value}" for key, value in cell) or "all"
