"""The SCMI message header word (DEN0056, message format)."""

from enum import IntEnum

from bus.fields import Bits

HEADER = Bits(token=(27, 18), protocol_id=(17, 10), message_type=(9, 8), message_id=(7, 0))
TOKEN_MAX = 0x3FF


class MessageType(IntEnum):
    COMMAND = 0
    DELAYED_RESPONSE = 2
    NOTIFICATION = 3


def pack(protocol_id: int, message_id: int, token: int = 0, message_type: int = MessageType.COMMAND) -> int:
    return (token & TOKEN_MAX) << 18 | protocol_id << 10 | message_type << 8 | message_id


def token(header: int) -> int:
    return header >> 18 & TOKEN_MAX


def protocol_id(header: int) -> int:
    return header >> 10 & 0xFF


def message_id(header: int) -> int:
    return header & 0xFF


def message_type(header: int) -> int:
    return header >> 8 & 0x3
