"""Bugs planted on purpose: what proves that a checker which finds nothing would have found something.

The tables are in ``el3`` and ``xen``. A plant changes one core that was built,
from outside; no command line, file or request reaches them.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from bus.chance import below, unit


class Draws:
    """Draws of one plant: the n-th is the same for equal seeds."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = 0

    def rarely(self, likelihood: float) -> bool:
        """Whether it happens this time."""
        self._drawn += 1
        return unit(self._seed, self._drawn) < likelihood

    def pick(self, things: list[Any]) -> Any:
        """One of them."""
        self._drawn += 1
        return things[below(len(things), self._seed, self._drawn)]


class Plant(msgspec.Struct, frozen=True):
    """A bug: its name, what it does in a sentence, and how it gets into a core."""

    name: str
    what: str
    put: Callable[[Any, Draws], None]


def table(*plants: Plant) -> dict[str, Plant]:
    """The plants by name; ValueError for two of one name."""
    found = {one.name: one for one in plants}
    if len(found) != len(plants):
        raise ValueError("two plants have one name")
    return found


def put(plants: dict[str, Plant], core: Any, name: str, seed: int) -> None:
    """Put one of them into a core; ValueError for a name that none has."""
    if name not in plants:
        raise ValueError(f"there is no plant {name!r}; there are {', '.join(plants)}")
    plants[name].put(core, Draws(seed))
