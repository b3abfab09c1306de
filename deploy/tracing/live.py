"""Reading a platform that is running, from outside: its newest rows, and what comes.

It reads the files in RUN/flight, which the nodes write whether somebody looks or not; nothing is asked of the
platform. An experiment's rows while it runs are read in the same way.
"""

import heapq
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from bus.scmi.tables import Tables
from deploy import plugins
from deploy.errors import UserError
from deploy.recording import names
from deploy.recording.decode import Decoder
from deploy.recording.flight import Reader
from deploy.recording.rows import Row
from deploy.rundir import RunDirectory
from deploy.tracing.assembling import Assembler
from deploy.tracing.calls import Story
from deploy.tracing.filters import Filter
from deploy.tracing.lines import Line, line

LOOK_S: Final = 0.1  # between two looks at what came


class Live:
    """A platform's rows and stories. Raises UserError without a platform, or if it records nothing."""

    def __init__(self, run: RunDirectory, tables: Tables | None = None) -> None:
        self._run = run
        if run.read() is None or not run.alive():
            raise run.not_running()
        if names.load(run.flight) is None:
            raise UserError(
                f"{run.path}: this platform records no calls; start it without --no-flight, "
                'or an experiment with record = "frames"'
            )
        self._reader = Reader(run.flight)
        self._tables = plugins.load().tables if tables is None else tables
        self._known: set[bytes] = set()

    @property
    def origin_ns(self) -> int:
        """What CLOCK_MONOTONIC said when the run began; times of rows count from there."""
        return self._reader.names.origin_ns

    @property
    def wall_ns(self) -> int:
        """Unix time when the run began."""
        return self._reader.names.wall_ns

    @property
    def cluster(self) -> str:
        """The name of its run directory."""
        return self._run.path.name

    @property
    def missed(self) -> int:
        """Rows that were overwritten before they were read here."""
        return self._reader.missed

    @property
    def _late_ns(self) -> int:
        return self._reader.names.late_ns

    def rows(self) -> Iterator[Row]:
        """What was not given yet: a "domain" note of each domain that is new, then rows by time.

        What happened until now is waited for, if some of it still has to come from other machines.
        """
        until_ns = time.monotonic_ns() - self.origin_ns
        if self._late_ns > names.LATE_NS:
            time.sleep(self._late_ns / 1e9)
        yield from self._upto(until_ns)

    def _upto(self, until_ns: int) -> Iterator[Row]:
        rows = self._reader.read(until_ns)
        first = next(rows, None)  # names are looked up before the first row is given
        yield from self._new_domains()
        if first is not None:
            yield first
            yield from rows

    def _new_domains(self) -> Iterator[Row]:
        domains = self._reader.names.domains()
        yield from (row for row in domains if row[4] not in self._known)
        self._known = {row[4] for row in domains}

    def follow(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Row | None]:
        """Rows as they come, a little late so that they are in order, until the platform is over or ``stop``.

        None whenever nothing more has come for now.
        """
        for rows in self._rounds(stop):
            yield from rows
            yield None

    def _rounds(self, stop: Callable[[], bool]) -> Iterator[Iterator[Row]]:
        """What came between two looks, each to be read to its end."""
        origin_ns = self.origin_ns
        while True:
            ended = stop() or self._over(origin_ns)
            yield self._upto(time.monotonic_ns() - origin_ns - (0 if ended else self._late_ns))
            if ended:
                return
            time.sleep(LOOK_S)

    def _over(self, origin_ns: int) -> bool:
        """Whether its files are gone, or are another platform's by now."""
        found = names.load(self._run.flight)
        return found is None or found.origin_ns != origin_ns

    def stories(self) -> Iterator[Story]:
        """What the rings hold, calls that are under way among them."""
        decoder, assembler = Decoder(self.origin_ns), Assembler(self._tables)
        for event in decoder.events(self.rows()):
            assembler.see(event)
            yield from assembler.take()
        yield from assembler.finish()

    def following(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Story | None]:
        """Stories as calls end, until the platform is over or ``stop``; None when no more came for now."""
        decoder, assembler, count = Decoder(self.origin_ns), Assembler(self._tables), 0
        for rows in self._rounds(stop):
            fresh = list(rows)
            for event in decoder.events(fresh, count):
                assembler.see(event)
                yield from assembler.take()
            count += len(fresh)
            assembler.idle(time.monotonic_ns() - self.origin_ns - self._late_ns)
            yield from assembler.take()
            yield None
        yield from assembler.finish()

    def close(self) -> None:
        self._reader.close()


def newest(stories: Iterable[Story], limit: int) -> list[Story]:
    """The last ``limit`` by when they began, oldest first: what never ended is told last, but is no news."""
    return sorted(heapq.nlargest(limit, stories, key=_began_at), key=_began_at)


def _began_at(story: Story) -> int:
    return story.at_ns


def latest(run: RunDirectory, agent: int | None, protocol: str | None, limit: int) -> list[Line]:
    """The newest stories that the rings hold, newest last, at most ``limit``. UserError as ``Live``."""
    live = Live(run)
    try:
        wanted = Filter("" if agent is None else str(agent), protocol or "")
        return [line(story, live.wall_ns) for story in newest(filter(wanted.wants, live.stories()), limit)]
    finally:
        live.close()
