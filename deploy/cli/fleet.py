"""``trapline fleet``: many platforms at once, shown while they run, merged into one result."""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from click.core import ParameterSource

from deploy.cli.fleet_screen import Screen, summary
from deploy.cli.following import signals_interrupt
from deploy.cli.observing_runs import Seeing, observe_run_options, over_runs
from deploy.cli.options import FILE, Number, json_option
from deploy.cli.output import say_error, say_json
from deploy.errors import UserError
from deploy.experiments.keeping.runs import REPORT, RESULT
from deploy.fleet import coordinator, page, telling
from deploy.fleet.coordinator import Coordinator, Fleet
from deploy.fleet.crew import Crew
from deploy.fleet.crews import CREWS, check, crew_of
from deploy.fleet.ledger import Record
from deploy.fleet.ledger_file import LedgerFile
from deploy.fleet.local_crew import WORKERS_MAX
from deploy.fleet.merging import FleetResult
from deploy.fleet.messages import Keep
from deploy.fleet.plan import JOBS_MAX, make
from deploy.observability.session import PORT_MAX

DAY_S: Final = 86_400
KEEPS: Final[Mapping[str, Keep]] = {"failed": "failed", "all": "all", "none": "none"}


class Words(msgspec.Struct, frozen=True):
    """How it is done, beside what is done: nothing of it is in the plan."""

    out: Path
    workers: int
    engine: str
    patience_s: float
    metrics_port: int
    as_json: bool
    address: str = ""


@click.group()
def fleet() -> None:
    """Run many platforms at once; one result.

    \b
    trapline fleet run hello --platforms 200 -j 8 --out night
    trapline fleet run hello --out night \\
      --matrix profile=v9,v11,firmware=spec-strict,seed=1..100
    trapline fleet run --out night --resume    # goes on where it was
    trapline fleet show night
    trapline fleet report night                # makes report.html again
    """


@fleet.command()
@click.argument("scenario", required=False)
@click.option(
    "--platforms",
    type=click.IntRange(1, JOBS_MAX),
    metavar="N",
    help="How many in all. Default: the whole matrix.",
)
@click.option(
    "--matrix", multiple=True, metavar="KEY=V,V,...", help="What differs between them; see above. Repeatable."
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, WORKERS_MAX),
    default=1,
    show_default=True,
    help="How many at a time, in the whole fleet.",
)
@click.option(
    "--engine",
    type=click.Choice(tuple(CREWS)),
    default="local",
    show_default=True,
    help="Who runs them: processes of this machine, or tasks of a Ray cluster, where runs are not kept.",
)
@click.option("--address", metavar="HOST:PORT", default="", help="For --engine ray: the cluster's head.")
@click.option("--stage", metavar="sim|local", default="", help="The runs' engine. Default: as SCENARIO says.")
@click.option("--drawn", is_flag=True, help="Let the swarm's dice change SCENARIO for each seed.")
@click.option("--out", type=FILE, required=True, metavar="DIR", help="The fleet's folder; new or empty.")
@click.option("--resume", is_flag=True, help="Go on with the fleet in DIR; the plan must be the same.")
@click.option(
    "--keep",
    type=click.Choice(tuple(KEEPS)),
    default="failed",
    show_default=True,
    help="Whose history and report to keep, in DIR/runs.",
)
@click.option(
    "--patience",
    type=Number(min=1, max=DAY_S),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="How long one may take before its worker is ended.",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, PORT_MAX),
    default=0,
    metavar="PORT",
    help="Where the fleet's own metrics are, on loopback. Default: any; see DIR/sd.",
)
@observe_run_options
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    scenario: str | None,
    platforms: int | None,
    matrix: tuple[str, ...],
    jobs: int,
    engine: str,
    address: str,
    stage: str,
    drawn: bool,
    out: Path,
    resume: bool,
    keep: str,
    patience: float,
    metrics_port: int,
    observe: bool,
    observe_port: int | None,
    alerts: bool,
    observe_hold: float | None,
    as_json: bool,
) -> None:
    """Run SCENARIO on many platforms; merge what they found.

    A matrix has lists and ranges: seed=1..100, profile=v9,v11, firmware=NAME,NAME, seconds=0.5,2,
    faults=all,none,3+7 (what 'trapline run' calls --seed, --profile, --firmware, --seconds, --faults), joined
    by commas; every combination is a platform. Several --matrix are added up. Without seeds in it each cell
    begins with the scenario's own seed.

    --platforms N: N in all. A matrix with seeds is cut to N, one seed of every cell after the other; one
    without gets as many seeds as it takes. At most 100 000 platforms in 256 cells.

    A worker that dies costs an attempt: its job is given again, three times at most, then it is 'lost'.
    Ctrl-C, kill -9 and a full disk lose no result: --resume goes on.

    Exit code 0 if all passed, 1 if one did not, 2 for your mistake, 130 for Ctrl-C.
    """
    check(engine, address)
    if scenario is None:
        _nothing_of_the_plan(ctx, resume=resume)
        plan = None
    else:
        plan = make(scenario, matrix, platforms, stage, drawn=drawn, keep=KEEPS[keep])
    words = Words(out, jobs, engine, patience, metrics_port, as_json, address)
    crews: list[Crew] = []
    ledgers: list[LedgerFile] = []

    def in_child() -> None:
        ledgers[0].left()

    def platforms_here() -> list[Path]:
        return [path for crew in crews for path in crew.run_directories()]

    seeing = over_runs(observe, observe_port, alerts, observe_hold, platforms_here)
    with (
        signals_interrupt(),
        closing(crew_of(engine, jobs, in_child, address)) as crew,
        coordinator.opened(out, plan, resume=resume) as (found, ledger),
    ):
        crews.append(crew)
        ledgers.append(ledger)
        try:
            result = _led(found, ledger, crew, words, seeing)
        except KeyboardInterrupt:
            _say_how_to_go_on(found, words)
            raise
    ctx.exit(0 if result.merged.verdict == "pass" else 1)


def _nothing_of_the_plan(ctx: click.Context, *, resume: bool) -> None:
    """UserError unless the plan in the fleet's folder is all that there is of one."""
    for name in ("platforms", "matrix", "stage", "drawn", "keep"):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UserError(f"--{name}: give SCENARIO with it, or --resume and nothing of what the plan has")
    if not resume:
        raise UserError("give SCENARIO, or --resume to go on with the fleet in --out")


def _led(found: Fleet, ledger: LedgerFile, crew: Crew, words: Words, seeing: Seeing) -> FleetResult:
    """All of it, with everything that shows it."""
    screen = Screen(found, words.workers, quiet=words.as_json)
    told = telling.Telling(found.book, found.jobs)
    with ExitStack() as stack:
        stack.enter_context(seeing.over())
        stack.enter_context(telling.served(told, found.plan, words.out, seeing.targets, words.metrics_port))
        with screen:
            leading = Coordinator(
                found,
                ledger,
                crew,
                words.out,
                patience_s=words.patience_s,
                told=_both(told.told, screen.told),
                turned=screen.turned,
            )
            leading.run(words.workers)
        result = found.result()
        _save(result, words.out)
        if words.as_json:
            say_json(_as_data(result))
        else:
            summary(result, words.out)
        seeing.hold()
    return result


def _both(*those: Callable[[Sequence[Record]], None]) -> Callable[[Sequence[Record]], None]:
    def told(records: Sequence[Record]) -> None:
        for one in those:
            one(records)

    return told


def _say_how_to_go_on(found: Fleet, words: Words) -> None:
    states = found.book.states()
    left = states["waiting"] + states["running"]
    jobs = f" -j {words.workers}" if words.workers > 1 else ""
    say_error(f"{found.book.jobs - left} of {found.book.jobs} platforms have their result; go on with")
    where = f" --engine {words.engine} --address {words.address}" if words.address else ""
    print(f"trapline fleet run --out {shlex.quote(str(words.out))} --resume{jobs}{where}", file=sys.stderr)


def _save(result: FleetResult, out: Path) -> None:
    coordinator.save(out / RESULT, msgspec.json.encode(result))
    coordinator.save(out / REPORT, page.render(result).encode())


def _as_data(result: FleetResult) -> dict[str, Any]:
    return {"verdict": result.merged.verdict, **msgspec.to_builtins(result, str_keys=True)}


@fleet.command()
@click.argument("folder", type=FILE, metavar="DIR")
@json_option
def show(folder: Path, as_json: bool) -> None:
    """Show what became of the fleet in DIR, also while it runs."""
    result = coordinator.read(folder).result()
    if as_json:
        say_json(_as_data(result))
    else:
        summary(result, folder)


@fleet.command()
@click.argument("folder", type=FILE, metavar="DIR")
def report(folder: Path) -> None:
    """Make report.html and report.json in DIR of what there is so far."""
    _save(coordinator.read(folder).result(), folder)
    click.echo(folder / REPORT)
