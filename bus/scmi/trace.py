"""A message in one line, decoded from its table, as a good strace would show it.

Reads headers and payloads only; it knows nothing of channels, domains or time.
"""

from bus.fields import Field, Message, WrongSize, decode, layout
from bus.scmi import BY_ID, header
from bus.scmi.protocol import AnyCommand
from bus.scmi.status import STATUS_BYTES, name, read


def command_of(head: int) -> AnyCommand | None:
    """The table row that a message header names, or None."""
    protocol = BY_ID.get(header.protocol_id(head))
    return protocol.command(header.message_id(head)) if protocol else None


def message_name(head: int) -> str:
    """``clock.CLOCK_RATE_GET``, or the numbers where no table has them."""
    protocol = BY_ID.get(header.protocol_id(head))
    command = command_of(head)
    key = protocol.key if protocol else f"{header.protocol_id(head):#04x}"
    return f"{key}.{command.name}" if command else f"{key}.{header.message_id(head):#04x}"


def request_line(head: int, payload: bytes) -> str:
    """``clock.CLOCK_RATE_SET(flags=0, clock_id=3, rate=800000000)``."""
    command = command_of(head)
    return f"{message_name(head)}({_body(command.request if command else None, head, payload)})"


def reply_line(head: int, payload: bytes) -> str:
    """``SUCCESS(rate=800000000)`` or ``DENIED``."""
    if len(payload) < STATUS_BYTES:
        return f"malformed: {payload.hex() or 'no payload'}"
    status = read(payload)
    rest = payload[STATUS_BYTES:]
    if status or not rest:
        return name(status)
    command = command_of(head)
    return f"{name(status)}({_body(command.reply if command else None, head, rest)})"


def _body(cls: type[Message] | None, head: int, payload: bytes) -> str:
    if cls is None:
        return payload.hex()
    version = BY_ID[header.protocol_id(head)].version
    try:
        message = decode(cls, payload, version)
    except WrongSize:
        return f"malformed: {payload.hex() or 'no payload'}"
    rows = layout(cls, version).rows
    return ", ".join(f"{row.name}={value_text(row, getattr(message, row.name))}" for row in rows)


def value_text(row: Field, value: object) -> str:
    """A field's value as a person reads it: a known name, hex for words of bits, decimal otherwise."""
    if isinstance(value, int):
        for known, number in row.values.items():
            if number == value:
                return known
        if row.bits is not None:
            parts = {part: got for part, got in row.bits.unpack(value).items() if got}
            inside = ",".join(f"{part}={got}" for part, got in parts.items())
            return f"{value:#x}" + (f"[{inside}]" if inside else "")
    return repr(value) if isinstance(value, str) else str(value)
