"""A message in one line, decoded from its table, as a good strace would show it.

Reads headers and payloads only; it knows nothing of channels, domains or time. ``tables`` are the protocols
that can be named, ``version`` the one that the two sides speak (0: the newest).
"""

from bus.fields import NEWEST, Bits, Field, Message, WrongSize, decode, is_there, layout
from bus.scmi import header
from bus.scmi.header import MessageType
from bus.scmi.status import STATUS_BYTES, name, read
from bus.scmi.tables import STANDARD, Tables

SIGNED = "_signed"  # how the name of a part ends that is a number in two's complement


def message_name(head: int, tables: Tables = STANDARD) -> str:
    """``clock.CLOCK_RATE_GET``, or the numbers where no table has them."""
    protocol = tables.by_id(header.protocol_id(head))
    is_event = header.message_type(head) == MessageType.NOTIFICATION
    row = tables.notification(head) if is_event else tables.command(head)
    key = protocol.key if protocol else f"{header.protocol_id(head):#04x}"
    return f"{key}.{row.name}" if row else f"{key}.{header.message_id(head):#04x}"


def request_line(head: int, payload: bytes, tables: Tables = STANDARD, version: int = 0) -> str:
    """``clock.CLOCK_RATE_SET(flags=0, clock_id=3, rate=800000000)``."""
    spoken = _version(head, tables, version)
    command = tables.command(head)
    table = command.request_at(spoken) if command else None
    return f"{message_name(head, tables)}({_body(table, payload, spoken)})"


def reply_line(head: int, payload: bytes, tables: Tables = STANDARD, version: int = 0) -> str:
    """``SUCCESS(rate=800000000)`` or ``DENIED``, of a response or of a delayed response."""
    if len(payload) < STATUS_BYTES:
        return f"malformed: {payload.hex() or 'no payload'}"
    status = read(payload)
    rest = payload[STATUS_BYTES:]
    if status or not rest:
        return name(status)
    spoken = _version(head, tables, version)
    command = tables.command(head)
    late = header.message_type(head) == MessageType.DELAYED_RESPONSE
    table = (command.delayed_at(spoken) if late else command.reply_at(spoken)) if command else None
    return f"{name(status)}({_body(table, rest, spoken)})"


def notification_line(head: int, payload: bytes, tables: Tables = STANDARD, version: int = 0) -> str:
    """``clock.CLOCK_RATE_CHANGED(agent_id=1, clock_id=3, rate=800000000)``."""
    row = tables.notification(head)
    spoken = _version(head, tables, version)
    return f"{message_name(head, tables)}({_body(row.payload if row else None, payload, spoken)})"


def _version(head: int, tables: Tables, version: int) -> int:
    protocol = tables.by_id(header.protocol_id(head))
    return version or (protocol.version if protocol else NEWEST)


def _body(cls: type[Message] | None, payload: bytes, version: int) -> str:
    if cls is None:
        return payload.hex()
    try:
        message = decode(cls, payload, version)
    except WrongSize:
        return f"malformed: {payload.hex() or 'no payload'}"
    return fields_text(message, version)


def fields_text(message: Message, version: int = NEWEST) -> str:
    """``flags=0, clock_id=3, rate=800000000``; a field that a condition leaves out is not told."""
    rows = present(message, version)
    return ", ".join(f"{row.name}={value_text(row, getattr(message, row.name), version)}" for row in rows)


def present(message: Message, version: int = NEWEST) -> list[Field]:
    """The fields that ``message`` has on the wire at a version."""
    return [row for row in layout(type(message), version).rows if is_there(message, row)]


def value_text(row: Field, value: object, version: int = NEWEST) -> str:
    """A field's value as a person reads it: a known name, hex for words of bits, decimal otherwise."""
    if isinstance(value, tuple):
        return f"[{', '.join(_item_text(item, version) for item in value)}]"
    if isinstance(value, int):
        for known, number in row.values.items():
            if number == value:
                return known
        bits = row.bits_at(version)
        if bits is not None:
            parts = {part: got for part, got in bits.unpack(value).items() if got}
            inside = ", ".join(f"{part}={_part_text(row, bits, part, got)}" for part, got in parts.items())
            return f"{value:#x}" + (f"[{inside}]" if inside else "")
    return repr(value) if isinstance(value, str) else str(value)


def _item_text(item: object, version: int) -> str:
    return f"({fields_text(item, version)})" if isinstance(item, Message) else str(item)


def _part_text(row: Field, bits: Bits, part: str, value: int) -> str:
    if part.endswith(SIGNED):
        high, low = bits.rows[part]
        return str(value - (value >> high - low << high - low + 1))
    names = row.parts.get(part, {})
    return next((known for known, number in names.items() if number == value), str(value))
