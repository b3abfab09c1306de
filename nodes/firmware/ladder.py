"""The refusal ladder: every message passes the same rungs, and the first one that fails decides.

1 message type (PROTOCOL_ERROR) · 2 protocol known (NOT_SUPPORTED) and permitted (DENIED) · 3 command known
(NOT_FOUND) · 4 command implemented (NOT_SUPPORTED) · 5 payload size (PROTOCOL_ERROR) · 6 resource known
(NOT_FOUND) · 7 reserved bits (INVALID_PARAMETERS) · 8 permission (DENIED) · 9 range and state: the handler.
Rungs 1 to 8 are here and read off the field tables; handlers begin at rung 9. A profile may name other
statuses. Most agents share one table of rows; one that negotiated, lost a protocol, or has rights or a view
has its own, so that nobody else pays for it.
"""

from collections.abc import Callable, Container, Sequence

from bus.fields import Message, WrongSize, decode, decode_front, reserved_bits_set
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
from nodes.firmware import dense
from nodes.firmware.grounds import Grounds, text
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform.rights import ALWAYS
from nodes.firmware.rights import EVERY_COMMAND, Resource
from nodes.firmware.service import Answer, Handler, Service

TYPE_MASK = header.HEADER.pack(message_type=3)
COMMAND_MASK = header.HEADER.pack(protocol_id=0xFF, message_id=0xFF)
ATTRIBUTES = 0x1  # the message that counts a protocol's resources
MAJOR_AT = 16  # of a version
REFUSALS_KEPT = 512  # whose grounds are remembered
HANDLER = 9  # the rung on which a handler's own rules stand
PERMISSION = 8
OWN = {Status.NOT_FOUND: 6, Status.INVALID_PARAMETERS: 7, Status.DENIED: PERMISSION}  # that handlers climb
_SUCCESS = Status.SUCCESS.word
SUCCESS = Status.SUCCESS


class Row:
    """One command at one version: everything the rungs need, looked up once.

    ``judge`` is how the rungs are climbed: the plain way, or with an agent's own rights and views.
    """

    __slots__ = (
        "always",
        "changes",
        "cls",
        "command",
        "counts",
        "handler",
        "judge",
        "kind",
        "known",
        "of",
        "own_ladder",
        "unknown",
        "version",
    )
    judge: "Judge"

    def __init__(self, service: Service, command: AnyCommand, version: int, handler: Handler | None) -> None:
        resource = command.resource
        self.cls = command.request_at(version)
        self.command = (service.table.key, command.name)
        self.version = version
        self.changes = command.changes
        self.handler = handler
        self.of = resource.name if resource else ""
        self.kind = resource.of if resource else ""
        self.known: Container[int] = dense.ids(service.resources[resource.of]) if resource else ()
        self.own_ladder = command.name in service.own_ladder
        self.always = command.id in ALWAYS
        self.counts = tuple(service.resources) if command.id == ATTRIBUTES else ()
        self.unknown = Status.NOT_FOUND


Judge = Callable[[int, Row, int, bytes], Answer]
Refused = tuple[int, int, bytes, Status, int, Resource | None]  # all that a refusal's grounds depend on
Rows = dict[int, Row]


class Ladder:
    """Dispatch for every agent. ``answer`` gives (protocol, message, status, payload with status).

    ``failed`` is the rung of the last refusal below the ninth, until somebody takes it: ``rung``.
    """

    def __init__(self, services: Sequence[Service], machine: Machine) -> None:
        self._services = {service.table.id: service for service in services}
        self.failed = HANDLER
        self._machine = machine
        self._permissions = machine.permissions
        self._allowed = machine.permissions.allowed
        self._profile = machine.profile
        self._made: dict[tuple[int, int, bool], Rows] = {}
        self._default: Rows = {}
        for service in services:
            table = service.table
            machine.permissions.declare(table.id, table.key, service.resources)
            machine.views.declare(service.resources)
            version = machine.profile.versions.get(table.id, service.offers or table.version)
            machine.default_versions[table.id] = version
            self._default.update(self._rows(service, version, special=False))
        self._own: dict[int, Rows] = {}
        self._told: dict[Refused, str] = {}
        for agent in machine.platform.agent:
            self._assemble(agent.id)
        machine.permissions.on_change.append(self._protocols_changed)

    def _rows(self, service: Service, version: int, *, special: bool) -> Rows:
        made = self._made.get((service.table.id, version, special))
        if made is None:
            made = self._make_rows(service, version, special)
            self._made[service.table.id, version, special] = made
        return made

    def _make_rows(self, service: Service, version: int, special: bool) -> Rows:
        table, missing = service.table, self._profile.missing
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
                if missing and not missing.isdisjoint((f"{table.key}.{command.name}", f"*.{command.name}")):
                    handler = None
                row = rows[header.pack(table.id, command.id)] = Row(service, command, version, handler)
                row.unknown = self._profile.unknown_resource.get(table.id, Status.NOT_FOUND)
                row.judge = self._specially if special else self._plainly
        return rows

    def _assemble(self, agent: int) -> None:
        """Give the agent a table of its own if anything is special about it, the common one otherwise."""
        self._told.clear()
        negotiated = self._machine.negotiated.get(agent, {})
        denied = self._permissions.denied[agent]
        special = self._permissions.special(agent) or self._machine.views.special(agent)
        if not (negotiated or denied or special):
            self._own.pop(agent, None)
            return
        rows = self._own[agent] = {}
        for protocol, service in self._services.items():
            if protocol not in denied:
                version = negotiated.get(protocol, self._machine.default_versions[protocol])
                rows.update(self._rows(service, version, special=special))

    def _protocols_changed(self, agent: int) -> None:
        self._told.clear()
        has = {header.protocol_id(key) for key in self._own.get(agent, self._default)}
        if has != self._services.keys() - self._permissions.denied[agent]:
            self._assemble(agent)

    def _offered(self, table: Protocol) -> int:
        return self._machine.default_versions[table.id]

    def answer(self, agent: int, head: int, payload: bytes) -> tuple[str, str, Status, bytes]:
        """Judge one message of an agent and carry it out if no rung refuses it."""
        row = self._own.get(agent, self._default).get(head & COMMAND_MASK)
        if row is None:
            return self._unknown(agent, head)
        machine = self._machine
        machine.head, machine.version, machine.command = head, row.version, row.command
        machine.cause = agent
        status = row.judge(agent, row, head, payload)
        protocol, name = row.command
        if isinstance(status, Message):
            return protocol, name, SUCCESS, _SUCCESS + machine.encode(agent, status, row.version)
        return protocol, name, status, status.word

    def rung(self) -> int:
        """Which rung refused the message that was answered last; see ``ladder_table``."""
        failed, self.failed = self.failed, HANDLER
        return failed

    def _no(self, rung: int, status: Status) -> Status:
        self.failed = rung
        return status

    def told(self, agent: int, head: int, payload: bytes, status: Status) -> str:
        """``grounds`` as text, which is made once until a permission or a version changes: who is refused
        tries again and again.
        """
        key = (agent, head & COMMAND_MASK, payload, status, self.failed, self._machine.refused)
        said = self._told.get(key)
        if said is not None:
            self.failed, self._machine.refused = HANDLER, None
            return said
        said = text(self.grounds(agent, head, payload, status))
        if len(self._told) >= REFUSALS_KEPT:
            self._told.clear()
        self._told[key] = said
        return said

    def grounds(self, agent: int, head: int, payload: bytes, status: Status) -> Grounds:
        """What stands behind the refusal of the message that was answered last."""
        rung = self.rung()
        row, request = self.asked(agent, head, payload)
        resource, self._machine.refused = self._machine.refused, None
        if row is not None and row.own_ladder and rung == HANDLER:
            about_agents = hasattr(request, "agent_id")
            rung = OWN.get(status, rung) if resource or about_agents else rung
            if rung == PERMISSION and about_agents:
                return Grounds(rung, "", "trusted")
        if row is not None and row.kind and request is not None:
            resource = (row.kind, getattr(request, row.of))
        if status is not Status.DENIED or rung == HANDLER:
            return Grounds(rung, f"{resource[0]} {resource[1]}" if resource else "")
        command = row.command if row else EVERY_COMMAND
        return self._permissions.grounds(agent, header.protocol_id(head), resource, command, rung)

    def asked(self, agent: int, head: int, payload: bytes) -> tuple[Row | None, Message | None]:
        """The row of a message and what it asks, as far as the first rungs let it be read."""
        row = self._own.get(agent, self._default).get(head & COMMAND_MASK)
        if row is None:
            return None, None
        try:
            request: Message | None = decode(row.cls, payload, row.version)
        except WrongSize:
            request = self._longer(row, payload)
        if request is not None and self._machine.views.special(agent):
            request = self._machine.views.request(agent, request)
        return row, request

    def names(self, agent: int, head: int) -> tuple[str, str]:
        """How a message of the agent is counted: the protocol's key and its name."""
        row = self._own.get(agent, self._default).get(head & COMMAND_MASK)
        return ("other", "other") if row is None else row.command

    def _plainly(self, agent: int, row: Row, head: int, payload: bytes) -> Answer:
        """The first failing rung from the fourth on, or the handler's answer."""
        if head & TYPE_MASK:
            return self._no(1, self._profile.wrong_type)
        if row.handler is None:
            return self._no(4, Status.NOT_SUPPORTED)
        request: Message | None
        try:
            request = decode(row.cls, payload, row.version)
        except WrongSize:
            request = self._longer(row, payload)
            if request is None:
                return self._no(5, Status.PROTOCOL_ERROR)
        if row.kind:
            resource = getattr(request, row.of)
            if resource not in row.known:
                return self._no(6, row.unknown)
            if reserved_bits_set(request, row.version):
                return self._no(7, Status.INVALID_PARAMETERS)
            flags = self._allowed[agent].near.get(row.kind, b"")
            usable = resource < len(flags) and flags[resource]
            if not usable and not self._permissions.may(agent, (row.kind, resource), row.changes):
                return self._no(8, Status.DENIED)
        elif not row.own_ladder and reserved_bits_set(request, row.version):
            return self._no(7, Status.INVALID_PARAMETERS)
        return row.handler(agent, request)

    def _specially(self, agent: int, row: Row, head: int, payload: bytes) -> Answer:
        """As ``_plainly``, for an agent with rights of its own or a view."""
        if head & TYPE_MASK:
            return self._no(1, self._profile.wrong_type)
        if row.handler is None:
            return self._no(4, Status.NOT_SUPPORTED)
        request: Message | None
        try:
            request = decode(row.cls, payload, row.version)
        except WrongSize:
            request = self._longer(row, payload)
            if request is None:
                return self._no(5, Status.PROTOCOL_ERROR)
        request = self._machine.views.request(agent, request)
        if request is None:
            return self._no(6, row.unknown)
        if row.kind and getattr(request, row.of) not in row.known:
            return self._no(6, row.unknown)
        if not row.own_ladder and reserved_bits_set(request, row.version):
            return self._no(7, Status.INVALID_PARAMETERS)
        if row.kind:
            resource = (row.kind, getattr(request, row.of))
            if not self._permissions.may(agent, resource, row.changes, row.command):
                return self._no(8, Status.DENIED)
        elif not row.always and not self._permissions.may_send(agent, row.command):
            return self._no(8, Status.DENIED)
        answer = row.handler(agent, request)
        if row.counts and isinstance(answer, Message):
            return self._machine.views.counted(agent, row.counts, answer)
        return answer

    def _longer(self, row: Row, payload: bytes) -> Message | None:
        """The request at the front of a payload that goes on behind it, where the profile accepts that."""
        if self._profile.payload == "exact":
            return None
        try:
            return decode_front(row.cls, payload, row.version)
        except WrongSize:
            return None

    def _unknown(self, agent: int, head: int) -> tuple[str, str, Status, bytes]:
        protocol = header.protocol_id(head)
        if head & TYPE_MASK:
            status = self._no(1, self._profile.wrong_type)
        elif protocol not in self._services:
            status = self._no(2, Status.NOT_SUPPORTED)
        elif protocol in self._permissions.denied[agent]:
            status = self._no(2, self._profile.denied_protocol)
        else:
            status = self._no(3, self._profile.unknown_message)
        return "other", "other", status, status.word

    def _attributes(self, agent: int, service: Service, request: MessageAttributes) -> Answer:
        rows = self._own.get(agent, self._default)
        known = request.message_id <= 0xFF
        row = rows.get(header.pack(service.table.id, request.message_id)) if known else None
        if row is None or row.handler is None:
            return Status.NOT_FOUND
        word = service.message_attributes(row.command[1])
        return word if isinstance(word, Status) else MessageAttributesReply(word)

    def _negotiate(self, agent: int, service: Service, request: NegotiateVersion) -> Answer:
        table, wanted, offered = service.table, request.version, self._offered(service.table)
        if wanted not in table.versions or wanted > offered:
            return Status.NOT_SUPPORTED
        if self._profile.negotiates == "same_major" and wanted >> MAJOR_AT != offered >> MAJOR_AT:
            return Status.NOT_SUPPORTED
        self._machine.negotiated.setdefault(agent, {})[table.id] = request.version
        self._assemble(agent)
        return Status.SUCCESS

    def reset(self, agent: int) -> None:
        """Forget the versions an agent negotiated."""
        if self._machine.negotiated.pop(agent, None) is not None:
            self._assemble(agent)

    def ledger(self, agent: int) -> list[Entry]:
        return [
            Entry("version", self._services[protocol].table.key, "", "version", version)
            for protocol, version in sorted(self._machine.negotiated.get(agent, {}).items())
        ]
