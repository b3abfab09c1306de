"""``trapline logs``: what nodes logged, as lines for people or as JSON."""

import time
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.text import Text

from deploy import control
from deploy import logs as lines
from deploy.cli.following import until_ctrl_c
from deploy.cli.options import run_directory, which_platform
from deploy.cli.output import console
from deploy.errors import UserError
from deploy.rundir import RunDirectory

LOOK_S: Final = 0.1
STYLES: Final = {"debug": "dim", "info": "", "warning": "yellow", "error": "bold red"}


@click.command()
@click.argument("nodes", nargs=-1, metavar="[NODE]...")
@which_platform
@click.option("--follow", "-f", is_flag=True, help="Go on with what is logged from now on, until Ctrl-C.")
@click.option(
    "--level", type=click.Choice(lines.LEVELS), default="debug", help="Only this level and those above it."
)
@click.option("--request", type=int, metavar="N", help="Only lines about this request, or caused by it.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the newest N of what there is.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="[NODE=]LEVEL",
    help="Have a node, or all of them, log from that level on; print nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each line as JSON.")
def logs(
    nodes: tuple[str, ...],
    name: str,
    run_dir: Path | None,
    follow: bool,
    level: str,
    request: int | None,
    last: int | None,
    changes: tuple[str, ...],
    as_json: bool,
) -> None:
    """What the nodes of a running platform logged, by time: all of them, or the NODEs given.

    A node is firmware, xen, supervisor, or a domain by its name. Logs are for what is rare; every message is
    in 'trapline trace'.
    """
    run = run_directory(name, run_dir)
    if not run.alive():
        raise run.not_running()
    if changes:
        for node, wanted in lines.levels(changes, "--set").items():
            control.ask(run, control.LogLevel(node, wanted))  # type: ignore[arg-type]
        return
    known = lines.files(run.log)
    for node in nodes:
        if node not in known:
            raise UserError(f"there is no log of {node!r}; there are {', '.join(known)}")
    printer = Printer(lines.LEVELS.index(level), request, as_json)
    follower = lines.Follower(run.log, nodes)
    printer.show(follower.fresh(), last)
    if follow:
        _follow(run, follower, printer)


def _follow(run: RunDirectory, follower: lines.Follower, printer: "Printer") -> None:
    """Until the platform ends, or Ctrl-C, which is how one ends it."""
    with until_ctrl_c():
        while run.alive():
            time.sleep(LOOK_S)
            printer.show(follower.fresh(), None)


class Printer:
    """``level``: the index of the lowest that is shown; ``request`` None: whatever it is about."""

    def __init__(self, level: int, request: int | None, as_json: bool) -> None:
        self._level = level
        self._request = request
        self._as_json = as_json
        self._out = console()

    def show(self, found: list[lines.Line], last: int | None) -> None:
        wanted = [line for line in found if self._is_wanted(line)]
        for line in wanted[-last:] if last else wanted:
            if self._as_json:
                click.echo(msgspec.json.encode(line))
            else:
                self._out.print(self._text(line), soft_wrap=True)

    def _is_wanted(self, line: lines.Line) -> bool:
        if lines.LEVELS.index(line.level) < self._level:
            return False
        return self._request is None or self._request in (line.request, line.cause)

    def _text(self, line: lines.Line) -> Text:
        """``22:10:28.123 warning xen        the text  request=7 cause=3``."""
        text = Text(f"{line.at[11:23]} ", style="dim")
        text.append(f"{line.level:7} ", style=STYLES[line.level])
        text.append(f"{line.node:10} ", style="bold")
        text.append(line.text)
        if line.request:
            text.append(f"  request={line.request}", style="dim")
        if line.cause:
            text.append(f" cause={line.cause}", style="dim")
        return text
