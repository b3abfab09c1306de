"""Many seeds, each a run of its own on the twin: the first that fails is shrunk and told as one command.

It draws (``vary``), runs (``conductor``), and asks again with fewer faults (``shrink``). What a screen shows
of it is in ``deploy.cli.swarm``.
"""

from collections.abc import Collection, Generator, Iterable
from contextlib import closing
from typing import Final

import msgspec

from deploy.experiments import conductor
from deploy.experiments.describing.plan import Planned
from deploy.experiments.describing.scenario import Scenario
from deploy.experiments.pool import each
from deploy.experiments.result import RunResult, Verdict
from deploy.experiments.searching.shrink import shrink
from deploy.experiments.searching.vary import vary

SHRINK_TRIES: Final = 60


class Tried(msgspec.Struct, frozen=True):
    """What became of one seed. ``claims``: the checkers whose claims were broken."""

    seed: int
    verdict: Verdict
    reason: str
    claims: tuple[str, ...]
    issued: int
    faults: int
    wall_s: float


class Found(msgspec.Struct, frozen=True):
    """A seed that fails, as small as it became: ``kept`` of ``faults`` are needed, after ``tries`` runs."""

    tried: Tried
    faults: int
    kept: tuple[Planned, ...]
    tries: int


def try_seed(scenario: Scenario, seed: int, only: Collection[int] | None = None) -> RunResult:
    """One seed's run, nothing kept on disk; with no other faults than ``only`` if given."""
    return conductor.run(vary(scenario, seed), seed, "sim", keep=only, compare=False)


def summed_up(result: RunResult, seed: int) -> Tried:
    """A result in a few words, small enough to travel between processes."""
    broken = tuple(one.name for one in result.checkers if one.violations)
    return Tried(
        seed,
        result.verdict,
        result.reason,
        broken,
        sum(one.issued for one in result.agents),
        len(result.faults),
        result.wall_s,
    )


class _Job(msgspec.Struct, frozen=True):
    scenario: Scenario
    seed: int

    def __repr__(self) -> str:
        return f"seed {self.seed}"


def _try(job: _Job) -> Tried:
    return summed_up(try_seed(job.scenario, job.seed), job.seed)


def hunt(scenario: Scenario, seeds: Iterable[int], jobs: int) -> Generator[Tried, None, None]:
    """What became of each seed, as they end. Close it to stop. Raises JobFailed for a run that breaks."""
    with closing(each(_try, (_Job(scenario, seed) for seed in seeds), jobs)) as running:
        for _, tried in running:
            yield tried


def reduce(scenario: Scenario, tried: Tried, tries: int = SHRINK_TRIES) -> Found:
    """Leave out faults for as long as the same claims break."""
    asked = 0
    faults = try_seed(scenario, tried.seed).faults

    def fails(numbers: tuple[int, ...]) -> bool:
        nonlocal asked
        asked += 1
        again = summed_up(try_seed(scenario, tried.seed, numbers), tried.seed)
        return again.verdict == tried.verdict and set(tried.claims) <= set(again.claims)

    kept = frozenset(shrink([one.planned.number for one in faults], fails, tries))
    needed = tuple(one.planned for one in faults if one.planned.number in kept)
    return Found(tried, len(faults), needed, asked)


def command(name: str, found: Found) -> str:
    """The line that replays the failure, as small as it became."""
    line = f"trapline run {name} --drawn --seed {found.tried.seed}"
    if len(found.kept) < found.faults:
        numbers = ",".join(str(one.number) for one in found.kept) or "none"
        line += f" --faults {numbers}"
    return line
