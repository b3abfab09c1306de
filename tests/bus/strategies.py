"""Hypothesis strategies read off the field tables and the frame types: whatever is legal, nothing else."""

from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

from bus import frames
from bus.fields import REST, Bits, Field, Message, count_max, fields_of, layout
from bus.scmi import PROTOCOLS
from bus.scmi.protocol import Protocol

RANGES = {
    "B": (0, 0xFF),
    "H": (0, 0xFFFF),
    "I": (0, 0xFFFF_FFFF),
    "i": (-(1 << 31), (1 << 31) - 1),
    "Q": (0, (1 << 64) - 1),
    "q": (-(1 << 63), (1 << 63) - 1),
}
ITEMS_MAX = 12
STRUCTURES_MAX = 4

Strategy = st.SearchStrategy[Any]


def integers(low: int, high: int) -> Strategy:
    """Any integer of the range; its ends and the powers of two more often than chance has it."""
    edges = sorted({low, high, *(1 << bit for bit in range(64) if low <= 1 << bit <= high)})
    return st.integers(low, high) | st.sampled_from(edges)


def value(row: Field) -> Strategy:
    """Any value of one field that is not a counted array."""
    if row.is_text:
        printable = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
        return st.text(printable, max_size=int(row.code[:-1]) - 1)
    return integers(*RANGES[row.code])


@st.composite
def messages(draw: st.DrawFn, cls: type[Message], version: int) -> Message:
    """Any message of a class at a version; fields that the version or a condition leaves out are empty."""
    shape = layout(cls, version)
    values = {row.name: row.empty for row in fields_of(cls)}
    for row in shape.rows:
        if not row.count and is_there(row, values):
            values[row.name] = draw(value(row), label=row.name)
    if shape.tail is not None:
        items = draw(tail(shape.tail, version))
        values[shape.tail.name] = tuple(items)
        if shape.tail.count != REST:
            name, word = counted(shape.tail, values, len(items))
            values[name] = word
    return cls(**values)


def is_there(row: Field, values: dict[str, Any]) -> bool:
    """Whether the condition of ``row``, read anew from its text, holds for the values before it."""
    for word in row.when.split():
        name, _, bit = word.strip("!]").partition("[")
        if bool(values[name] >> int(bit) & 1) == word.startswith("!"):
            return False
    return True


def tail(row: Field, version: int) -> Strategy:
    """A list of items for a counted array, of numbers or of structures."""
    most = ITEMS_MAX if row.item is None else STRUCTURES_MAX
    item = messages(row.item, version) if row.item else integers(*RANGES[row.code])
    return st.lists(item, max_size=most if row.count == REST else min(most, count_max(row)))


def counted(row: Field, values: dict[str, Any], items: int) -> tuple[str, int]:
    """The count field of ``row`` and its word with ``items`` put in, its other bits left alone."""
    name, _, span = row.count.partition("[")
    low = int(span.rstrip("]").split(":")[1]) if span else 0
    mask = count_max(row) << low
    return name, values[name] & ~mask | items << low


def words(bits: Bits) -> st.SearchStrategy[dict[str, int]]:
    """A value for each named part of a word."""
    return st.fixed_dictionaries(
        {name: integers(0, (1 << high - low + 1) - 1) for name, (high, low) in bits.rows.items()}
    )


def every_message() -> list[tuple[type[Message], int]]:
    """Each message class of each protocol at each version that has it, and the structures inside."""
    found: dict[tuple[str, str, int], tuple[type[Message], int]] = {}
    for protocol in PROTOCOLS:
        for version in protocol.versions:
            for cls in classes_at(protocol, version):
                items = [row.item for row in fields_of(cls) if row.item is not None]
                for one in (cls, *items):
                    found[one.__module__, one.__name__, version] = one, version
    return list(found.values())


def classes_at(protocol: Protocol, version: int) -> list[type[Message]]:
    """Requests, replies, delayed responses and notifications that this version has, in its tables."""
    commands = [row for row in protocol.every_command() if row.since <= version]
    tables = [part(version) for row in commands for part in (row.request_at, row.reply_at, row.delayed_at)]
    events = [row.payload for row in protocol.notifications if row.since <= version]
    return [*(cls for cls in tables if cls is not None), *events]


# ---- frames -----------------------------------------------------------------------------------


def any_frame() -> Strategy:
    return st.one_of([frame(cls) for cls in frames.FRAME_TYPES])


def frame(cls: type[frames.Frame]) -> Strategy:
    """Any frame of a class that its own types allow."""
    return of_type(inspect.type_info(cls))


def of_type(kind: inspect.Type) -> Strategy:
    """Any value of a msgspec type as msgpack can carry it."""
    if isinstance(kind, inspect.StructType):
        return st.builds(kind.cls, **{field.name: of_type(field.type) for field in kind.fields})
    if isinstance(kind, inspect.UnionType):
        return st.one_of([of_type(inner) for inner in kind.types])
    if isinstance(kind, inspect.TupleType):
        return st.tuples(*(of_type(inner) for inner in kind.item_types))
    if isinstance(kind, inspect.VarTupleType):
        return st.lists(of_type(kind.item_type), max_size=3).map(tuple)
    if isinstance(kind, inspect.LiteralType):
        return st.sampled_from(kind.values)
    return _scalar(kind)


def _scalar(kind: inspect.Type) -> Strategy:
    if isinstance(kind, inspect.IntType):
        low = -(1 << 63) if kind.ge is None else kind.ge
        return integers(low, (1 << 64) - 1 if kind.le is None else kind.le)
    if isinstance(kind, inspect.StrType):
        characters = st.characters(codec="utf-8")
        return st.text(characters, min_size=kind.min_length or 0, max_size=min(kind.max_length or 40, 80))
    if isinstance(kind, inspect.BytesType):
        return st.binary(max_size=min(kind.max_length or 40, 300))
    if isinstance(kind, inspect.BoolType):
        return st.booleans()
    assert isinstance(kind, inspect.NoneType), kind
    return st.none()
