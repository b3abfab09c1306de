"""The table of measures: what a threshold can ask about a run, with unit and definition.

``tally`` counts; this module reads the counts. It knows neither scenario files nor where a run took place.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from deploy.experiments.judging.tally import Count, Tally

Read = Callable[[Count, int], float | None]


class Measure(msgspec.Struct, frozen=True):
    """``read`` takes the counts of one domain or of several together, and the phase's time in nanoseconds.

    None: nobody can say (no call was answered). ``of_all``: it has a value for all domains together only.
    """

    name: str
    unit: str
    what: str
    read: Read
    of_all: bool = False


def _quantile(part: float) -> Read:
    return lambda count, _ns: count.latency.quantile_us(part)


def _rate(count: Count, phase_ns: int) -> float | None:
    return count.answered * 1e9 / phase_ns if phase_ns else None


def _offered(count: Count, phase_ns: int) -> float | None:
    return (count.issued + count.dropped_arrivals) * 1e9 / phase_ns if phase_ns else None


MEASURES: Final = (
    Measure("p50_us", "us", "half of the answered calls took at most so long", _quantile(0.5)),
    Measure("p90_us", "us", "nine of ten answered calls took at most so long", _quantile(0.9)),
    Measure("p99_us", "us", "99 of 100 answered calls took at most so long", _quantile(0.99)),
    Measure("p999_us", "us", "999 of 1,000 answered calls took at most so long", _quantile(0.999)),
    Measure(
        "max_us",
        "us",
        "the longest that an answered call took",
        lambda count, _ns: count.latency.max_ns / 1e3 if count.latency.total else None,
    ),
    Measure("rate", "1/s", "answered calls", _rate),
    Measure("offered", "1/s", "calls issued, and arrivals dropped for want of room", _offered),
    Measure("issued", "calls", "calls that began", lambda count, _ns: count.issued),
    Measure(
        "answered",
        "calls",
        "calls that got an answer, whatever its status",
        lambda count, _ns: count.answered,
    ),
    Measure("denied", "calls", "answered DENIED", lambda count, _ns: count.status("DENIED")),
    Measure("busy", "calls", "answered BUSY", lambda count, _ns: count.status("BUSY")),
    Measure(
        "errors",
        "calls",
        "ended with an error, definite or not",
        lambda count, _ns: count.definite + count.indefinite,
    ),
    Measure(
        "indefinite",
        "calls",
        "ended with an error that does not say it did not happen",
        lambda count, _ns: count.indefinite,
    ),
    Measure("killed", "calls", "were under way when their domain ended", lambda count, _ns: count.killed),
    Measure(
        "refused",
        "traps",
        "refused by Xen, foreign doorbells among them",
        lambda count, _ns: count.refused_traps,
    ),
    Measure("resets", "resets", "of the domain's agent, in the whole run", lambda count, _ns: count.resets),
    Measure(
        "leaks", "entries", "left in the ledger by a reset, in the whole run", lambda count, _ns: count.leaks
    ),
    Measure(
        "dropped_arrivals",
        "calls",
        "arrivals of an open loop that found the backlog full",
        lambda count, _ns: count.dropped_arrivals,
    ),
    Measure(
        "meter_refusals",
        "calls",
        "passed a limit of Xen's metering",
        lambda count, _ns: count.metered.total(),
    ),
    Measure(
        "lost",
        "calls",
        "calls that guests counted and the history does not know, or the other way round",
        lambda count, _ns: None,
        of_all=True,
    ),
    Measure(
        "memory_growth",
        "MiB",
        "what the node, or the supervisor, that grew most holds more at the end than after the warm-up; "
        "real processes only, their mapped records aside",
        lambda count, _ns: None,
        of_all=True,
    ),
    Measure(
        "denied_that_succeeded",
        "calls",
        "succeeded although the agent was not granted what they name; told by the checker `isolation`",
        lambda count, _ns: None,
        of_all=True,
    ),
    Measure(
        "fairness",
        "0 to 1",
        "Jain's index over the guests' answered rates, each divided by what it asked for; 1: all fare alike",
        lambda count, _ns: None,
        of_all=True,
    ),
)
BY_NAME: Final = {measure.name: measure for measure in MEASURES}


def value(name: str, tally: Tally, phase: str, domain: str = "") -> float | None:
    """A measure that a domain has, or all together ("") have, in a phase ("all" for the whole run)."""
    if name == "fairness":
        return tally.fairness(phase)
    return BY_NAME[name].read(tally.count(phase, domain), tally.phase_ns(phase))
