"""The fork server that all engines of one process share: started with the first, ended with the last.

Its socket lies in the run directory of the engine that came first, so that the janitor removes it
even after kill -9; engines of one process end in reverse order.
"""

from typing import Any

import multiprocess
from multiprocess import forkserver, resource_tracker

_users = 0


def acquire(folder: str) -> Any:
    """The context to start processes with; ``folder`` takes the socket if this is the first engine."""
    global _users  # noqa: PLW0603 - one fork server per process is what there is
    if not _users:
        _keep_temporary_files_in(folder)
    _users += 1
    context = multiprocess.get_context("forkserver")
    context.set_forkserver_preload(["deploy.preload"])
    return context


def release() -> None:
    """End the fork server and the resource tracker with their last user, not at the interpreter's end."""
    global _users  # noqa: PLW0603
    _users -= 1
    if not _users:
        forkserver._forkserver._stop()
        resource_tracker._resource_tracker._stop()
        _keep_temporary_files_in(None)


def _keep_temporary_files_in(folder: str | None) -> None:
    config = multiprocess.process.current_process()._config
    if folder is None:
        config.pop("tempdir", None)
    else:
        config["tempdir"] = folder
