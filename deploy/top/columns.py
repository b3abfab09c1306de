"""The table's columns as data: title, what a cell says, what is sorted by, which go first.

Pure: it makes strings of rows. A column is as wide as its widest cell; nothing is ever cut but names.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from deploy.top.model import Row, matches

GAP, NARROW_GAP = 2, 1  # between columns, and in less than NARROW columns
NARROW = 100
NAME_MAX, NARROW_NAME_MAX = 32, 14
SPARK_MIN, SPARK_MAX = 8, 40
BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = "_.:-=+*#"  # for terminals whose font lacks the others
UNKNOWN = "-"


class Column(msgspec.Struct, frozen=True):
    """``rank``: the lower, the longer it stays. ``value``: what rows are sorted by."""

    key: str
    title: str
    rank: int
    text: Callable[[Row], str]
    value: Callable[[Row], Any]
    right: bool = True
    help: str = ""


def rate_text(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.1f}" if 0 < value < 9.95 else f"{value:.0f}"


def microseconds_text(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f}"


def count_text(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)


def ago_text(seconds: float | None) -> str:
    """ "12 s", "5 min", "3 h": one number with its unit."""
    if seconds is None:
        return UNKNOWN
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def reset_text(row: Row) -> str:
    if row.last_reset is None:
        return UNKNOWN
    return f"{ago_text(row.reset_age_s)} {row.last_reset.reason}".rstrip()


COLUMNS: tuple[Column, ...] = (
    Column("domain", "domain", 0, lambda row: row.domain, lambda row: row.domain, False, "its name"),
    Column(
        "agent", "agent", 2, lambda row: count_text(row.agent), lambda row: row.agent,
        help="its agent's number",
    ),
    Column(
        "state", "state", 4, lambda row: row.state, lambda row: row.state, False,
        "of the domain; silent: its process does not answer",
    ),
    Column("rate", "calls/s", 1, lambda row: rate_text(row.rate), lambda row: row.rate,
        help="that EL3 answered"),
    Column(
        "p50", "p50 us", 5, lambda row: microseconds_text(row.p50_us), lambda row: row.p50_us,
        help="latency its guest saw, last 10 s",
    ),
    Column(
        "p99", "p99 us", 3, lambda row: microseconds_text(row.p99_us), lambda row: row.p99_us,
        help="latency its guest saw, last 10 s",
    ),
    Column(
        "denied", "DENIED", 6, lambda row: str(row.denied), lambda row: row.denied,
        help="answers since the start"
    ),
    Column(
        "denied-rate", "DENIED/s", 12, lambda row: rate_text(row.denied_rate), lambda row: row.denied_rate,
        help="answers per second",
    ),
    Column(
        "in-flight", "in EL3", 7, lambda row: count_text(row.in_flight), lambda row: row.in_flight,
        help="calls that EL3 has",
    ),
    Column(
        "waiting", "wait", 10, lambda row: count_text(row.waiting), lambda row: row.waiting,
        help="traps in line for the channel",
    ),
    Column("votes", "votes", 8, lambda row: count_text(row.votes), lambda row: row.votes,
        help="votes held in EL3"),
    Column("resets", "resets", 11, lambda row: str(row.resets), lambda row: row.resets, help="of its agent"),
    Column(
        "reset", "last reset", 9, reset_text,
        lambda row: None if row.last_reset is None else row.last_reset.at_s, False,
        "of its agent: how long ago, and why",
    ),
    Column(
        "service", "EL3 p99", 13, lambda row: microseconds_text(row.service_p99_us),
        lambda row: row.service_p99_us, help="us that EL3 had a call, last 10 s",
    ),
    Column(
        "queue", "line p99", 14, lambda row: microseconds_text(row.queue_p99_us),
        lambda row: row.queue_p99_us,
        help="us that a call stood in line before, last 10 s",
    ),
    Column(
        "refused", "refused", 15, lambda row: str(row.refused), lambda row: row.refused, help="traps, by Xen"
    ),
    Column("errors", "errors", 16, lambda row: str(row.errors), lambda row: row.errors,
        help="calls without answer"),
    Column("calls", "calls", 17, lambda row: str(row.calls), lambda row: row.calls, help="since the start"),
)  # fmt: skip
BY_KEY = {column.key: column for column in COLUMNS}
DEFAULT_SORT = "rate"
SPARK = "spark"


class Layout(msgspec.Struct, frozen=True):
    """Which columns fit, their widths, the gap before each, and what is left for the sparkline (0: none)."""

    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    gap: int
    spark: int


def widths_of(rows: Iterable[Row], least: dict[str, int] | None = None) -> dict[str, int]:
    """The width that each column needs, at least ``least``: a table that shrinks with each number shakes."""
    found = {column.key: max(len(column.title), (least or {}).get(column.key, 0)) for column in COLUMNS}
    for row in rows:
        for column in COLUMNS:
            found[column.key] = max(found[column.key], len(column.text(row)))
    return found


def layout(room: int, widths: dict[str, int], sort: str) -> Layout:
    """The columns that fit in ``room`` by rank, the one sorted by first; only names are ever cut."""
    chosen: set[str] = set()
    left = room
    gap, name_max = (GAP, NAME_MAX) if room >= NARROW else (NARROW_GAP, NARROW_NAME_MAX)
    widths = {**widths, "domain": min(widths["domain"], name_max)}
    for column in sorted(COLUMNS, key=lambda one: (one.rank != 0, one.key != sort, one.rank)):
        needed = widths[column.key] + gap
        if needed <= left or not chosen:
            chosen.add(column.key)
            left -= needed
    columns = tuple(column for column in COLUMNS if column.key in chosen)
    spark = min(SPARK_MAX, left - gap)
    return Layout(columns, tuple(widths[one.key] for one in columns), gap, spark if spark >= SPARK_MIN else 0)


def ordered(rows: Sequence[Row], sort: str, words: str = "", backwards: bool = False) -> list[Row]:
    """The rows that match, numbers from the highest, words from a to z; what is not known comes last."""
    column = BY_KEY[sort]
    shown = sorted((row for row in rows if matches(row, words)), key=lambda row: (row.domid, row.domain))
    known = [row for row in shown if column.value(row) is not None]
    words_first = bool(known) and isinstance(column.value(known[0]), str)
    known.sort(key=column.value, reverse=words_first == backwards)
    return known + [row for row in shown if column.value(row) is None]


def sparkline(rates: Sequence[float], width: int, bars: str = BARS) -> str:
    """The latest ``width`` rates as bars, the highest of them full; 0 is the lowest bar."""
    shown = rates[-width:]
    most = max(shown, default=0.0)
    if not most:
        return (bars[0] * len(shown)).rjust(width)
    top = len(bars) - 1
    return "".join(bars[max(rate > 0, round(rate / most * top))] for rate in shown).rjust(width)
