"""Who may touch what, as EL3.md says it: a small model for checkers, not EL3's own code.

What an agent holds at a moment is ``grants.py``'s business. Pin control is not modelled: its commands name a
resource by a selector.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from bus.fields import fields_of, layout
from bus.scmi import PROTOCOLS, header
from bus.scmi.protocol import AnyCommand, Protocol
from deploy.topology import Topology

KEY: Final = header.HEADER.pack(protocol_id=0xFF, message_type=3, message_id=0xFF)
PINS: Final = ("pin", "pin_group", "pin_function")
KINDS: Final = (
    *("clock", "power_domain", "reset_domain", "perf_domain", "sensor", "voltage_domain", "powercap_domain"),
    *PINS,
)
Resource = tuple[str, int]


class Named(msgspec.Struct, frozen=True):
    """A command that names a resource: of which ``kind``, at which ``offset`` in the payload."""

    protocol: str
    protocol_id: int
    command: str
    kind: str
    offset: int
    changes: bool

    def number(self, payload: bytes) -> int | None:
        """The resource that a request names; None if the payload ends before."""
        field = payload[self.offset : self.offset + 4]
        return int.from_bytes(field, "little") if len(field) == 4 else None


def _named(protocol: Protocol, command: AnyCommand) -> Named | None:
    resource = command.resource
    if resource is None or resource.code != "I":
        return None
    offsets = {
        layout(command.request_at(version), version).offsets.get(resource.name)
        for version in protocol.versions
        if version >= command.since
    }
    if len(offsets) != 1:
        return None  # where it is depends on what was negotiated
    (offset,) = offsets
    if offset is None:
        return None
    return Named(protocol.key, protocol.id, command.name, resource.of, offset, command.changes)


NAMED: Final[Mapping[int, Named]] = {
    header.pack(protocol.id, command.id): found
    for protocol in PROTOCOLS
    for command in protocol.commands
    if (found := _named(protocol, command)) is not None
}


def _told(protocol: Protocol) -> Mapping[int, Named]:
    """Notifications that are about a resource, as what the subscription to them needs."""
    found = {}
    for row in protocol.notifications:
        about = next((field for field in fields_of(row.payload) if field.of), None)
        command = protocol.command(row.enabled_by)
        if about is None or command is None:
            continue
        offset = layout(row.payload).offsets[about.name]
        head = header.pack(protocol.id, row.id, 0, header.MessageType.NOTIFICATION)
        found[head] = Named(protocol.key, protocol.id, command.name, about.of, offset, command.changes)
    return found


TOLD: Final[Mapping[int, Named]] = {head: named for one in PROTOCOLS for head, named in _told(one).items()}


class Held:
    """What an agent was granted: devices, and protocols denied on them.

    ``ever``: every device that it had at some time of this life; ``past``: those of the life before.
    """

    __slots__ = ("denied", "devices", "ever", "past")

    def __init__(self, devices: frozenset[int]) -> None:
        self.devices = set(devices)
        self.denied: set[tuple[int, int]] = set()
        self.ever = set(devices)
        self.past: frozenset[int] = frozenset()

    def copy(self) -> "Held":
        other = Held(frozenset(self.devices))
        other.denied = set(self.denied)
        other.ever = set(self.ever)
        other.past = self.past
        return other


class Rules:
    """``may`` judges one command on one resource; ``judges`` says for which agents that is known at all."""

    def __init__(self, topology: Topology) -> None:
        platform, firmware = topology.platform, topology.firmware
        self.trusted = frozenset(agent.id for agent in platform.agent if agent.trusted)
        self.anyone_grants = firmware.anyone_grants
        self.devices = frozenset(device.id for device in platform.device)
        self._open = platform.default_permission == "allow" or firmware.open_permissions
        self._readable = firmware.denied_resource == "restricted"
        self._numbered = {view.agent for view in platform.view}
        self._dense = firmware.denied_resource == "unlisted"
        self._specs: dict[Resource, Any] = {
            (kind, row.id): row for kind in KINDS for row in getattr(platform, kind)
        }
        self._through: dict[Resource, tuple[int, ...]] = {}
        for device in platform.device:
            for kind in KINDS:
                for number in getattr(device, f"{kind}s"):
                    self._through[kind, number] = (*self._through.get((kind, number), ()), device.id)
        self._protocols = {agent.id: agent.protocols for agent in platform.agent}
        self._rights: dict[int, list[Any]] = {}
        for right in platform.right:
            self._rights.setdefault(right.agent, []).append(right)

    def judges(self, agent: int) -> bool:
        """Whether numbers in the agent's messages are the platform's, so that they can be looked up."""
        return not self._dense and agent not in self._numbered

    def known(self, kind: str, number: int) -> bool:
        return (kind, number) in self._specs

    def at_boot(self, agent: int) -> Held:
        return Held(self.devices if self._open or agent in self.trusted else frozenset())

    def may(self, agent: int, held: Held, named: Named, number: int) -> bool:
        """Whether the agent may send the command for the resource, holding this."""
        protocols = self._protocols.get(agent)
        if protocols is not None and named.protocol not in protocols:
            return False
        right = self._right(agent, named, number)
        if right is not None:
            return right
        through = self._through.get((named.kind, number), ())
        if any(one in held.devices and (one, named.protocol_id) not in held.denied for one in through):
            return True
        if through:
            return self._readable and not named.changes
        return not named.changes or self._open or agent in self.trusted

    def _right(self, agent: int, named: Named, number: int) -> bool | None:
        """What the most specific row of [[right]] says: an id before its kind, a command before all."""
        command = f"{named.protocol}.{named.command}"
        best, said = (-1, -1), True
        for row in self._rights.get(agent, ()):
            if (row.kind and row.kind != named.kind) or (row.ids and number not in row.ids):
                continue
            if row.commands and command not in row.commands:
                continue
            rank = (2 if row.ids else 1, 1 if row.commands else 0)
            if rank > best:
                best, said = rank, row.allow
            elif rank == best:
                said = said and row.allow
        return None if best < (0, 0) else said

    def may_refuse(self, named: Named, number: int) -> bool:
        """Whether DENIED may mean something else than permissions: an exclusive holder, no control at all."""
        if not named.changes:
            return False
        spec = self._specs[named.kind, number]
        if named.kind == "clock":
            controls = spec.rate_control and spec.state_control and spec.parent_control
            return spec.sharing != "votes" or not controls
        if named.kind == "perf_domain":
            return spec.sharing != "votes" or not (spec.set_level and spec.set_limits)
        if named.kind in ("power_domain", "voltage_domain"):
            return bool(spec.sharing != "votes")
        if named.kind == "reset_domain":
            return bool(spec.sharing == "exclusive")
        return named.kind != "sensor"
