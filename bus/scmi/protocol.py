"""How an SCMI protocol is written down: commands, replies, notifications, each with its field table.

A protocol is one module with one ``PROTOCOL`` at its end. Nothing registers itself: the list of
protocols is ``bus.scmi.PROTOCOLS``. Behaviour is elsewhere: ``nodes.firmware`` answers,
``nodes.guest`` asks.
"""

from collections.abc import Mapping
from enum import Enum
from struct import calcsize
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from bus.fields import ANY_VERSION, NEWEST, Field, Message, count_max, fields_of, layout, u32
from bus.scmi.status import STATUS_BYTES, Status

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)


class Nothing(Message, frozen=True):
    """No payload (a request) or the status word alone (a response)."""


class Confidence(Enum):
    """How well a row of a table is established; the reference pages mark all but A."""

    A = "two or more independent implementations"
    B = "one implementation"
    C = "nothing that was cross-checked"


STATUS_CONFIDENCE = {Status.IN_USE: Confidence.B}  # of its number; the others are A


class Variant(msgspec.Struct, frozen=True):
    """The tables of a command below some version, where more than a field's coming differs.

    None: as in the newest. ``delayed`` Nothing: there was no delayed response yet.
    """

    request: type[Message] | None = None
    reply: type[Message] | None = None
    delayed: type[Message] | None = None


class Command(msgspec.Struct, Generic[Q, R], frozen=True):
    """One row of a protocol's command table.

    ``changes`` tells a command that alters state from one that only reads; ``repeatable`` one that may be
    sent twice with the effect of once, so that a client may retry it. ``errors`` says when a status is
    given, beyond those of the common ladder. ``older`` maps a version to the tables below it.
    ``confidence`` is that of the layout, ``mandatory_confidence`` that of ``mandatory``.
    """

    id: int
    name: str
    request: type[Q]
    reply: type[R]
    mandatory: bool = False
    changes: bool = False
    since: int = ANY_VERSION
    delayed: type[Message] | None = None
    errors: Mapping[Status, str] = {}
    older: Mapping[int, Variant] = {}
    repeatable: bool = True
    confidence: Confidence = Confidence.A
    mandatory_confidence: Confidence = Confidence.A

    @property
    def resource(self) -> Field | None:
        """The request field that names a resource, if the command names one."""
        return next((row for row in fields_of(self.request) if row.of), None)

    def _variant(self, version: int) -> Variant:
        for below, variant in sorted(self.older.items()):
            if version < below:
                return variant
        return Variant()

    def request_at(self, version: int) -> type[Message]:
        """The table of the request when this version is spoken."""
        return (self._variant(version).request if self.older else None) or self.request

    def reply_at(self, version: int) -> type[Message]:
        """The table of the reply, after the status, when this version is spoken."""
        return (self._variant(version).reply if self.older else None) or self.reply

    def delayed_at(self, version: int) -> type[Message] | None:
        """The table of the delayed response, after the status, when this version is spoken; None: none."""
        found = self._variant(version).delayed or self.delayed
        return None if found is Nothing else found


AnyCommand = Command[Any, Any]


class Notification(msgspec.Struct, frozen=True):
    """One row of a protocol's notification table; its ids are a space of their own."""

    id: int
    name: str
    payload: type[Message]
    enabled_by: str
    since: int = ANY_VERSION
    confidence: Confidence = Confidence.A


class VersionReply(Message, frozen=True):
    version: Annotated[int, u32("major in 31:16, minor in 15:0")]


class MessageAttributes(Message, frozen=True):
    message_id: Annotated[int, u32("the command asked about")]


class MessageAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32("0 unless the command says otherwise")]


class NegotiateVersion(Message, frozen=True):
    version: Annotated[int, u32("the version the agent wants to speak")]


PROTOCOL_VERSION = Command(0x0, "PROTOCOL_VERSION", Nothing, VersionReply, mandatory=True)
PROTOCOL_MESSAGE_ATTRIBUTES = Command(
    0x2,
    "PROTOCOL_MESSAGE_ATTRIBUTES",
    MessageAttributes,
    MessageAttributesReply,
    mandatory=True,
    errors={Status.NOT_FOUND: "message id not implemented or not visible"},
)
NEGOTIATE_PROTOCOL_VERSION = Command(
    0x10,
    "NEGOTIATE_PROTOCOL_VERSION",
    NegotiateVersion,
    Nothing,
    changes=True,
    errors={Status.NOT_SUPPORTED: "version cannot be provided"},
)
COMMON: tuple[AnyCommand, ...] = (PROTOCOL_VERSION, PROTOCOL_MESSAGE_ATTRIBUTES, NEGOTIATE_PROTOCOL_VERSION)


class Protocol(msgspec.Struct, frozen=True):
    """One SCMI protocol: ``key`` is its short name here, ``versions`` those with a layout, oldest first.

    ``confidence`` tells of a version how well what it changed is established, where that is not A.
    """

    id: int
    key: str
    title: str
    versions: tuple[int, ...]
    commands: tuple[AnyCommand, ...]
    notifications: tuple[Notification, ...] = ()
    confidence: Mapping[int, Confidence] = {}

    @property
    def version(self) -> int:
        """The newest version with a layout."""
        return self.versions[-1]

    def every_command(self) -> tuple[AnyCommand, ...]:
        """The common commands and the protocol's own, in order of id."""
        return tuple(sorted((*COMMON, *self.commands), key=lambda command: command.id))

    def command(self, wanted: int | str) -> AnyCommand | None:
        """By id, or by name (case does not matter, the protocol's prefix may be left out)."""
        for command in self.every_command():
            if wanted == command.id or (isinstance(wanted, str) and _matches(command.name, wanted)):
                return command
        return None


def _matches(name: str, wanted: str) -> bool:
    upper = wanted.upper()
    return name == upper or name.partition("_")[2] == upper


def fits(cls: type[Message], payload_bytes: int, version: int = NEWEST) -> int:
    """How many items of the counted array in response ``cls`` fit beside its fixed part and the status.

    Never more than its count field can tell. Items of varying size count with all of their fields.
    """
    table = layout(cls, version)
    if table.tail is None:
        return 0
    room = (payload_bytes - STATUS_BYTES - table.size) // table.tail.pad * table.tail.pad
    return max(0, min(room // item_bytes(table.tail, version), count_max(table.tail)))


def item_bytes(row: Field, version: int = NEWEST) -> int:
    """The bytes of one item of the counted array ``row``, the largest where they vary."""
    if row.item is None:
        return calcsize("<" + row.code)
    return sum(calcsize("<" + inner.code) for inner in layout(row.item, version).rows)
