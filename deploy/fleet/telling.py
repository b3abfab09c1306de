"""A fleet's numbers as metrics of the coordinator: a process of its own role, served and announced like any
node.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from deploy.errors import UserError
from deploy.fleet.book import Book
from deploy.fleet.ledger import Died, Done, Given, Record, Refused
from deploy.fleet.matrix import named
from deploy.fleet.merging import VERDICTS
from deploy.fleet.plan import Job, Plan
from deploy.metrics.exporter import announce, serve
from nodes.meters import Meters

ROLE: Final = "fleet"
TARGETS: Final = "sd"  # below the fleet's folder


class Telling:
    """Counts what a coordinator writes down; what was so before it began is told as it was."""

    def __init__(self, book: Book, jobs: Sequence[Job]) -> None:
        self.meters = Meters(ROLE)
        self._book = book
        self._cells = [named(one.cell) for one in jobs]
        self._jobs = self.meters.counter("trapline_fleet_jobs")
        self._results = self.meters.counter("trapline_fleet_results_total")
        self._attempts = self.meters.counter("trapline_fleet_attempts_total")
        self._lost = self.meters.counter("trapline_fleet_workers_lost_total")
        self._refused = self.meters.counter("trapline_fleet_results_refused_total")
        for cell in dict.fromkeys(self._cells):
            for verdict in VERDICTS:
                self._results.expect((cell, verdict))
        for job, result in book.result.items():
            self._results[self._cells[job], result] += 1
        for counter in (self._attempts, self._lost, self._refused):
            counter.expect(())
        self._attempts[()] += book.attempts
        self._lost[()] += book.workers_lost
        self._refused[()] += book.refused
        self._states()

    def told(self, records: Sequence[Record]) -> None:
        """These are on the disk, and the book has seen them."""
        for record in records:
            match record:
                case Given():
                    self._attempts[()] += 1
                case Done(job, _, outcome):
                    self._results[self._cells[job], outcome.verdict] += 1
                case Died():
                    self._lost[()] += 1
                    if record.final:
                        self._results[self._cells[record.job], "lost"] += 1
                case Refused():
                    self._refused[()] += 1
                case _:
                    pass
        self._states()

    def _states(self) -> None:
        for state, number in self._book.states().items():
            self._jobs.put((state,), number)


@contextmanager
def served(telling: Telling, plan: Plan, out: Path, more: Path | None, port: int) -> Iterator[str]:
    """Serve it on loopback, announced in the fleet's folder and in ``more``; gives host and port.

    Raises UserError for a port that is taken.
    """
    with ExitStack() as stack:
        try:
            found, stop = serve(telling.meters, port)
        except OSError as error:
            raise UserError(
                f"--metrics-port {port}: {error.strerror}; give another, or leave it out"
            ) from None
        stack.callback(stop)
        target = f"127.0.0.1:{found}"
        labels = {"cluster": out.absolute().name, "experiment": Path(plan.scenario).stem}
        own = out / TARGETS
        own.mkdir(exist_ok=True)
        stack.callback(_remove, own)
        for folder in (own, more):
            if folder is not None:
                stack.callback(announce(folder, ROLE, ROLE, target, labels))
        yield target


def _remove(folder: Path) -> None:
    """If nobody else has put anything there."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
