"""``trapline inject``: break the hardware behind EL3 on purpose."""

from pathlib import Path
from typing import Literal

import click

from deploy import control
from deploy.cli.options import run_directory, which_platform


@click.command()
@click.argument("what", type=click.Choice(["sensor", "reset"]))
@click.argument("number", metavar="ID", type=click.IntRange(0, 0xFFFF_FFFF))
@click.option("--mend", is_flag=True, help="Make it work again.")
@which_platform
def inject(
    what: Literal["sensor", "reset"], number: int, mend: bool, name: str, run_dir: Path | None
) -> None:
    """Break a sensor or a reset line that EL3 drives.

    \b
    trapline inject sensor 3              # it gives no value
    trapline inject reset 1               # the line does not move
    trapline inject reset 1 --mend        # and works again

    Agents see HARDWARE_ERROR where the protocol has it; the processes behind nodes are 'trapline kill'.
    """
    control.ask(run_directory(name, run_dir), control.Inject(what, number, not mend))
    click.echo(f"{what} {number}: {'works' if mend else 'broken'}")
