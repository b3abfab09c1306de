"""Which clusters the page knows: one run directory, or every one below a folder, that is alive now."""

from pathlib import Path

import msgspec

from deploy.rundir import RunDirectory

CLUSTERS_MAX = 256


class Found(msgspec.Struct, frozen=True):
    """A live cluster: its name (that of its run directory), where it is, and the platform it plays."""

    name: str
    run: Path
    platform: str


class Clusters(msgspec.Struct, frozen=True):
    """Where to look: ``only`` this run directory, or those directly below ``parent``."""

    parent: Path | None = None
    only: Path | None = None

    def alive(self) -> list[Found]:
        """Those whose supervisor lives, by name; at most CLUSTERS_MAX directories are looked at."""
        found = (_found(path) for path in self._places())
        return [one for one in found if one is not None]

    def run(self, name: str) -> RunDirectory | None:
        """The live cluster of that name; with an empty name the only one there is."""
        alive = self.alive()
        chosen = [one for one in alive if one.name == name] if name else alive
        return RunDirectory(chosen[0].run) if len(chosen) == 1 else None

    def _places(self) -> list[Path]:
        if self.only is not None:
            return [self.only]
        try:
            return sorted(path for path in (self.parent or Path()).iterdir() if path.is_dir())[:CLUSTERS_MAX]
        except OSError:
            return []


def _found(path: Path) -> Found | None:
    run = RunDirectory(path)
    cluster = run.read()
    if cluster is None or not run.alive():
        return None
    return Found(path.name, path, cluster.platform)
