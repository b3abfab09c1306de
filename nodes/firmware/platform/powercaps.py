"""The power capping domains: what can be capped, over which time it counts, whose power it is."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from nodes.firmware.platform.choices import Range, range_problems
from nodes.firmware.platform.described import (
    Described,
    Id,
    Name,
    Positive,
    ResourceId,
    ResourceName,
    Sharing,
    delay,
    says,
    tree,
    unknown,
)
from nodes.firmware.platform.fastchannels import FastChannel

LEVELS = 15  # of one domain, its own included: a 4-bit count
MICROWATTS = {"mW": 1000, "uW": 1}


class CapRange(Range, frozen=True):
    """Caps in the unit of the domain, evenly spaced. A range with one value is not configurable."""

    min: Annotated[Positive, says("the lowest")]
    max: Annotated[Positive, says("the highest: `min` and whole steps")]
    step: Annotated[Positive, says("from one to the next")] = 1
    boot: Annotated[Id, says("the cap at boot, 0 for none")] = 0


class Averaging(Range, frozen=True):
    """Times over which power is averaged, in microseconds. A range with one value is not configurable."""

    min: Annotated[Positive, says("the shortest")]
    max: Annotated[Positive, says("the longest: `min` and whole steps")]
    step: Annotated[Positive, says("from one to the next")] = 1
    boot: Annotated[Positive | None, says("the one at boot, else the shortest")] = None

    @property
    def boot_us(self) -> int:
        return self.min if self.boot is None else self.boot


class CapLevel(Described, frozen=True):
    """A further cap of a domain, with an averaging interval of its own (version 0x30000 only)."""

    name: Annotated[Name, says("as POWERCAP_CPC_ATTRIBUTES tells it, 15 characters at most")]
    cap: Annotated[CapRange, says("the caps that it takes")]
    cai: Annotated[Averaging, says("the averaging intervals of this cap")]


class CapChannel(FastChannel, frozen=True):
    """The register that stands for one command on a domain's own cap, and its doorbell; nobody maps it."""

    message: Annotated[Literal["CAP_GET", "CAP_SET", "PAI_GET", "PAI_SET"], says("the command")]


class PowercapDomain(Described, frozen=True):
    """A power capping domain. Its power is that of its performance domains and of the domains below it."""

    id: ResourceId
    name: ResourceName
    cap: Annotated[CapRange, says("the caps that it takes")]
    pai: Annotated[Averaging, says("the averaging intervals of its measurement; without `cai`, of its cap")]
    parent: Annotated[Id | None, says("the domain whose power contains this one's")] = None
    unit: Annotated[Literal["abstract", "uW", "mW"], says("of everything that agents are told")] = "mW"
    unit_uw: Annotated[Positive, says("what an abstract unit is, in microwatts")] = 1000
    cai: Annotated[Averaging | None, says("the averaging intervals of its cap, from version 0x30000 on")] = (
        None
    )
    levels: Annotated[
        tuple[CapLevel, ...], says("further caps; agents see them from version 0x30000 on")
    ] = ()
    sustainable: Annotated[Id, says("the power it can keep up, as told")] = 0
    accuracy: Annotated[Id, says("of its measurement, as told; its scale is not certain")] = 0
    monitoring: Annotated[bool, says("its power can be asked for")] = True
    perf_domains: Annotated[tuple[Id, ...], says("whose power it has, and whose levels it lowers")] = ()
    base_uw: Annotated[Id, says("what it draws always, in microwatts")] = 0
    async_set: Annotated[bool, says("a cap can be set asynchronously")] = False
    set_us: Annotated[Id, says("how long that takes")] = 0
    notify: Annotated[bool, says("POWERCAP_CAP_CHANGED is there")] = True
    notify_measurements: Annotated[bool, says("POWERCAP_MEASUREMENTS_CHANGED is there")] = True
    every_measurement: Annotated[bool, says("thresholds 0 and 0 ask for every measurement")] = True
    fastchannel: Annotated[tuple[CapChannel, ...], says("its fast channels, one for each command")] = ()
    sharing: Annotated[Sharing, says("exclusive: while one agent has a cap on it, others are denied")] = (
        "votes"
    )

    @property
    def microwatts(self) -> int:
        """What one unit is."""
        return MICROWATTS.get(self.unit, self.unit_uw)

    @property
    def every_level(self) -> tuple[CapLevel, ...]:
        """All of its caps, by index; the first is the domain's own."""
        own = CapLevel(self.name, self.cap, self.pai if self.cai is None else self.cai)
        return (own, *self.levels)


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    domains: tuple[PowercapDomain, ...] = platform.powercap_domain
    parents: Mapping[int, int | None] = {domain.id: domain.parent for domain in domains}
    known = {domain.id for domain in platform.perf_domain}
    owner: dict[int, str] = {}
    for at, domain in enumerate(domains):
        place = f"powercap_domain[{at}]"
        yield from tree(f"{place}.parent", domain.id, parents)
        yield from unknown(f"{place}.perf_domains", domain.perf_domains, "perf_domain", known)
        for one in domain.perf_domains:
            if one in owner:
                yield f"{place}.perf_domains: {one} is in {owner[one]} already; list it in one"
            owner.setdefault(one, place)
        yield from _whole_range_problems(f"{place}.cap", domain.cap)
        yield from _whole_range_problems(f"{place}.pai", domain.pai)
        if domain.cai is not None:
            yield from _whole_range_problems(f"{place}.cai", domain.cai)
        yield from _level_problems(place, domain)
        yield from _feature_problems(place, domain)


def _whole_range_problems(place: str, given: CapRange | Averaging) -> Iterator[str]:
    yield from range_problems(place, given)
    if given.min > given.max:
        return
    if not given.has(given.max):
        yield f"{place}: max {given.max} is not min {given.min} and whole steps of {given.step}; correct one"
    elif given.boot and not given.has(given.boot):
        yield f"{place}.boot: {given.boot} is not in the range; choose a value that is"


def _level_problems(place: str, domain: PowercapDomain) -> Iterator[str]:
    if len(domain.levels) >= LEVELS:
        yield f"{place}.levels: {len(domain.levels)}, the limit is {LEVELS - 1}; leave some out"
    for number, level in enumerate(domain.levels):
        inner = f"{place}.levels[{number}]"
        yield from _whole_range_problems(f"{inner}.cap", level.cap)
        yield from _whole_range_problems(f"{inner}.cai", level.cai)


def _feature_problems(place: str, domain: PowercapDomain) -> Iterator[str]:
    yield from delay(f"{place}.set_us", domain.set_us, domain.async_set)
    if domain.async_set and domain.cap.min == domain.cap.max:
        yield f"{place}.async_set: its cap is fixed; widen cap or leave async_set out"
    if domain.notify_measurements and not domain.monitoring:
        yield f"{place}.notify_measurements: nothing is measured; set it to false or monitoring to true"
