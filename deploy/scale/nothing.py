"""A child of the fork server that does nothing: what a process costs before it is a node."""

import os
from contextlib import suppress
from typing import Any


def main(_argument: str, control: Any) -> None:
    """Says that it is there, and waits for the end of its pipe."""
    control.send(("ready", {"pid": os.getpid()}))
    with suppress(EOFError, OSError):
        control.recv()
