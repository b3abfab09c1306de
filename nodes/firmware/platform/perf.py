"""The performance domains: operating points, what they drive, what agents may set."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec

from nodes.firmware.platform.clocks import Clock, can_be
from nodes.firmware.platform.described import Described, Id, Positive, ResourceId, ResourceName, Sharing, says
from nodes.firmware.platform.voltages import Microvolts, VoltageDomain, reachable
from nodes.limits import LEVELS

Address = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Word = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
RateLimit = Annotated[int, msgspec.Meta(ge=0, le=0xF_FFFF)]
Latency = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
RegisterAddress = Annotated[Address, says("of the register; nothing in the model is there")]
FastRateLimit = Annotated[RateLimit, says("least time between two uses, as told")]
DoorbellAddress = Annotated[Address | None, says("address of the doorbell register; absent: none")]
DoorbellBits = Annotated[Literal[8, 16, 32, 64], says("its width")]
DoorbellSet = Annotated[Word, says("bits that ring it")]
DoorbellPreserve = Annotated[Word, says("bits to leave as they are")]
REGISTER_BYTES = {"LIMITS_SET": 8, "LIMITS_GET": 8, "LEVEL_SET": 4, "LEVEL_GET": 4}


class Opp(Described, frozen=True):
    """An operating point."""

    level: Annotated[Positive, says("its number for agents")]
    power_cost: Annotated[Id, says("in the unit of `perf_power_unit`")] = 0
    frequency_khz: Annotated[Id, says("told as indicative, and what the domain's clock is driven with")] = 0
    voltage_uv: Annotated[Microvolts | None, says("what the domain's voltage domain is driven with")] = None
    latency_us: Annotated[Latency, says("the longest time that it takes to get there, as told")] = 0


class FastChannel(Described, frozen=True):
    """A fast channel: the register that stands for one command, and its doorbell.

    It is described to agents, and that is all: the register is in memory that nobody maps.
    """

    message: Annotated[Literal["LIMITS_SET", "LIMITS_GET", "LEVEL_SET", "LEVEL_GET"], says("the command")]
    address: RegisterAddress
    rate_limit_us: FastRateLimit = 0
    doorbell: DoorbellAddress = None
    doorbell_bits: DoorbellBits = 32
    doorbell_set: DoorbellSet = 1
    doorbell_preserve: DoorbellPreserve = 0


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
    fastchannel: Annotated[tuple[FastChannel, ...], says("its fast channels, one for each command")] = ()
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
    yield from _fastchannel_problems(platform.perf_domain)


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
        if not can_be(clock.rates, opp.frequency_khz * 1000):
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


def _fastchannel_problems(domains: Sequence[PerfDomain]) -> Iterator[str]:
    taken: list[tuple[int, int, str]] = []
    for at, domain in enumerate(domains):
        messages = [channel.message for channel in domain.fastchannel]
        for number, channel in enumerate(domain.fastchannel):
            place = f"perf_domain[{at}].fastchannel[{number}]"
            size = REGISTER_BYTES[channel.message]
            if channel.address % size:
                yield f"{place}.address: {channel.address:#x} is not {size}-byte aligned; use one that is"
            if channel.message in messages[:number]:
                yield f"{place}.message: {channel.message} has a channel already; give each message one"
            if channel.doorbell is not None and channel.doorbell % (channel.doorbell_bits // 8):
                yield f"{place}.doorbell: {channel.doorbell:#x} is not aligned to its width; use one that is"
            taken.append((channel.address, channel.address + size, place))
    taken.sort()
    for (_, end, first), (start, _, second) in pairwise(taken):
        if start < end:
            yield f"{second}.address: {start:#x} is in the register of {first}; give each its own"
