"""What simulated boards have in common: times, one timeline, one record, link identities from a seed."""

import hashlib
import random
from collections.abc import Iterator
from typing import Final

import msgspec

from bus.frames import CLUSTER_BYTES
from bus.links.simulated import HOP_NS, JITTER_NS, Timeline
from deploy.recording.record import Record

FIRMWARE: Final = b"firmware"


class Times(msgspec.Struct, frozen=True):
    """How time passes, in nanoseconds: a hop and its jitter, and each node's work on one thing."""

    hop_ns: int = HOP_NS
    jitter_ns: int = JITTER_NS
    guest_ns: int = 0
    xen_ns: int = 0
    el3_ns: int = 0


class World(msgspec.Struct):
    """What boards side by side have in common. ``board`` numbers them."""

    timeline: Timeline
    record: Record
    board: int = 0


def cluster_of(seed: int) -> bytes:
    """What the cluster of a simulation is called: the same for equal seeds."""
    return hashlib.blake2b(str(seed).encode(), digest_size=CLUSTER_BYTES).digest()


def firmware_link(incarnation: int) -> bytes:
    """EL3's link identity."""
    return FIRMWARE if incarnation == 1 else b"%s#%d" % (FIRMWARE, incarnation)


def identities(source: random.Random) -> Iterator[bytes]:
    """Link identities, each new and unguessable to who does not know the seed."""
    while True:
        yield b"S" + source.randbytes(31)
