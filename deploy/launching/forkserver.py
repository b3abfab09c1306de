"""The fork server that all engines of one process share: started with the first, ended with the last.

Its socket lies in the run directory of the engine that came first, so that the janitor removes it
even after kill -9; engines of one process end in reverse order.
"""

import os
import signal
import time
from contextlib import suppress
from typing import Any

import multiprocess
from multiprocess import forkserver, resource_tracker

LOSS_S = 1.0
_users = 0


def acquire(folder: str) -> Any:
    """The context to start processes with; ``folder`` takes the socket if this is the first engine."""
    global _users  # noqa: PLW0603 - one fork server per process is what there is
    if not _users:
        _keep_temporary_files_in(folder)
    _users += 1
    context = multiprocess.get_context("forkserver")
    context.set_forkserver_preload(["deploy.preload"])
    _start()
    return context


def _start() -> None:
    """Start it with a terminal's signals blocked, for its children too: the supervisor answers them."""
    resource_tracker.ensure_running()  # unblocks SIGINT when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def loss() -> str | None:
    """How the fork server ended, if it did; waits a moment, for the end of a process is not one instant."""
    deadline = time.monotonic() + LOSS_S
    while forkserver._forkserver._forkserver_pid is not None and time.monotonic() < deadline:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        found = os.waitid(os.P_PID, forkserver._forkserver._forkserver_pid, options)
        if found is not None:
            by_signal = found.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
            return f"{'signal' if by_signal else 'exit code'} {found.si_status}"
        time.sleep(0.005)
    return None


def release() -> None:
    """End the fork server and the resource tracker with their last user, not at the interpreter's end."""
    global _users  # noqa: PLW0603
    _users -= 1
    if not _users:
        with suppress(FileNotFoundError):  # its socket
            forkserver._forkserver._stop()
        resource_tracker._resource_tracker._stop()
        _keep_temporary_files_in(None)


def forget() -> None:
    """In a forked child: the parent's fork server and resource tracker are not this process' own."""
    global _users  # noqa: PLW0603
    _users = 0
    for descriptor in (
        forkserver._forkserver._forkserver_alive_fd,
        resource_tracker._resource_tracker._fd,
    ):
        if descriptor is not None:
            os.close(descriptor)
    forkserver._forkserver.__init__()  # in place: the module's functions are bound to it
    resource_tracker._resource_tracker.__init__()
    _keep_temporary_files_in(None)


def _keep_temporary_files_in(folder: str | None) -> None:
    config = multiprocess.process.current_process()._config
    if folder is None:
        config.pop("tempdir", None)
    else:
        config["tempdir"] = folder
