"""The voltage domains: levels in signed microvolts, on or off."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from nodes.firmware.platform.choices import Range, choices_problems, offers
from nodes.firmware.platform.described import (
    Described,
    Microseconds,
    ResourceId,
    ResourceName,
    Sharing,
    delay,
    says,
)
from nodes.limits import LEVELS

Microvolts = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
ModeId = Annotated[int, msgspec.Meta(ge=0, le=7)]


class LevelRange(Range, frozen=True):
    """Evenly spaced levels, in microvolts (a VOLTAGE_DESCRIBE_LEVELS triplet)."""

    min: Annotated[Microvolts, says("the lowest level")]
    max: Annotated[Microvolts, says("no level is above")]
    step: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1), says("from one level to the next")]


class VoltageDomain(Described, frozen=True):
    """A voltage domain, in signed microvolts."""

    id: ResourceId
    name: ResourceName
    levels: Annotated[
        tuple[Microvolts, ...] | LevelRange, says("ascending, or a range; absent: fixed at `level`")
    ] = ()
    level: Annotated[Microvolts, says("at boot, one of the levels")] = 0
    config: Annotated[Literal["on", "off"], says("at boot")] = "off"
    modes: Annotated[
        tuple[ModeId, ...],
        says("implementation-defined modes beside on and off, as VOLTAGE_CONFIG_SET takes"),
    ] = ()
    async_set: Annotated[bool, says("whether VOLTAGE_LEVEL_SET may be asynchronous")] = False
    set_us: Annotated[Microseconds, says("how long an asynchronous change of level takes")] = 0
    sharing: Annotated[
        Sharing, says("exclusive: the first agent that changes it has it until it turns it off or is reset")
    ] = "votes"


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    for at, domain in enumerate(platform.voltage_domain):
        place = f"voltage_domain[{at}]"
        yield from delay(f"{place}.set_us", domain.set_us, domain.async_set)
        if len(set(domain.modes)) != len(domain.modes):
            yield f"{place}.modes: a mode is there twice; give each once"
        yield from choices_problems(f"{place}.levels", domain.levels, LEVELS)
        if not reachable(domain, domain.level):
            yield f"{place}.level: {domain.level} uV is not one of its levels; choose one that is"


def reachable(domain: VoltageDomain, level: int) -> bool:
    """Whether the domain can be set to ``level``, in microvolts."""
    return offers(domain.levels or (domain.level,), level)
