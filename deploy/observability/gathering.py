"""The scrape targets of several clusters in one file, for one Prometheus that watches them all.

Prometheus' own file discovery takes patterns in the last part of a path only, so it cannot look into
directories that come and go. What a supervisor left that was killed is not taken.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.files import replace
from deploy.rundir import RunDirectory

INTERVAL_S: Final = 0.5
CLUSTERS: Final = 64  # at once; those beyond are not watched, and counted
FILE: Final = "clusters.json"


class Gathering:
    """``clusters()`` gives run directories that may be there; ``into`` is where FILE is written.

    ``seen``: how many targets each cluster had last, by its run directory. ``left_out``: clusters beyond
    CLUSTERS.
    """

    def __init__(self, clusters: Callable[[], Iterable[Path]], into: Path) -> None:
        self.seen: dict[Path, int] = {}
        self.left_out = 0
        self._clusters = clusters
        self._file = into / FILE
        self._written = b""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_on, name="gathering", daemon=True)

    def start(self) -> None:
        """Keep the file true from now on."""
        self.update()
        self._thread.start()

    def _keep_on(self) -> None:
        while not self._over.wait(INTERVAL_S):
            self.update()

    def stop(self) -> None:
        """The file stays as it is. Safe to call twice, and if it was not started."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def update(self) -> None:
        """Look once, and write the file if something is different."""
        alive = [path for path in sorted(self._clusters()) if is_cluster(path)]
        self.left_out = len(alive) - len(alive[:CLUSTERS])
        found: dict[Path, list[Any]] = {path: targets(path) for path in alive[:CLUSTERS]}
        self.seen = {path: len(groups) for path, groups in found.items()}
        content = msgspec.json.encode([group for groups in found.values() for group in groups])
        if content != self._written:
            replace(self._file, content)
            self._written = content


def is_cluster(path: Path) -> bool:
    """Whether a platform runs in that directory now."""
    return (path / "cluster.json").exists() and RunDirectory(path).alive()


def targets(path: Path) -> list[Any]:
    """What the processes of a cluster wrote, in the order of their names; what is half gone is left out."""
    found: list[Any] = []
    for file in sorted((path / "sd").glob("*.json")):
        with suppress(OSError, msgspec.DecodeError, TypeError):
            found += msgspec.json.decode(file.read_bytes(), type=list[dict[str, Any]])
    return found
