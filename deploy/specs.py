"""What a node's process is started with, as data, and the fresh identities of links."""

import hashlib
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from bus.faults import Rule
from bus.links.zeromq import TOKEN_BYTES
from deploy.launching.identity import NOBODY, Identity
from deploy.metrics.access import Access
from deploy.recording.segments import Recording
from nodes.contract import Epoch
from nodes.devicetree import Node
from nodes.firmware.platform import Platform
from nodes.firmware.profile import DEFAULT as STRICT_FIRMWARE
from nodes.firmware.profile import FirmwareProfile
from nodes.guest.core import GuestConfig
from nodes.xen.config import DEFAULTS, Tuning, XenEpoch
from nodes.xen.profile import DEFAULT, Profile

HERE: Final = "@"  # in an address: where others reach the machine that a node runs on

if TYPE_CHECKING:  # a node's process reads no files: it does without what that takes
    from deploy.topology import Topology


class XenSpec(msgspec.Struct, frozen=True, tag="xen"):
    """``bind`` is where to listen; ``secret`` (tcp only) is Xen's CURVE key.

    ``firmware``: the root of EL3's tokens (``firmware_token``). ``profile``, ``strict``, ``command_line``,
    ``tuning`` and ``epoch`` as in ``nodes.xen.config``.
    """

    host: Node
    partials: dict[str, Node]
    bind: str
    firmware: bytes
    toolstack: bytes
    secret: bytes | None = None
    profile: Profile = DEFAULT
    strict: bool = False
    command_line: str = ""
    tuning: Tuning = DEFAULTS
    epoch: XenEpoch = XenEpoch()


class FirmwareSpec(msgspec.Struct, frozen=True, tag="firmware"):
    platform: Platform
    profile: FirmwareProfile = STRICT_FIRMWARE
    record: bool = False


class GuestSpec(msgspec.Struct, frozen=True, tag="guest"):
    config: GuestConfig
    mapped: tuple[tuple[int, int, int], ...]


class NodeOptions(msgspec.Struct, frozen=True):
    """What every node's process is told beside its role. ``labels`` are added to its scrape target.

    ``log_levels``: by node, "" for all others. ``metrics``: how they are served.
    """

    labels: dict[str, str] = {}
    log_levels: dict[str, str] = {}
    metrics: Access = Access()


class NodeSpec(msgspec.Struct, frozen=True):
    """All that a node's process is started with; travels through a pipe, never on a command line.

    ``identity``: who the process is. ``experiment``: its link obeys ``rules``, and others later.
    ``recording`` None: nothing is recorded.
    """

    name: str
    role: XenSpec | FirmwareSpec | GuestSpec
    run: str
    carried: bool
    endpoint: str = ""
    token: bytes = b""
    server_key: bytes | None = None
    experiment: bool = False
    recording: Recording | None = None
    rules: tuple[Rule, ...] = ()
    options: NodeOptions = NodeOptions()
    identity: Identity = NOBODY


def tokens() -> Iterator[bytes]:
    """Fresh link identities, unguessable; never starting with a zero byte, which ZeroMQ keeps for itself."""
    while True:
        token = secrets.token_bytes(TOKEN_BYTES)
        if token[0]:
            yield token


def firmware_token(root: bytes, incarnation: int) -> bytes:
    """EL3's link identity as its ``incarnation``-th: who has one can make no other without the root."""
    data = incarnation.to_bytes(8, "little")
    for salt in range(256):
        token = hashlib.blake2b(
            data, key=root, digest_size=TOKEN_BYTES, salt=bytes([salt]), person=b"trapline-el3"
        ).digest()
        if token[0]:
            return token
    raise ValueError("no token without a leading zero")


def epoch_of(identity: Identity) -> Epoch:
    """Who a process is, as its core is told."""
    return Epoch(bytes.fromhex(identity.cluster), identity.incarnation)


def xen(
    topology: "Topology",
    bind: str,
    links: tuple[bytes, bytes],
    secret: bytes | None,
    epoch: tuple[int, XenEpoch],
) -> XenSpec:
    """Xen of a platform; ``links`` are the root of EL3's identities and the toolstack's identity; ``epoch``
    is its first request number and what it is told of those before it.
    """
    first_request, before = epoch
    return XenSpec(
        topology.host.root,
        {name: tree.root for name, tree in topology.partials.items()},
        bind,
        *links,
        secret,
        topology.profile,
        topology.strict,
        topology.xen_cmdline,
        msgspec.structs.replace(topology.tuning, first_request=first_request),
        before,
    )


def firmware(topology: "Topology") -> FirmwareSpec:
    """EL3 of a platform."""
    return FirmwareSpec(topology.platform, topology.firmware, topology.tuning.record)
