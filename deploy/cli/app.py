"""The ``trapline`` command: its sub-commands by name, and the way every error ends.

Exit codes: 0 it worked, 1 it did not, 2 the user's mistake, 130 interrupted. What goes on until Ctrl-C ends
with 0.
"""

import importlib
import signal
import sys

import click

from deploy import __version__
from deploy.cli.output import say_error
from deploy.errors import UserError
from deploy.toolstack import ToolstackError

COMMANDS = {
    "demo": "deploy.cli.demo",
    "run": "deploy.cli.run",
    "check": "deploy.cli.check",
    "explain": "deploy.cli.explain",
    "dt": "deploy.cli.dt",
    "up": "deploy.cli.up",
    "observe": "deploy.cli.observe",
    "status": "deploy.cli.status",
    "top": "deploy.cli.top",
    "xl": "deploy.cli.xl",
    "call": "deploy.cli.call",
    "trap": "deploy.cli.trap",
    "attach": "deploy.cli.attach",
    "ledger": "deploy.cli.ledger",
    "inject": "deploy.cli.inject",
    "kill": "deploy.cli.kill",
    "why": "deploy.cli.why",
    "logs": "deploy.cli.logs",
    "trace": "deploy.cli.trace",
    "down": "deploy.cli.down",
    "sim": "deploy.cli.sim",
    "replay": "deploy.cli.replay",
    "diff": "deploy.cli.diff",
    "profiles": "deploy.cli.profiles",
    "interop": "deploy.cli.interop",
    "swarm": "deploy.cli.swarm",
    "fleet": "deploy.cli.fleet",
    "runs": "deploy.cli.runs",
    "keys": "deploy.cli.keys",
    "ray-example": "deploy.cli.ray_example",
}

HEAVY = frozenset({"pyarrow", "plotly", "textual", "jinja2"})


class LazyGroup(click.Group):
    """Imports a command's module when the command is wanted, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_"))
        except ModuleNotFoundError as error:
            if error.name not in HEAVY:
                raise
            return _without(cmd_name, str(error.name))
        assert isinstance(command, click.Command)
        return command


def _without(name: str, library: str) -> click.Command:
    """What stands for a command where its library is left out, as in the image for containers."""

    def refuse() -> None:
        raise UserError(f"'{name}' needs {library}, which is not installed here; install Trapline with pip")

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(name, callback=refuse, help=f"Needs {library}.", context_settings=settings)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with 'trapline demo'.\n\n\b\nCompletion in bash:\n"
    '  eval "$(_TRAPLINE_COMPLETE=bash_source trapline)"',
)
@click.version_option(__version__, prog_name="trapline")
def trapline() -> None:
    """Rehearse a Xen SCMI multi-agent platform without the board.

    Separate processes play the EL3 firmware, Xen and every domain. Guests ring their doorbells, Xen
    checks whose they are and forwards them, EL3 answers; what is not allowed is refused as on the board.
    """


def run() -> None:
    """Run the command line and exit."""
    try:
        code = trapline.main(prog_name="trapline", standalone_mode=False)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except (click.Abort, KeyboardInterrupt):
        say_error("interrupted")
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except UserError as error:
        say_error(str(error))
        code = 2
    except ToolstackError as error:
        say_error(str(error))
        code = 1
    except BrokenPipeError:
        code = 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done, there is nothing to interrupt
    sys.exit(code if isinstance(code, int) else 0)
