"""Reference pages in Markdown, read off the same tables as the codecs: protocols, frames, the shared page.

Pure text: ``deploy.generate`` writes it beside the code, and a test compares. It knows how a table is
printed, not what a message means; the prose about the wire is ``PROTOCOL.md``.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from bus import frames, shmem
from bus.fields import ANY_VERSION, NEWEST, Bits, Field, Message, fields_of, layout
from bus.scmi.protocol import AnyCommand, Protocol
from bus.scmi.status import STATUS_BYTES, Status

WORD_BITS = 32
GUEST_TO_XEN, XEN_TO_GUEST = "guest → Xen", "Xen → guest"
DIRECTIONS: Mapping[type[frames.Frame], str] = {
    frames.Hello: "every peer → Xen",
    frames.Welcome: "Xen → every peer",
    frames.Trap: GUEST_TO_XEN,
    frames.Return: XEN_TO_GUEST,
    frames.Undef: XEN_TO_GUEST,
    frames.Smc: "Xen → EL3",
    frames.SmcReturn: "EL3 → Xen",
    frames.Error: "Xen → every peer",
    frames.Domctl: "toolstack → Xen",
    frames.DomctlReply: "Xen → toolstack",
    frames.Lifecycle: "Xen → toolstack",
    frames.Console: "toolstack → Xen → guest or EL3",
    frames.ConsoleReply: "guest or EL3 → Xen → toolstack",
    frames.Interrupt: "EL3 → Xen → guest",
    frames.EndOfInterrupt: "guest → Xen → EL3",
}
WITH_PAGE = frozenset(
    (frames.Trap, frames.Return, frames.Smc, frames.SmcReturn, frames.Interrupt, frames.EndOfInterrupt)
)
HEAD = ("version", "request", "cause")

Row = tuple[str, ...]


def table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table; pipes inside cells are escaped."""
    lines = [_line(head), _line(tuple("---" for _ in head))]
    lines.extend(_line(tuple(cell.replace("|", "\\|") for cell in row)) for row in rows)
    return "\n".join(lines) + "\n"


def _line(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"


def version_text(version: int) -> str:
    """``2.1 (0x20001)``."""
    return f"{version >> 16}.{version & 0xFFFF} ({version:#x})"


# ---- a protocol -------------------------------------------------------------------------------


class Part(NamedTuple):
    """One message of a protocol; ``start`` is where its fields begin in the payload."""

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


def protocol_page(protocol: Protocol) -> str:
    """The whole page of one protocol."""
    sections = (
        ("Commands", _commands(protocol)),
        ("Fields", _fields(protocol)),
        ("Bits", _bits(protocol)),
        ("Named values", _values(protocol)),
        ("Errors", _errors(protocol)),
        ("Delayed responses", _delayed(protocol)),
        ("Notifications", _notifications(protocol)),
        ("What differs between versions", _differences(protocol)),
    )
    body = "".join(f"\n## {title}\n\n{text}" for title, text in sections)
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
    return table(head, (_command_row(command) for command in protocol.every_command()))


def _command_row(command: AnyCommand) -> Row:
    return (
        f"{command.id:#x}",
        command.name,
        "M" if command.mandatory else "O",
        _since(command.since),
        _signature(command.request),
        _signature(command.reply),
        "yes" if command.changes else "no",
    )


def _since(version: int) -> str:
    return "" if version == ANY_VERSION else version_text(version)


def _signature(cls: type[Message]) -> str:
    return ", ".join(f"{row.name}: {row.kind}" for row in fields_of(cls)) or "-"


def _fields(protocol: Protocol) -> str:
    note = "Where each field is, in bytes from the start of the payload, in the newest layout.\n\n"
    rows = (row for part in parts(protocol) for row in _field_rows(part))
    return note + table(("message", "at", "field", "type", "meaning"), rows)


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
    if row.bits is not None:
        notes.append("see Bits")
    return "; ".join(notes)


def _bits(protocol: Protocol) -> str:
    rows = (
        (part.title, row.name, *cells)
        for part in parts(protocol)
        for row in fields_of(part.cls)
        if row.bits is not None
        for cells in bit_rows(row.bits)
    )
    note = "Reserved bits are zero; a request that sets one is INVALID_PARAMETERS.\n\n"
    return note + table(("message", "field", "bits", "name"), rows)


def bit_rows(bits: Bits) -> Iterator[tuple[str, str]]:
    """(bits, name) from the top down, the reserved stretches included."""
    above = WORD_BITS
    for name, (high, low) in sorted(bits.rows.items(), key=lambda row: -row[1][0]):
        if high + 1 < above:
            yield _span(above - 1, high + 1), "reserved"
        yield _span(high, low), name
        above = low
    if above:
        yield _span(above - 1, 0), "reserved"


def _span(high: int, low: int) -> str:
    return str(high) if high == low else f"{high}:{low}"


def _values(protocol: Protocol) -> str:
    rows = [
        (part.title, row.name, f"{number:#x}", name)
        for part in parts(protocol)
        for row in fields_of(part.cls)
        for name, number in row.values.items()
    ]
    return table(("message", "field", "value", "name"), rows) if rows else "None.\n"


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
    return note + table(("command", "status", "code", "when"), rows)


def _severity(status: Status) -> int:
    return -int(status)


def _delayed(protocol: Protocol) -> str:
    rows = [
        (f"{command.id:#x}", command.name, _signature(command.delayed))
        for command in protocol.every_command()
        if command.delayed is not None
    ]
    if not rows:
        return "None.\n"
    note = "Message type 2, with the id and the token of the command that it completes.\n\n"
    return note + table(("id", "of command", "payload after the status"), rows)


def _notifications(protocol: Protocol) -> str:
    since = {command.name: command.since for command in protocol.commands}
    rows = [
        (f"{row.id:#x}", row.name, _since(since[row.enabled_by]), _signature(row.payload), row.enabled_by)
        for row in protocol.notifications
    ]
    if not rows:
        return "None.\n"
    note = "Message type 3; the ids are a space of their own. There is no status.\n\n"
    return note + table(("id", "name", "since", "payload", "enabled by"), rows)


def _differences(protocol: Protocol) -> str:
    lines = [line for part in parts(protocol) for line in _part_differences(part)]
    return "\n".join(lines) + "\n" if lines else "Nothing but the commands that came later.\n"


def _part_differences(part: Part) -> Iterator[str]:
    for row in fields_of(part.cls):
        if row.since != ANY_VERSION:
            yield f"- {part.title}: `{row.name}` is there since {version_text(row.since)}."
        for below, bits in sorted(row.older.items()):
            names = ", ".join(f"{span} {name}" for span, name in bit_rows(bits))
            yield f"- {part.title}: below {version_text(below)} the bits of `{row.name}` are {names}."


# ---- the shared-memory page -------------------------------------------------------------------


def shmem_table() -> str:
    """The fixed part of the page, then the payload."""
    shape = layout(shmem.Area)
    rows = [
        (f"{shape.offsets[row.name]:#04x}", row.kind, row.name, _named_bits(row), row.doc)
        for row in fields_of(shmem.Area)
    ]
    rows.append((f"{shape.size:#04x}", "bytes", "payload", "", "a response puts its status, an i32, first"))
    return table(("at", "type", "field", "bits", "meaning"), rows)


def _named_bits(row: Field) -> str:
    if row.bits is None:
        return ""
    return ", ".join(f"{span} {name}" for span, name in bit_rows(row.bits) if name != "reserved")


# ---- frames -----------------------------------------------------------------------------------


def frames_table() -> str:
    """Every frame by kind number, then the operations of a Domctl and the rows of its reply."""
    head = ("kind", "frame", "direction", "page", "items after the cause", "what it is")
    kinds = table(head, (_frame_row(cls) for cls in frames.FRAME_TYPES))
    op = _struct_fields(frames.Domctl)["op"]
    assert isinstance(op, inspect.UnionType)
    kinds_of_op = [kind.cls for kind in op.types if isinstance(kind, inspect.StructType)]
    wanted = sorted(kinds_of_op, key=lambda cls: str(cls.__struct_config__.tag))
    operations = table(("`type`", "further keys", "what it is"), (_operation_row(cls) for cls in wanted))
    info = _struct_fields(frames.DomainInfo)
    rows = table(("key", "type"), ((name, type_text(kind)) for name, kind in info.items()))
    return (
        f"{kinds}\nThe operations of a `Domctl`: a map with its name under `type`. A key in brackets may be "
        f"left out; an unknown key is refused.\n\n{operations}\n"
        f"A `DomainInfo`, a map. {summary(frames.DomainInfo)}\n\n{rows}"
    )


def _frame_row(cls: type[frames.Frame]) -> Row:
    own = {name: kind for name, kind in _struct_fields(cls).items() if name not in HEAD}
    items = ", ".join(f"{name}: {type_text(kind)}" for name, kind in own.items()) or "-"
    may = "may follow" if cls in WITH_PAGE else "empty"
    return str(cls.__struct_config__.tag), cls.__name__, DIRECTIONS[cls], may, items, summary(cls)


def _operation_row(cls: type[msgspec.Struct]) -> Row:
    described = inspect.type_info(cls)
    assert isinstance(described, inspect.StructType)
    keys = (_key_text(field) for field in described.fields)
    return f"`{cls.__struct_config__.tag}`", ", ".join(keys) or "-", summary(cls)


def _key_text(field: inspect.Field) -> str:
    text = f"{field.name}: {type_text(field.type)}"
    return text if field.required else f"[{text}]"


def _struct_fields(cls: type[msgspec.Struct]) -> dict[str, inspect.Type]:
    described = inspect.type_info(cls)
    assert isinstance(described, inspect.StructType)
    return {field.name: field.type for field in described.fields}


def summary(cls: type[msgspec.Struct]) -> str:
    """The class's own docstring on one line."""
    return " ".join((cls.__dict__.get("__doc__") or "").replace("``", "`").split())


def type_text(kind: inspect.Type) -> str:
    """A msgpack type with its bounds, as the tables write it."""
    if isinstance(kind, inspect.IntType):
        return _integer_text(kind)
    if isinstance(kind, inspect.StrType | inspect.BytesType):
        return _sized_text(kind)
    if isinstance(kind, inspect.TupleType):
        inner = [type_text(item) for item in kind.item_types]
        same = len(set(inner)) == 1
        return f"{inner[0]}[{len(inner)}]" if same else f"[{', '.join(inner)}]"
    if isinstance(kind, inspect.VarTupleType):
        return f"{type_text(kind.item_type)}[]"
    if isinstance(kind, inspect.UnionType):
        inner = [type_text(item) for item in kind.types]
        return "an operation" if len(set(inner)) == len(inner) > 2 else " or ".join(inner)
    if isinstance(kind, inspect.StructType):
        return kind.cls.__name__
    if isinstance(kind, inspect.LiteralType):
        return _values_text(kind)
    plain: dict[type[Any], str] = {inspect.BoolType: "bool", inspect.NoneType: "nil"}
    return plain[type(kind)]


def _values_text(kind: inspect.LiteralType) -> str:
    *others, last = (f"{value:#x}" if isinstance(value, int) else str(value) for value in kind.values)
    return f"{', '.join(others)} or {last}" if others else last


def _integer_text(kind: inspect.IntType) -> str:
    if kind.ge is None:
        return "int"
    return "u64" if kind.le is None else f"u{kind.le.bit_length()}"


def _sized_text(kind: inspect.StrType | inspect.BytesType) -> str:
    name = "str" if isinstance(kind, inspect.StrType) else "bin"
    if kind.max_length is None:
        return name
    return f"{name} {kind.min_length or 0}..{kind.max_length}"
