"""What is seen while an experiment runs: a progress bar, or with --watch a table of every domain's numbers.

Both are drawn a few times a second at most, whatever time it is in the run; without a terminal nothing is.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import rich.live
from rich.console import Group
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from deploy.cli.output import console, count, microseconds, number, table
from deploy.experiments.describing.scenario import Scenario
from deploy.experiments.stages.stage import Numbers
from nodes.metrics import LATENCY_BUCKETS_NS

REFRESH_S = 0.25
ROWS_SHOWN = 20


class Live:
    """A bar with the phase and what is broken now."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._shown_s = 0.0

    @contextmanager
    def over(self, scenario: Scenario, quiet: bool) -> Iterator[None]:
        """Shown on stderr while the body runs, if that is a terminal."""
        out = console(stderr=True)
        if quiet or not out.is_terminal:
            yield
            return
        columns = (
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[doing]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=out, transient=True, auto_refresh=False) as bar:
            self._bar = bar
            self._task = bar.add_task(scenario.title[:30], total=1.0, doing="")
            yield
            self._bar = None

    def progress(self, doing: str, part: float) -> None:
        """What is going on, how much is done."""
        now_s = time.monotonic()
        if self._bar is not None and now_s - self._shown_s >= REFRESH_S:
            self._shown_s = now_s
            self._bar.update(self._task, completed=part, doing=doing[:40])
            self._bar.refresh()

    def watch(self, now_ns: int, rows: Sequence[Numbers]) -> None:
        """A bar shows no numbers."""


class Watching(Live):
    """One row per domain: calls per second of the run's time, latency, denials."""

    def __init__(self) -> None:
        super().__init__()
        self._live: rich.live.Live | None = None
        self._title = ""
        self._doing = ""
        self._before: dict[str, tuple[int, int]] = {}

    @contextmanager
    def over(self, scenario: Scenario, quiet: bool) -> Iterator[None]:
        out = console(stderr=True)
        if quiet or not out.is_terminal:
            yield
            return
        self._title = scenario.title
        with rich.live.Live(console=out, auto_refresh=False, transient=True) as live:
            self._live = live
            yield
            self._live = None

    def progress(self, doing: str, part: float) -> None:
        self._doing = f"{doing}, {part:.0%}"

    def watch(self, now_ns: int, rows: Sequence[Numbers]) -> None:
        """The numbers now."""
        now_s = time.monotonic()
        if self._live is not None and now_s - self._shown_s >= REFRESH_S:
            self._shown_s = now_s
            self._live.update(self.screen(now_ns, rows), refresh=True)

    def screen(self, now_ns: int, rows: Sequence[Numbers]) -> Group:
        """Everything on one screen of 80 columns."""
        head = Text(f"{self._title}  ", style="bold")
        head.append(f"{now_ns / 1e9:.3f} s  {self._doing}", style="cyan")
        left = len(rows) - ROWS_SHOWN
        tail = [Text(f"and {left} more domains", style="dim")] if left > 0 else []
        return Group(head, "", self._table(now_ns, rows[:ROWS_SHOWN]), *tail)

    def _table(self, now_ns: int, rows: Sequence[Numbers]) -> Table:
        shown: list[list[str | Text]] = []
        for row in rows:
            calls, at_ns = self._before.get(row.domain, (0, 0))
            fresh = row.answered - calls if row.answered >= calls else row.answered
            rate = fresh * 1e9 / max(1, now_ns - at_ns)
            self._before[row.domain] = (row.answered, now_ns)
            shown.append(
                [
                    row.domain,
                    number(row.agent),
                    str(row.incarnation),
                    f"{rate:.0f}",
                    count(row.answered),
                    microseconds(quantile_us(row.latency, 0.5)),
                    microseconds(quantile_us(row.latency, 0.99)),
                    count(row.denied),
                    count(row.definite + row.indefinite),
                ]
            )
        titles = ["domain", "agent", "life", "calls/s", "calls", "p50 us", "p99 us", "DENIED", "errors"]
        return table(None, titles, shown, numbers=tuple(range(1, 9)))


def quantile_us(buckets: Sequence[int], part: float) -> float:
    """From counts by bucket: the upper edge of the bucket that holds the quantile; 0 without calls."""
    wanted = part * sum(buckets)
    seen = 0
    for edge_ns, calls in zip((*LATENCY_BUCKETS_NS, LATENCY_BUCKETS_NS[-1]), buckets, strict=False):
        seen += calls
        if calls and seen >= wanted:
            return edge_ns / 1e3
    return 0.0
