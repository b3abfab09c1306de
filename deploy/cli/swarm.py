"""``trapline swarm``: many seeds on the twin, until one fails."""

import os
from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.cli.options import json_option
from deploy.cli.output import console, count, say_error, say_json
from deploy.errors import UserError
from deploy.experiments.describing import problems
from deploy.experiments.describing.plan import Planned
from deploy.experiments.describing.scenario import Scenario
from deploy.experiments.pool import JobFailed
from deploy.experiments.searching import swarm as swarms
from deploy.experiments.searching.swarm import Found, Tried
from deploy.experiments.searching.vary import VARIED, knobs, vary

SEEDS_MAX = 10_000_000
DEFAULT = "swarm"


@click.command()
@click.argument("scenario", default=DEFAULT)
@click.option("--seeds", default=1000, show_default=True, help="How many seeds to try.")
@click.option("--first", default=1, show_default=True, help="The first seed; the others follow it.")
@click.option(
    "-j", "--jobs", default=os.cpu_count() or 1, show_default="all cores", help="Runs side by side."
)
@click.option("--no-shrink", is_flag=True, help="Tell the failing seed as it is.")
@click.option("--quiet", is_flag=True, help="Do not print the knobs of each seed.")
@json_option
@click.pass_context
def swarm(
    ctx: click.Context,
    scenario: str,
    seeds: int,
    first: int,
    jobs: int,
    no_shrink: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Try many seeds of SCENARIO on the simulated engine; stop at the first that fails.

    Each seed draws the size of the platform, profiles, load and faults, as the scenario's [swarm] allows, and
    prints every knob before it runs. A failure is made smaller by leaving faults out, and told as one command
    line that replays it. Exit code 0 if no claim broke, 1 if one did.
    """
    if not 1 <= seeds <= SEEDS_MAX:
        raise UserError(f"--seeds {seeds}: give 1 to {SEEDS_MAX}")
    if not 1 <= jobs <= 1024:
        raise UserError(f"--jobs {jobs}: give 1 to 1024")
    if first < 0:
        raise UserError(f"--first {first}: seeds are 0 and more")
    described, path, _ = problems.read(scenario)
    _check(described, str(path))
    every = range(first, first + seeds)
    failed, calls = _hunt(described, every, jobs, quiet or as_json)
    if failed is None:
        _say_fine(scenario, every, calls, as_json)
        return
    found = Found(failed, failed.faults, (), 0) if no_shrink else _reduced(described, failed, as_json)
    _say_found(scenario, described, found, shrunk=not no_shrink, as_json=as_json)
    ctx.exit(1)


def _check(described: Scenario, path: str) -> None:
    """Refuse what no seed could draw."""
    unknown = [kind for kind in described.swarm.faults if kind not in VARIED]
    if unknown:
        there = ", ".join(VARIED)
        raise UserError(f"{path}: swarm.faults: {unknown[0]!r} is not for the swarm; there are {there}")
    if described.explore is not None:
        raise UserError(f"{path}: [explore] plays every order of messages, a swarm draws; use 'trapline run'")


def _hunt(described: Scenario, seeds: range, jobs: int, quiet: bool) -> tuple[Tried | None, int]:
    """The first that fails, and how many calls were made until then."""
    screen = console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[calls]} calls"),
        TimeElapsedColumn(),
    )
    calls = 0
    running = swarms.hunt(described, _told(described, seeds, quiet), jobs)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("seeds", total=len(seeds), calls="0")
        try:
            for tried in running:
                calls += tried.issued
                progress.update(task, advance=1, calls=count(calls))
                if tried.verdict != "pass":
                    return tried, calls
        except JobFailed as failure:
            raise click.ClickException(str(failure)) from None
        finally:
            running.close()
    return None, calls


def _told(described: Scenario, seeds: range, quiet: bool) -> Any:
    """The seeds, each with its knobs printed before it is handed out."""
    for seed in seeds:
        if not quiet:
            click.echo(" ".join(_words(knobs(vary(described, seed)))))
        yield seed


def _words(drawn: dict[str, Any]) -> Sequence[str]:
    return [f"{key}={_word(value)}" for key, value in drawn.items()]


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _reduced(described: Scenario, failed: Tried, as_json: bool) -> Found:
    if not as_json:
        say_error(f"seed {failed.seed} fails; leaving out faults")
    return swarms.reduce(described, failed)


def _say_fine(name: str, seeds: range, calls: int, as_json: bool) -> None:
    if as_json:
        say_json(
            {"verdict": "pass", "scenario": name, "seeds": len(seeds), "first": seeds[0], "calls": calls}
        )
        return
    told = f"{count(len(seeds))} seeds from {seeds[0]}, {count(calls)} calls: every claim held"
    console().print(f"[bold green]pass[/bold green]  {told}")


def _say_found(name: str, described: Scenario, found: Found, *, shrunk: bool, as_json: bool) -> None:
    line = swarms.command(name, found) if shrunk else f"trapline run {name} --drawn --seed {found.tried.seed}"
    drawn = knobs(vary(described, found.tried.seed))
    if as_json:
        told = msgspec.to_builtins(found)
        say_json({"verdict": "fail", "scenario": name, "knobs": drawn, "found": told, "command": line})
        return
    out = console()
    out.print(f"[bold red]fail[/bold red]  seed {found.tried.seed}: {found.tried.reason}", markup=True)
    out.print("\nknobs")
    for word in _words(drawn):
        out.print(f"  {word}", markup=False)
    if shrunk:
        out.print(f"\n{len(found.kept)} of {found.faults} faults are needed, after {found.tries} runs")
        for fault in found.kept:
            out.print(f"  {_fault(fault)}", markup=False)
    out.print("\nreplay it with")
    click.echo(f"  {line}")


def _fault(fault: Planned) -> str:
    where = ", ".join(fault.where) + (f" -> {fault.to}" if fault.to else "")
    lasts_ms = (fault.end_ns - fault.begin_ns) / 1e6
    lasting = f" for {lasts_ms:g} ms" if lasts_ms else ""
    return f"{fault.number}  {fault.kind} of {where} at {fault.begin_ns / 1e6:g} ms{lasting}"
