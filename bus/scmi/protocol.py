"""How an SCMI protocol is written down: commands, replies, notifications, each with its field table.

A protocol is one module with one ``PROTOCOL`` at its end. Nothing registers itself: the list of
protocols is ``bus.scmi.PROTOCOLS``. Behaviour is elsewhere: ``nodes.firmware`` answers,
``nodes.guest`` asks.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from bus.fields import ANY_VERSION, NEWEST, Field, Message, count_max, fields_of, layout, u32
from bus.scmi.status import STATUS_BYTES, Status


class Nothing(Message, frozen=True):
    """No payload (a request) or the status word alone (a response)."""


class Command(msgspec.Struct, frozen=True):
    """One row of a protocol's command table.

    ``changes`` tells a command that alters state from one that only reads. ``errors`` says when a
    status is given, beyond those of the common ladder.
    """

    id: int
    name: str
    request: type[Message] = Nothing
    reply: type[Message] = Nothing
    mandatory: bool = False
    changes: bool = False
    since: int = ANY_VERSION
    delayed: type[Message] | None = None
    errors: Mapping[Status, str] = {}

    @property
    def resource(self) -> Field | None:
        """The request field that names a resource, if the command names one."""
        return next((row for row in fields_of(self.request) if row.of), None)


class Notification(msgspec.Struct, frozen=True):
    """One row of a protocol's notification table; its ids are a space of their own."""

    id: int
    name: str
    payload: type[Message]
    enabled_by: str


class VersionReply(Message, frozen=True):
    version: Annotated[int, u32("major in 31:16, minor in 15:0")]


class MessageAttributes(Message, frozen=True):
    message_id: Annotated[int, u32("the command asked about")]


class MessageAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32("0 unless the command says otherwise")]


class NegotiateVersion(Message, frozen=True):
    version: Annotated[int, u32("the version the agent wants to speak")]


PROTOCOL_VERSION = Command(0x0, "PROTOCOL_VERSION", reply=VersionReply, mandatory=True)
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
    changes=True,
    errors={Status.NOT_SUPPORTED: "version cannot be provided"},
)


class Protocol(msgspec.Struct, frozen=True):
    """One SCMI protocol: ``key`` is its short name here, ``versions`` those with a layout, oldest first."""

    id: int
    key: str
    title: str
    versions: tuple[int, ...]
    commands: tuple[Command, ...]
    notifications: tuple[Notification, ...] = ()

    @property
    def version(self) -> int:
        """The newest version with a layout."""
        return self.versions[-1]

    def every_command(self) -> tuple[Command, ...]:
        """The common commands and the protocol's own, in order of id."""
        common = (PROTOCOL_VERSION, PROTOCOL_MESSAGE_ATTRIBUTES, NEGOTIATE_PROTOCOL_VERSION)
        return tuple(sorted((*common, *self.commands), key=lambda command: command.id))

    def command(self, wanted: int | str) -> Command | None:
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

    Never more than its count field can tell.
    """
    table = layout(cls, version)
    if table.tail is None:
        return 0
    width = {"I": 4, "Q": 8, "B": 1, "H": 2}[table.tail.code]
    room = (payload_bytes - STATUS_BYTES - table.size) // table.tail.pad * table.tail.pad
    return max(0, min(room // width, count_max(table.tail)))
