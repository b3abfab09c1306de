"""When calls of an open loop are meant to begin: a rate that may move, evenly or by chance, and bursts.

Times are computed from the arrivals' numbers, so that nothing that happens to a call moves the next. It
does not know what arrives.
"""

import math
from collections.abc import Iterator
from heapq import merge
from itertools import count

import msgspec

from bus.chance import unit

SECOND_NS = 1_000_000_000
BURST = 1 << 40  # where the numbers of arrivals in bursts begin
Arrival = tuple[int, int]  # (when it is meant to begin, its number)


class Rates(msgspec.Struct, frozen=True):
    """Arrivals per second: ``begin``, moving evenly to ``end`` in ``ramp_ns``, then ``end`` for ever."""

    begin: float
    end: float
    ramp_ns: int = 0

    def arrived(self, at_ns: int) -> float:
        """How many are meant to have begun before ``at_ns``: the integral of the rate."""
        within_s = min(at_ns, self.ramp_ns) / SECOND_NS
        after_s = max(0, at_ns - self.ramp_ns) / SECOND_NS
        slope = (self.end - self.begin) / (self.ramp_ns / SECOND_NS) if self.ramp_ns else 0.0
        return self.begin * within_s + slope * within_s * within_s / 2 + self.end * after_s

    def reached_ns(self, number: float) -> int | None:
        """When so many are meant to have begun: the integral turned round. None: never."""
        if not self.begin and not self.end:
            return None
        ramp_s = self.ramp_ns / SECOND_NS
        ramped = (self.begin + self.end) / 2 * ramp_s
        if number <= ramped and ramp_s:
            slope = (self.end - self.begin) / ramp_s
            root = math.sqrt(max(0.0, self.begin * self.begin + 2 * slope * number))
            return round(2 * number / (self.begin + root) * SECOND_NS) if number else 0
        if not self.end:
            return None
        return round((ramp_s + (number - ramped) / self.end) * SECOND_NS)


def intended_ns(rates: Rates, bursts: tuple[int, int], seed: int | None, since_ns: int) -> Iterator[Arrival]:
    """The arrivals from ``since_ns`` on. ``bursts``: how many at once, and every how many nanoseconds.

    ``seed`` None: evenly; else a Poisson process of that rate. What is even keeps its numbers and times
    wherever one begins to look; a Poisson process has no memory.
    """
    steady = _even(rates, since_ns) if seed is None else _poisson(rates, since_ns, seed)
    calls, every_ns = bursts
    return merge(steady, _bursts(calls, every_ns, since_ns)) if calls else steady


def _even(rates: Rates, since_ns: int) -> Iterator[Arrival]:
    for number in count(max(0, int(rates.arrived(since_ns)) - 1)):
        at_ns = rates.reached_ns(number)
        if at_ns is None:
            return
        if at_ns >= since_ns:
            yield at_ns, number


def _poisson(rates: Rates, since_ns: int, seed: int) -> Iterator[Arrival]:
    total = rates.arrived(since_ns)
    for number in count():
        total -= math.log(1.0 - unit(seed, since_ns, number))
        at_ns = rates.reached_ns(total)
        if at_ns is None:
            return
        yield at_ns, number


def _bursts(calls: int, every_ns: int, since_ns: int) -> Iterator[Arrival]:
    for burst in count(max(1, -(-since_ns // every_ns))):
        for one in range(calls):
            yield burst * every_ns, BURST + burst * calls + one
