"""Where the ``trapline`` command begins. Children of the fork server import this module: keep it empty."""

import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGINT, _leave)
    from deploy.cli.app import run  # noqa: PLC0415 - children must not load the command line

    run()


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Ctrl-C while nothing has to be undone. A command that starts something puts its own handler here."""
    os.write(2, b"trapline: interrupted\n")
    os._exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
