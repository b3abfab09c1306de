"""Two runs side by side: what was different in their setup, and which of their numbers got better or worse.

It judges numbers only where one direction is better; what differs otherwise is just different. Knows no
terminal.
"""

import difflib
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from deploy.experiments.result import AgentResult, CheckerResult, RunResult, ThresholdResult

Mark = Literal["better", "worse", "same", "different"]
NOISE: Final = 0.05  # latencies, rates and fairness that are nearer are the same
TEXT_LINES_MAX: Final = 40  # of the scenarios' difference
PHASE: Final = "faults"


class Row(msgspec.Struct, frozen=True):
    """``what``: a domain, a threshold's or a checker's name; None: there is none in that run."""

    what: str
    measure: str
    first: str | float | None
    second: str | float | None
    mark: Mark


class Comparison(msgspec.Struct, frozen=True):
    """``setup``: what was asked differently; ``text``: how the scenarios' texts differ, as a diff."""

    setup: tuple[Row, ...]
    text: tuple[str, ...]
    agents: tuple[Row, ...]
    thresholds: tuple[Row, ...]
    checkers: tuple[Row, ...]

    def count(self, mark: Mark) -> int:
        """How many numbers have this mark."""
        return sum(row.mark == mark for row in (*self.agents, *self.thresholds, *self.checkers))


def compare(first: RunResult, second: RunResult) -> Comparison:
    """``second`` as seen from ``first``."""
    return Comparison(
        tuple(_setup(first, second)),
        _texts(first, second),
        tuple(_agents(first, second)),
        tuple(_thresholds(first, second)),
        tuple(_checkers(first, second)),
    )


SETUP: Final = ("scenario", "seed", "engine", "version", "duration_ns")


def _setup(first: RunResult, second: RunResult) -> list[Row]:
    rows = [(name, getattr(first, name), getattr(second, name)) for name in SETUP]
    rows += [
        (f"knob {name}", first.knobs.get(name), second.knobs.get(name))
        for name in _names(first.knobs, second.knobs)
    ]
    return [
        Row(name, "", _plain(one), _plain(other), "different") for name, one, other in rows if one != other
    ]


def _plain(value: Any) -> str | None:
    return None if value is None else str(value)


def _texts(first: RunResult, second: RunResult) -> tuple[str, ...]:
    lines = list(
        difflib.unified_diff(
            first.source.splitlines(), second.source.splitlines(), first.run_id, second.run_id, "", "", 1, ""
        )
    )
    left = len(lines) - TEXT_LINES_MAX
    return (*lines[:TEXT_LINES_MAX], *([f"... and {left} lines more"] if left > 0 else []))


def _names(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))


COUNTS: Final = {  # of an agent: is more better (1), worse (-1), neither (0)?
    "issued": 0,
    "answered": 0,
    "definite": -1,
    "indefinite": -1,
    "killed": -1,
    "refused_traps": 0,
    "resets": 0,
    "leaks": -1,
}
LATENCIES: Final = ("p50_us", "p99_us", "max_us")


def _agents(first: RunResult, second: RunResult) -> list[Row]:
    ones = {one.domain: one for one in first.agents}
    others = {one.domain: one for one in second.agents}
    rows = [row for name in _names(ones, others) for row in _agent(name, ones.get(name), others.get(name))]
    fairness = _judged("all", "fairness", (first.fairness, second.fairness), 1, NOISE)
    return rows + [fairness] * (first.fairness is not None or second.fairness is not None)


def _agent(name: str, one: AgentResult | None, other: AgentResult | None) -> list[Row]:
    """Its counts, those that are 0 in both left out, and its latency in the measured phase."""
    rows = []
    for measure, better in COUNTS.items():
        had = None if one is None else float(getattr(one, measure))
        has = None if other is None else float(getattr(other, measure))
        if had or has:
            rows.append(_judged(name, measure, (had, has), better))
    for measure in LATENCIES:
        had, has = _latency(one, measure), _latency(other, measure)
        if had is not None or has is not None:
            rows.append(_judged(name, measure, (had, has), -1, NOISE))
    return rows


def _latency(agent: AgentResult | None, measure: str) -> float | None:
    if agent is None or PHASE not in agent.latency:
        return None
    return float(getattr(agent.latency[PHASE], measure))


def _judged(
    what: str, measure: str, both: tuple[float | None, float | None], better: int, noise: float = 0.0
) -> Row:
    """``noise``: the part of the larger by which they may differ and still be the same."""
    first, second = both
    if first is None or second is None:
        return Row(what, measure, first, second, "same" if first == second else "different")
    if abs(first - second) <= noise * max(abs(first), abs(second)):
        return Row(what, measure, first, second, "same")
    if not better:
        return Row(what, measure, first, second, "different")
    return Row(what, measure, first, second, "better" if (second > first) == (better > 0) else "worse")


def _thresholds(first: RunResult, second: RunResult) -> list[Row]:
    ones = {one.text: one for one in first.thresholds}
    others = {one.text: one for one in second.thresholds}
    rows = []
    for name in _names(ones, others):
        one, other = ones.get(name), others.get(name)
        rows.append(Row(name, "", _objective(one), _objective(other), _held(one, other)))
    return rows


def _objective(one: ThresholdResult | None) -> str | None:
    if one is None:
        return None
    value = "none" if one.value is None else f"{one.value:.4g}"
    return f"{value} {'held' if one.held else 'missed'} ({one.bound})"


def _held(one: ThresholdResult | None, other: ThresholdResult | None) -> Mark:
    if one is None or other is None:
        return "different"
    if one.held == other.held:
        return "same"
    return "better" if other.held else "worse"


def _checkers(first: RunResult, second: RunResult) -> list[Row]:
    ones = {one.name: one for one in first.checkers}
    others = {one.name: one for one in second.checkers}
    return [
        _judged(name, "violations", (_found(ones.get(name)), _found(others.get(name))), -1)
        for name in _names(ones, others)
    ]


def _found(one: CheckerResult | None) -> float | None:
    return None if one is None else float(len(one.violations))
