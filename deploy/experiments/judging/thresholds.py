"""Judges thresholds: the sentence, the value, the bound as it was applied, whether it held.

A value that nobody can tell (no call was answered) does not hold.
"""

from collections.abc import Callable, Mapping

from deploy.experiments.describing.scenario import Scenario, Threshold
from deploy.experiments.judging import measure
from deploy.experiments.judging.tally import Tally
from deploy.experiments.result import ThresholdResult

ValueOf = Callable[[Threshold], float | None]


def judge(scenario: Scenario, value_of: ValueOf, solo: Mapping[str, Tally]) -> tuple[ThresholdResult, ...]:
    """Every threshold of the scenario. ``solo``: the counts of each domain alone."""
    return tuple(_one(one, value_of(one), _alone(one, solo)) for one in scenario.threshold)


def _alone(one: Threshold, solo: Mapping[str, Tally]) -> float | None:
    if not one.times_solo or one.domain not in solo:
        return None
    return measure.value(one.measure, solo[one.domain], one.phase, one.domain)


def _one(one: Threshold, value: float | None, alone: float | None) -> ThresholdResult:
    low, high = one.at_least, one.at_most
    if one.times_solo:
        low, high = times(low, alone), times(high, alone)
    known = value is not None and not (one.times_solo and alone is None)
    held = known and value is not None and (low is None or value >= low) and (high is None or value <= high)
    return ThresholdResult(sentence(one), value, _bound(one, low, high, alone), held)


def times(bound: float | None, alone: float | None) -> float | None:
    """A bound that is a multiple of what the domain has alone; none if that is not known."""
    return None if bound is None or alone is None else bound * alone


def sentence(one: Threshold) -> str:
    """The objective in words: "p99_us of cluster in faults at most 3 times solo"."""
    who = f" of {one.domain}" if one.domain else ""
    when = " in the whole run" if one.phase == "all" else f" in {one.phase}"
    parts = [
        f"{word} {number(bound)}"
        for word, bound in (("at most", one.at_most), ("at least", one.at_least))
        if bound is not None
    ]
    return f"{one.measure}{who}{when} {' and '.join(parts)}{' times solo' if one.times_solo else ''}"


def _bound(one: Threshold, low: float | None, high: float | None, alone: float | None) -> str:
    if one.times_solo and alone is None:
        return "unknown: alone, the domain got no answer"
    parts = [f"<= {number(high)}"] if high is not None else []
    parts += [f">= {number(low)}"] if low is not None else []
    told = f" ({number(alone)} alone)" if alone is not None else ""
    return f"{' and '.join(parts)}{told}"


def number(value: float | None) -> str:
    """A measure as people read it."""
    if value is None:
        return "unknown"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):_}".replace("_", " ")
    return f"{value:.4g}" if abs(value) < 1000 else f"{round(value):_}".replace("_", " ")
