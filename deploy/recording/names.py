"""The names of peers beside the rows of a run: without them a row only has the digest of a link identity.

The file is replaced as a whole whenever a domain comes, so that a reader sees the old one or the new one.
It holds no identity: what is in it opens no link.
"""

from pathlib import Path
from typing import Annotated, Final

import msgspec

from deploy.files import replace
from deploy.recording.rows import NOTE, Row, incarnation_of, is_domain
from nodes.contract import Note

FILE: Final = "names.json"
LATE_NS: Final = 50_000_000  # of nodes that write where it is read
NONE: Final = -1  # no agent, no doorbell, or not known


Digest = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$")]
Id = Annotated[int, msgspec.Meta(ge=NONE, lt=1 << 32)]
Time = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class Peer(msgspec.Struct, frozen=True):
    """A node by its name in rows; ``digest`` of its link identity, as hex. The rest of a domain only."""

    node: str
    digest: Digest
    domid: Id = NONE
    agent: Id = NONE
    smc_id: Id = NONE


class Names(msgspec.Struct, frozen=True):
    """Who is who in the rows beside it.

    ``origin_ns``: what every node's clock (CLOCK_MONOTONIC) said when the run began; times of rows count from
    there. ``wall_ns``: Unix time then. ``peers``: oldest first. ``late_ns``: so long after its time a row may
    come; until then a later one has to wait.
    """

    origin_ns: Time
    wall_ns: Time
    peers: tuple[Peer, ...] = ()
    late_ns: Time = LATE_NS

    def by_digest(self) -> dict[bytes, str]:
        """As ``segments`` wants them."""
        return {bytes.fromhex(peer.digest): peer.node for peer in self.peers}

    def domains(self) -> list[Row]:
        """A note "domain" of each that is known, as if it stood at the beginning of the rows."""
        return [_started(peer) for peer in self.peers if is_domain(peer.node) and peer.domid != NONE]


def _started(peer: Peer) -> Row:
    life = incarnation_of(peer.node)
    note = Note("domain", 0, (peer.domid, life, peer.agent, peer.smc_id), peer.node)
    return 0, "run", "", NOTE, msgspec.msgpack.encode(note), b""


def save(folder: Path, names: Names) -> None:
    """Replace the file; raises OSError."""
    replace(folder / FILE, msgspec.json.encode(names))


def load(folder: Path) -> Names | None:
    """None if there is none that can be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Names)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
