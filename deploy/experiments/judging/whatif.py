"""The further runs of a verdict: what a domain has alone, and what a limit would have changed.

It decides which runs to make, reads their tallies, says in words what they showed; ``conductor`` makes them.
"""

from collections.abc import Callable, Mapping

import msgspec

from deploy.experiments.describing.plan import Plan
from deploy.experiments.describing.scenario import Metering, Names, Scenario
from deploy.experiments.judging import measure
from deploy.experiments.judging.tally import Tally
from deploy.experiments.judging.thresholds import number, times
from deploy.experiments.result import RunResult, WhatIfRow

MEASURED = "faults"
NAMES_TOLD = 3
WORDS = {"guests": "each guest", "*": "each domain", "any": "one guest"}


def solo(scenario: Scenario, plan: Plan, again: Callable[[Plan], Tally]) -> dict[str, Tally]:
    """Each domain that is compared with itself alone: the counts of a run with only its load."""
    wanted = [one.domain for one in scenario.threshold if one.times_solo]
    if scenario.what_if is not None and scenario.what_if.times_solo:
        wanted.append(scenario.what_if.victim)
    return {name: again(plan.without_faults(name)) for name in dict.fromkeys(wanted)}


def rows(scenario: Scenario, again: Callable[[Scenario], Tally]) -> tuple[WhatIfRow, ...]:
    """The same run with some domains limited, a row for each limit."""
    asked = scenario.what_if
    if asked is None:
        return ()
    found = []
    for rate in asked.rates:
        limit = Metering(mode="enforce", domains=asked.domain, rate=rate, burst=scenario.metering.burst)
        tally = again(msgspec.structs.replace(scenario, metering=limit))
        value = measure.value(asked.measure, tally, MEASURED, asked.victim)
        refused = tally.count(MEASURED).metered.total()
        found.append(WhatIfRow(rate, 0.0 if value is None else value, refused))
    return tuple(found)


def bound(scenario: Scenario, alone: Mapping[str, Tally]) -> float | None:
    """Under what [what_if] wants the victim, in its measure's unit; None: it does not say, nobody knows."""
    asked = scenario.what_if
    if asked is None or not asked.times_solo:
        return None if asked is None else asked.at_most
    tally = alone.get(asked.victim)
    return times(
        asked.at_most, None if tally is None else measure.value(asked.measure, tally, MEASURED, asked.victim)
    )


def told(result: RunResult) -> str:
    """What the rows show, in a sentence or two; "" without rows."""
    asked = result.what_if_of
    if asked is None or not result.what_if:
        return ""
    every = sorted(result.what_if, key=lambda one: -one.rate)
    unit = " us" if asked.measure.endswith("_us") else ""
    whose = f"{asked.victim}'s {asked.measure.removesuffix('_us')}"
    who, under = limited(asked.domain), result.what_if_bound
    if under is None:
        mild = next((one for one in every if one.refused), every[0])
        said = f"A limit of {number(mild.rate)}/s on {who} would have kept {whose} at {_effect(mild, unit)}."
    else:
        times_it = f", {number(asked.at_most)} times what it has alone" if asked.times_solo else ""
        aim = f"would have kept {whose} under {number(under)}{unit}{times_it}"
        kept = next((one for one in every if one.value <= under), None)
        best = min(every, key=lambda one: one.value)
        said = f"A limit of {number((kept or best).rate)}/s on {who} {aim}: {_effect(kept or best, unit)}."
        if kept is None:
            said = f"No limit of those tried on {who} {aim}; {number(best.rate)}/s: {_effect(best, unit)}."
    return said + _as_it_was(result, unit)


def _effect(row: WhatIfRow, unit: str) -> str:
    return f"{number(row.value)}{unit}, {number(row.refused)} calls refused"


def _as_it_was(result: RunResult, unit: str) -> str:
    asked = result.what_if_of
    agent = next((one for one in result.agents if asked and one.domain == asked.victim), None)
    had = getattr(agent.latency.get(MEASURED), asked.measure, None) if agent and asked else None
    return "" if had is None else f" As it was, it had {number(had)}{unit}."


def limited(names: Names) -> str:
    """Who, in words: "ivi", "each of ivi and tcu", "each of guest1 to guest11"."""
    if isinstance(names, str):
        return WORDS.get(names, names)
    if len(names) <= 1:
        return names[0] if names else ""
    if len(names) <= NAMES_TOLD:
        return f"each of {', '.join(names[:-1])} and {names[-1]}"
    return f"each of {names[0]} to {names[-1]}"
