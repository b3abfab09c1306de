"""Hypothesis strategies read off the field tables and the frame types: whatever is legal, nothing else."""

from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

from bus import frames
from bus.fields import Bits, Field, Message, count_max, fields_of, layout
from bus.scmi import PROTOCOLS
from bus.scmi.protocol import AnyCommand, Protocol

RANGES = {
    "B": (0, 0xFF),
    "H": (0, 0xFFFF),
    "I": (0, 0xFFFF_FFFF),
    "i": (-(1 << 31), (1 << 31) - 1),
    "Q": (0, (1 << 64) - 1),
}
ITEMS_MAX = 12

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
    """Any message of a class at a version; fields that the version lacks are empty."""
    shape = layout(cls, version)
    values = {row.name: "" if row.is_text else () if row.count else 0 for row in fields_of(cls)}
    for row in shape.rows:
        if not row.count:
            values[row.name] = draw(value(row), label=row.name)
    if shape.tail is not None:
        items = draw(
            st.lists(integers(*RANGES[shape.tail.code]), max_size=min(ITEMS_MAX, count_max(shape.tail)))
        )
        values[shape.tail.name] = tuple(items)
        name, word = counted(shape.tail, values, len(items))
        values[name] = word
    return cls(**values)


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
    """Each message class of each protocol at each of its versions."""
    found: dict[tuple[str, str, int], tuple[type[Message], int]] = {}
    for protocol in PROTOCOLS:
        for version in protocol.versions:
            for cls in _classes(protocol):
                found[cls.__module__, cls.__name__, version] = cls, version
    return list(found.values())


def _classes(protocol: Protocol) -> list[type[Message]]:
    commands: tuple[AnyCommand, ...] = protocol.every_command()
    found = [cls for row in commands for cls in (row.request, row.reply, row.delayed) if cls is not None]
    return [*found, *(row.payload for row in protocol.notifications)]


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
