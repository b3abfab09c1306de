"""The refusal ladder: every message passes the same rungs, and the first one that fails decides.

1 message type (PROTOCOL_ERROR) · 2 protocol known (NOT_SUPPORTED) · 3 command known (NOT_FOUND) ·
4 command implemented (NOT_SUPPORTED) · 5 payload size (PROTOCOL_ERROR) · 6 resource known (NOT_FOUND) ·
7 reserved bits (INVALID_PARAMETERS) · 8 permission (DENIED) · 9 range and state: the handler.
Rungs 1 to 8 are here and read off the field tables; handlers begin at rung 9.
"""

from collections.abc import Container, Sequence

from bus.fields import Message, WrongSize, decode, reserved_bits_set
from bus.scmi import header
from bus.scmi.protocol import (
    NEGOTIATE_PROTOCOL_VERSION,
    PROTOCOL_MESSAGE_ATTRIBUTES,
    PROTOCOL_VERSION,
    AnyCommand,
    MessageAttributes,
    MessageAttributesReply,
    NegotiateVersion,
    Protocol,
    VersionReply,
)
from bus.scmi.status import Status
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.service import Answer, Handler, Service

TYPE_MASK = header.HEADER.pack(message_type=3)
COMMAND_MASK = header.HEADER.pack(protocol_id=0xFF, message_id=0xFF)
_SUCCESS = Status.SUCCESS.word


class Row:
    """One command as one agent may send it at one version: everything the rungs need, looked up once."""

    __slots__ = (
        "changes",
        "cls",
        "command",
        "handler",
        "kind",
        "known",
        "of",
        "own_ladder",
        "version",
    )

    def __init__(self, service: Service, command: AnyCommand, version: int, handler: Handler | None) -> None:
        resource = command.resource
        self.cls = command.request_at(version)
        self.command = (service.table.key, command.name)
        self.version = version
        self.changes = command.changes
        self.handler = handler
        self.of = resource.name if resource else ""
        self.kind = resource.of if resource else ""
        self.known: Container[int] = service.resources[resource.of] if resource else ()
        self.own_ladder = command.name in service.own_ladder


class Ladder:
    """Dispatch for every agent. ``answer`` gives (protocol, message, status, payload with status)."""

    def __init__(self, services: Sequence[Service], machine: Machine) -> None:
        self._services = {service.table.id: service for service in services}
        self._machine = machine
        self._permissions = machine.permissions
        self._default: dict[int, Row] = {}
        for service in services:
            table = service.table
            version = machine.profile.versions.get(table.id, service.offers or table.version)
            machine.default_versions[table.id] = version
            self._default.update(self._rows(service, version))
        self._negotiated: dict[int, dict[int, Row]] = {}

    def _rows(self, service: Service, version: int) -> dict[int, Row]:
        table = service.table
        common: dict[str, Handler] = {
            PROTOCOL_VERSION.name: lambda _agent, _request: VersionReply(self._offered(table)),
            PROTOCOL_MESSAGE_ATTRIBUTES.name: lambda agent, request: self._attributes(
                agent, service, request
            ),
            NEGOTIATE_PROTOCOL_VERSION.name: lambda agent, request: self._negotiate(agent, service, request),
        }
        rows = {}
        for command in table.every_command():
            if command.since <= version:
                handler = common.get(command.name) or service.handlers.get(command.name)
                rows[header.pack(table.id, command.id)] = Row(service, command, version, handler)
        return rows

    def _offered(self, table: Protocol) -> int:
        return self._machine.default_versions[table.id]

    def answer(self, agent: int, head: int, payload: bytes) -> tuple[str, str, Status, bytes]:
        """Judge one message of an agent and carry it out if no rung refuses it."""
        row = self._negotiated.get(agent, self._default).get(head & COMMAND_MASK)
        if row is None:
            return self._unknown(head)
        machine = self._machine
        machine.head, machine.version, machine.command = head, row.version, row.command
        machine.cause = agent
        status: Status | Message = self._refusal(agent, row, head, payload)
        protocol, name = row.command
        if isinstance(status, Message):
            return protocol, name, Status.SUCCESS, _SUCCESS + machine.encode(agent, status, row.version)
        return protocol, name, status, status.word

    def _refusal(self, agent: int, row: Row, head: int, payload: bytes) -> Answer:
        """The first failing rung from the fourth on, or the handler's answer."""
        if head & TYPE_MASK:
            return Status.PROTOCOL_ERROR
        if row.handler is None:
            return Status.NOT_SUPPORTED
        try:
            request = decode(row.cls, payload, row.version)
        except WrongSize:
            return Status.PROTOCOL_ERROR
        if row.kind:
            resource = getattr(request, row.of)
            if resource not in row.known:
                return Status.NOT_FOUND
            if reserved_bits_set(request, row.version):
                return Status.INVALID_PARAMETERS
            if not self._permissions.may(agent, (row.kind, resource), row.changes):
                return Status.DENIED
        elif not row.own_ladder and reserved_bits_set(request, row.version):
            return Status.INVALID_PARAMETERS
        return row.handler(agent, request)

    def _unknown(self, head: int) -> tuple[str, str, Status, bytes]:
        if head & TYPE_MASK:
            status = Status.PROTOCOL_ERROR
        elif header.protocol_id(head) not in self._services:
            status = Status.NOT_SUPPORTED
        else:
            status = Status.NOT_FOUND
        return "other", "other", status, status.word

    def _attributes(self, agent: int, service: Service, request: MessageAttributes) -> Answer:
        rows = self._negotiated.get(agent, self._default)
        known = request.message_id <= 0xFF
        row = rows.get(header.pack(service.table.id, request.message_id)) if known else None
        if row is None or row.handler is None:
            return Status.NOT_FOUND
        word = service.message_attributes(row.command[1])
        return word if isinstance(word, Status) else MessageAttributesReply(word)

    def _negotiate(self, agent: int, service: Service, request: NegotiateVersion) -> Answer:
        table = service.table
        if request.version not in table.versions or request.version > self._offered(table):
            return Status.NOT_SUPPORTED
        rows = dict(self._negotiated.get(agent, self._default))
        for key in [key for key in rows if header.protocol_id(key) == table.id]:
            del rows[key]
        rows.update(self._rows(service, request.version))
        self._negotiated[agent] = rows
        self._machine.negotiated.setdefault(agent, {})[table.id] = request.version
        return Status.SUCCESS

    def reset(self, agent: int) -> None:
        """Forget the versions an agent negotiated."""
        self._negotiated.pop(agent, None)
        self._machine.negotiated.pop(agent, None)

    def ledger(self, agent: int) -> list[Entry]:
        return [
            Entry("version", self._services[protocol].table.key, "", "version", version)
            for protocol, version in sorted(self._machine.negotiated.get(agent, {}).items())
        ]
