"""A fleet on the terminal: one screen while it runs, lines where there is no terminal, and the last screen.

Everything goes to stderr but the last screen. It fits 80 columns and 24 lines.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import rich.live
from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deploy.cli.output import console, count, microseconds, table
from deploy.errors import printable
from deploy.experiments.judging.histogram import LatencyHistogram
from deploy.experiments.keeping.runs import REPORT
from deploy.fleet.coordinator import Fleet
from deploy.fleet.ledger import Record
from deploy.fleet.merging import VERDICTS, Failure, FleetResult, Merged
from deploy.fleet.plan import RUNS

REFRESH_S: Final = 0.25
PLAIN_S: Final = 10.0  # between two lines without a terminal
RECENT_S: Final = 30.0  # over which the rate is taken
CELLS_SHOWN: Final = 10
LIVE_FAILURES: Final = 2  # of each cell, told as they come; all are in the ledger
LIVE_CELLS: Final = 20  # of which failures are told
FAILURES_SHOWN: Final = 5
SLOWEST_SHOWN: Final = 3
STYLE: Final = {
    "pass": "bold green", "fail": "bold red", "error": "bold yellow", "lost": "bold magenta",
}  # fmt: skip
HEADS: Final = {"pass": "PASS", "fail": "FAIL", "error": "UNFINISHED"}


class Pace:
    """Results per second over the last while."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def see(self, now_s: float, done: int) -> float:
        """The rate now, 0 while nothing is known."""
        if not self._seen or done != self._seen[-1][1]:
            self._seen.append((now_s, done))
        while len(self._seen) > 2 and now_s - self._seen[0][0] > RECENT_S:
            del self._seen[0]
        first_s, first = self._seen[0]
        return (done - first) / (now_s - first_s) if now_s > first_s else 0.0


class Screen:
    """Within ``with`` it is shown; ``told`` is given what is on the disk, ``turned`` called now and then."""

    def __init__(self, fleet: Fleet, workers: int, *, quiet: bool) -> None:
        self._fleet = fleet
        self._workers = workers
        self._out: Console = console(stderr=True)
        self._quiet = quiet
        self._live: rich.live.Live | None = None
        self._pace = Pace()
        self._began_s = time.monotonic()
        self._shown_s = 0.0
        self._rate = 0.0
        self._failures: Counter[str] = Counter()

    def __enter__(self) -> Self:
        if not self._quiet and self._out.is_terminal:
            self._live = rich.live.Live(console=self._out, auto_refresh=False, transient=True)
            self._live.start()
        elif not self._quiet:
            self._out.print(Text(self._head()), soft_wrap=True)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def told(self, records: Sequence[Record]) -> None:
        """Say each failure as it comes."""
        if self._quiet:
            return
        for record in records:
            failure = self._fleet.merge.failure(record)
            if failure is None:
                continue
            self._failures[failure.cell] += 1
            if self._failures[failure.cell] <= LIVE_FAILURES and len(self._failures) <= LIVE_CELLS:
                _failure(failure, self._out)
            elif self._failures[failure.cell] == LIVE_FAILURES + 1:
                self._out.print(Text(f"more failures of {failure.cell} are told at the end", style="dim"))

    def turned(self) -> None:
        """Some time has passed."""
        now_s = time.monotonic()
        if self._quiet or now_s - self._shown_s < (REFRESH_S if self._live else PLAIN_S):
            return
        self._rate = self._pace.see(now_s, len(self._fleet.book.result))
        if self._live is not None:
            self._live.update(self.screen(now_s), refresh=True)
        elif self._shown_s:
            self._out.print(Text(self._line()), soft_wrap=True)
        self._shown_s = now_s

    # ---- what it looks like -----------------------------------------------------------------------

    def _head(self) -> str:
        plan, cells = self._fleet.plan, len(self._fleet.merge.cells())
        some = f"{cells} cells" if cells > 1 else "1 cell"
        return f"{printable(plan.title)}: {count(len(self._fleet.jobs))} platforms in {some}"

    def _left(self) -> str:
        states = self._fleet.book.states()
        left = states["waiting"] + states["running"]
        return f"about {duration(left / self._rate)} to go" if self._rate else "no result yet"

    def _line(self) -> str:
        states = self._fleet.book.states()
        done = len(self._fleet.book.result)
        told = ", ".join(f"{count(states[one])} {one}" for one in (*VERDICTS, "running") if states[one])
        return f"{count(done)} of {count(len(self._fleet.jobs))}: {told}; {self._rate:.1f}/s, {self._left()}"

    def screen(self, now_s: float) -> Group:
        """Everything at one look."""
        book = self._fleet.book
        width = min(self._out.width, 100)
        head = Text(self._head(), style="bold", no_wrap=True, overflow="ellipsis")
        bar = Table.grid()  # a bar alone ends no line
        bar.add_row(ProgressBar(len(self._fleet.jobs), len(book.result), width=width))
        states = book.states()
        told = Text()
        for one in (*VERDICTS, "running", "waiting"):
            told.append(f"{count(states[one])} {one}   ", style=STYLE.get(one, "") if states[one] else "dim")
        spent = duration(now_s - self._began_s)
        pace = Text(f"{self._rate:.1f} platforms/s   {spent} so far, {self._left()}", style="cyan")
        mishaps = Text(
            f"{self._workers} workers   {book.workers_lost} died   {book.attempts} attempts   "
            f"{book.refused} late results refused",
            style="dim",
        )
        return Group(head, bar, told, pace, mishaps, Text(), *self._cells())

    def _cells(self) -> list[Table | Text]:
        cells = self._fleet.merge.cells()
        worst = sorted(cells, key=lambda one: -sum(one[1][word] for word in VERDICTS[1:]))[:CELLS_SHOWN]
        names = {one[0] for one in worst}
        shown = [one for one in cells if one[0] in names]
        more = len(cells) - len(shown)
        tail = [Text(f"and {more} cells with fewer failures", style="dim")] if more else []
        return [cell_table([_row(*one) for one in shown]), *tail]


def _row(name: str, verdicts: Mapping[str, int], times: LatencyHistogram) -> list[str | Text]:
    p50, p99 = (times.quantile_us(part) or 0.0 for part in (0.5, 0.99))
    return cell_row(name, verdicts, p50, p99)


def cell_row(name: str, verdicts: Mapping[str, int], p50_us: float, p99_us: float) -> list[str | Text]:
    """One cell in a table."""
    numbers = [Text(count(verdicts[one]), style=STYLE[one] if verdicts[one] else "dim") for one in VERDICTS]
    return [name, *numbers, microseconds(p50_us), microseconds(p99_us)]


def cell_table(rows: Sequence[Sequence[str | Text]]) -> Table:
    """Cells, with what became of their platforms."""
    return table(None, ["cell", *VERDICTS, "p50 us", "p99 us"], rows, numbers=tuple(range(1, 7)))


def duration(seconds: float) -> str:
    """ "1 h 05 min", "2 min 07 s", "9 s"."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 60} min {whole % 60:02} s" if whole >= 60 else f"{whole} s"


# ---- the last screen ------------------------------------------------------------------------------


def summary(result: FleetResult, folder: Path) -> None:
    """The verdict first, then the cells, then every failure's replay as far as there is room."""
    out = console()
    merged = result.merged
    out.print(_verdict(merged))
    left = merged.planned - sum(merged.verdicts.values())
    if left:
        out.print(Text(f"{count(left)} have no result yet: trapline fleet run --out {folder} --resume"))
    out.print()
    shown = merged.cells[:CELLS_SHOWN]
    out.print(
        cell_table(
            [
                cell_row(one.name, one.verdicts, one.sums.latency.p50_us, one.sums.latency.p99_us)
                for one in shown
            ]
        )
    )
    if len(merged.cells) > len(shown):
        out.print(Text(f"and {len(merged.cells) - len(shown)} cells more in the report", style="dim"))
    out.print()
    out.print(_calls(merged))
    _failures(merged, out)
    _slowest(merged, out)
    _course(result, folder, out)


def _verdict(merged: Merged) -> Text:
    head = Text(f"{HEADS[merged.verdict]}  ", style=STYLE[merged.verdict])
    told = ", ".join(f"{count(many)} {name}" for name, many in merged.verdicts.items() if many) or "no result"
    return head.append(f"{merged.title}: {count(merged.planned)} platforms, {told}", style="bold")


def _calls(merged: Merged) -> Text:
    counts, latency = merged.sums.counts, merged.sums.latency
    errors = counts["definite"] + counts["indefinite"]
    return Text(
        f"{count(counts['issued'])} calls: {count(counts['answered'])} answered, {count(errors)} errors, "
        f"{count(counts['killed'])} killed; p50 {microseconds(latency.p50_us)} us, "
        f"p99 {microseconds(latency.p99_us)} us"
    )


def _failure(one: Failure, out: Console) -> None:
    """What failed, why, and the line that runs it alone: that one whole, to be copied."""
    line = Text(f"{one.verdict}  ", style=STYLE[one.verdict])
    out.print(line.append(f"{one.cell} seed={one.seed}: {one.reason}", style="default"))
    out.print(Text(f"  {one.command}", style="dim"), soft_wrap=True)


def _failures(merged: Merged, out: Console) -> None:
    """The first of each cell, then the others."""
    firsts = {one.cell: one for one in reversed(merged.failures)}
    ordered = sorted(merged.failures, key=lambda one: (firsts[one.cell] is not one, one.job))
    for one in ordered[:FAILURES_SHOWN]:
        _failure(one, out)
    more = len(merged.failures) - FAILURES_SHOWN
    if more > 0:
        out.print(Text(f"and {count(more)} more, each with its command, in the report", style="dim"))


def _slowest(merged: Merged, out: Console) -> None:
    if merged.planned > 1 and merged.slowest:
        told = [f"{one.cell} seed={one.seed} {microseconds(one.p99_us)} us" for one in merged.slowest]
        out.print(Text("slowest by p99: " + "; ".join(told[:SLOWEST_SHOWN]), style="dim"))


def _course(result: FleetResult, folder: Path, out: Console) -> None:
    course, done = result.course, sum(result.merged.verdicts.values())
    pace = f"{done / course.wall_s:.1f} platforms/s; " if course.wall_s and course.coordinators == 1 else ""
    again = course.attempts - done
    mishaps = f"; {course.workers_lost} workers died, {again} attempts came to nothing" if again > 0 else ""
    out.print(Text(f"{pace}{_sittings(course.coordinators)}{duration(course.wall_s)}{mishaps}; kept in"))
    out.print(Text(str(folder / REPORT)), soft_wrap=True)
    if course.kept:
        out.print(Text(f"{folder / RUNS}: {len(course.kept)} runs with history and report"), soft_wrap=True)


def _sittings(many: int) -> str:
    """How often it was begun, if that is worth a word."""
    return f"in {many} sittings, " if many > 1 else ""
