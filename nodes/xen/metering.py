"""Metering in the mediator: how much of EL3 a domain may use, as a pure bookkeeping of its calls.

Whole numbers throughout, so that a limit holds to the call and to the nanosecond. Who is asked, when, and
what a refused trap is answered with is in ``gate.py``; METERING.md explains it with numbers.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

Mode = Literal["off", "observe", "enforce"]
Reason = Literal["", "rate", "in_flight", "el3_time"]
GUESTS: Final = "guests"
EVERYBODY: Final = "*"
SECOND_NS: Final = 1_000_000_000
_CALL: Final = SECOND_NS * 1_000_000  # a call in the bucket's unit: a rate is whole millionths per second


class Limit(msgspec.Struct, frozen=True):
    """What one domain may use; 0: no limit of that kind.

    ``rate``: calls per second; ``burst``: the bucket's size in calls. ``in_flight``: calls held by EL3 or
    waiting for the channel. ``el3_us_per_s``: microseconds of EL3's time, from an SMC to its return, in a
    second.
    """

    rate: float = 0.0
    burst: int = 16
    in_flight: int = 0
    el3_us_per_s: float = 0.0


class MeterConfig(msgspec.Struct, frozen=True):
    """``limits``: by the domain's name, or "guests" for all but dom0, or "*"; the first that fits counts.

    ``mode``: "off", "observe" (count what would be refused, forward it) or "enforce". ``answer``: what
    becomes of a refused trap, "refuse" or "wait"; "" is what the profile says.
    """

    mode: Mode = "off"
    limits: Mapping[str, Limit] = {}
    answer: Literal["", "refuse", "wait"] = ""

    def limit(self, domain: str) -> Limit | None:
        """What the domain of that name may use, None for as much as it likes."""
        if self.mode == "off":
            return None
        for key in (domain, "" if domain == "dom0" else GUESTS, EVERYBODY):
            if key in self.limits:
                return self.limits[key]
        return None


class Allowance:
    """One incarnation of one domain: what is left of its limits. The bucket begins full.

    The bucket counts calls, the budget nanoseconds of EL3's time; both are kept multiplied, so that what
    trickles in within one nanosecond is a whole number.
    """

    __slots__ = ("_at_ns", "_bucket", "_bucket_max", "_budget", "_budget_max", "_el3_ns", "_rate", "limit")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._rate = round(limit.rate * 1_000_000)
        self._bucket = self._bucket_max = max(1, limit.burst) * _CALL
        self._el3_ns = round(limit.el3_us_per_s * 1000)
        self._budget = self._budget_max = self._el3_ns * SECOND_NS
        self._at_ns = 0

    def _fill(self, now_ns: int) -> None:
        elapsed_ns, self._at_ns = now_ns - self._at_ns, now_ns
        self._bucket = min(self._bucket_max, self._bucket + elapsed_ns * self._rate)
        self._budget = min(self._budget_max, self._budget + elapsed_ns * self._el3_ns)

    def passed(self, in_flight: int, now_ns: int) -> Reason:
        """The first limit that one more call would pass, "" for none; ``in_flight`` calls are under way."""
        limit = self.limit
        if limit.in_flight and in_flight >= limit.in_flight:
            return "in_flight"
        self._fill(now_ns)
        if self._rate and self._bucket < _CALL:
            return "rate"
        return "el3_time" if self._el3_ns and self._budget <= 0 else ""

    def take(self) -> None:
        """A call goes on: it takes its token out of the bucket."""
        if self._rate:
            self._bucket -= _CALL

    def spend(self, el3_ns: int, now_ns: int) -> None:
        """EL3 worked so long on a call. What is owed is at most a second's budget."""
        if self._el3_ns:
            self._fill(now_ns)
            self._budget = max(-self._budget_max, self._budget - el3_ns * SECOND_NS)

    def ready_ns(self, now_ns: int) -> int:
        """When rate and budget allow another call, if nothing is taken until then."""
        self._fill(now_ns)
        wait_ns = 0
        if self._rate and self._bucket < _CALL:
            wait_ns = -((self._bucket - _CALL) // self._rate)
        if self._el3_ns and self._budget <= 0:
            wait_ns = max(wait_ns, -self._budget // self._el3_ns + 1)
        return now_ns + wait_ns


def allowance(config: MeterConfig, domain: str) -> Allowance | None:
    """The allowance of a new incarnation of a domain; None if nobody looks at it."""
    limit = config.limit(domain)
    return None if limit is None else Allowance(limit)
