"""The last screen of an experiment: the verdict first, then how to have it again, then who fared how.

It fits 80 columns and, but for what failed, one screen; all of it is in the report.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deploy.cli.output import console, count, microseconds, number, say_json, table
from deploy.experiments.describing import problems
from deploy.experiments.describing.scenario import ready
from deploy.experiments.judging import whatif
from deploy.experiments.judging.thresholds import number as shortly
from deploy.experiments.keeping.runs import REPORT
from deploy.experiments.result import AgentResult, Latency, RunResult

MEASURED = "faults"
AGENTS_SHOWN = 16
VIOLATIONS_SHOWN = 5
FAULTS_SHOWN = 10
TRAIL_SHOWN = 30
STYLE = {"pass": "bold green", "fail": "bold red", "error": "bold yellow"}


def one(result: RunResult, folder: Path, *, page: bool) -> None:
    """One run."""
    out = console()
    head = Text(f"{result.verdict.upper()}  ", style=STYLE[result.verdict])
    head.append(result.title, style="bold")
    out.print(head)
    out.print(Text(result.reason))
    out.print(Text(f"seed {result.seed}: {result.command}", style="dim"))
    out.print()
    if result.races:
        _races(result, out)
    else:
        _calls(result, out)
    _thresholds(result, out)
    _checkers(result, out)
    _faults(result, out)
    _what_if(result, out)
    out.print()
    kept = folder / REPORT if page else folder
    lasted = f"{result.duration_ns / 1e9:.3f} s in " if result.duration_ns else ""
    out.print(Text(f"{lasted}{result.wall_s:.1f} s; kept in"), soft_wrap=True)
    out.print(Text(str(kept)), soft_wrap=True)


def scenarios(as_json: bool) -> None:
    """What comes with Trapline, and what each answers."""
    found = {name: problems.read(name)[0] for name in ready()}
    if as_json:
        say_json({name: {"title": one.title, "question": one.question} for name, one in found.items()})
        return
    out = console()
    for name, one in found.items():
        out.print(Text(name, style="bold cyan"), Text(one.title), sep="  ")
        out.print(Padding(Text(one.question), (0, 0, 0, 2)))
    out.print("\n'trapline run NAME' runs one; NAME may also be the path of a .toml file.")


def many(results: Sequence[tuple[RunResult, Path]]) -> None:
    """Several seeds: a row for each that did not pass, and the sum."""
    out = console()
    counts = Counter(result.verdict for result, _ in results)
    verdict = "pass" if set(counts) <= {"pass"} else "fail"
    head = Text(f"{verdict.upper()}  ", style=STYLE[verdict])
    told = ", ".join(f"{calls} {word}" for word, calls in counts.items())
    head.append(f"{results[0][0].title}: {len(results)} seeds, {told}", style="bold")
    out.print(head)
    failed = [(result, folder) for result, folder in results if result.verdict != "pass"]
    for result, folder in failed[:VIOLATIONS_SHOWN]:
        out.print(Text(f"seed {result.seed}: {result.reason}"))
        out.print(Text(f"  {result.command}", style="dim"))
        out.print(Text(f"  {folder}", style="dim"), soft_wrap=True)
    if len(failed) > VIOLATIONS_SHOWN:
        out.print(Text(f"and {len(failed) - VIOLATIONS_SHOWN} more: trapline runs list --verdict fail"))
    issued = sum(result.account.get("issued", 0) for result, _ in results)
    answered = sum(result.account.get("answered", 0) for result, _ in results)
    out.print(Text(f"{count(issued)} calls issued, {count(answered)} answered"))


def _worth(result: RunResult) -> list[AgentResult]:
    """The domains with something to tell."""
    return [row for row in result.agents if row.issued or row.resets or row.refused_traps]


def _agents(result: RunResult) -> Table:
    rows = []
    for row in _worth(result)[:AGENTS_SHOWN]:
        latency = row.latency.get(MEASURED, Latency())
        rows.append(
            [
                row.domain,
                number(row.agent),
                count(row.issued),
                count(row.answered),
                count(row.statuses.get("DENIED", 0)),
                count(row.definite + row.indefinite),
                microseconds(latency.p50_us),
                microseconds(latency.p99_us),
                str(row.resets),
            ]
        )
    titles = ["domain", "agent", "issued", "answered", "denied", "errors", "p50 us", "p99 us", "resets"]
    return table(None, titles, rows, numbers=tuple(range(1, 9)))


def _calls(result: RunResult, out: Console) -> None:
    """Who fared how."""
    out.print(_agents(result))
    left = len(_worth(result)) - AGENTS_SHOWN
    if left > 0:
        out.print(Text(f"and {left} more in the report", style="dim"))
    out.print(Text(_account(result)))


def _races(result: RunResult, out: Console) -> None:
    """Each race: what was played, and what came of it; then the order that broke something."""
    rows: list[list[str | Text]] = [
        [
            race.operation,
            race.el3,
            count(race.orders),
            count(race.pruned),
            "yes" if race.complete else "no",
            Text("BROKE", style="bold red") if race.broke else Text("held", style="green"),
        ]
        for race in result.races
    ]
    titles = ["operation", "EL3", "orders played", "pruned", "all of them", "result"]
    out.print(table(None, titles, rows, numbers=(2, 3)))
    for race in result.races:
        if race.trail:
            out.print()
            out.print(Text(f"{race.operation} with EL3 {race.el3} broke in this order of deliveries:"))
            for at, delivery in enumerate(race.trail[:TRAIL_SHOWN], 1):
                out.print(Text(f"{at:4}  {delivery}"))
            if len(race.trail) > TRAIL_SHOWN:
                out.print(Text(f"      and {len(race.trail) - TRAIL_SHOWN} more in the report", style="dim"))


def _account(result: RunResult) -> str:
    """The whole run's calls."""
    of = result.account
    parts = [
        f"{count(of[key])} {key}" for key in ("answered", "definite", "indefinite", "killed") if key in of
    ]
    dropped = of.get("dropped_arrivals", 0)
    more = f"; {count(dropped)} arrivals dropped" if dropped else ""
    fairness = f"; fairness {result.fairness:.3f}" if result.fairness is not None else ""
    said = f"Whole run: {count(of.get('issued', 0))} calls issued = {' + '.join(parts)}{more}{fairness}."
    return f"{said}{_platform(result)}"


TITLES = {"xen": "Xen", "el3": "EL3"}


def _platform(result: RunResult) -> str:
    """What Xen and EL3 counted themselves."""
    of = result.account
    if not of.get("xen_received"):
        return ""
    xen = [
        f"{count(of[f'xen_{key}'])} {key.replace('_', ' ')}"
        for key in ("returned", "errors", "undelivered", "under_way")
        if of.get(f"xen_{key}") or key == "returned"
    ]
    el3 = f"{count(of['el3_received'])} SMCs, {count(of['el3_returned'])} returned"
    again = {
        one.planned.kind.partition(".")[0] for one in result.faults if one.planned.kind.endswith(".restart")
    }
    who = {kind: f"{title}{', since its last start' * (kind in again)}" for kind, title in TITLES.items()}
    return f" {who['xen']}: {count(of['xen_received'])} traps = {' + '.join(xen)}. {who['el3']}: {el3}."


def _mark(held: bool) -> Text:
    return Text("held" if held else "NOT", style="green" if held else "bold red")


def _thresholds(result: RunResult, out: Console) -> None:
    if result.thresholds:
        out.print()
        rows: list[list[str | Text]] = [
            [_mark(row.held), row.text, shortly(row.value), row.bound] for row in result.thresholds
        ]
        out.print(table(None, ["", "threshold", "was", "bound"], rows))


def _checkers(result: RunResult, out: Console) -> None:
    broken = [row for row in result.checkers if row.violations]
    fine = [row.name for row in result.checkers if not row.violations]
    if broken or (fine and not result.races):
        out.print()
    if fine and not result.races:
        out.print(Text(f"Checkers that found nothing: {', '.join(fine)}."))
    for row in broken:
        out.print(Text(f"{row.name}: {row.claim}", style="bold red"))
        for violation in row.violations[:VIOLATIONS_SHOWN]:
            out.print(Text(f"  {violation.at_ns / 1e9:.6f} s  {violation.text}"))
        if len(row.violations) > VIOLATIONS_SHOWN:
            out.print(Text(f"  and {len(row.violations) - VIOLATIONS_SHOWN} more", style="dim"))


def _faults(result: RunResult, out: Console) -> None:
    if not result.faults:
        return
    out.print()
    if len(result.faults) > FAULTS_SHOWN:
        kinds = Counter((row.planned.kind, row.origin) for row in result.faults)
        rows = [[kind, f"{times} times", "", origin] for (kind, origin), times in kinds.items()]
    else:
        rows = [
            [
                row.planned.kind,
                f"{row.planned.begin_ns / 1e9:.3f} s",
                ", ".join(row.planned.where)[:30],
                row.origin if row.applied is None else f"{row.origin}, {count(row.applied)} times",
            ]
            for row in result.faults
        ]
    out.print(table(None, ["broken", "when", "where", "possible on"], rows))


def _what_if(result: RunResult, out: Console) -> None:
    asked = result.what_if_of
    if not result.what_if or asked is None:
        return
    out.print()
    out.print(Text(whatif.told(result)))
    rows = [[f"{shortly(row.rate)}/s", shortly(row.value), count(row.refused)] for row in result.what_if]
    title = f"{asked.measure} of {asked.victim}"
    out.print(table(None, ["limited to", title, "refused"], rows, numbers=(0, 1, 2)))
