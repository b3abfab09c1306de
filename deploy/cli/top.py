"""``trapline top``: who calls how much, live in the terminal, or once for scripts."""

import os
import sys
from pathlib import Path

import click
from rich.text import Text

from deploy import control
from deploy.cli.options import Number, json_option, run_directory, which_platform
from deploy.cli.output import console, say_json, table
from deploy.errors import UserError
from deploy.rundir import RunDirectory
from deploy.top.columns import BARS, BY_KEY, DEFAULT_SORT, PLAIN_BARS, ordered, rate_text, widths_of
from deploy.top.columns import layout as columns_for
from deploy.top.model import Board, Model
from deploy.top.once import as_data, measured
from deploy.top.source import ControlSource
from deploy.top.view import View

PLAIN_TERMINALS = ("linux", "dumb", "vt100", "vt220")  # their fonts lack bars of eighths


@click.command()
@which_platform
@click.option("--once", is_flag=True, help="Print one table and end; also without a terminal.")
@json_option
@click.option(
    "--interval",
    type=Number(0.2, 60.0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Look so often; with --once, what rates are measured over.",
)
@click.option(
    "--sort",
    type=click.Choice(tuple(BY_KEY)),
    default=DEFAULT_SORT,
    show_default=True,
    metavar="COLUMN",
    help=f"One of {', '.join(BY_KEY)}.",
)
@click.option("--filter", "words", default="", metavar="WORDS", help="Only domains that match all words.")
@click.option(
    "--light", "theme", flag_value="textual-light", help="Dark on light, whatever the terminal has."
)
@click.option("--dark", "theme", flag_value="textual-dark", help="Light on dark, whatever the terminal has.")
def top(
    name: str,
    run_dir: Path | None,
    once: bool,
    as_json: bool,
    interval: float,
    sort: str,
    words: str,
    theme: str | None,
) -> None:
    """Show who calls how much, how fast, and what is denied, live.

    \b
    trapline top                          # ? tells the keys, q leaves
    trapline top --sort p99               # the slowest agent first
    trapline top --once --json            # for scripts

    Keys sort, filter, pause, look into one agent, poke (create, destroy, reboot, crash, break). Colours are
    the terminal's own. DENIED, resets and calls count since the start, latencies are of the last 10 s
    (with --once: of the interval).
    """
    run = run_directory(name, run_dir)
    view = View(sort, words)
    if once:
        with control.Session(run) as session:
            board = measured(session, interval)
        if as_json:
            say_json(as_data(board, view, interval))
        else:
            _print(board, view)
        return
    if as_json:
        raise UserError("--json without --once: a live view is no data; use 'trapline top --once --json'")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError("the live view needs a terminal; use 'trapline top --once', with --json for scripts")
    raise click.exceptions.Exit(_live(run, view, interval, theme))


def _live(run: RunDirectory, view: View, interval: float, theme: str | None) -> int:
    """Until the user leaves; gives the exit code."""
    control.Session(run).__exit__()  # raises at once if no platform runs there
    from deploy.top.app import TopApp  # noqa: PLC0415 - heavy, and of no use to any other command

    plain = (
        os.environ.get("TERM", "dumb") in PLAIN_TERMINALS or "utf" not in (sys.stdout.encoding or "").lower()
    )
    bars = PLAIN_BARS if plain else BARS
    app = TopApp(ControlSource(run, interval), Model(max(1.0, interval)), view, theme=theme, bars=bars)
    app.run()
    return app.return_code or 0


def _print(board: Board, view: View) -> None:
    """One table with the columns that fit."""
    out = console()
    status = board.status
    out.print(
        Text.assemble(
            (status.platform, "bold"),
            f"  {rate_text(board.rate)} calls/s  up {status.uptime_s:.0f} s  {board.nodes_up} nodes up  "
            f"firmware {status.firmware}  Xen {status.profile}",
        )
    )
    rows = ordered(board.rows, view.sort, view.words, view.backwards)
    chosen = columns_for(out.width, widths_of(rows), view.sort)
    cells = [[column.text(row) for column in chosen.columns] for row in rows]
    right = [at for at, column in enumerate(chosen.columns) if column.right]
    titles = [column.title for column in chosen.columns]
    out.print()
    out.print(table(None, titles, cells, numbers=right, widths=chosen.widths, gap=chosen.gap))
    for node, seconds in board.silent.items():
        out.print(Text(f"{node} has not answered for {seconds:.0f} s", "bold red"))
