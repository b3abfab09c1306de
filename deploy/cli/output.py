"""What every command prints with: tables that fit the terminal, JSON for scripts, one-line errors."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.summary import AgentRow

PIPE_COLUMNS = 120


def console(stderr: bool = False) -> Console:
    """A console that honours NO_COLOR, a non-terminal and COLUMNS."""
    stream = sys.stderr if stderr else sys.stdout
    width = None
    if not stream.isatty() and "COLUMNS" not in os.environ:
        width = PIPE_COLUMNS
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def say_error(text: str) -> None:
    """``trapline: text`` on stderr, in one line."""
    print(f"trapline: {text}", file=sys.stderr)


def say_json(value: Any) -> None:
    """The value as indented JSON on stdout."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def table(
    title: str | None,
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    numbers: Sequence[int] = (),
    widths: Sequence[int] = (),
    gap: int = 2,
) -> Table:
    """A plain table; columns in ``numbers`` are right-aligned. Strings are literal, Text brings its style.

    ``widths``: of every column, if they are not to be found out here; ``gap``: blanks between two.
    """
    made = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, gap, 0, 0),
    )
    for at, column in enumerate(columns):
        made.add_column(
            column,
            justify="right" if at in numbers else "left",
            header_style="bold cyan",
            overflow="fold",
            width=widths[at] if widths else None,
        )
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return made


def hexadecimal(value: int | None) -> str:
    return "-" if value is None else f"{value:#x}"


def number(value: int | None) -> str:
    return "-" if value is None else str(value)


def count(value: int) -> str:
    return f"{value:,}".replace(",", " ")


def microseconds(value: float) -> str:
    return "-" if not value else f"{value:.0f}"


def who_is_who(rows: Sequence[AgentRow]) -> Table:
    """Domain, agent, doorbell, page, devices, state."""
    return table(
        None,
        ["domain", "id", "agent", "smc-id", "shmem", "state", "devices granted"],
        [
            [
                row.name,
                str(row.domid),
                number(row.agent_id),
                hexadecimal(row.smc_id),
                hexadecimal(row.shmem),
                row.state,
                " ".join(path.rsplit("/", 1)[-1] for path in row.devices) or "-",
            ]
            for row in rows
        ],
        numbers=(1, 2),
    )
