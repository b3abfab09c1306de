"""``trapline runs``: past runs, listed, shown, compared, and removed when there are too many."""

import datetime
from collections.abc import Sequence
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.text import Text

from deploy.cli.options import json_option
from deploy.cli.output import console, count, say_json, table
from deploy.experiments.keeping.comparison import Comparison, Mark, Row, compare
from deploy.experiments.keeping.runs import Run, Runs
from deploy.experiments.result import RunResult

LISTED: Final = 20
VIOLATIONS_SHOWN: Final = 5
STYLES: Final = {"pass": "bold green", "fail": "bold red", "error": "bold yellow"}
MARKS: Final[dict[Mark, str]] = {"better": "green", "worse": "bold red", "same": "dim", "different": "yellow"}


@click.group()
def runs() -> None:
    """List, show and compare past experiments.

    \b
    trapline runs list --verdict fail     # the newest that failed
    trapline runs show 20261123-1740      # an id, or how it begins
    trapline runs compare A B             # B as seen from A
    trapline runs prune --keep 100        # remove the others

    Runs are kept in $TRAPLINE_RUNS, else in trapline/runs below $XDG_DATA_HOME or ~/.local/share.
    """


@runs.command("list")
@click.option("--scenario", default="", metavar="TEXT", help="Only those whose name or title contains TEXT.")
@click.option("--verdict", type=click.Choice(["pass", "fail", "error"]), help="Only those that ended so.")
@click.option(
    "--limit", type=click.IntRange(0), default=LISTED, show_default=True, help="The newest N; 0: all."
)
@json_option
def list_(scenario: str, verdict: str | None, limit: int, as_json: bool) -> None:
    """List past runs, the newest first."""
    kept = Runs()
    found = kept.list(scenario, verdict or "", limit)
    if as_json:
        say_json([_as_data(one) for one in found])
        return
    out = console()
    if not found:
        out.print(f"no such run in {kept.root}", soft_wrap=True)
    else:
        rows = [_listed(one) for one in found]
        made = table(None, ["run", "verdict", "seed", "calls", "p99 us"], rows, numbers=(2, 3, 4))
        for column in made.columns[1:]:
            column.no_wrap = True  # the ids take what is left, whole if they can
        out.print(made)
    for folder in kept.unfinished():
        out.print(f"without a result, under way or cut off: {folder.name}", style="dim", soft_wrap=True)


def _listed(run: Run) -> list[str | Text]:
    verdict = Text(run.verdict, style=STYLES[run.verdict])
    return [run.run_id, verdict, str(run.seed), count(run.issued), f"{run.p99_us:.0f}" if run.p99_us else "-"]


def _as_data(run: Run) -> dict[str, Any]:
    return {**msgspec.structs.asdict(run), "report": str(run.report)}


@runs.command()
@click.argument("run")
@json_option
def show(run: str, as_json: bool) -> None:
    """Show a run's verdict, its numbers, and where its report lies."""
    kept = Runs()
    found = kept.get(run)
    result = kept.result(found)
    if as_json:
        say_json({**_as_data(found), "result": result})
    else:
        _show(console(), found, result)


def _show(out: Console, run: Run, result: RunResult) -> None:
    out.print(Text.assemble((run.verdict.upper(), STYLES[run.verdict]), "  ", (run.title, "bold")))
    out.print(Text(run.reason))
    started = datetime.datetime.fromtimestamp(run.started_at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    out.print()
    for name, value in (
        ("run", run.run_id),
        ("seed", str(run.seed)),
        ("engine", f"{run.engine}, {run.wall_s:.1f} s of wall time, started {started}"),
        ("again", result.command),
        ("report", str(run.report) if run.report.exists() else f"gone: {run.report}"),
    ):
        out.print(Text(f"{name:8}", style="bold cyan"), Text(value), sep="", soft_wrap=True)
    for note in result.notes:
        out.print(Text("note    ", style="bold yellow"), Text(note), sep="")
    out.print()
    out.print(table(None, AGENT_COLUMNS, [_agent_row(one) for one in result.agents], numbers=range(1, 8)))
    for title, rows in (("thresholds", _thresholds(result)), ("checkers", _checkers(result))):
        if rows:
            out.print()
            out.print(table(title, [title[:-1], "", "verdict"], rows))
    _violations(out, result)


AGENT_COLUMNS: Final = ["domain", "issued", "answered", "failed", "killed", "leaks", "p50 us", "p99 us"]


def _agent_row(one: Any) -> list[str]:
    late = one.latency.get("faults")
    times = ["-", "-"] if late is None else [f"{late.p50_us:.0f}", f"{late.p99_us:.0f}"]
    numbers = (one.issued, one.answered, one.definite + one.indefinite, one.killed, one.leaks)
    return [one.domain, *(count(each) for each in numbers), *times]


def _thresholds(result: RunResult) -> list[list[str | Text]]:
    return [
        [
            one.text,
            f"{'-' if one.value is None else f'{one.value:.4g}'}, {one.bound}",
            Text("held", style="green") if one.held else Text("missed", style="bold red"),
        ]
        for one in result.thresholds
    ]


def _checkers(result: RunResult) -> list[list[str | Text]]:
    return [
        [
            one.name,
            one.claim,
            Text(f"{len(one.violations)} violations", style="bold red")
            if one.violations
            else Text("holds", style="green"),
        ]
        for one in result.checkers
    ]


def _violations(out: Console, result: RunResult) -> None:
    found = sorted((each for one in result.checkers for each in one.violations), key=lambda one: one.at_ns)
    for one in found[:VIOLATIONS_SHOWN]:
        out.print()
        out.print(Text(f"{one.at_ns / 1e9:.6f} s, {one.checker}: ", style="bold red"), Text(one.text), sep="")
    if len(found) > VIOLATIONS_SHOWN:
        out.print(f"and {len(found) - VIOLATIONS_SHOWN} more; the report has them all")


@runs.command("compare")
@click.argument("run_a")
@click.argument("run_b")
@click.option("--all", "everything", is_flag=True, help="Also what is the same.")
@json_option
def compare_(run_a: str, run_b: str, everything: bool, as_json: bool) -> None:
    """Compare two runs: RUN_B as seen from RUN_A."""
    kept = Runs()
    first, second = kept.get(run_a), kept.get(run_b)
    seen = compare(kept.result(first), kept.result(second))
    if as_json:
        say_json({"first": _as_data(first), "second": _as_data(second), "comparison": seen})
    else:
        _compare(console(), (first, second), seen, everything)


def _compare(out: Console, both: tuple[Run, Run], seen: Comparison, everything: bool) -> None:
    for letter, run in zip("AB", both, strict=True):
        verdict = Text(run.verdict, style=STYLES[run.verdict])
        out.print(Text.assemble((letter, "bold cyan"), f"  {run.run_id}  ", verdict, f"  {run.title}"))
    out.print()
    if seen.setup:
        rows = [[row.what, _said(row.first), _said(row.second)] for row in seen.setup]
        out.print("asked differently", style="bold")
        out.print(table(None, ["", "A", "B"], rows))
    else:
        out.print(
            "scenario, seed, engine and version are the same" + (", but for its text" if seen.text else "")
        )
    for line in seen.text:
        out.print(Text(line, style="red" if line[:1] == "-" else "green" if line[:1] == "+" else "dim"))
    for title, rows_of in (
        ("agents", seen.agents),
        ("thresholds", seen.thresholds),
        ("checkers", seen.checkers),
    ):
        shown = [row for row in rows_of if everything or row.mark != "same"]
        if shown:
            out.print()
            out.print(
                table(title, ["", "A", "B", "change", "B is"], [_compared(row) for row in shown], (1, 2, 3))
            )
    out.print()
    marks: Sequence[Mark] = ("better", "worse", "different", "same")
    hint = "" if everything or not seen.count("same") else " (--all shows those too)"
    out.print(", ".join(f"{seen.count(mark)} {mark}" for mark in marks) + hint)


def _compared(row: Row) -> list[str | Text]:
    change = "-"
    if isinstance(row.first, float) and isinstance(row.second, float) and row.first:
        change = f"{(row.second / row.first - 1) * 100:+.0f} %"
    name = f"{row.what} {row.measure.replace('_', ' ')}".strip()
    return [name, _said(row.first), _said(row.second), change, Text(row.mark, style=MARKS[row.mark])]


def _said(value: str | float | None) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    return (
        count(int(value)) if value == int(value) else f"{value:.4g}" if value < 1000 else count(round(value))
    )


@runs.command()
@click.option("--keep", type=click.IntRange(0), required=True, metavar="N", help="The newest N stay.")
@json_option
def prune(keep: int, as_json: bool) -> None:
    """Remove all but the newest runs, with their folders."""
    kept = Runs()
    gone = kept.prune(keep)
    if as_json:
        say_json([_as_data(one) for one in gone])
    else:
        many = f"{len(gone)} run{'' if len(gone) == 1 else 's'}"
        console().print(f"removed {many} from {kept.root}", soft_wrap=True)
