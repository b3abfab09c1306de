"""Which platforms a fleet consists of: from the command line's words to numbered jobs. Equal words, equal
jobs.

Seeds change slowest: whatever a fleet is cut to, its cells have equally many platforms, give or take one.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import Final

import msgspec

from deploy import __version__
from deploy.errors import UserError
from deploy.experiments.describing import problems
from deploy.experiments.describing.scenario import SEED_MAX, ready
from deploy.experiments.keeping import session
from deploy.experiments.stages.building import ENGINES
from deploy.fleet.matrix import CELLS_MAX, SEED, Block, Cell, named, parse
from deploy.fleet.messages import Keep, Order
from nodes.xen.profile import PROFILES

JOBS_MAX: Final = 100_000
RUNS: Final = "runs"  # below the fleet's folder: what was kept of its runs


class Plan(msgspec.Struct, frozen=True):
    """What was asked for: the ledger begins with it. ``platforms``: how many in all, None: the whole matrix.

    ``stage``: the runs' engine, "" as the scenario says. ``digest``: of the scenario's text; ``first_seed``:
    the scenario's own.
    """

    scenario: str
    title: str
    digest: str
    first_seed: int
    version: str
    matrix: tuple[str, ...] = ()
    platforms: int | None = None
    stage: str = ""
    drawn: bool = False
    keep: Keep = "failed"


class Job(msgspec.Struct, frozen=True):
    """One platform of the fleet, by its number in the plan."""

    number: int
    cell: Cell
    seed: int


def make(
    scenario: str,
    matrix: Sequence[str],
    platforms: int | None,
    stage: str = "",
    *,
    drawn: bool = False,
    keep: Keep = "failed",
) -> Plan:
    """What the words mean, each cell tried out once so far that nothing has to run. Raises UserError."""
    described, path, text = problems.read(scenario)
    if scenario not in ready():
        scenario = str(path.absolute())
    if described.explore is not None:
        raise UserError(
            f"{scenario}: [explore] plays every order of messages, without a seed; use 'trapline run'"
        )
    if stage and stage not in ENGINES:
        raise UserError(f"--stage {stage}: there are {' and '.join(ENGINES)}")
    digest = sha256(text.encode()).hexdigest()
    plan = Plan(
        scenario, described.title, digest, described.seed, __version__, tuple(matrix), platforms, stage,
        drawn, keep,
    )  # fmt: skip
    found = jobs(plan)
    for cell in dict.fromkeys(one.cell for one in found):
        _try_out(plan, cell)
    return plan


def again(kept: Plan) -> Plan:
    """The same words, said now. Raises UserError if they mean nothing any more."""
    words = (kept.scenario, kept.matrix, kept.platforms, kept.stage)
    return make(*words, drawn=kept.drawn, keep=kept.keep)


def jobs(plan: Plan) -> tuple[Job, ...]:
    """All of it, in order. Raises UserError for words that contradict each other."""
    blocks = [parse(one) for one in plan.matrix] or [Block()]
    cells = len({cell for one in blocks for cell in one.cells})
    if cells > CELLS_MAX:
        raise UserError(
            f"--matrix: {cells} cells together, a fleet has at most {CELLS_MAX}; give fewer values"
        )
    if plan.platforms is None:
        fixed = [one if one.seeds else _seeded(one, plan.first_seed, 1) for one in blocks]
    else:
        fixed = [one if one.seeds else _seeded(one, plan.first_seed, plan.platforms) for one in blocks]
    there = sum(one.seed_count * len(one.cells) for one in fixed)
    many = there if plan.platforms is None else plan.platforms
    if many > there:
        raise UserError(
            f"--platforms {many}: the matrix has {there} of them; leave --platforms out, or give more seeds"
        )
    if many > JOBS_MAX:
        raise UserError(
            f"{many} platforms: a fleet has at most {JOBS_MAX}; give fewer seeds, or cut it with --platforms"
        )
    drawn = tuple(Job(at, cell, seed) for at, (cell, seed) in enumerate(islice(_in_order(fixed), many)))
    _once(drawn)
    return drawn


def _seeded(block: Block, first: int, wanted: int) -> Block:
    """The block with so many seeds that it has ``wanted`` platforms."""
    seeds = -(-wanted // len(block.cells))
    if first + seeds - 1 > SEED_MAX:
        raise UserError(f"seeds from {first}: they end at {SEED_MAX}; give others with --matrix seed=...")
    return msgspec.structs.replace(block, seeds=(range(first, first + seeds),))


def _in_order(blocks: Sequence[Block]) -> Iterator[tuple[Cell, int]]:
    """Every cell with its first seed, then every cell with its second, and so on."""
    running = [(one, one.each_seed()) for one in blocks]
    while running:
        seeds = [(one, next(rest, None), rest) for one, rest in running]
        running = [(one, rest) for one, seed, rest in seeds if seed is not None]
        for one, seed, _ in seeds:
            if seed is not None:
                yield from ((cell, seed) for cell in one.cells)


def _once(found: Sequence[Job]) -> None:
    seen: set[tuple[Cell, int]] = set()
    for one in found:
        if (one.cell, one.seed) in seen:
            what = f"{named(one.cell)} {SEED}={one.seed}" if one.cell else f"{SEED}={one.seed}"
            raise UserError(f"--matrix: two of them have {what}; leave it out of one")
        seen.add((one.cell, one.seed))


def _try_out(plan: Plan, cell: Cell) -> None:
    """What a run of it would refuse before it begins."""
    order = order_of(plan, Job(0, cell, plan.first_seed), 0, "")
    if order.profile and order.profile not in PROFILES:
        raise UserError(f"--matrix profile={order.profile}: there are {', '.join(PROFILES)}")
    session.scene(
        plan.scenario, drawn=plan.drawn, seconds=order.seconds, firmware=order.firmware, xen=order.profile
    )


def order_of(plan: Plan, job: Job, attempt: int, out: str) -> Order:
    """The job as a worker is given it; ``out``: the fleet's folder, "" to keep nothing."""
    words = dict(job.cell)
    faults = words.get("faults", "all")
    return Order(
        job.number,
        attempt,
        plan.scenario,
        job.seed,
        plan.stage,
        words.get("profile", ""),
        words.get("firmware", ""),
        float(words["seconds"]) if "seconds" in words else None,
        None if faults == "all" else faults.replace("+", ","),
        plan.drawn,
        plan.keep if out else "none",
        f"{out}/{RUNS}/.{job.number}-{attempt}" if out else "",
    )


def said(order: Order, engine: str) -> str:
    """The line that runs this platform alone."""
    given = {
        "--profile": order.profile,
        "--firmware": order.firmware,
        "--seconds": "" if order.seconds is None else f"{order.seconds:g}",
        "--seed": str(order.seed),
        "--engine": engine,
        "--faults": order.faults or "",
    }
    words = [f"{option} {value}" for option, value in given.items() if value]
    return " ".join(["trapline run", order.scenario, *(["--drawn"] if order.drawn else []), *words])


def changed(kept: Plan, now: Plan) -> str | None:
    """What of a plan is another one than it was, in words; None: they are the same."""
    names = {
        "scenario": "SCENARIO", "digest": "the scenario's file", "version": "Trapline's version",
        "matrix": "--matrix", "platforms": "--platforms", "stage": "--stage", "drawn": "--drawn",
        "keep": "--keep", "title": "the title", "first_seed": "the scenario's seed",
    }  # fmt: skip
    differing = (one for one in names if getattr(kept, one) != getattr(now, one))
    return next((names[one] for one in differing), None)
