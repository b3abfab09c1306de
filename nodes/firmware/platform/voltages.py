"""The voltage domains."""

from collections.abc import Iterator
from typing import Any

from nodes.firmware.platform.described import Described, Id, Name


class VoltageDomain(Described, frozen=True):
    """A voltage domain."""

    id: Id
    name: Name


def problems(_platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    yield from ()
