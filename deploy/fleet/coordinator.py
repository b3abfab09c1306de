"""Leads a fleet: hands jobs to a crew, writes down what comes back, and goes on until every job has a result.

A turn is: hear from the crew, decide (``book``), put it on the disk (``ledger_file``), only then believe it,
show it and hand out the next jobs. So whatever ends it at whatever point, the ledger has everything that
counted.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.errors import UserError
from deploy.experiments.keeping import folders
from deploy.fleet import ledger_file
from deploy.fleet.book import Book
from deploy.fleet.crew import Answered, Crew, Gone
from deploy.fleet.ledger import Began, Done, Ended, Given, Planned, Record
from deploy.fleet.ledger_file import LedgerFile
from deploy.fleet.merging import FleetResult, Merge
from deploy.fleet.plan import RUNS, Job, Plan, again, changed, jobs, order_of
from deploy.fleet.working import answer_of, encode

TURN_S: Final = 0.25
Told = Callable[[Sequence[Record]], None]


class Fleet:
    """A fleet that is on the disk: its plan, and what became of it so far."""

    def __init__(self, plan: Plan, found: Sequence[Job]) -> None:
        self.plan = plan
        self.jobs = found
        self.book = Book(len(found))
        self.merge = Merge(plan, found)

    def see(self, record: Record) -> None:
        self.book.see(record)
        self.merge.see(record)

    def result(self) -> FleetResult:
        return self.merge.result(self.book)


def read(folder: Path) -> Fleet:
    """What became of the fleet in that folder so far; it may run meanwhile. Raises UserError."""
    fleet = _read(ledger_file.read(folder), folder)
    if fleet is None:
        raise UserError(f"{folder}: a fleet that was ended before it began; begin it anew")
    return fleet


def _read(records: Iterator[Record], folder: Path) -> Fleet | None:
    first = next(records, None)
    if first is None:
        return None
    if not isinstance(first, Planned):
        raise UserError(f"{folder}: the ledger does not begin with a plan; it is none of ours")
    fleet = Fleet(first.plan, jobs(first.plan))
    try:
        for record in records:
            fleet.see(record)
    except (ValueError, IndexError) as error:
        raise UserError(f"{folder}: the ledger contradicts itself: {error}") from None
    return fleet


@contextmanager
def opened(folder: Path, plan: Plan | None, *, resume: bool) -> Iterator[tuple[Fleet, LedgerFile]]:
    """The fleet in that folder, ours alone: a new one, or with ``resume`` the one that is there.

    ``plan``: what is asked for; with ``resume`` it must be what was, None: whatever that is. Raises
    UserError.
    """
    if resume and not ledger_file.exists(folder):
        raise UserError(f"--out {folder} --resume: no fleet is there; leave --resume out to begin one")
    if not resume:
        _make(folder)
    with LedgerFile(folder) as ledger:
        fleet = _read(ledger.records(), folder)
        if fleet is None:
            if plan is None:
                raise UserError(f"--out {folder} --resume: it was ended before it had a plan; say it again")
            ledger.append([Planned(plan)])
            fleet = Fleet(plan, jobs(plan))
        elif (what := changed(fleet.plan, plan or again(fleet.plan))) is not None:
            raise UserError(
                f"--out {folder} --resume: {what} is not what it was when this fleet began; give "
                "the same words, or none, or another --out"
            )
        yield fleet, ledger


def _make(folder: Path) -> None:
    if ledger_file.exists(folder):
        raise UserError(f"--out {folder}: a fleet is there; add --resume to go on with it, or give a new one")
    folders.given_folder(folder)


class Coordinator:
    """``run`` until all is done. ``told`` is given the records of each turn, when they are on the disk;
    ``turned`` is called after each turn, some times a second.

    ``patience_s``: how long a job may take before whoever has it is ended.
    """

    def __init__(
        self,
        fleet: Fleet,
        ledger: LedgerFile,
        crew: Crew,
        out: Path,
        *,
        patience_s: float,
        told: Told = lambda records: None,
        turned: Callable[[], None] = lambda: None,
    ) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._crew = crew
        self._out = out
        self._patience_s = patience_s
        self._told = told
        self._turned = turned
        self._since: dict[tuple[int, int], float] = {}

    def run(self, workers: int) -> None:
        """Raises UserError when the ledger cannot be written: what was acknowledged is in it."""
        began_s = time.monotonic()
        self._sweep()
        self._write([Began(time.time(), workers)])
        try:
            while not self._fleet.book.over:
                self._turn()
                self._turned()
        finally:
            self._crew.close()
            with contextlib.suppress(UserError):  # the disk is full: that was said
                self._write([Ended(time.time(), time.monotonic() - began_s)])
            self._sweep()

    def _turn(self) -> None:
        book = self._fleet.book
        news = self._heard() if book.running else []
        given: list[Given] = []
        while self._crew.room > len(given) and (order := book.next()) is not None:
            book.see(order)
            given.append(order)
        self._ledger.append([*news, *given])
        for record in news:
            self._fleet.merge.see(record)
        for one in given:
            self._give(one)
        if news or given:
            self._told([*news, *given])
        self._end_those_that_take_too_long()

    def _heard(self) -> list[Record]:
        """What the crew has to say, judged."""
        book = self._fleet.book
        news: list[Record] = []
        for event in self._crew.wait(TURN_S):
            record = self._answered(event) if isinstance(event, Answered) else self._gone(event)
            if record is not None:
                book.see(record)
                news.append(record)
        return news

    def _answered(self, event: Answered) -> Record:
        answer = answer_of(event.answer)
        record = self._fleet.book.answered(answer)
        mine = self._place(answer.job, answer.attempt)
        self._since.pop((answer.job, answer.attempt), None)
        if isinstance(record, Done) and record.outcome.kept and mine.exists():
            kept = self._out / RUNS / str(answer.job)
            shutil.rmtree(kept, ignore_errors=True)  # of a coordinator that was killed before it noted it
            mine.rename(kept)
        else:
            shutil.rmtree(mine, ignore_errors=True)
        return record

    def _gone(self, event: Gone) -> Record | None:
        shutil.rmtree(self._place(event.job, event.attempt), ignore_errors=True)
        self._since.pop((event.job, event.attempt), None)
        return self._fleet.book.died(event.job, event.attempt, event.how)

    def _place(self, job: int, attempt: int) -> Path:
        """Where an attempt keeps its run."""
        return Path(order_of(self._fleet.plan, self._fleet.jobs[job], attempt, str(self._out)).folder)

    def _give(self, one: Given) -> None:
        job = self._fleet.jobs[one.job]
        order = order_of(self._fleet.plan, job, one.attempt, str(self._out.absolute()))
        self._crew.give(one.job, one.attempt, encode(order))
        self._since[one.job, one.attempt] = time.monotonic()

    def _end_those_that_take_too_long(self) -> None:
        now_s = time.monotonic()
        for (job, attempt), since_s in list(self._since.items()):
            if now_s - since_s > self._patience_s:
                self._crew.end(job, attempt)

    def _write(self, records: Sequence[Record]) -> None:
        self._ledger.append(records)
        for record in records:
            self._fleet.see(record)
        self._told(records)

    def _sweep(self) -> None:
        """Remove what attempts left that have no answer."""
        for left in (self._out / RUNS).glob(".*-*"):
            shutil.rmtree(left, ignore_errors=True)


def save(path: Path, content: bytes) -> None:
    """Write a file of the report, whole or not at all. Raises UserError."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        half.write_bytes(content)
        half.replace(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; make room, then 'trapline fleet report'") from None
    finally:
        half.unlink(missing_ok=True)
