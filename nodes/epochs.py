"""What EL3 and a guest know of epochs: their own, and the newest Xen that has welcomed them.

It refuses what an older Xen says and what another cluster says, counts and notes it. Xen's side, which links
belong to nobody any more, is ``nodes.xen.retired``.
"""

from collections.abc import Sequence
from typing import Any, Final

from bus import frames
from nodes.contract import REPLACED, Effect, Epoch, Halt, Log, Note
from nodes.meters import Meters

VERSION: Final = frames.PROTOCOL_VERSION
STALE: Final = "stale"
FINAL: Final = (frames.STALE, frames.OTHER_CLUSTER)  # codes of errors after which a node ends itself


class Belonging:
    """``newest`` is the incarnation of the newest Xen that has welcomed this node, 0 before any did."""

    def __init__(self, epoch: Epoch, role: str, meters: Meters, record: bool) -> None:
        self.newest = 0
        self._epoch = epoch
        self._role = role
        self._record = record
        self._drops = meters.counter("trapline_bus_dropped_total")

    def hello(self) -> frames.Hello:
        """How the node opens its link."""
        return hello(self._epoch, self._role)

    def refuses(self, frame: frames.Welcome) -> Sequence[Effect] | None:
        """What follows from a Welcome that is not taken; None for one that is."""
        if not frames.same_cluster(self._epoch.cluster, frame.cluster):
            mine, theirs = self._epoch.cluster.hex(), frame.cluster.hex()
            reason = f"this node is of cluster {mine}, Xen here is of cluster {theirs}; nothing was done"
            return (Halt(REPLACED, reason),)
        if frame.incarnation < self.newest:
            return self.stale(frame, frame.incarnation)
        self.newest = frame.incarnation
        return None

    def outlived(self, request: int) -> bool:
        """Whether a Xen that numbered something so has been replaced by the one that welcomed this node."""
        return frames.incarnation_of(request) < self.newest

    def stale(self, frame: Any, incarnation: int) -> Sequence[Effect]:
        """Nothing of it is done: counted, logged once, noted if the node records."""
        first = not self._drops[(STALE,)]
        self._drops[(STALE,)] += 1
        what = "an SMC" if isinstance(frame, frames.Smc) else f"a {type(frame).__name__}"
        text = f"{what} of xen#{incarnation}, after xen#{self.newest} welcomed this node"
        effects: tuple[Effect, ...] = (Log("warning", f"refused {text}"),) if first else ()
        if self._record:
            function = frame.x[0] & 0xFFFF_FFFF if isinstance(frame, frames.Smc) else 0
            effects += (Note(STALE, frame.request, (incarnation, 0, function), text),)
        return effects


def hello(epoch: Epoch, role: str) -> frames.Hello:
    """How a node of that epoch opens its link."""
    return frames.Hello(VERSION, 0, 0, role, epoch.cluster, epoch.incarnation)


def final(frame: Any) -> Halt | None:
    """The end of a node that hears that it is not the one any more, or came to the wrong cluster."""
    if isinstance(frame, frames.Error) and frame.code in FINAL:
        return Halt(REPLACED, f"this node ends itself: {frame.detail}")
    return None
