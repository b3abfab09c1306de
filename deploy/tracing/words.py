"""A message's name and its fields in words, in whatever version of its protocol it can be read.

It reads headers and payloads by the tables; whose message it was, and when, it does not know.
"""

from typing import Any, Final, NamedTuple

from bus.fields import Message, WrongSize, decode
from bus.scmi import header, trace
from bus.scmi import status as scmi_status
from bus.scmi.header import MessageType
from bus.scmi.status import STATUS_BYTES
from bus.scmi.tables import STANDARD, Tables

REMEMBERED: Final = 16_384  # messages with their words; then all are forgotten, for what is said repeats
UNTOLD: Final = ~(header.TOKEN_MAX << 18)  # of a header: everything but the token


class Words(NamedTuple):
    """``fields``: "clock_id=3"; ``status``: by name, of a response only, "" for none.

    ``resource``: what a request is about, "clock 3"; ``changes``: it alters state.
    """

    protocol: str
    message: str
    fields: str = ""
    status: str = ""
    resource: str = ""
    changes: bool = False


class Reader:
    """``tables``: the protocols that have names; what they lack is told as numbers and bytes."""

    def __init__(self, tables: Tables = STANDARD) -> None:
        self._tables = tables
        self._said: dict[tuple[bool, int, bytes], Words] = {}

    def name(self, head: int) -> Words:
        """Of a message of which nothing but the header is known."""
        protocol, _, message = trace.message_name(head, self._tables).partition(".")
        return Words(protocol, message)

    def request(self, head: int, payload: bytes) -> Words:
        """A command's."""
        return self._words(False, head, payload)

    def reply(self, head: int, payload: bytes) -> Words:
        """A response's, a delayed response's or a notification's."""
        return self._words(True, head, payload)

    def _words(self, is_reply: bool, head: int, payload: bytes) -> Words:
        key = (is_reply, head & UNTOLD, payload)
        found = self._said.get(key)
        if found is None:
            if len(self._said) >= REMEMBERED:
                self._said.clear()
            found = self._said[key] = self._make(is_reply, head & UNTOLD, payload)
        return found

    def _make(self, is_reply: bool, head: int, payload: bytes) -> Words:
        words = self.name(head)
        if not is_reply:
            return words._replace(fields=self._fields(False, head, payload), **self._about(head, payload))
        if header.message_type(head) == MessageType.NOTIFICATION:
            return words._replace(fields=self._fields(True, head, payload))
        if len(payload) < STATUS_BYTES:
            return words._replace(fields=f"malformed: {payload.hex() or 'no payload'}")
        status, rest = scmi_status.read(payload), payload[STATUS_BYTES:]
        fields = rest.hex() if status else self._fields(True, head, rest)
        return words._replace(fields=fields, status=scmi_status.name(status))

    def _about(self, head: int, payload: bytes) -> dict[str, Any]:
        """What a command is about, and whether it changes that."""
        command = self._tables.command(head)
        protocol = self._tables.by_id(header.protocol_id(head))
        if command is None or protocol is None:
            return {}
        field, resource = command.resource, ""
        for version in protocol.versions[::-1] if field is not None else ():
            try:
                request = decode(command.request_at(version), payload, version)
            except WrongSize:
                continue
            if field is not None:
                resource = f"{field.of} {getattr(request, field.name)}"
            break
        return {"resource": resource, "changes": command.changes}

    def _fields(self, is_reply: bool, head: int, payload: bytes) -> str:
        protocol = self._tables.by_id(header.protocol_id(head))
        known = False
        for version in protocol.versions[::-1] if protocol else ():  # which one is spoken no message says
            table = self._table(is_reply, head, version)
            known = known or table is not None
            try:
                if table is not None:
                    return trace.fields_text(decode(table, payload, version), version)
            except WrongSize:
                continue
        return f"malformed: {payload.hex() or 'no payload'}" if known else payload.hex()

    def _table(self, is_reply: bool, head: int, version: int) -> type[Message] | None:
        kind = header.message_type(head)
        if kind == MessageType.NOTIFICATION:
            row = self._tables.notification(head)
            return row.payload if row else None
        command = self._tables.command(head)
        if command is None:
            return None
        if kind == MessageType.DELAYED_RESPONSE:
            return command.delayed_at(version)
        return command.reply_at(version) if is_reply else command.request_at(version)
