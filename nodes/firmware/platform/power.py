"""The power domains, and what the system as a whole may be told."""

from collections.abc import Iterator
from typing import Any, Literal

from nodes.firmware.platform.described import Described, Id, Name


class PowerDomain(Described, frozen=True):
    """A power domain. ``state`` is the state at boot."""

    id: Id
    name: Name
    state: Literal["on", "off"] = "off"


class SystemPower(Described, frozen=True):
    """What SYSTEM_POWER_STATE_SET may do."""


def problems(_platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    yield from ()
