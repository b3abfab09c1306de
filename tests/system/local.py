"""A platform whose supervisor is the test itself, to hold its tokens and to see its last numbers."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.engines.local import Options
from deploy.platform import Platform
from deploy.rundir import RunDirectory
from deploy.toolstack import Work
from deploy.topology import load_shipped
from tests.system.cluster import Cluster
from tests.system.processes import PATIENCE_S


class Local:
    """Starts platforms in ``cluster``'s run directory and ends them."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster(folder)
        self.platforms: list[Platform] = []

    def start(
        self, options: Options | None = None, work: Work | None = None, guests: bool = True
    ) -> Platform:
        made = Platform(load_shipped(), RunDirectory(self.cluster.run), options or Options(), work or Work())
        made.start(guests)
        self.platforms.append(made)
        return made

    def stop(self) -> None:
        try:
            for platform in self.platforms:
                platform.stop()
        finally:
            self.cluster.stop()


def pump_until(platform: Platform, condition: Callable[[], Any], what: str) -> Any:
    """Keep the platform going until the condition holds; gives its value."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        platform.pump(0.02)
    return value


def counter(stats: dict[str, Any], name: str) -> dict[tuple[str, ...], int]:
    """A counter in one node's numbers."""
    found: dict[tuple[str, ...], int] = stats.get("counters", {}).get(name, {})
    return found
