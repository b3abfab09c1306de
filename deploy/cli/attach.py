"""``trapline attach``: a domain's SCMI channel on a Unix socket, for an outside client."""

import signal
from pathlib import Path
from types import FrameType

import click

from deploy import control
from deploy.attach import Attachment, SocketFile
from deploy.cli.options import run_directory, which_platform
from deploy.cli.output import say_error
from deploy.errors import UserError
from deploy.rundir import RunDirectory
from deploy.toolstack import ToolstackError


class Stopping:
    """True once a signal asked for the end, or the platform is gone."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True

    def __call__(self) -> bool:
        return self.asked or not self._run.alive()


@click.command()
@click.argument("domain")
@click.option(
    "--socket",
    "path",
    required=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where to listen. The file must not exist; it is removed at the end.",
)
@click.option("--once", is_flag=True, help="End when the first client does.")
@which_platform
def attach(domain: str, path: Path, once: bool, name: str, run_dir: Path | None) -> None:
    """Serve DOMAIN's SCMI channel on a Unix socket.

    A frame is its length, a little-endian u32, then the SCMI header word and the payload; it is the same
    both ways. Each message rings DOMAIN's own doorbell; responses, delayed responses and notifications
    come back. deploy/ATTACH.md has the details and a client in a few lines.

    One client is served at a time, the next ones wait. "ready" on stdout says that clients may connect.
    Ctrl-C ends it.

    \b
    trapline attach ivi --socket /tmp/ivi.sock
    """
    run = run_directory(name, run_dir)
    with control.Session(run) as session:
        _check(domain, session.ask(control.Status())["domains"])
        stopping = Stopping(run)
        with SocketFile(path) as file:
            attachment = Attachment(domain, session.ask, say_error, stopping)
            click.echo(f"ready: {domain} on {path}")
            done = attachment.serve(file.listener, once)
            click.echo(str(attachment.served))
    if not done and not stopping.asked:
        raise ToolstackError("the platform ended")


def _check(domain: str, rows: list[dict[str, object]]) -> None:
    """Raises UserError for a domain that is not there or has no channel."""
    row = next((row for row in rows if domain in (row["name"], str(row["domid"]))), None)
    if row is None:
        there = ", ".join(str(row["name"]) for row in rows)
        raise UserError(f"there is no domain {domain!r}; there are {there}")
    if row["agent_id"] is None:
        raise UserError(f"{domain} has no SCMI channel; attach to a domain with an agent")
