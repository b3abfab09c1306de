"""Puts a run's result together: the verdict with its reason, the account, tables and plots as data.

It reads counts and judgements; it runs nothing and prints nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy import __version__
from deploy.experiments.describing.faults import BY_NAME
from deploy.experiments.describing.scenario import Scenario, Threshold, ready
from deploy.experiments.judging import measure, thresholds, whatif
from deploy.experiments.judging.books import Books, books
from deploy.experiments.judging.histogram import LatencyHistogram
from deploy.experiments.judging.jury import Jury
from deploy.experiments.judging.tally import ALL, LIVES_MAX, Count, Tally
from deploy.experiments.judging.thresholds import number
from deploy.experiments.leading import Lead
from deploy.experiments.result import (
    AgentResult,
    CheckerResult,
    FaultDone,
    Latency,
    RunResult,
    Slice,
    ThresholdResult,
    Verdict,
    WhatIfRow,
)
from deploy.experiments.searching.vary import knobs
from deploy.recording.rows import is_domain

MEASURED: Final = "faults"
ISOLATION: Final = "isolation"
NOTES_MAX: Final = 60
ENDINGS: Final = ("answered", "definite_error", "indefinite_error")  # in the order of ``Tally.lives``
CALLS: Final = "trapline_guest_calls_total"


class Done(msgspec.Struct):
    """A run that is over, with all that its result is made of."""

    scenario: Scenario
    seed: int
    engine: str
    path: Path
    source: str
    lead: Lead
    tally: Tally
    juries: Sequence[Jury]
    checked: tuple[CheckerResult, ...]
    stats: Mapping[str, Mapping[str, Any]]
    fingerprint: str
    truncated: int = 0
    kept: tuple[int, ...] | None = None
    drawn: bool = False
    said: str = ""
    run_id: str = ""
    started_at: float = 0.0
    wall_s: float = 0.0
    solo: Mapping[str, Tally] = {}
    what_if: tuple[WhatIfRow, ...] = ()


def result(done: Done) -> RunResult:
    """The verdict and everything that the report shows."""
    scenario, tally, lead = done.scenario, done.tally, done.lead
    lost, kept = _lost(done), _books(done)
    held = thresholds.judge(scenario, lambda one: _value(one, done, lost), done.solo)
    verdict, reason = _verdict(done, held, lost, kept)
    return RunResult(
        run_id=done.run_id,
        title=scenario.title,
        question=scenario.question,
        scenario=name_of(done.path),
        seed=done.seed,
        engine=done.engine,
        command=_command(done),
        verdict=verdict,
        reason=reason,
        started_at=done.started_at,
        wall_s=done.wall_s,
        duration_ns=lead.duration_ns,
        knobs=knobs(scenario) | {"seed": done.seed, "domains": len(lead.plan.loads)},
        phases=tuple(lead.phases),
        faults=tuple(
            FaultDone(one, BY_NAME[one.kind].origin, lead.applied.get(one.number)) for one in lead.plan.faults
        ),
        agents=tuple(_agent(name, tally) for name in tally.domains()),
        slices=_slices(tally),
        fairness=tally.fairness(MEASURED),
        thresholds=held,
        checkers=done.checked,
        what_if=done.what_if,
        diagram=next((jury.diagram() for jury in done.juries if jury.first is not None), ()),
        account=_account(done, lost, kept),
        fingerprint=done.fingerprint,
        truncated_rows=done.truncated,
        notes=(*lead.healer.done[:NOTES_MAX], *lead.crash),
        version=__version__,
        source=done.source,
        metering=scenario.metering,
        what_if_of=scenario.what_if,
        what_if_bound=whatif.bound(scenario, done.solo),
    )


def name_of(path: Path) -> str:
    """What to type for the scenario: its name if it comes with Trapline, else its path."""
    return path.stem if ready().get(path.stem) == path else str(path)


def _command(done: Done) -> str:
    drawn = " --drawn" if done.drawn else ""
    said = f"trapline run {name_of(done.path)}{drawn}{done.said} --seed {done.seed} --engine {done.engine}"
    return said if done.kept is None else f"{said} --faults {','.join(map(str, done.kept)) or 'none'}"


# ---- the verdict ----------------------------------------------------------------------------------


def _verdict(
    done: Done, held: Sequence[ThresholdResult], lost: int | None, kept: Books
) -> tuple[Verdict, str]:
    """The first of these that is wrong is the reason: the platform, a checker, the account, an objective."""
    lead = done.lead
    if lead.failure is not None:
        return "fail", f"at {lead.duration_ns / 1e9:.3f} s the platform was over: {lead.failure}"
    known = set(done.scenario.known)
    broken = [one for one in done.checked if one.violations]
    first = min(
        (violation for one in broken if one.name not in known for violation in one.violations),
        key=lambda one: one.at_ns,
        default=None,
    )
    if first is not None:
        return "fail", f"{first.checker} noticed at {first.at_ns / 1e9:.3f} s: {first.text}"
    missing = known - {one.name for one in broken}
    if missing:
        return "fail", f"{', '.join(sorted(missing))}: known to be broken here, and was not; a defect is gone"
    if lost:
        return "fail", f"{lost} calls that guests counted are not in the history, or the other way round"
    if lead.outstanding:
        return "fail", f"{lead.outstanding} calls were still under way at the end of the drain"
    if wrong := kept.problem():
        return "fail", f"the account does not add up: {wrong}"
    missed = next((one for one in held if not one.held), None)
    if missed is not None:
        return "fail", f"{missed.text}: it was {number(missed.value)}, the bound is {missed.bound}"
    return "pass", _all_well(done, held, _whole(done, kept))


def _all_well(done: Done, held: Sequence[ThresholdResult], count: Count) -> str:
    parts = []
    if done.checked:
        known = f", but what is known of {', '.join(done.scenario.known)}" if done.scenario.known else ""
        parts.append(
            f"{len(done.checked)} checkers found nothing in {number(done.tally.events)} events{known}"
        )
    if held:
        parts.append(f"{len(held)} of {len(held)} thresholds hold")
    parts.append(f"{number(count.issued)} calls issued, all accounted for")
    return "; ".join(parts)


def _value(one: Threshold, done: Done, lost: int | None) -> float | None:
    if one.measure == "lost":
        return lost
    if one.measure == "memory_growth":
        return done.lead.memory.growth_mib()
    if one.measure == "denied_that_succeeded":
        judge = next((checker for checker in done.checked if checker.name == ISOLATION), None)
        return None if judge is None else len(judge.violations)
    return measure.value(one.measure, done.tally, one.phase, one.domain)


# ---- the account ----------------------------------------------------------------------------------


def _lost(done: Done) -> int | None:
    """Calls that guests counted and the history does not know, or the other way round; None: nobody knows."""
    if done.scenario.record == "none" or done.truncated:
        return None
    tally, living = done.tally, done.lead.living
    if len(tally.lives) >= LIVES_MAX:
        return None
    lost = 0
    for node, stats in done.stats.items():
        if is_domain(node):
            counted = _counted(stats)
            known = tally.lives.get(node, [0, 0, 0])
            # A process that was killed told its numbers some time before: the history may know of more.
            known_less = [max(0, a - b) for a, b in zip(counted, known, strict=True)]
            differs = [abs(a - b) for a, b in zip(counted, known, strict=True)]
            lost += sum(differs if node in living else known_less)
    return lost


def _counted(stats: Mapping[str, Any]) -> list[int]:
    """What a domain itself counted, by ending."""
    calls = stats.get("counters", {}).get(CALLS, {})
    return [sum(number for key, number in calls.items() if key[1] == ending) for ending in ENDINGS]


def _books(done: Done) -> Books:
    """What Xen and EL3 counted, beside what guests noted."""
    tally = done.tally
    unknown = done.scenario.record == "none" or done.truncated
    return books(
        done.stats, done.lead.plan, None if unknown else tally.rang, tally.started - len(done.lead.living)
    )


def _whole(done: Done, kept: Books) -> Count:
    """All calls. Without frames in the record it is Xen that knows whose call ended with its domain."""
    count = done.tally.count(ALL)
    if not count.killed and done.engine != "sim" and done.scenario.record == "calls":
        count.killed = kept.killed or 0
    return count


def _account(done: Done, lost: int | None, kept: Books) -> dict[str, int]:
    """The whole run's calls, to the unit: issued = answered + definite + indefinite + killed; then what Xen
    and EL3 counted.
    """
    count = _whole(done, kept)
    found = {
        field: getattr(count, field) for field in ("issued", "answered", "definite", "indefinite", "killed")
    }
    found["dropped_arrivals"] = count.dropped_arrivals
    found["outstanding"] = done.lead.outstanding
    if lost is not None:
        found["lost"] = lost
    return found | kept.rows()


# ---- tables and plots -----------------------------------------------------------------------------


def _agent(name: str, tally: Tally) -> AgentResult:
    count = tally.count(MEASURED, name)
    latency = {phase.name: latency_of(tally.count(phase.name, name).latency) for phase in tally.phases}
    return AgentResult(
        domain=name,
        agent=tally.agents[name],
        issued=count.issued,
        answered=count.answered,
        definite=count.definite,
        indefinite=count.indefinite,
        killed=count.killed,
        refused_traps=count.refused_traps,
        resets=count.resets,
        leaks=count.leaks,
        statuses=dict(sorted(count.statuses.items())),
        codes=dict(sorted(count.codes.items())),
        latency={phase: one for phase, one in latency.items() if one.calls},
        metered=dict(sorted(count.metered.items())),
    )


def latency_of(times: LatencyHistogram) -> Latency:
    """What a result tells of a histogram."""
    if not times.total:
        return Latency()
    p50, p90, p99, p999 = (times.quantile_us(part) or 0.0 for part in (0.5, 0.9, 0.99, 0.999))
    return Latency(times.total, p50, p90, p99, p999, times.max_ns / 1e3)


def _slices(tally: Tally) -> tuple[Slice, ...]:
    width = tally.slice_ns
    return tuple(
        Slice(
            name,
            at * width,
            (at + 1) * width,
            piece.answered,
            piece.denied,
            piece.errors,
            piece.latency.quantile_us(0.5) or 0.0,
            piece.latency.quantile_us(0.99) or 0.0,
        )
        for name, at, piece in tally.pieces()
    )
