"""The supervisor's side of the janitor: there is one at all times, told whom to end if the supervisor dies.

What the janitor does then is in ``janitor.py``.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deploy.engines import janitor
from deploy.engines.child import Child
from deploy.engines.watching import ReadableSources

PATIENCE_S = 3.0


class Caretaker:
    """``others`` are processes that are no nodes and must end with the supervisor all the same."""

    def __init__(self, watching: ReadableSources) -> None:
        self._run = ""
        self._watching = watching
        self._context: Any = None
        self._child: Child | None = None
        self.others: set[int] = set()

    def start(self, context: Any, run: Path) -> None:
        """A janitor for that run directory; raises ChildFailed."""
        self._context, self._run = context, str(run)
        self._begin(())

    def _begin(self, pids: Iterable[int]) -> None:
        self._child = Child(self._context, "janitor", janitor.main, self._run)
        self._child.wait_ready()
        self._watching.add_child(self._child)
        for pid in (*pids, *self.others):
            self._child.order("node", pid)

    def replace(self, pids: Iterable[int]) -> None:
        """The janitor has ended; raises ChildFailed if there is no other to be had."""
        if self._child is not None:
            self._child.close()
        self._begin(pids)

    def is_it(self, child: Child) -> bool:
        return child is self._child

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
        self._watching.drop_child(self._child)
        self._child.order("clean")
        self._child.process.join(PATIENCE_S)
        self._child.kill()
        self._child.close()
        self._child = None
