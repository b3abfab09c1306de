"""One run and its verdict: what a scenario and a seed mean, led by ``leading``, judged by ``jury``.

Further runs that thresholds and [what_if] ask for are made here too. It knows no engine and no screen.
"""

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import msgspec

from deploy import plugins
from deploy.errors import UserError
from deploy.experiments.checkers import Context
from deploy.experiments.describing import problems
from deploy.experiments.describing.boards import boards_of, domains_of, tuned
from deploy.experiments.describing.loads import plans_of
from deploy.experiments.describing.plan import MS_NS, Phase, Plan, draw
from deploy.experiments.describing.scenario import Scenario
from deploy.experiments.history.semantic import Semantic
from deploy.experiments.judging import verdict, whatif
from deploy.experiments.judging.jury import Jury
from deploy.experiments.judging.tally import Tally
from deploy.experiments.keeping import folders
from deploy.experiments.leading import Lead, Progress, Watch
from deploy.experiments.result import CheckerResult, RunResult
from deploy.experiments.searching import racing
from deploy.experiments.stages.building import Setup, boot_ns, build
from deploy.recording.rows import Row
from deploy.toolstack import Work
from deploy.topology import Topology
from nodes.guest import load


class Origin(msgspec.Struct, frozen=True):
    """Where a scenario came from: its file and text, for messages and for the report; ``drawn``: the swarm's
    dice made another one of it; ``said``: options of the command line that changed it, to say them again.
    """

    path: Path = Path("scenario")
    text: str = ""
    drawn: bool = False
    said: str = ""


NOWHERE = Origin()


def run(
    scenario: Scenario,
    seed: int,
    engine: str = "",
    *,
    folder: Path | None = None,
    source: Origin = NOWHERE,
    run_id: str = "",
    progress: Progress | None = None,
    watch: Watch | None = None,
    keep: Collection[int] | None = None,
    compare: bool = True,
    tallied: Callable[[Tally], None] | None = None,
) -> RunResult:
    """One run with its verdict.

    ``engine``: "sim" or "local", "" as the scenario says. ``folder``: where the history goes; without one
    nothing is kept. ``keep``: the numbers of the planned faults to leave in, None for all. ``compare``:
    make the further runs that thresholds (times_solo) and [what_if] ask for. ``tallied`` is given the counts,
    with whole histograms, of which the result has quantiles.

    Raises UserError for what the scenario's files or its platform do not allow.
    """
    run_id = run_id or (folder.name if folder else folders.slug(scenario.title))
    if scenario.explore is not None:
        return _raced(scenario, engine, source, folder=folder, run_id=run_id, progress=progress)
    engine = engine or scenario.engine
    boards = boards_of(scenario, source.path.parent)
    names = domains_of(boards)
    problems.check_domains(scenario, names, source.path, source.text)
    plan = draw(scenario, names, seed)
    if keep is not None:
        plan = plan.only(keep)
    began, wall = time.time(), time.perf_counter()
    done = play(Play(scenario, seed, engine, boards, plan, source, folder, run_id), progress, watch)
    if tallied is not None:
        tallied(done.tally)
    if compare and done.lead.failure is None:
        same = Play(scenario, seed, engine, boards, plan, source, None, run_id)
        twin = msgspec.structs.replace(same, engine="sim")
        done.solo = whatif.solo(scenario, plan, lambda other: _tally(same, scenario, other))
        done.what_if = whatif.rows(scenario, lambda limited: _tally(twin, limited, plan))
    done.drawn, done.said = source.drawn, source.said
    done.kept = None if keep is None else tuple(sorted(keep))
    done.run_id = run_id
    done.started_at, done.wall_s = began, time.perf_counter() - wall
    return verdict.result(done)


def _raced(
    scenario: Scenario,
    engine: str,
    source: Origin,
    *,
    folder: Path | None,
    run_id: str,
    progress: Progress | None,
) -> RunResult:
    """Every order of messages, instead of one after the clock."""
    if engine not in ("", "sim"):
        raise UserError(f"--engine {engine}: only virtual time plays every order of messages; leave it out")

    def told(race: str, done: float) -> None:
        if progress is not None:
            progress(race, done)

    name = verdict.name_of(source.path)
    return racing.run(
        scenario,
        command=f"trapline run {name}{source.said}",
        name=name,
        text=source.text,
        run_id=run_id,
        folder=folder,
        told=told,
    )


class Play(msgspec.Struct, frozen=True):
    """What is to be played: ``plan`` counts from the end of the boot."""

    scenario: Scenario
    seed: int
    engine: str
    boards: tuple[Topology, ...]
    plan: Plan
    source: Origin
    folder: Path | None
    run_id: str


def _tally(what: Play, scenario: Scenario, plan: Plan) -> Tally:
    """The same platform on the twin, with another plan or other limits; nothing is judged."""
    quiet = msgspec.structs.replace(scenario, checkers=())
    return play(msgspec.structs.replace(what, scenario=quiet, plan=plan)).tally


def play(what: Play, progress: Progress | None = None, watch: Watch | None = None) -> verdict.Done:
    """Lead one run and have its history judged."""
    scenario = what.scenario
    begin_ns = boot_ns(what.engine, scenario.timing, len(what.plan.loads))
    plan = shifted(what.plan, begin_ns)
    tally = Tally(plan.phases, plan.loads)
    patience_ns = int(scenario.timing.patience_ms * MS_NS)
    boards = tuned(what.boards, scenario, what.seed)
    told = None
    if what.folder is not None and scenario.record != "none":
        told = Semantic(what.folder, what.run_id, boards[0], plugins.load().tables)
    juries = _juries(what, boards, tally, told)

    def rows(board: int, some: list[Row]) -> None:
        juries[board].rows(some)

    plans: dict[str, load.WorkPlan] = {}
    work = Work(timeout_ns=patience_ns, plans=plans, record=scenario.record != "none")
    setup = Setup(
        scenario, what.seed, boards, plan, work, what.folder, what.run_id, rows, what.source.path.stem
    )
    played = build(what.engine, setup)
    for jury in juries:
        jury.begin(played.origin_ns)
    plans.update(plans_of(what.plan, what.source.path.parent, played.origin_ns + begin_ns))
    lead = Lead(played.stage, plan, progress, watch)
    lead.run()
    truncated = played.finish()
    if told is not None:
        told.close()
    tally.finish()
    return verdict.Done(
        scenario,
        what.seed,
        what.engine,
        what.source.path,
        what.source.text,
        lead,
        tally,
        juries,
        joined([jury.finish() for jury in juries]),
        lead.stats,
        played.stage.fingerprint(),
        truncated,
    )


def _juries(what: Play, boards: Sequence[Topology], tally: Tally, told: Semantic | None) -> list[Jury]:
    """One for each board: Xen and EL3 of one know nothing of the others'."""
    scenario = what.scenario
    kinds = frozenset(fault.kind for fault in what.plan.faults)
    patience_ns = int(scenario.timing.patience_ms * MS_NS)
    whole = what.engine == "sim" or scenario.record == "frames"  # else processes keep notes only
    return [
        Jury(
            scenario.checkers,
            Context(board, kinds, whole, patience_ns),
            tally,
            told.board() if told is not None else None,
        )
        for board in boards
    ]


def joined(boards: Sequence[tuple[CheckerResult, ...]]) -> tuple[CheckerResult, ...]:
    """The results of several boards' checkers as one of each."""
    first, *others = boards
    found = []
    for at, one in enumerate(first):
        same = [one, *(board[at] for board in others)]
        violations = tuple(violation for each in same for violation in each.violations)
        facts = one.facts if not others else {f"board {at}": each.facts for at, each in enumerate(same)}
        found.append(CheckerResult(one.name, one.claim, violations, facts))
    return tuple(found)


def shifted(plan: Plan, by_ns: int) -> Plan:
    """The plan on the run's clock: everybody is there before it begins."""
    boot = Phase("boot", 0, by_ns)
    phases = [
        msgspec.structs.replace(one, begin_ns=one.begin_ns + by_ns, end_ns=one.end_ns + by_ns)
        for one in plan.phases
    ]
    faults = [
        msgspec.structs.replace(one, begin_ns=one.begin_ns + by_ns, end_ns=one.end_ns + by_ns)
        for one in plan.faults
    ]
    return msgspec.structs.replace(plan, phases=(boot, *phases), faults=tuple(faults))
