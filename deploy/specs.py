"""What a node's process is started with, as data, and the fresh identities of links."""

import secrets
from collections.abc import Iterator

import msgspec

from bus.links.zeromq import TOKEN_BYTES
from deploy.experiments.history.segments import Recording
from nodes.devicetree import Node
from nodes.firmware.platform import Platform
from nodes.firmware.profile import DEFAULT as STRICT_FIRMWARE
from nodes.firmware.profile import FirmwareProfile
from nodes.guest.core import GuestConfig
from nodes.xen.config import DEFAULTS, Tuning
from nodes.xen.profile import DEFAULT, Profile


class XenSpec(msgspec.Struct, frozen=True, tag="xen"):
    """``bind`` is where to listen; ``secret`` (tcp only) is Xen's CURVE key.

    ``profile``, ``strict``, ``command_line`` and ``tuning`` as in ``nodes.xen.config``.
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


class FirmwareSpec(msgspec.Struct, frozen=True, tag="firmware"):
    platform: Platform
    profile: FirmwareProfile = STRICT_FIRMWARE
    record: bool = False


class GuestSpec(msgspec.Struct, frozen=True, tag="guest"):
    config: GuestConfig
    mapped: tuple[tuple[int, int, int], ...]


class NodeSpec(msgspec.Struct, frozen=True):
    """All that a node's process is started with; travels through a pipe, never on a command line.

    ``experiment``: its link can be told rules. ``recording`` None: nothing is recorded.
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


def tokens() -> Iterator[bytes]:
    """Fresh link identities, unguessable; never starting with a zero byte, which ZeroMQ keeps for itself."""
    while True:
        token = secrets.token_bytes(TOKEN_BYTES)
        if token[0]:
            yield token
