"""SCMI status codes (DEN0056)."""

import struct
from enum import IntEnum

_WORD = struct.Struct("<i")


class Status(IntEnum):
    SUCCESS = 0
    NOT_SUPPORTED = -1
    INVALID_PARAMETERS = -2
    DENIED = -3
    NOT_FOUND = -4
    OUT_OF_RANGE = -5
    BUSY = -6
    COMMS_ERROR = -7
    GENERIC_ERROR = -8
    HARDWARE_ERROR = -9
    PROTOCOL_ERROR = -10
    IN_USE = -11

    @property
    def word(self) -> bytes:
        """The status as the first four payload bytes of a response."""
        return _WORDS[self]


_WORDS = {status: _WORD.pack(status) for status in Status}
STATUS_BYTES = _WORD.size


def read(payload: bytes) -> int:
    """The status of a response payload; raises ValueError when the payload is shorter than 4 bytes."""
    if len(payload) < STATUS_BYTES:
        raise ValueError(f"a response has at least {STATUS_BYTES} payload bytes, this one {len(payload)}")
    return int(_WORD.unpack_from(payload)[0])


def name(code: int) -> str:
    """The specification's name, ``VENDOR(n)`` from -128 down, ``RESERVED(n)`` otherwise."""
    try:
        return Status(code).name
    except ValueError:
        return f"VENDOR({code})" if code <= -128 else f"RESERVED({code})"
