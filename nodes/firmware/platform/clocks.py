"""The clocks: rates, parents, what can be changed about them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

from nodes.firmware.platform.choices import Range, choices_problems, offers
from nodes.firmware.platform.described import (
    Described,
    Hertz,
    Id,
    Microseconds,
    Positive,
    ResourceId,
    ResourceName,
    Sharing,
    delay,
    says,
)
from nodes.limits import PARENTS, RATES

HERTZ_MAX = 2**63 - 1
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Degrees = Annotated[int, msgspec.Meta(ge=0, le=359)]


class RateRange(Range, frozen=True):
    """A clock with evenly spaced rates, in Hz (a CLOCK_DESCRIBE_RATES triplet), such as a PLL. Agents are
    told the highest that can be set, which is below `max` where the steps do not meet it.
    """

    min: Annotated[Hertz, says("the lowest rate")]
    max: Annotated[Hertz, says("no rate is above")]
    step: Annotated[int, msgspec.Meta(ge=1, le=HERTZ_MAX), says("from one rate to the next")]


class Clock(Described, frozen=True):
    """A clock: with ``rates`` of its own, or made of the rate of the parent that is selected.

    A follower's rate is its parent's * ``multiply`` // ``divide``.
    """

    id: ResourceId
    name: ResourceName
    rates: Annotated[
        tuple[Hertz, ...] | RateRange, says("in Hz, ascending, or a range; absent: it follows its parent")
    ] = ()
    rate: Annotated[Hertz, says("at boot, one of the rates")] = 0
    enabled: Annotated[bool, says("at boot")] = False
    parents: Annotated[tuple[Id, ...], says("ids of clocks; the first one is selected at boot")] = ()
    enable_delay_us: Annotated[Microseconds, says("as CLOCK_ATTRIBUTES tells it")] = 0
    multiply: Annotated[Positive, says("of a parent's rate")] = 1
    divide: Annotated[Positive, says("of a parent's rate")] = 1
    async_set: Annotated[bool, says("whether CLOCK_RATE_SET may be asynchronous")] = False
    set_us: Annotated[Microseconds, says("how long an asynchronous change of rate takes")] = 0
    notifications: Annotated[bool, says("whether changes and requests can be subscribed to")] = True
    state_control: Annotated[bool, says("false: no agent may turn it on or off, or set it up")] = True
    parent_control: Annotated[bool, says("false: no agent may select its parent")] = True
    rate_control: Annotated[bool, says("false: no agent may set its rate")] = True
    duty_cycle: Annotated[Percent | None, says("percent at boot; absent: it has no such setting")] = None
    phase: Annotated[Degrees | None, says("degrees at boot; absent: it has no such setting")] = None
    sharing: Annotated[
        Sharing, says("exclusive: the first agent that changes it has it until it disables it or is reset")
    ] = "votes"

    @property
    def follows(self) -> bool:
        """Whether its rate is made of its parent's."""
        return self.rates == ()


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with the clocks."""
    clocks: tuple[Clock, ...] = platform.clock
    known = {clock.id for clock in clocks}
    for at, clock in enumerate(clocks):
        yield from delay(f"clock[{at}].set_us", clock.set_us, clock.async_set)
        yield from _follower_problems(at, clock) if clock.follows else _rate_problems(at, clock)
        if len(clock.parents) > PARENTS:
            yield f"clock[{at}].parents: {len(clock.parents)} parents, the limit is {PARENTS}; leave some out"
        if len(set(clock.parents)) != len(clock.parents):
            yield f"clock[{at}].parents: a parent is there twice; name each once"
        for parent in clock.parents:
            if parent not in known or parent == clock.id:
                yield f"clock[{at}].parents: {parent} is not another [[clock]]; correct the number"
    yield from _tree_problems(clocks)


def _follower_problems(at: int, clock: Clock) -> Iterator[str]:
    if not clock.parents:
        yield f"clock[{at}].rates: there are none; give some in ascending order, or parents that it follows"
    if clock.rate:
        yield f"clock[{at}].rate: its rate follows its parent's; leave it out, or give rates"


def _rate_problems(at: int, clock: Clock) -> Iterator[str]:
    rates = clock.rates
    if (clock.multiply, clock.divide) != (1, 1):
        yield f"clock[{at}].multiply: it has rates of its own; leave out multiply and divide, or rates"
    yield from choices_problems(f"clock[{at}].rates", rates, RATES)
    if not offers(rates, clock.rate):
        yield f"clock[{at}].rate: {clock.rate} Hz is not one of its rates; choose one that is"


def _tree_problems(clocks: tuple[Clock, ...]) -> Iterator[str]:
    """Parents before children; what is left over is in a circle, what grows too large is told."""
    by_id = {clock.id: clock for clock in clocks}
    place = {clock.id: at for at, clock in enumerate(clocks)}
    children: dict[int, list[int]] = {}
    missing = {}
    for clock in by_id.values():
        parents = [one for one in dict.fromkeys(clock.parents) if one in by_id and one != clock.id]
        missing[clock.id] = len(parents)
        for parent in parents:
            children.setdefault(parent, []).append(clock.id)
    ready = [one for one, count in missing.items() if not count]
    highest: dict[int, int] = {}
    for one in ready:
        highest[one] = _highest(by_id[one], highest)
        if highest[one] > HERTZ_MAX:
            yield f"clock[{place[one]}].multiply: the rate can be {highest[one]} Hz; stay below 2^63"
            highest[one] = HERTZ_MAX
        for child in children.get(one, ()):
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    circle = next((one for one in by_id if one not in highest), None)
    if circle is not None:
        yield from _circle(circle, by_id, place, highest)


def _highest(clock: Clock, of: Mapping[int, int]) -> int:
    if isinstance(clock.rates, RateRange):
        return clock.rates.max
    if clock.rates:
        return max(clock.rates)
    return max((of.get(one, 0) for one in clock.parents), default=0) * clock.multiply // clock.divide


def _circle(
    start: int, by_id: Mapping[int, Clock], place: Mapping[int, int], done: Mapping[int, int]
) -> Iterator[str]:
    seen: list[int] = []
    at = start
    while at not in seen:
        seen.append(at)
        at = next(one for one in by_id[at].parents if one in by_id and one not in done and one != at)
    names = " -> ".join(by_id[one].name for one in (*seen[seen.index(at) :], at))
    yield f"clock[{place[at]}].parents: {names} is a circle; take a parent out"
