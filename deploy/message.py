"""One SCMI message in words: ``clock.RATE_GET clock_id=5`` to bytes, and an answer's bytes to named fields.

It knows the tables it is given and nothing of platforms; ``deploy.cli.call`` sends the bytes. What the user
got wrong is a UserError that names the field.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from bus.fields import (
    REST,
    Bits,
    Field,
    Message,
    WrongSize,
    count_in,
    count_max,
    decode,
    encode,
    fields_of,
    layout,
)
from bus.reference.markdown import version_text
from bus.scmi import trace
from bus.scmi.protocol import AnyCommand, Protocol
from bus.scmi.tables import Tables
from deploy.errors import UserError


def parse_name(text: str, tables: Tables) -> tuple[int, int, AnyCommand | None, Protocol | None]:
    """(protocol id, message id, row, table) of ``clock.CLOCK_RATE_GET`` or ``0x14.0x6``; raises UserError."""
    left, dot, right = text.partition(".")
    if not dot:
        raise UserError(f"{text}: name a message as PROTOCOL.MESSAGE, such as clock.CLOCK_RATE_GET")
    named = tables.by_key(left.lower())
    protocol_id = named.id if named else _byte(left)
    if protocol_id is None:
        keys = ", ".join(one.key for one in tables.protocols)
        raise UserError(f"{left}: no such protocol; there are {keys}, or give a number up to 0xff")
    protocol = tables.by_id(protocol_id)
    number = _byte(right)
    command = protocol.command(right if number is None else number) if protocol else None
    if command is not None:
        return protocol_id, command.id, command, protocol
    if number is None:
        names = ", ".join(one.name for one in protocol.every_command()) if protocol else "numbers only"
        if protocol and any(one.name == right.upper() for one in protocol.notifications):
            raise UserError(f"{right}: EL3 sends it, as a notification; there are {names}")
        raise UserError(f"{right}: no such message of {left}; there are {names}")
    return protocol_id, number, None, protocol


def _byte(text: str) -> int | None:
    try:
        value = int(text, 0)
    except ValueError:
        return None
    return value if 0 <= value <= 0xFF else None


def varies(protocol: Protocol, command: AnyCommand) -> bool:
    """Whether the command looks different in some version that has it."""
    shapes = {
        (_shape(command.request_at(version), version), _shape(command.reply_at(version), version))
        for version in protocol.versions
        if version >= command.since
    }
    return len(shapes) > 1


def _shape(cls: type[Message], version: int) -> tuple[object, ...]:
    """The names and kinds of the fields, those of structures included."""
    rows = layout(cls, version).rows
    return tuple((row.name, row.kind, _shape(row.item, version) if row.item else ()) for row in rows)


def offered_version(protocol: Protocol, told: int) -> int:
    """The version to speak with a platform that says ``told``: the newest not above it, else the oldest."""
    return max((one for one in protocol.versions if one <= told), default=protocol.versions[0])


def spoken_version(text: str, protocol: Protocol, command: AnyCommand) -> int:
    """The version whose layouts are asked for; UserError if there is none, or it lacks the command."""
    known = ", ".join(f"{version:#x}" for version in protocol.versions)
    try:
        version = int(text, 0)
    except ValueError:
        version = -1
    if version not in protocol.versions:
        raise UserError(f"--version {text}: {protocol.key} has layouts for {known}; give one of them")
    if command.since > version:
        came = version_text(command.since)
        raise UserError(f"--version {text}: {command.name} came with {came}; give that or a later one")
    return version


# ---- a request --------------------------------------------------------------------------------


def encode_request(command: AnyCommand, given: Sequence[str], version: int) -> bytes:
    """The request's payload from FIELD=VALUE words; raises UserError naming the field.

    The count of an array need not be given: it is that of its items.
    """
    cls = command.request_at(version)
    rows = {row.name: row for row in layout(cls, version).rows}
    values: dict[str, Any] = {row.name: row.empty for row in fields_of(cls)}
    seen = set()
    for word in given:
        key, equals, text = word.partition("=")
        if not equals or key not in rows:
            there = ", ".join(rows) or "none"
            raise UserError(f"{word}: {command.name} takes FIELD=VALUE for the fields: {there}")
        values[key] = _value(rows[key], text, version)
        seen.add(key)
    missing = [key for key in rows if key not in seen]
    if missing:
        needed = " ".join(f"{key}=..." for key in missing)
        raise UserError(f"{command.name}: {missing[0]} is missing; give {needed}")
    try:
        return encode(_counted(cls(**values), layout(cls, version).tail), version)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{command.name}: {error}; give what fits the layout") from None


def _counted(message: Message, tail: Field | None) -> Message:
    """The message with the number of its items in its count field, unless another number is there."""
    if tail is None or tail.count == REST or count_in(message, tail):
        return message
    items = len(getattr(message, tail.name))
    if items > count_max(tail):
        raise UserError(f"{tail.name}: {items} items, the count field takes {count_max(tail)}; give fewer")
    name, _, span = tail.count.partition("[")
    low = int(span.rstrip("]").split(":")[1]) if span else 0
    return replace(message, **{name: getattr(message, name) | items << low})


def _value(row: Field, text: str, version: int) -> Any:
    if row.count:
        words = text.split(",") if text else []
        return tuple(_item(row, word, version) for word in words)
    return _scalar(row, row.name, text, version)


def _item(row: Field, text: str, version: int) -> Any:
    """One item of an array; of a structure the values of its fields, with ':' between them."""
    if row.item is None:
        return _scalar(row, row.name, text, version)
    inner = layout(row.item, version).rows
    words = text.split(":")
    if len(words) != len(inner):
        names = ":".join(one.name for one in inner)
        raise UserError(f"{row.name}={text}: an item is {names}; give {len(inner)} values with ':' between")
    values = (
        _scalar(one, f"{row.name}.{one.name}", word, version) for one, word in zip(inner, words, strict=True)
    )
    return row.item(*values)


def _scalar(row: Field, name: str, text: str, version: int) -> int | str:
    if row.is_text:
        return text
    number = _known(row.values, text)
    if number is not None:
        return number
    bits = row.bits_at(version)
    if bits is not None and "=" in text:
        return _word(row, bits, name, text)
    return _fitting(row, name, text, _number(row.values, name, text))


def _word(row: Field, bits: Bits, name: str, text: str) -> int:
    """``round_up=1+async_set=0``: bit=value pairs, values by number or by name."""
    parts = {}
    for pair in text.split("+"):
        part, _, value = pair.partition("=")
        names = row.parts.get(part, {})
        number = _known(names, value)
        parts[part] = _number(names, f"{name}={part}", value) if number is None else number
        if part.endswith(trace.SIGNED) and part in bits.rows:
            parts[part] = _unsigned(bits, part, parts[part])
    try:
        return bits.pack(**parts)
    except ValueError as error:
        raise UserError(f"{name}={text}: {error}; give it as bit=value+bit=value") from None


def _unsigned(bits: Bits, part: str, number: int) -> int:
    """The bits of a part that is a number in two's complement."""
    high, low = bits.rows[part]
    half = 1 << high - low
    if not -half <= number < half:
        raise UserError(f"{part}={number}: it takes {-half} to {half - 1}; give a number that fits")
    return number % (2 * half)


def _known(names: Mapping[str, int], text: str) -> int | None:
    return next((number for known, number in names.items() if known.lower() == text.lower()), None)


def _fitting(row: Field, name: str, text: str, number: int) -> int:
    """``number``, if it fits the field."""
    bits = 8 * struct.calcsize(row.code)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if row.code.islower() else (0, (1 << bits) - 1)
    if not low <= number <= high:
        kind = row.kind.partition("[")[0]
        raise UserError(f"{name}={text}: a {kind} takes {low} to {high}; give a number that fits")
    return number


def _number(names: Mapping[str, int], name: str, text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        known = "".join(f", {one}" for one in names)
        raise UserError(f"{name}={text}: not a number{known}; write 10, 0x0a or a name") from None


# ---- a reply ----------------------------------------------------------------------------------


def named_fields(cls: type[Message], payload: bytes, version: int) -> dict[str, Any]:
    """The fields of a payload as text by name, arrays of structures as lists; or what is malformed."""
    try:
        message = decode(cls, payload, version)
    except WrongSize:
        return {"malformed": payload.hex() or "no payload"}
    return _told(message, version)


def _told(message: Message, version: int) -> dict[str, Any]:
    return {
        row.name: _shown(row, getattr(message, row.name), version) for row in trace.present(message, version)
    }


def _shown(row: Field, value: object, version: int) -> Any:
    if row.item is not None and isinstance(value, tuple):
        return [_told(item, version) for item in value]
    return trace.value_text(row, value, version)
