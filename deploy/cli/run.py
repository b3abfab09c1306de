"""``trapline run``: an experiment from a scenario file, with a verdict."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from deploy.cli.engine_options import ray_options
from deploy.cli.following import signals_interrupt
from deploy.cli.observing_runs import observe_run_options, over_runs
from deploy.cli.options import FILE, Number, json_option
from deploy.cli.output import say_error, say_json
from deploy.cli.run_live import Live, Watching
from deploy.cli.run_screen import many, one, scenarios
from deploy.errors import UserError
from deploy.experiments.describing import problems
from deploy.experiments.describing.scenario import SEED_MAX
from deploy.experiments.keeping import folders, session
from deploy.experiments.pool import JobFailed, each
from deploy.experiments.result import RunResult
from deploy.experiments.stages.building import ENGINES, RAY
from nodes.xen.profile import PROFILES

REPEAT_MAX = 10_000
JOBS_MAX = 256


@click.command()
@click.argument("scenario", required=False)
@click.option("--engine", metavar="sim|local|ray", help="Where it runs. Default: what the scenario says.")
@ray_options[0]
@ray_options[1]
@click.option("--seed", type=click.IntRange(0, SEED_MAX), help="Default: what the scenario says.")
@click.option(
    "--repeat", type=click.IntRange(1, REPEAT_MAX), default=1, show_default=True, help="Run K seeds in a row."
)
@click.option(
    "-j", "--jobs", type=click.IntRange(1, JOBS_MAX), default=1, show_default=True, help="So many at a time."
)
@click.option("--watch", is_flag=True, help="Show each domain's numbers while it runs.")
@click.option("--out", type=FILE, metavar="DIR", help="Keep the run there; a new or empty folder.")
@click.option("--no-report", is_flag=True, help="Make no HTML report.")
@click.option(
    "--seconds",
    type=Number(0, min_open=True),
    help="Length of the faults phase. Default: what the scenario says.",
)
@click.option(
    "--firmware", metavar="NAME", default="", help="What EL3 plays, instead of what the scenario says."
)
@click.option(
    "--profile", type=click.Choice(tuple(PROFILES)), help="Xen's driver, instead of what the scenario says."
)
@click.option("--list", "listing", is_flag=True, help="Which scenarios come with Trapline; runs nothing.")
@click.option("--drawn", is_flag=True, help="What 'trapline swarm' makes of the scenario for this seed.")
@click.option("--faults", metavar="N,N|none", help="Only these of the planned faults, by number.")
@observe_run_options
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    scenario: str | None,
    engine: str | None,
    place: tuple[str, ...],
    address: str | None,
    seed: int | None,
    repeat: int,
    jobs: int,
    watch: bool,
    out: Path | None,
    no_report: bool,
    seconds: float | None,
    firmware: str,
    profile: str | None,
    listing: bool,
    drawn: bool,
    faults: str | None,
    observe: bool,
    observe_port: int | None,
    alerts: bool,
    observe_hold: float | None,
    as_json: bool,
) -> None:
    """Run an experiment and give a verdict.

    SCENARIO is one that comes with Trapline (deploy/scenarios) or a .toml file. Exit code 0 if everything
    held, 1 if not. The run is kept with its history and its report; see 'trapline runs'.

    \b
    trapline run noisy-neighbour
    trapline run mine.toml --seed 7 --engine local --watch
    trapline run mine.toml --repeat 20 -j 4
    trapline run wedge-and-hand-over --firmware spec-strict

    Without SCENARIO, or with --list, it tells which scenarios come with Trapline. Defects that a scenario
    knows of its firmware (known) are not expected of another one.
    """
    if listing or scenario is None:
        scenarios(as_json)
        return
    engine = _engine(engine, address, place)
    kept = session.fault_numbers(faults)
    seeing = over_runs(observe, observe_port, alerts, observe_hold)
    with signals_interrupt():
        if repeat > 1:
            seeing.only_one()
            words = Words(engine or "", out, not no_report, kept, drawn, seconds, firmware, profile or "")
            ctx.exit(_repeated(scenario, words, seed, repeat, jobs, as_json))
        job = session.prepare(
            scenario,
            seed,
            engine or "",
            out=out,
            page=not no_report,
            keep=kept,
            drawn=drawn,
            seconds=seconds,
            firmware=firmware,
            xen=profile or "",
        )
        shown = Watching() if watch else Live()
        with session.finished_or_gone(job.folder), seeing.over(job.engine):
            with shown.over(job.scenario, quiet=as_json):
                result = session.carry_out(job, shown.progress, shown.watch)
            if as_json:
                say_json(result)
            else:
                one(result, job.folder, page=job.page)
            seeing.hold()
    ctx.exit(0 if result.verdict == "pass" else 1)


def _engine(engine: str | None, address: str | None, place: tuple[str, ...]) -> str | None:
    """The engine's whole name: where a cluster is follows an "@", and then where nodes are to run. So it is
    told by a run's own command, and may be given.
    """
    name = (engine or "").partition("@")[0]
    if engine is not None and name not in ENGINES:
        raise UserError(f"--engine {engine}: there are {', '.join(ENGINES)}; choose one")
    if name != RAY or engine != name:
        if address or place:
            rule = "is for --engine ray" if name != RAY else f"--engine {engine} says it already"
            raise UserError(f"{'--address' if address else '--place'}: {rule}; leave it out")
        return engine
    if address is None:
        raise UserError("--address: --engine ray needs it")
    return f"{RAY}@{','.join((address, *place))}"


class Words(NamedTuple):
    """What the command line says of each of several runs."""

    engine: str
    out: Path | None
    page: bool
    keep: tuple[int, ...] | None
    drawn: bool
    seconds: float | None
    firmware: str
    xen: str


def _repeated(name: str, words: Words, seed: int | None, repeat: int, jobs: int, as_json: bool) -> int:
    """Seeds in a row, several at a time; every one is kept."""
    scenario, _, _ = problems.read(name)
    first = scenario.seed if seed is None else seed
    if first + repeat - 1 > SEED_MAX:
        raise UserError(f"--seed {first} --repeat {repeat}: seeds end at {SEED_MAX}; begin lower")
    root = folders.given_folder(words.out) if words.out else None
    made: list[Path] = []

    def todo() -> Iterator[session.Job]:
        for number in range(first, first + repeat):
            folder = root / f"seed-{number}" if root else None
            job = session.prepare(name, number, **words._replace(out=folder)._asdict())
            made.append(job.folder)
            yield job

    results: dict[int, tuple[RunResult, Path]] = {}
    shown = Live()
    with shown.over(scenario, quiet=as_json):
        try:
            for job, result in each(session.carry_out, todo(), jobs):
                results[job.seed] = (result, job.folder)
                shown.progress(f"{len(results)} of {repeat} seeds", len(results) / repeat)
        except JobFailed as error:
            say_error(str(error))
            return 1
        finally:
            _remove_unfinished(made)
    found = [results[key] for key in sorted(results)]
    if as_json:
        say_json([result for result, _ in found])
    else:
        many(found)
    return 0 if all(result.verdict == "pass" for result, _ in found) else 1


def _remove_unfinished(made: list[Path]) -> None:
    with session.finished_or_gone(*made):
        pass
