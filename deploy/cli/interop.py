"""``trapline interop``: every kind of EL3 under every version of Xen's driver, played and judged."""

import textwrap
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from deploy.cli.options import FILE, json_option
from deploy.cli.output import console, say_json, table
from deploy.errors import UserError
from deploy.interop import page
from deploy.interop.grid import Grid, Note, as_data, played
from deploy.interop.scenarios import SCENARIOS, VERDICTS, Outcome
from deploy.topology import firmware_profile
from nodes.firmware.profile import PROFILES as FIRMWARES
from nodes.xen.profile import PROFILES as XENS

STYLES = {"works": "green", "degraded": "yellow", "broken": "bold red"}
MARKS = {"works": "", "degraded": "~ ", "broken": "x "}
COLUMNS_MAX = 100


@click.command()
@click.option(
    "--firmware",
    multiple=True,
    metavar="NAME[+OPTION]",
    help="A firmware profile; repeatable. Default: all of 'trapline profiles'.",
)
@click.option(
    "--profile", multiple=True, type=click.Choice(tuple(XENS)), help="A version of Xen's driver; repeatable."
)
@click.option("--html", type=FILE, metavar="FILE", help="Also write the grid with all details as a page.")
@json_option
def interop(firmware: tuple[str, ...], profile: tuple[str, ...], html: Path | None, as_json: bool) -> None:
    """Play the end of domains for every firmware under every Xen.

    \b
    boot       Xen's probe, Dom0's first call, a guest with a device
    hand-over  a domain dies, another one gets its agent and channel
    wedge      one doorbell without a message, one message too long
    teardown   a domain is destroyed with votes held
    bare       a domain is destroyed, EL3 has no table of devices

    \b
    works      every step went as the design says
    ~ STEP     degraded: every domain has its SCMI, but something is left over,
               not reset or not told; STEP is the first that differs
    x STEP     broken: a domain is without the SCMI it should have, or it
               cannot be ended; STEP is the first that differs

    Each cell is played on a platform of its own in the simulated engine, by the shipped cores. Exit code 0
    whatever the grid says.
    """
    firmwares = [firmware_profile(one) for one in dict.fromkeys(firmware)] or list(FIRMWARES.values())
    xens = [XENS[one] for one in dict.fromkeys(profile)] or list(XENS.values())
    grid = played(firmwares, xens)
    if html is not None:
        _write(html, page.drawn(grid))
    if as_json:
        say_json(as_data(grid))
        return
    show(console(), grid)
    if html is not None:
        click.echo(f"page: {html}", err=True)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; check the path") from None


def show(out: Console, grid: Grid) -> None:
    """The grid, what its marks mean, and why the cells are as they are."""
    rows = [
        [
            Text(firmware if at == 0 else "", style="bold"),
            Text(scenario),
            *(_cell(grid.cell(firmware, xen, scenario)) for xen in grid.xens),
        ]
        for firmware in grid.firmwares
        for at, scenario in enumerate(SCENARIOS)
    ]
    out.print(table(None, ["firmware", "scenario", *grid.xens], rows))
    out.print()
    for verdict, meaning in VERDICTS.items():
        mark = (MARKS[verdict] + "STEP") if MARKS[verdict] else verdict
        lines = textwrap.wrap(meaning, min(out.width, COLUMNS_MAX) - 8)
        out.print(Text.assemble((f"{mark:8}", STYLES[verdict]), ("\n" + " " * 8).join(lines)))
    notes = grid.notes()
    if notes:
        out.print(Text("\nThe first step that differs, and why", style="bold"))
    for note in notes:
        _note(out, note)


def _cell(one: Outcome) -> Text:
    step = one.first.step if one.first else one.verdict
    return Text(MARKS[one.verdict] + step, style=STYLES[one.verdict])


def _note(out: Console, note: Note) -> None:
    out.print(Text(f"\n{note.step}", style="bold cyan"))
    _wrapped(out, f"where: {', '.join(note.firmwares)} under {', '.join(note.xens)}")
    _wrapped(out, f"expected: {note.expected}")
    _wrapped(out, f"got: {note.got}")
    if note.reason:
        _wrapped(out, f"because: {note.reason}")


def _wrapped(out: Console, text: str) -> None:
    width = min(out.width, COLUMNS_MAX) - 2
    lines = textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)
    out.print(Text("\n".join(f"  {line}" for line in lines)))
