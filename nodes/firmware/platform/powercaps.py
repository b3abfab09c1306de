"""The power capping domains."""

from collections.abc import Iterator
from typing import Any

from nodes.firmware.platform.described import Described, Id, Name


class PowercapDomain(Described, frozen=True):
    """A power capping domain."""

    id: Id
    name: Name


def problems(_platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    yield from ()
