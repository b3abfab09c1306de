"""What a platform costs to start and to keep: seconds until ready, memory of an idle guest."""

import tempfile
import time
from pathlib import Path

from deploy.engines.local import Options
from deploy.platform import Platform
from deploy.rundir import RunDirectory
from deploy.scale.footprint import footprint
from deploy.toolstack import Work
from deploy.topology import load_shipped


def ready_seconds() -> float:
    """From reading the files to the last of four domains at work."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="trapline-bench-") as folder:
        platform = _platform(Path(folder))
        platform.start()
        took = time.monotonic() - began
        platform.stop()
    return took


def idle_guest_mib() -> float:
    """The largest PSS of a guest that has nothing to do, in MiB."""
    with tempfile.TemporaryDirectory(prefix="trapline-bench-") as folder:
        platform = _platform(Path(folder))
        platform.start()
        try:
            platform.run(1.0)
            names = [info.name for info in platform.toolstack.list()]
            nodes = platform.engine.nodes()
            return max(footprint([nodes[name]["pid"]]).pss_bytes for name in names) / 2**20
        finally:
            platform.stop()


def _platform(folder: Path) -> Platform:
    return Platform(load_shipped(), RunDirectory(folder / "run"), Options(), Work())
