"""The supervisor's side of the janitor: there is one at all times, told whom to end if the supervisor dies.

What the janitor does then is in ``janitor.py``.
"""

from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from deploy.engines import janitor
from deploy.engines.watching import ReadableSources
from deploy.launching.child import Child
from deploy.launching.launcher import LaunchFailed

PATIENCE_S = 3.0
END_S = 0.2  # between the end of a process and its exit code


class Caretaker:
    """``others`` are processes that are no nodes and must end with the supervisor all the same."""

    def __init__(self, watching: ReadableSources) -> None:
        self._run = ""
        self._watching = watching
        self._context: Any = None
        self._child: Child | None = None
        self.others: set[int] = set()

    def start(self, context: Any, run: Path) -> None:
        """A janitor for that run directory; raises LaunchFailed."""
        self._context, self._run = context, str(run)
        self._begin(())

    def _begin(self, pids: Iterable[int]) -> None:
        self._child = Child(self._context, "janitor", janitor.main, self._run)
        self._child.wait_ready()
        self._watching.add(self._child.process.sentinel)
        for pid in (*pids, *self.others):
            self._child.order("node", pid)

    def replace_if_gone(self, ready: Container[Any], pids: Iterable[int]) -> None:
        """If the janitor has ended (its end is among what is ``ready``) there is another one from now on;
        raises LaunchFailed if there is none to be had.
        """
        child = self._child
        if child is None or child.process.sentinel not in ready:
            return
        child.process.join(END_S)
        if child.process.is_alive():
            return
        self._watching.drop(child.process.sentinel)
        lost = child.orphaned_by()
        if lost is not None:
            raise LaunchFailed(lost)
        child.close()
        self._begin(pids)

    def look_after(self, pid: int) -> None:
        """End this process too. Nothing to worry about if the janitor is gone: the next one is told."""
        if self._child is not None:
            self._child.order("node", pid)

    def look_after_other(self, pid: int) -> None:
        """The same for a process that is no node, and that a later janitor has to be told of."""
        self.others.add(pid)
        self.look_after(pid)

    def end(self) -> None:
        """All is clean."""
        if self._child is None:
            return
        self._watching.drop(self._child.process.sentinel)
        self._child.order("clean")
        self._child.process.join(PATIENCE_S)
        self._child.kill()
        self._child.close()
        self._child = None
