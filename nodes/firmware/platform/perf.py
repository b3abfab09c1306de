"""The performance domains: operating points, what they drive, what agents may set."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from nodes.firmware.platform.choices import offers
from nodes.firmware.platform.clocks import Clock
from nodes.firmware.platform.described import Described, Id, Positive, ResourceId, ResourceName, Sharing, says
from nodes.firmware.platform.fastchannels import FastChannel, RateLimit
from nodes.firmware.platform.voltages import Microvolts, VoltageDomain, reachable
from nodes.limits import LEVELS

Latency = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
WIDE = ("LIMITS_SET", "LIMITS_GET")  # two words: maximum and minimum


class Opp(Described, frozen=True):
    """An operating point."""

    level: Annotated[Positive, says("its number for agents")]
    power_cost: Annotated[Id, says("in the unit of `perf_power_unit`")] = 0
    frequency_khz: Annotated[Id, says("told as indicative, and what the domain's clock is driven with")] = 0
    voltage_uv: Annotated[Microvolts | None, says("what the domain's voltage domain is driven with")] = None
    latency_us: Annotated[Latency, says("the longest time that it takes to get there, as told")] = 0


class PerfChannel(FastChannel, frozen=True):
    """The register that stands for one command of a performance domain, and its doorbell; nobody maps it."""

    message: Annotated[Literal["LIMITS_SET", "LIMITS_GET", "LEVEL_SET", "LEVEL_GET"], says("the command")]

    @property
    def register_bytes(self) -> int:
        return 8 if self.message in WIDE else 4


class PerfDomain(Described, frozen=True):
    """A performance domain: operating points, and the clock and voltage domain that they drive.

    It drives them as long as its power domain, if it has one, is on.
    """

    id: ResourceId
    name: ResourceName
    opp: Annotated[tuple[Opp, ...], says("its operating points, levels ascending; at least one")] = ()
    level: Annotated[Positive | None, says("at boot; absent: the sustained one")] = None
    sustained: Annotated[Positive | None, says("the level it can keep up; absent: the highest")] = None
    clock: Annotated[Id | None, says("the clock it drives")] = None
    voltage_domain: Annotated[Id | None, says("the voltage domain it drives")] = None
    power_domain: Annotated[Id | None, says("while that is off it drives and draws nothing")] = None
    rate_limit_us: Annotated[RateLimit, says("least time between two requests, as told")] = 0
    set_level: Annotated[bool, says("false: no agent may set its level")] = True
    set_limits: Annotated[bool, says("false: no agent may set its limits")] = True
    level_indexing: Annotated[bool, says("whether levels are named by their place in `opp`, from 0")] = False
    notifications: Annotated[bool, says("whether changes of level and limits can be subscribed to")] = True
    fastchannel: Annotated[tuple[PerfChannel, ...], says("its fast channels, one for each command")] = ()
    sharing: Annotated[Sharing, says("exclusive: the first agent that sets it has it until it is reset")] = (
        "votes"
    )

    @property
    def sustained_index(self) -> int:
        """The place of the sustained level."""
        return self._place(self.sustained, len(self.opp) - 1)

    @property
    def boot_index(self) -> int:
        """The place of the level at boot."""
        return self._place(self.level, self.sustained_index)

    def _place(self, level: int | None, otherwise: int) -> int:
        return next((at for at, opp in enumerate(self.opp) if opp.level == level), otherwise)


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    clocks = {clock.id: clock for clock in platform.clock}
    rails = {domain.id: domain for domain in platform.voltage_domain}
    powers = {domain.id for domain in platform.power_domain}
    for at, domain in enumerate(platform.perf_domain):
        place = f"perf_domain[{at}]"
        yield from _level_problems(place, domain)
        if domain.clock is not None:
            yield from _clock_problems(place, domain, clocks.get(domain.clock))
        if domain.voltage_domain is not None:
            yield from _rail_problems(place, domain, rails.get(domain.voltage_domain))
        if domain.power_domain is not None and domain.power_domain not in powers:
            yield f"{place}.power_domain: no [[power_domain]] has id {domain.power_domain}; correct it"


def _level_problems(place: str, domain: PerfDomain) -> Iterator[str]:
    levels = [opp.level for opp in domain.opp]
    if not levels:
        yield f"{place}.opp: it has no operating point; give at least one"
    if levels != sorted(set(levels)):
        yield f"{place}.opp: the levels are not in ascending order, each once; sort them"
    if len(levels) > LEVELS:
        yield f"{place}.opp: {len(levels)} operating points, the limit is {LEVELS}; leave some out"
    for key in ("level", "sustained"):
        wanted = getattr(domain, key)
        if wanted is not None and wanted not in levels:
            yield f"{place}.{key}: no operating point has level {wanted}; choose one that is there"


def _clock_problems(place: str, domain: PerfDomain, clock: Clock | None) -> Iterator[str]:
    if clock is None:
        yield f"{place}.clock: no [[clock]] has id {domain.clock}; add it or correct the number"
        return
    if clock.follows:
        yield f"{place}.clock: {clock.name} follows its parent; name a clock with rates of its own"
        return
    for at, opp in enumerate(domain.opp):
        if not offers(clock.rates, opp.frequency_khz * 1000):
            yield (
                f"{place}.opp[{at}].frequency_khz: {opp.frequency_khz} kHz is no rate of {clock.name}; "
                "add the rate there or change the frequency"
            )


def _rail_problems(place: str, domain: PerfDomain, rail: VoltageDomain | None) -> Iterator[str]:
    if rail is None:
        yield f"{place}.voltage_domain: no [[voltage_domain]] has id {domain.voltage_domain}; correct it"
        return
    for at, opp in enumerate(domain.opp):
        if opp.voltage_uv is None or not reachable(rail, opp.voltage_uv):
            told = "absent" if opp.voltage_uv is None else f"{opp.voltage_uv} uV"
            yield f"{place}.opp[{at}].voltage_uv: {told} is no level of {rail.name}; give one that is"
