"""``trapline kill``: break a running platform on purpose."""

from pathlib import Path
from typing import Literal

import click

from deploy import control
from deploy.cli.options import run_directory, which_platform


@click.command()
@click.argument("node")
@click.option(
    "--signal",
    "signal_name",
    type=click.Choice(["KILL", "STOP", "CONT"], case_sensitive=False),
    default="KILL",
    show_default=True,
    help="STOP pauses the process, CONT lets it go on.",
)
@which_platform
def kill(node: str, signal_name: Literal["KILL", "STOP", "CONT"], name: str, run_dir: Path | None) -> None:
    """Kill, pause or continue a node's process.

    NODE is a domain's name, "xen" or "firmware".

    \b
    trapline kill ivi                     # the domain crashes: its agent is reset
    trapline kill firmware --signal STOP  # EL3 answers nobody; calls time out
    trapline kill xen                     # open calls end with an error, then all
    """
    done = control.ask(run_directory(name, run_dir), control.Kill(node, signal_name))
    click.echo(f"{node}: SIG{signal_name} to process {done['pid']}")
