"""The flight recorder of a platform that people use: the newest rows of every node, as long as it runs.

Each node writes a ring of files of its own (``recording.segments``); this says how large, keeps the names
beside them, and removes what domains left that are gone for good. It does not know what a row says.
"""

from collections import OrderedDict
from pathlib import Path

from deploy.engines.histories import PEERS_KEPT, PLATFORM, Histories
from deploy.recording import segments
from deploy.recording.rows import domain_of
from deploy.recording.segments import Recording
from nodes.limits import FLIGHT_ENDED, FLIGHT_FILES, FLIGHT_GUEST_BYTES, FLIGHT_NODE_BYTES

LARGE = ("xen", "firmware")  # whom every call passes


class Flights(Histories):
    """Rings below ``folder``. Links obey no rules: nothing is broken on purpose."""

    breakable = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "frames")
        self._ended: OrderedDict[str, None] = OrderedDict()

    def node(self, name: str, token: bytes) -> tuple[str, Recording | None]:
        self._ended.pop(name, None)
        return super().node(name, token)

    def _recording(self, node: str) -> Recording:
        size = FLIGHT_NODE_BYTES if node in LARGE else FLIGHT_GUEST_BYTES
        life = self._next_life(node)
        return Recording(str(self.folder), node, self.origin_ns, life, segment_bytes=size, ring=FLIGHT_FILES)

    def know(self, identity: bytes, node: str) -> None:
        super().know(identity, node)
        domains = [short for short, known in self.names.items() if known not in PLATFORM]
        for short in domains[:-PEERS_KEPT]:
            self._facts.pop(self.names.pop(short), None)

    def ended(self, name: str) -> None:
        """Beyond FLIGHT_ENDED of them, what the one left that has been gone for longest goes too."""
        if name not in PLATFORM:
            self._ended[name] = None
        if len(self._ended) > FLIGHT_ENDED:
            oldest, _ = self._ended.popitem(last=False)
            for node, paths in segments.nodes(self.folder).items():
                if domain_of(node) == oldest:
                    for path in paths:
                        path.unlink(missing_ok=True)
