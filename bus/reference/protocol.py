"""The page of one protocol: commands, fields, structures, bits, errors, and what differs between versions.

Read off the tables of ``bus.scmi``; how they are printed is in ``markdown.py``.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from struct import calcsize
from typing import NamedTuple

from bus.fields import ANY_VERSION, NEWEST, REST, Field, Message, fields_of, layout
from bus.reference.markdown import Row, bit_rows, since_text, table, values_text, version_text
from bus.scmi.protocol import STATUS_CONFIDENCE, AnyCommand, Confidence, Protocol
from bus.scmi.status import STATUS_BYTES, Status


class Part(NamedTuple):
    """One message or structure of a protocol; ``start`` is where its fields begin in the payload."""

    title: str
    cls: type[Message]
    start: int


def parts(protocol: Protocol) -> list[Part]:
    """Every message of a protocol that has fields: requests, replies, delayed responses, notifications."""
    found: list[Part] = []
    for command in protocol.every_command():
        found.append(Part(f"{command.name} request", command.request, 0))
        found.append(Part(f"{command.name} reply", command.reply, STATUS_BYTES))
        if command.delayed is not None:
            found.append(Part(f"{command.name} delayed response", command.delayed, STATUS_BYTES))
    found.extend(Part(f"{row.name} notification", row.payload, 0) for row in protocol.notifications)
    return [part for part in found if fields_of(part.cls)]


def structures_of(protocol: Protocol) -> list[Part]:
    """The structures that its messages have arrays of."""
    items = [row.item for part in parts(protocol) for row in fields_of(part.cls) if row.item is not None]
    return [Part(item.__name__, item, 0) for item in dict.fromkeys(items)]


def protocol_page(protocol: Protocol) -> str:
    """The whole page of one protocol."""
    sections = (
        ("Commands", _commands(protocol)),
        ("Fields", _fields(protocol)),
        ("Structures", _structures(protocol)),
        ("Bits", _bits(protocol)),
        ("Named values", _values(protocol)),
        ("Errors", _errors(protocol)),
        ("Delayed responses", _delayed(protocol)),
        ("Notifications", _notifications(protocol)),
        ("What differs between versions", _differences(protocol)),
        ("How well this is established", _confidence(protocol)),
    )
    body = "".join(f"\n## {title}\n\n{text}" for title, text in sections if text)
    return _introduction(protocol) + body


def _introduction(protocol: Protocol) -> str:
    versions = ", ".join(version_text(version) for version in protocol.versions)
    return (
        f"<!-- generated from bus/scmi/{protocol.key}.py; do not edit, run `make docs` -->\n\n"
        f"# {protocol.title} protocol, {protocol.id:#x}\n\n"
        f"Versions with a layout here: {versions}.\n\n"
        "All numbers are little-endian. A response and a delayed response begin with the status, an i32; "
        "with any status but SUCCESS it is all they have. A name is NUL-terminated ASCII.\n"
    )


def _commands(protocol: Protocol) -> str:
    head = ("id", "name", "", "since", "request", "reply after the status", "changes state")
    note = "M is mandatory, O optional. What changes state may be sent twice with the effect of once, "
    note += "unless it says *once*.\n\n"
    return note + table(head, (_command_row(command) for command in protocol.every_command()))


def _command_row(command: AnyCommand) -> Row:
    changes = "no" if not command.changes else "yes" if command.repeatable else "yes, *once*"
    return (
        f"{command.id:#x}",
        command.name,
        "M" if command.mandatory else "O",
        since_text(command.since),
        _signature(command.request),
        _signature(command.reply),
        changes,
    )


def _signature(cls: type[Message]) -> str:
    return ", ".join(f"{row.name}: {row.kind}" for row in fields_of(cls)) or "-"


def _fields(protocol: Protocol) -> str:
    note = "Where each field is, in bytes from the start of the payload, in the newest layout.\n\n"
    rows = (row for part in parts(protocol) for row in _field_rows(part))
    return note + table(("message", "at", "field", "type", "meaning"), rows, grouped=True)


def _field_rows(part: Part) -> Iterator[Row]:
    shape = layout(part.cls, NEWEST)
    for row in fields_of(part.cls):
        at = part.start + shape.offsets.get(row.name, shape.size)
        yield part.title, f"{at:#04x}", row.name, row.kind, _meaning(row)


def _meaning(row: Field) -> str:
    notes = [row.doc] if row.doc else []
    if row.of:
        notes.append(f"names a {row.of.replace('_', ' ')}")
    if row.pad > 1:
        notes.append(f"zero-padded to a multiple of {row.pad} bytes")
    if row.count == REST:
        notes.append("as many as the payload has")
    if row.item is not None:
        notes.append("see Structures")
    if row.bits is not None and row.bits.rows:
        notes.append("see Bits")
    return "; ".join(notes)


def _structures(protocol: Protocol) -> str:
    there = structures_of(protocol)
    if not there:
        return ""
    sizes = "".join(f"- `{part.title}`: {_sizes_text(protocol, part.cls)}\n" for part in there)
    note = "One after the other, without a gap. A field whose condition does not hold takes no bytes.\n\n"
    rows = (row for part in there for row in _structure_rows(part))
    head = ("structure", "at", "field", "type", "there if", "meaning")
    return f"{note}{sizes}\n{table(head, rows, grouped=True)}"


def _structure_rows(part: Part) -> Iterator[Row]:
    at = 0
    for row in fields_of(part.cls):
        yield part.title, f"{at:#04x}", row.name, row.kind, _condition(row.when), _meaning(row)
        at += calcsize("<" + row.code)


def _condition(when: str) -> str:
    """``"low[8] !high[8]"`` as ``low[8] = 1, high[8] = 0``."""
    return ", ".join(f"{one[1:]} = 0" if one.startswith("!") else f"{one} = 1" for one in when.split())


def _sizes_text(protocol: Protocol, cls: type[Message]) -> str:
    """``28 bytes; from 2.0 (0x20000) on 28, 32 or 52 bytes``."""
    changes: list[tuple[int, str]] = []
    for version in protocol.versions:
        text = f"{_any_of(_sizes(cls, version))} bytes"
        if not changes or changes[-1][1] != text:
            changes.append((version, text))
    first = changes[0][1]
    later = (f"from {version_text(version)} on {text}" for version, text in changes[1:])
    return "; ".join((first, *later))


def _any_of(numbers: list[int]) -> str:
    *others, last = (str(number) for number in numbers)
    return f"{', '.join(others)} or {last}" if others else last


def _sizes(cls: type[Message], version: int) -> list[int]:
    """Every length that the conditions of a structure leave possible."""
    rows = layout(cls, version).rows
    words = sorted({one.lstrip("!") for row in rows for one in row.when.split()})
    found = set()
    for truth in product((False, True), repeat=len(words)):
        holds = dict(zip(words, truth, strict=True))
        there = [row for row in rows if _holds(row.when, holds)]
        found.add(sum(calcsize("<" + row.code) for row in there))
    return sorted(found)


def _holds(when: str, holds: Mapping[str, bool]) -> bool:
    return all(holds[one.lstrip("!")] != one.startswith("!") for one in when.split())


def _bits(protocol: Protocol) -> str:
    rows = [
        (f"{part.title}, {row.name}", *cells)
        for part in (*parts(protocol), *structures_of(protocol))
        for row in fields_of(part.cls)
        if row.bits is not None
        for cells in bit_rows(row.bits)
    ]
    note = "Reserved bits are zero; a request that sets one is INVALID_PARAMETERS.\n\n"
    return note + table(("message, field", "bits", "name"), rows, grouped=True) if rows else ""


def _values(protocol: Protocol) -> str:
    """One row for each set of names, with every place that uses it."""
    places: dict[str, list[str]] = {}
    for part in (*parts(protocol), *structures_of(protocol)):
        for row in fields_of(part.cls):
            named = {row.name: row.values, **{f"{row.name}.{bit}": names for bit, names in row.parts.items()}}
            for place, values in named.items():
                if values:
                    places.setdefault(values_text(values), []).append(f"{part.title}, {place}")
    rows = [("; ".join(where), text) for text, where in places.items()]
    return table(("where", "values"), rows) if rows else ""


def _errors(protocol: Protocol) -> str:
    note = (
        "Beside those that any command can give: NOT_SUPPORTED (no such protocol), NOT_FOUND (no such "
        "command), PROTOCOL_ERROR (wrong size), INVALID_PARAMETERS (reserved bits), DENIED (no permission)."
        "\n\n"
    )
    rows = (
        (command.name, status.name, str(int(status)), command.errors[status])
        for command in protocol.every_command()
        for status in sorted(command.errors, key=_severity)
    )
    return note + table(("command", "status", "code", "when"), rows, grouped=True)


def _severity(status: Status) -> int:
    return -int(status)


def _delayed(protocol: Protocol) -> str:
    rows = [
        (f"{command.id:#x}", command.name, _signature(command.delayed))
        for command in protocol.every_command()
        if command.delayed is not None
    ]
    note = "Message type 2, with the id and the token of the command that it completes.\n\n"
    return note + table(("id", "of command", "payload after the status"), rows) if rows else ""


def _notifications(protocol: Protocol) -> str:
    rows = [
        (f"{row.id:#x}", row.name, since_text(row.since), _signature(row.payload), row.enabled_by)
        for row in protocol.notifications
    ]
    note = "Message type 3; the ids are a space of their own. There is no status.\n\n"
    return note + table(("id", "name", "since", "payload", "enabled by"), rows) if rows else ""


def _differences(protocol: Protocol) -> str:
    lines = [line for part in (*parts(protocol), *structures_of(protocol)) for line in _part_lines(part)]
    lines += [line for command in protocol.every_command() for line in _variant_lines(command)]
    if len(protocol.versions) == 1:
        return ""
    return "\n".join(lines) + "\n" if lines else "Nothing but the commands that came later.\n"


def _part_lines(part: Part) -> Iterator[str]:
    for row in fields_of(part.cls):
        if row.since != ANY_VERSION:
            yield f"- {part.title}: `{row.name}` is there since {version_text(row.since)}."
        for below, bits in sorted(row.older.items()):
            names = ", ".join(f"{span} {name}" for span, name in bit_rows(bits))
            yield f"- {part.title}: below {version_text(below)} the bits of `{row.name}` are {names}."


def _variant_lines(command: AnyCommand) -> Iterator[str]:
    for below, variant in sorted(command.older.items()):
        tables = (
            ("request", variant.request),
            ("reply", variant.reply),
            ("delayed response", variant.delayed),
        )
        for what, cls in tables:
            if cls is None:
                continue
            is_what = f"is `{_signature(cls)}`" if fields_of(cls) else "does not exist"
            yield f"- {command.name} {what}: below {version_text(below)} it {is_what}."


def _confidence(protocol: Protocol) -> str:
    """What is not agreed on by independent implementations; nothing if all is."""
    rows = [*_unsure_versions(protocol), *_unsure_rows(protocol)]
    note = "Independent implementations agree on all of this page, but for:\n\n"
    return note + table(("what", "rests on"), rows) if rows else ""


def _unsure_versions(protocol: Protocol) -> Iterator[Row]:
    for version, sure in sorted(protocol.confidence.items()):
        yield f"what {version_text(version)} changes", sure.value


def _unsure_rows(protocol: Protocol) -> Iterator[Row]:
    commands = [(row.name, row.confidence) for row in protocol.every_command()]
    for name, sure in (*commands, *((row.name, row.confidence) for row in protocol.notifications)):
        if sure is not Confidence.A:
            yield f"{name}, its layout", sure.value
    given = {status for command in protocol.commands for status in command.errors}
    for status in sorted(given & STATUS_CONFIDENCE.keys()):
        yield f"the code of {status.name}", STATUS_CONFIDENCE[status].value
    for command in protocol.every_command():
        if command.mandatory_confidence is not Confidence.A:
            kind = "mandatory" if command.mandatory else "optional"
            yield f"{command.name}, that it is {kind}", command.mandatory_confidence.value
