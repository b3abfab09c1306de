"""Which node of a run records where, and under which name its peers will be found.

Domains are named with their incarnation. It does not know what a row says.
"""

import time
from pathlib import Path
from typing import Final, Literal

from bus.links import XEN
from deploy.recording.rows import BOOTED, incarnate
from deploy.recording.segments import Recorder, Recording, Tap, digest
from nodes.limits import HISTORY_NODE_BYTES, HISTORY_RUN_BYTES

PLATFORM: Final = ("xen", "firmware", "toolstack", "run")  # nodes without an incarnation in their name


class Histories:
    """``folder`` takes the files of all nodes; ``origin_ns`` is CLOCK_MONOTONIC at the start of the run.

    ``names`` are the peers' names by digest. ``rows`` "none": nothing is recorded, names are kept.
    """

    def __init__(self, folder: Path, rows: Literal["frames", "calls", "none"]) -> None:
        self.folder = folder
        self.rows = rows
        self.origin_ns = time.monotonic_ns()
        self.names: dict[bytes, str] = {}
        self.know(XEN, "xen")
        self.incarnations: dict[str, int] = {}
        self._lives: dict[str, int] = {}
        self._own: list[Recorder] = []

    def open(self, toolstack: bytes) -> Tap:
        """Make the folder; gives the toolstack's tap, whose link identity this is. Raises OSError."""
        if self.rows != "none":
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.know(toolstack, "toolstack")
        return self.own("toolstack")

    def know(self, identity: bytes, node: str) -> None:
        """Who is behind a link identity."""
        self.names[digest(identity)] = node

    def next_name(self, domain: str) -> str:
        """What a domain's next process will be called."""
        return incarnate(domain, self.incarnations.get(domain, 0) + 1)

    def node(self, name: str, token: bytes) -> tuple[str, Recording | None]:
        """A process of ``name`` is about to start: what its rows call it, and how it records."""
        node = name
        if name not in PLATFORM:
            number = self.incarnations[name] = self.incarnations.get(name, 0) + 1
            node = incarnate(name, number)
        if token:
            self.know(token, node)
        return node, self._recording(node)

    def _recording(self, node: str) -> Recording | None:
        if self.rows == "none":
            return None
        life = self._lives[node] = self._lives.get(node, -1) + 1
        room = max(0, min(HISTORY_NODE_BYTES, HISTORY_RUN_BYTES - self.used()))
        kept: Literal["frames", "notes"] = "frames" if self.rows == "frames" else "notes"
        return Recording(str(self.folder), node, self.origin_ns, life, kept, room)

    def used(self) -> int:
        """Bytes on disk by now."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def own(self, node: str) -> Tap:
        """A tap for a node that lives in this process; all of its rows are kept."""
        recording = self._recording(node)
        if recording is None:
            return lambda now_ns, peer, event, envelope, page: None
        recorder = Recorder(Recording(str(self.folder), node, self.origin_ns, recording.life))
        self._own.append(recorder)
        recorder.tap(time.monotonic_ns(), b"", BOOTED, b"", b"")
        return recorder.tap

    def close(self) -> None:
        """Nothing more comes from this process."""
        for recorder in self._own:
            recorder.close()
        self._own.clear()
