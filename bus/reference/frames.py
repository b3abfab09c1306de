"""The tables of ``PROTOCOL.md``: every frame, the operations inside, and the shared-memory page."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from bus import frames, shmem
from bus.fields import Field, fields_of, layout
from bus.reference.markdown import Row, bit_rows, table

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
    described = inspect.type_info(cls)
    assert isinstance(described, inspect.StructType)
    items = ", ".join(_key_text(one) for one in described.fields if one.name not in HEAD) or "-"
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
