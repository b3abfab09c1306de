"""Pins, groups of pins, functions."""

from collections.abc import Iterator
from typing import Any

from nodes.firmware.platform.described import Described, Id, Name


class Pin(Described, frozen=True):
    """A pin."""

    id: Id
    name: Name


class PinGroup(Described, frozen=True):
    """A group of pins."""

    id: Id
    name: Name


class PinFunction(Described, frozen=True):
    """A function that groups can be given."""

    id: Id
    name: Name


def problems(_platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    yield from ()
