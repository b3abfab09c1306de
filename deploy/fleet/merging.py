"""One result of all platforms of a fleet: sums of integers, and quantiles of merged histograms.

Nothing in ``Merged`` depends on who ran what, when, or how often it was tried: equal outcomes, in any order,
give equal bytes. What does depend on that is in ``Course``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import nsmallest
from typing import Final

import msgspec

from deploy.experiments.judging.histogram import LatencyHistogram
from deploy.experiments.judging.verdict import latency_of
from deploy.experiments.result import Latency
from deploy.fleet.book import LOST, Book
from deploy.fleet.ledger import Died, Done, Record
from deploy.fleet.matrix import Cell, named
from deploy.fleet.messages import COUNTS, AgentCount, Outcome
from deploy.fleet.plan import Job, Plan, order_of, said

SLOWEST: Final = 10  # platforms that are told
VERDICTS: Final = ("pass", "fail", "error", LOST)


class Sums(msgspec.Struct, frozen=True):
    """Some calls: ``counts`` by the names in COUNTS, ``statuses`` of answers, ``codes`` of errors."""

    counts: Mapping[str, int]
    statuses: Mapping[str, int]
    codes: Mapping[str, int]
    latency: Latency


class CellResult(msgspec.Struct, frozen=True):
    """Platforms that differ in their seed only. ``verdicts``: how many of each; ``platforms``: of all."""

    name: str
    platforms: int
    verdicts: Mapping[str, int]
    violations: int
    missed: int
    sums: Sums


class AgentSums(msgspec.Struct, frozen=True):
    """One domain of all platforms that have it."""

    domain: str
    platforms: int
    sums: Sums


class Failure(msgspec.Struct, frozen=True):
    """One that did not pass. ``command`` runs it alone."""

    job: int
    cell: str
    seed: int
    verdict: str
    reason: str
    command: str


class Slow(msgspec.Struct, frozen=True):
    """One of the slowest, by the 99th percentile of all its calls."""

    job: int
    cell: str
    seed: int
    p99_us: float
    calls: int
    command: str


class Merged(msgspec.Struct, frozen=True):
    """What a fleet found. ``planned``: platforms; those of them that ``cells`` count have a result."""

    title: str
    scenario: str
    planned: int
    verdicts: Mapping[str, int]
    sums: Sums
    cells: tuple[CellResult, ...]
    agents: tuple[AgentSums, ...]
    failures: tuple[Failure, ...]
    slowest: tuple[Slow, ...]

    @property
    def verdict(self) -> str:
        """ "pass" if all passed, "fail" if one did not; "error": some have no result yet."""
        done = sum(self.verdicts.values())
        if self.verdicts["pass"] < done:
            return "fail"
        return "pass" if done == self.planned else "error"


class Course(msgspec.Struct, frozen=True):
    """How it went: all that another go of the same fleet may have otherwise.

    ``wall_s`` of coordinators that ended in order; ``busy_s``: what all runs took together. ``longest``:
    jobs and what their runs took. ``kept``: jobs whose runs lie below the fleet's folder.
    """

    attempts: int
    workers_lost: int
    refused: int
    coordinators: int
    wall_s: float
    busy_s: float
    longest: tuple[tuple[int, float], ...]
    kept: tuple[int, ...]


class FleetResult(msgspec.Struct, frozen=True):
    """Everything about a fleet; report.json in its folder."""

    plan: Plan
    merged: Merged
    course: Course


class _Sum:
    """Counts of some domains."""

    def __init__(self) -> None:
        self.platforms = 0
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.times = LatencyHistogram()

    def add(self, one: AgentCount) -> None:
        self.counts.update({name: getattr(one, name) for name in COUNTS})
        self.statuses.update(one.statuses)
        self.codes.update(one.codes)
        self.times.merge(LatencyHistogram.of(one.times.buckets, one.times.max_ns))

    def sums(self) -> Sums:
        return Sums(
            {name: self.counts[name] for name in COUNTS},
            dict(sorted(self.statuses.items())),
            dict(sorted(self.codes.items())),
            latency_of(self.times),
        )


class _CellSum(_Sum):
    def __init__(self) -> None:
        super().__init__()
        self.verdicts = dict.fromkeys(VERDICTS, 0)
        self.violations = self.missed = 0


class Merge:
    """Takes records in any order of jobs, gives the result so far; memory does not grow with platforms that
    pass.
    """

    def __init__(self, plan: Plan, jobs: Sequence[Job]) -> None:
        self._plan = plan
        self._jobs = jobs
        self._cells: dict[Cell, _CellSum] = {one.cell: _CellSum() for one in jobs}
        self._agents: dict[str, _Sum] = {}
        self._all = _Sum()
        self._failures: dict[int, Failure] = {}
        self._slow: list[Slow] = []
        self._longest: list[tuple[int, float]] = []
        self._kept: set[int] = set()
        self._busy_s = 0.0

    def see(self, record: Record) -> None:
        """The next record of the ledger."""
        if isinstance(record, Done):
            self._done(self._jobs[record.job], record.outcome)
        elif isinstance(record, Died) and record.final:
            self._cells[self._jobs[record.job].cell].verdicts[LOST] += 1
        failure = self.failure(record)
        if failure is not None:
            self._failures[failure.job] = failure

    def failure(self, record: Record) -> Failure | None:
        """What a record says of a job that did not pass; None for any other record."""
        if isinstance(record, Done) and record.outcome.verdict != "pass":
            outcome = record.outcome
            return _failed(self._jobs[record.job], outcome.verdict, outcome.reason, outcome.command)
        if isinstance(record, Died) and record.final:
            job = self._jobs[record.job]
            return _failed(job, LOST, record.how, said(order_of(self._plan, job, 0, ""), self._plan.stage))
        return None

    def _done(self, job: Job, outcome: Outcome) -> None:
        cell = self._cells[job.cell]
        cell.verdicts[outcome.verdict] += 1
        cell.violations += outcome.violations
        cell.missed += outcome.missed
        whole = LatencyHistogram()
        for one in outcome.agents:
            mine = self._agents.setdefault(one.domain, _Sum())
            mine.platforms += 1
            for total in (cell, mine, self._all):
                total.add(one)
            whole.merge(LatencyHistogram.of(one.times.buckets, one.times.max_ns))
        self._timed(job, outcome, latency_of(whole))

    def _timed(self, job: Job, outcome: Outcome, had: Latency) -> None:
        if had.calls:
            self._slow.append(
                Slow(job.number, named(job.cell), job.seed, had.p99_us, had.calls, outcome.command)
            )
            self._slow = nsmallest(SLOWEST, self._slow, key=lambda one: (-one.p99_us, one.job))
        self._longest.append((job.number, outcome.wall_s))
        self._longest = nsmallest(SLOWEST, self._longest, key=lambda one: (-one[1], one[0]))
        self._busy_s += outcome.wall_s
        if outcome.kept:
            self._kept.add(job.number)

    def merged(self) -> Merged:
        """The result so far."""
        cells = self._cells.values()
        return Merged(
            title=self._plan.title,
            scenario=self._plan.scenario,
            planned=len(self._jobs),
            verdicts={name: sum(one.verdicts[name] for one in cells) for name in VERDICTS},
            sums=self._all.sums(),
            cells=tuple(_cell(cell, one) for cell, one in self._cells.items()),
            agents=tuple(
                AgentSums(name, one.platforms, one.sums()) for name, one in sorted(self._agents.items())
            ),
            failures=tuple(self._failures[job] for job in sorted(self._failures)),
            slowest=tuple(self._slow),
        )

    def cells(self) -> list[tuple[str, Mapping[str, int], LatencyHistogram]]:
        """For screens: each cell's name, verdicts and times so far."""
        return [(named(cell), one.verdicts, one.times) for cell, one in self._cells.items()]

    def result(self, book: Book) -> FleetResult:
        """All of it, ``book`` having seen the same records."""
        course = Course(
            book.attempts,
            book.workers_lost,
            book.refused,
            book.coordinators,
            book.wall_s,
            self._busy_s,
            tuple(self._longest),
            tuple(sorted(self._kept)),
        )
        return FleetResult(self._plan, self.merged(), course)


def _failed(job: Job, verdict: str, reason: str, command: str) -> Failure:
    return Failure(job.number, named(job.cell), job.seed, verdict, reason, command)


def _cell(cell: Cell, one: _CellSum) -> CellResult:
    return CellResult(
        named(cell), sum(one.verdicts.values()), dict(one.verdicts), one.violations, one.missed, one.sums()
    )
