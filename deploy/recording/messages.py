"""SCMI messages in words, as columns want them: protocol, message, resource, values. Remembers what it said.

It reads headers and payloads by the tables; whose message it was, and when, it does not know. ``Remembering``
is for whoever wants other words.
"""

from collections.abc import Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from bus.fields import Field, Message, WrongSize, decode
from bus.scmi import header, trace
from bus.scmi.header import MessageType
from bus.scmi.protocol import AnyCommand
from bus.scmi.status import STATUS_BYTES
from bus.scmi.tables import STANDARD, Tables

REMEMBERED: Final = 16_384  # messages with their words; then all are forgotten, for what is said repeats
AGENT_FIELD: Final = "agent_id"
SUBJECTS: Final = {"device_id": "device", "protocol_id": "protocol"}  # what the tables give no kind to
UNTOLD: Final = ~(header.TOKEN_MAX << 18)  # of a header: everything but the token
Said = TypeVar("Said")
Layouts = Sequence[tuple[int, type[Message]]]  # of what may be in a payload, by version, the newest first


class Remembering(Generic[Said]):
    """What is said of a message, each asked for once; a subclass says it in ``_make``.

    ``tables``: the protocols that have names; what they lack is told as numbers and bytes.
    """

    def __init__(self, tables: Tables = STANDARD) -> None:
        self._tables = tables
        self._said: dict[tuple[bool, int, bytes], Said] = {}

    def request(self, head: int, payload: bytes) -> Said:
        """A command's."""
        return self._words(False, head, payload)

    def reply(self, head: int, payload: bytes) -> Said:
        """A response's, a delayed response's or a notification's."""
        return self._words(True, head, payload)

    def _words(self, is_reply: bool, head: int, payload: bytes) -> Said:
        key = (is_reply, head & UNTOLD, payload)
        found = self._said.get(key)
        if found is None:
            if len(self._said) >= REMEMBERED:
                self._said.clear()
            found = self._said[key] = self._make(is_reply, head & UNTOLD, payload)
        return found

    def _make(self, is_reply: bool, head: int, payload: bytes) -> Said:
        raise NotImplementedError

    def _names(self, head: int) -> tuple[str, str]:
        """Of the protocol and of the message."""
        protocol, _, message = trace.message_name(head, self._tables).partition(".")
        return protocol, message

    def _layouts(self, is_reply: bool, head: int) -> Layouts:
        """Which version is spoken no message says: one whose table has just the payload's length."""
        protocol = self._tables.by_id(header.protocol_id(head))
        versions = protocol.versions[::-1] if protocol else ()
        found = [(version, self._table(is_reply, head, version)) for version in versions]
        return [(version, table) for version, table in found if table is not None]

    def _table(self, is_reply: bool, head: int, version: int) -> type[Message] | None:
        kind = header.message_type(head)
        if kind == MessageType.NOTIFICATION:
            row = self._tables.notification(head)
            return row.payload if row else None
        command: AnyCommand | None = self._tables.command(head)
        if command is None:
            return None
        if kind == MessageType.DELAYED_RESPONSE:
            return command.delayed_at(version)
        return command.reply_at(version) if is_reply else command.request_at(version)


def fitting(layouts: Layouts, payload: bytes) -> tuple[Message, int] | None:
    """What a payload says, and in which version; None if no table has its length."""
    for version, table in layouts:
        try:
            return decode(table, payload, version), version
        except WrongSize:
            continue
    return None


class MessageWords(NamedTuple):
    """``resource``: "clock 3", "" for none; ``values``: the other fields; ``agent``: whom a field names."""

    protocol: str
    message: str
    resource: str
    values: str
    agent: int | None


SILENCE: Final = MessageWords("", "", "", "", None)


class MessageReader(Remembering[MessageWords]):
    """``head`` -1: there was no page."""

    def _make(self, is_reply: bool, head: int, payload: bytes) -> MessageWords:
        if head < 0:
            return SILENCE
        protocol, message = self._names(head)
        if is_reply and header.message_type(head) != MessageType.NOTIFICATION:
            payload = payload[STATUS_BYTES:]
        if not payload:
            return MessageWords(protocol, message, "", "", None)
        found = fitting(self._layouts(is_reply, head), payload)
        if found is None:
            return MessageWords(protocol, message, "", payload.hex(), None)
        return _told(protocol, message, *found)


def _told(protocol: str, message: str, content: Message, version: int) -> MessageWords:
    rows = trace.present(content, version)
    agent = next((int(getattr(content, row.name)) for row in rows if row.name == AGENT_FIELD), None)
    subject = next((row for row in rows if _kind(row)), None)
    resource = f"{_kind(subject)} {getattr(content, subject.name)}" if subject else ""
    values = ", ".join(
        f"{row.name}={trace.value_text(row, getattr(content, row.name), version)}"
        for row in rows
        if row is not subject
    )
    return MessageWords(protocol, message, resource, values, agent)


def _kind(row: Field) -> str:
    """The kind of resource that a field names, "" for none."""
    return "" if row.count else row.of or SUBJECTS.get(row.name, "")
