"""Which node of a run records where, and under which name its peers will be found.

Domains are named with their incarnation. It does not know what a row says.
"""

import time
from pathlib import Path
from typing import Final, Literal

import msgspec

from bus.frames import DomainInfo
from bus.links import XEN
from deploy.launching.launcher import Clock
from deploy.recording import names, ring
from deploy.recording.identities import without_identities
from deploy.recording.names import NONE, Peer
from deploy.recording.rows import BOOTED, incarnate
from deploy.recording.segments import Recorder, Recording, Tap, digest
from nodes.limits import HISTORY_NODE_BYTES, HISTORY_RUN_BYTES

PEERS_KEPT: Final = 1024  # whose names are told: more than rows are kept of
PLATFORM: Final = ("xen", "firmware", "toolstack", "run")  # nodes without an incarnation in their name


class Histories:
    """``folder`` takes the files of all nodes; ``origin_ns`` is CLOCK_MONOTONIC at the start of the run.

    ``breakable``: it is an experiment's, links obey rules. ``names`` are the peers' names by digest.
    ``rows`` "none": nothing is recorded, names are kept. ``clocks``: those that are not
    the supervisor's, by node and life. ``incomplete``: processes whose last rows never came. ``late_ns``: as
    ``names.Names`` has it.
    """

    breakable = True

    def __init__(self, folder: Path, rows: Literal["frames", "calls", "none"]) -> None:
        self.folder = folder
        self.rows = rows
        self.origin_ns = time.monotonic_ns()
        self.wall_ns = time.time_ns()
        self.late_ns = names.LATE_NS
        self.names: dict[bytes, str] = {}
        self._facts: dict[str, tuple[int, int, int]] = {}
        self.know(XEN, "xen")
        self.incarnations: dict[str, int] = {}
        self.clocks: dict[tuple[str, int], Clock] = {}
        self.incomplete = 0
        self._lives: dict[str, int] = {}
        self._own: list[Recorder] = []

    def open(self, toolstack: bytes) -> Tap | None:
        """Make the folder; gives the toolstack's tap, whose link identity this is. Raises OSError."""
        if self.rows != "none":
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.know(toolstack, "toolstack")
        self._tell_names()
        return self.own("toolstack")

    def know(self, identity: bytes, node: str) -> None:
        """Who is behind a link identity."""
        self.names[digest(identity)] = node

    def ended(self, name: str) -> None:
        """The process of ``name`` has ended."""

    def told(self, node: str, life: int, clock: Clock, rows_lost: bool) -> None:
        """That process of ``node`` has ended: its clock, and whether some of its rows are nowhere."""
        if self.rows != "none":
            self.incomplete += rows_lost
            if clock.offset_ns:
                self.clocks[node, life] = clock

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
            self._tell_names()
        return node, self._recording(node)

    def _tell_names(self) -> None:
        """For whoever reads along: the names of the last PEERS_KEPT."""
        if self.rows != "none":
            platform = [(short, node) for short, node in self.names.items() if node in PLATFORM]
            domains = [(short, node) for short, node in self.names.items() if node not in PLATFORM]
            known = platform + domains[-PEERS_KEPT:]
            peers = tuple(Peer(node, short.hex(), *self._facts.get(node, ())) for short, node in known)
            names.save(self.folder, names.Names(self.origin_ns, self.wall_ns, peers, self.late_ns))

    def describe(self, info: DomainInfo) -> str:
        """A domain is about to start: what it is, for whoever reads along. Gives what its process will be
        called.
        """
        node = self.next_name(info.name)
        agent = NONE if info.agent_id is None else info.agent_id
        self._facts[node] = (info.domid, agent, NONE if info.smc_id is None else info.smc_id)
        return node

    def _recording(self, node: str) -> Recording | None:
        if self.rows == "none":
            return None
        life = self._next_life(node)
        room = max(0, min(HISTORY_NODE_BYTES, HISTORY_RUN_BYTES - self.used()))
        kept: Literal["frames", "notes"] = "frames" if self.rows == "frames" else "notes"
        return Recording(str(self.folder), node, self.origin_ns, life, kept, room)

    def _next_life(self, node: str) -> int:
        self._lives[node] = self._lives.get(node, -1) + 1
        return self._lives[node]

    def used(self) -> int:
        """Bytes on disk by now."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def own(self, node: str) -> Tap:
        """A tap for a node that lives in this process; all of its rows are kept, but for link identities."""
        recording = self._recording(node)
        if recording is None:
            return lambda now_ns, peer, event, envelope, page: None
        recorder = ring.recorder(
            msgspec.structs.replace(recording, rows="frames", bytes_max=HISTORY_NODE_BYTES)
        )
        self._own.append(recorder)
        keep = recorder.tap
        keep(time.monotonic_ns(), b"", BOOTED, b"", b"")

        def tap(now_ns: int, peer: bytes, event: int, envelope: bytes, page: bytes) -> None:
            keep(now_ns, peer, event, without_identities(envelope), page)  # Xen tells them the toolstack

        return tap

    def close(self) -> None:
        """Nothing more comes from this process."""
        for recorder in self._own:
            recorder.close()
        self._own.clear()
        (self.folder / names.FILE).unlink(missing_ok=True)


class Unrecorded(Histories):
    """Of a platform that keeps nothing; its nodes go by their own names."""

    breakable = False

    def __init__(self) -> None:
        super().__init__(Path(), "none")

    def open(self, toolstack: bytes) -> None:
        """There is nothing to make."""

    def node(self, name: str, token: bytes) -> tuple[str, None]:
        return name, None

    def close(self) -> None:
        """Nothing was opened."""
