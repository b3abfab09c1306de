"""Rights beyond devices: what single agents may do with single resources and commands, and what they see."""

from collections.abc import Iterator
from typing import Any

from nodes.firmware.platform.described import Described, Id


class Right(Described, frozen=True):
    """A right of one agent that differs from what its devices give."""

    agent: Id


class View(Described, frozen=True):
    """One agent's own numbering of the resources of a kind."""

    agent: Id


def problems(_platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    yield from ()
