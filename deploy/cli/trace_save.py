"""``trapline trace --save`` and ``--lua``: what Wireshark needs. Loaded only when one of the two is given."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Final

from deploy import plugins
from deploy.cli.following import ENDING
from deploy.cli.output import count
from deploy.cli.replay import run_folder
from deploy.experiments.history import recorded
from deploy.rundir import RunDirectory
from deploy.tracing import dissector
from deploy.tracing.capture import CaptureWriter
from deploy.tracing.live import Live
from deploy.tracing.saving import opened, save_live, save_run

STDOUT: Final = "-"


def save(target: str, run: str | None, follow: bool, where: Callable[[], RunDirectory]) -> None:
    """Write a capture of a recorded ``run`` or of the platform at ``where``; tell on stderr what is in it."""
    try:
        writer = _of_run(target, run_folder(run)) if run else _of_platform(target, where(), follow)
    except BrokenPipeError:  # whoever read it, wireshark or head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    note = "" if writer.described else "; it does not describe the platform, so it cannot be replayed"
    print(f"{target}: {count(writer.written)} packets{note}", file=sys.stderr)


def _of_run(target: str, folder: Path) -> CaptureWriter:
    made = recorded.load(folder)
    with _file(target) as file:
        return save_run(folder, made, file)


def _of_platform(target: str, run: RunDirectory, follow: bool) -> CaptureWriter:
    live = Live(run)
    try:
        with _file(target) as file:
            stopped: list[int] = []
            if follow:
                for number in ENDING:
                    signal.signal(number, lambda number, _frame: stopped.append(number))
                print(f"{target}: capturing until Ctrl-C", file=sys.stderr, flush=True)
            return save_live(run, live, file, follow=follow, stop=lambda: bool(stopped))
    finally:
        live.close()


def _file(target: str) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdout.buffer) if target == STDOUT else opened(Path(target))


def write_dissector(target: str) -> None:
    """The Lua script for Wireshark, with the protocols of installed plugins; "-": to stdout."""
    text = dissector.generate(plugins.load().tables).encode()
    with _file(target) as file:
        file.write(text)
