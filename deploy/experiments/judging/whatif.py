"""The further runs of a verdict: what a domain has alone, and what a limit would have changed.

It decides which runs to make and reads their tallies; ``conductor`` makes them.
"""

from collections.abc import Callable

import msgspec

from deploy.experiments.describing.plan import Plan
from deploy.experiments.describing.scenario import Metering, Scenario
from deploy.experiments.judging import measure
from deploy.experiments.judging.tally import Tally
from deploy.experiments.result import WhatIfRow

MEASURED = "faults"


def solo(scenario: Scenario, plan: Plan, again: Callable[[Plan], Tally]) -> dict[str, Tally]:
    """Each domain that a threshold compares with itself alone: the counts of a run with only its load."""
    wanted = [one.domain for one in scenario.threshold if one.times_solo]
    return {name: again(plan.without_faults(name)) for name in dict.fromkeys(wanted)}


def rows(scenario: Scenario, again: Callable[[Scenario], Tally]) -> tuple[WhatIfRow, ...]:
    """The same run with one domain limited, a row for each limit."""
    asked = scenario.what_if
    if asked is None:
        return ()
    found = []
    for rate in asked.rates:
        limit = Metering(mode="enforce", domains=asked.domain, rate=rate, burst=scenario.metering.burst)
        tally = again(msgspec.structs.replace(scenario, metering=limit))
        value = measure.value(asked.measure, tally, MEASURED, asked.victim)
        refused = tally.count(MEASURED, asked.domain).metered.total()
        found.append(WhatIfRow(rate, 0.0 if value is None else value, refused))
    return tuple(found)


def bounds(low: float | None, high: float | None, alone: float | None) -> tuple[float | None, float | None]:
    """Bounds that are multiples of what the domain has alone; none if that is not known."""
    if alone is None:
        return None, None
    return (None if low is None else low * alone), (None if high is None else high * alone)
