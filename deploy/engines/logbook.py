"""The supervisor's own log, and from which level on every node logs: now, and those that start later."""

from collections.abc import Mapping
from pathlib import Path

from deploy.engines.node_log import NodeLog
from deploy.errors import UserError
from deploy.launching.launcher import Handle
from deploy.logs import level_of
from nodes.meters import Meters


class Logbook:
    """``levels``: by node, "" for all others. ``name``: the supervisor's own."""

    def __init__(self, name: str, levels: Mapping[str, str], meters: Meters) -> None:
        self.levels = dict(levels)
        self._name = name
        self._meters = meters
        self._log: NodeLog | None = None

    def open(self, folder: Path) -> None:
        self._log = NodeLog(folder, self._name, level_of(self._name, self.levels))
        self._log.count_in(self._meters)

    def line(self, level: str, text: str) -> None:
        """A line of the supervisor's, while there is a platform."""
        if self._log is not None:
            self._log.line(level, text)

    def set_level(self, node: str, level: str, children: Mapping[str, Handle]) -> list[str]:
        """Of one node, or of all (""); gives whose. Raises UserError if there is no such node."""
        there = (*children, self._name)
        if node and node not in there:
            raise UserError(f"there is no node {node!r}; there are {', '.join(there)}")
        self.levels = {**(self.levels if node else {}), node: level}
        changed = [node] if node else list(there)
        for name in changed:
            if name in children:
                children[name].order("log_level", level)
            elif self._log is not None:
                self._log.set_level(level)
        return changed

    def close(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None
