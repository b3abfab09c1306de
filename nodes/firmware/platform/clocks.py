"""The clocks: rates, parents."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from nodes.firmware.platform.described import Described, Hertz, Id, Name
from nodes.limits import PARENTS, RATES


class RateRange(Described, frozen=True):
    """A clock with evenly spaced rates, in Hz (a CLOCK_DESCRIBE_RATES triplet)."""

    min: Hertz
    max: Hertz
    step: Annotated[int, msgspec.Meta(ge=1)]


class Clock(Described, frozen=True):
    """A clock. ``rates`` in Hz, ascending, or a range; ``rate`` is the rate at boot."""

    id: Id
    name: Name
    rates: tuple[Hertz, ...] | RateRange
    rate: Hertz
    enabled: bool = False
    parents: tuple[Id, ...] = ()
    enable_delay_us: Id = 0


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with the clocks."""
    clocks: tuple[Clock, ...] = platform.clock
    known = {clock.id for clock in clocks}
    for at, clock in enumerate(clocks):
        yield from _rate_problems(at, clock)
        if len(clock.parents) > PARENTS:
            yield f"clock[{at}].parents: {len(clock.parents)} parents, the limit is {PARENTS}; leave some out"
        for parent in clock.parents:
            if parent not in known or parent == clock.id:
                yield f"clock[{at}].parents: {parent} is not another [[clock]]; correct the number"


def _rate_problems(at: int, clock: Clock) -> Iterator[str]:
    rates = clock.rates
    if isinstance(rates, RateRange):
        if rates.min > rates.max:
            yield f"clock[{at}].rates: min {rates.min} is above max {rates.max}; swap them"
        fits = rates.min <= clock.rate <= rates.max and not (clock.rate - rates.min) % rates.step
    else:
        if len(rates) > RATES:
            yield f"clock[{at}].rates: {len(rates)} rates, the limit is {RATES}; give a range"
        if not rates or list(rates) != sorted(set(rates)):
            yield f"clock[{at}].rates: give at least one rate, in ascending order, each once"
        fits = clock.rate in rates
    if not fits:
        yield f"clock[{at}].rate: {clock.rate} Hz is not one of its rates; choose one that is"
