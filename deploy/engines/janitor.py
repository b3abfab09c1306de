"""The janitor: a process that only waits for its supervisor to die, to end and remove what is left.

An orderly supervisor tells it that all is clean. One that was killed tells it nothing: then the
janitor kills the nodes it was told of (a stopped one cannot end itself) and removes the run directory.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from deploy.engines.pids import runs, send_signal, started_at
from deploy.rundir import RunDirectory

PATIENCE_S = 5.0


def main(run: str, control: Any) -> None:
    """The child's entry point: hears ("node", pid) and ("clean",); the end of the pipe is the alarm."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    Path("/proc/self/comm").write_text("trapline:janito", encoding="utf-8")
    control.send(("ready", {"pid": os.getpid()}))
    nodes: dict[int, str] = {}
    while True:
        try:
            message = control.recv()
        except (EOFError, OSError):
            break
        if message[0] == "clean":
            return
        nodes[message[1]] = started_at(message[1])
    for pid, since in nodes.items():
        send_signal(pid, since, signal.SIGKILL)
    _wait_until_gone(nodes)
    RunDirectory(Path(run)).remove_abandoned()


def _wait_until_gone(nodes: dict[int, str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not any(runs(pid, since) for pid, since in nodes.items()):
            return
        time.sleep(0.01)
