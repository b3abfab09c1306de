"""A fleet's report: one HTML file without a network, of the parts of a run's report. Equal results, equal
pages.
"""

from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from deploy.experiments.report.page import asset, environment
from deploy.experiments.report.text import NONE, count, micros, span
from deploy.experiments.report.view import Cell, Table, table
from deploy.fleet.merging import VERDICTS, FleetResult, Merged, Sums

TEMPLATES: Final = Path(__file__).parent / "templates"
WORDS: Final = {"pass": "Passed", "fail": "Failed", "error": "Unfinished"}
STATUSES_SHOWN: Final = 12
KEPT_SHOWN: Final = 500
NS: Final = 1_000_000_000


def render(result: FleetResult) -> str:
    """The page."""
    template = environment(TEMPLATES).get_template("fleet.html")
    parts: dict[str, Any] = {
        "cells": cells(result.merged),
        "latency": latency(result.merged),
        "agents": agents(result.merged),
        "statuses": statuses(result.merged),
        "codes": codes(result.merged),
        "failures": failures(result.merged),
        "slowest": slowest(result.merged),
        "longest": longest(result),
        "headline": headline(result.merged),
        "course": course(result),
        "setup": setup(result),
        "kept": result.course.kept[:KEPT_SHOWN],
        "words": WORDS,
        "shares": shares(result.merged),
    }
    own = Markup((TEMPLATES / "fleet.css").read_text(encoding="utf-8"))
    return template.render(result=result, merged=result.merged, source=asset, own=own, **parts)


def headline(merged: Merged) -> list[tuple[str, str]]:
    counts = merged.sums.counts
    made = [("platforms", count(merged.planned))]
    made += [(name, count(many)) for name, many in merged.verdicts.items() if many or name == "pass"]
    made += [("calls measured", count(counts["issued"])), ("answered", count(counts["answered"]))]
    if merged.sums.latency.calls:
        made.append(("p99 of all calls", f"{micros(merged.sums.latency.p99_us)} µs"))
    return made


def shares(merged: Merged) -> list[tuple[str, int, float]]:
    """For a bar: verdict, how many, and the part of all in per cent; those without a result last."""
    done = sum(merged.verdicts.values())
    every = [*merged.verdicts.items(), ("none", merged.planned - done)]
    return [(name, many, 100 * many / merged.planned) for name, many in every if many]


def _number(many: int, *, bad: bool = False) -> Cell:
    return Cell(count(many) if many else NONE, "bad" if bad and many else "")


def cells(merged: Merged) -> Table:
    rows: list[list[str | Cell]] = [
        [
            one.name,
            count(one.platforms),
            *(_number(one.verdicts[name], bad=name != "pass") for name in VERDICTS),
            _number(one.violations, bad=True),
            _number(one.missed, bad=True),
            *_counted(one.sums),
        ]
        for one in merged.cells
    ]
    caption = "Platforms that differ in their seed only; missed: objectives"
    columns = ("cell", "done", *VERDICTS, "violations", "missed", *COUNTED)
    return table(caption, columns, rows, range(1, len(columns)))


COUNTED: Final = ("issued", "answered", "errors", "killed", "sum")


def _counted(sums: Sums) -> list[str | Cell]:
    counts = sums.counts
    errors = counts["definite"] + counts["indefinite"]
    off = counts["issued"] - counts["answered"] - errors - counts["killed"]
    verdict = Cell("adds up", "good") if not off else Cell(f"off by {count(off)}", "bad")
    ended = (_number(errors), _number(counts["killed"]), verdict)
    return [count(counts["issued"]), count(counts["answered"]), *ended]


QUANTILES: Final = ("answered", "p50", "p90", "p99", "p99.9", "max")


def _times(sums: Sums) -> list[str]:
    had = sums.latency
    each = (had.p50_us, had.p90_us, had.p99_us, had.p999_us, had.max_us)
    return [count(had.calls), *(micros(one) for one in each)]


def latency(merged: Merged) -> Table:
    rows = [[one.name, *_times(one.sums)] for one in merged.cells]
    rows.append(["all together", *_times(merged.sums)])
    return table("Microseconds from the intended start, by cell", ("cell", *QUANTILES), rows, range(1, 7))


def agents(merged: Merged) -> Table:
    rows: list[list[str | Cell]] = [
        [
            one.domain,
            count(one.platforms),
            *_counted(one.sums),
            _number(one.sums.counts["refused_traps"]),
            _number(one.sums.counts["resets"]),
            _number(one.sums.counts["leaks"], bad=True),
            micros(one.sums.latency.p50_us),
            micros(one.sums.latency.p99_us),
        ]
        for one in merged.agents
    ]
    columns = ("domain", "platforms", *COUNTED, "refused traps", "resets", "leaks", "p50, µs", "p99, µs")
    return table("Each domain, in all platforms that have it", columns, rows, range(1, len(columns)))


def statuses(merged: Merged) -> Table | None:
    return _by_domain("Statuses of the answers", merged, "statuses")


def codes(merged: Merged) -> Table | None:
    return _by_domain("Error codes of calls that had no answer", merged, "codes")


def _by_domain(caption: str, merged: Merged, field: str) -> Table | None:
    """A column for each name, the commonest first; None if there is none."""
    totals: dict[str, int] = getattr(merged.sums, field)
    names = sorted(totals, key=lambda name: (-totals[name], name))[:STATUSES_SHOWN]
    if not names:
        return None
    rows = [["all together", *(count(totals[name]) for name in names)]]
    for one in merged.agents:
        had = getattr(one.sums, field)
        rows.append([one.domain, *(count(had[name]) if had.get(name) else NONE for name in names)])
    return table(caption, ("domain", *names), rows, range(1, len(names) + 1))


def failures(merged: Merged) -> Table:
    rows: list[list[str | Cell]] = [
        [str(one.job), Cell(one.verdict, "bad"), one.cell, str(one.seed), one.reason, one.command]
        for one in merged.failures
    ]
    columns = ("job", "verdict", "cell", "seed", "why", "this runs it alone")
    return table("All that did not pass", columns, rows, (0, 3))


def slowest(merged: Merged) -> Table:
    rows = [
        [str(one.job), one.cell, str(one.seed), micros(one.p99_us), count(one.calls), one.command]
        for one in merged.slowest
    ]
    columns = ("job", "cell", "seed", "p99, µs", "answered", "this runs it alone")
    return table("By the 99th percentile of all calls of a platform", columns, rows, (0, 2, 3, 4))


def longest(result: FleetResult) -> Table:
    rows = [[str(job), span(int(wall_s * NS))] for job, wall_s in result.course.longest]
    return table("By what the run took its worker", ("job", "took"), rows, (0, 1))


def course(result: FleetResult) -> list[tuple[str, str]]:
    """How it went, which another go may have otherwise."""
    had = result.course
    return [
        ("coordinators", count(had.coordinators)),
        ("attempts", count(had.attempts)),
        ("workers that died", count(had.workers_lost)),
        ("late results refused", count(had.refused)),
        ("time of coordinators that ended in order", span(int(had.wall_s * NS))),
        ("time of all runs together", span(int(had.busy_s * NS))),
    ]


def setup(result: FleetResult) -> list[tuple[str, str]]:
    plan = result.plan
    rows = [
        ("scenario", plan.scenario),
        *(("matrix", one) for one in plan.matrix),
        ("platforms asked for", "" if plan.platforms is None else count(plan.platforms)),
        ("stage", plan.stage or "as the scenario says"),
        ("drawn by the swarm's dice", "yes" if plan.drawn else ""),
        ("Trapline", plan.version),
        ("scenario's text, SHA-256", plan.digest),
    ]
    return [row for row in rows if row[1]]
