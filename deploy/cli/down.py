"""``trapline down``: end a running platform, or sweep what a killed one left."""

import time
from pathlib import Path

import click

from deploy import control
from deploy.cli.options import run_directory, which_platform
from deploy.engines.pids import runs, started_at
from deploy.errors import UserError
from deploy.toolstack import ToolstackError

PATIENCE_S = 30.0


@click.command()
@which_platform
def down(name: str, run_dir: Path | None) -> None:
    """Stop a running platform.

    Every process, socket and port is gone when this returns.
    """
    run = run_directory(name, run_dir)
    if not run.alive():
        if not (run.path / "lock").exists():
            raise UserError(f"no platform runs in {run.path}; name one with --name or --run-dir")
        run.claim()
        run.remove()
        click.echo(f"{run.path}: its supervisor was dead; removed what it left")
        return
    cluster = run.read()
    pid = cluster.pid if cluster else 0
    since = started_at(pid)
    control.ask(run, control.Down())
    deadline = time.monotonic() + PATIENCE_S
    while run.path.exists() or runs(pid, since):
        if time.monotonic() > deadline:
            raise ToolstackError(f"the platform in {run.path} did not stop within {PATIENCE_S:.0f} s")
        time.sleep(0.02)
    click.echo(f"{run.path}: stopped")
