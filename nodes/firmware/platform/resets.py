"""The reset domains."""

from collections.abc import Iterator
from typing import Any

from nodes.firmware.platform.described import Described, Id, Name


class ResetDomain(Described, frozen=True):
    """A reset domain. ``latency_us`` absent: not known."""

    id: Id
    name: Name
    latency_us: Id | None = None


def problems(_platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    yield from ()
