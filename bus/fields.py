"""Field tables: a wire layout is written once, as an annotated class, and everything is read off it.

The codec below, the reference pages (``bus.reference``), the trace lines (``bus.scmi.trace``) and
the test strategies all walk ``fields_of(cls)``. This module knows kinds of fields, not messages:
those are in ``bus.scmi`` (one module per protocol) and ``bus.shmem``.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Optional, TypeVar, get_args, get_origin, get_type_hints

import msgspec

KINDS = {"I": "u32", "i": "i32", "Q": "u64", "q": "i64", "B": "u8", "H": "u16"}
ANY_VERSION = 0
NEWEST = 0xFFFF_FFFF
REST = "*"  # the count of an array that takes what is left of the payload


class WrongSize(ValueError):  # noqa: N818 - it is named for what the specification calls it
    """A payload whose length is not the one its table demands (SCMI: PROTOCOL_ERROR)."""


class Bits:
    """Names for the bits of a word: ``Bits(remaining=(31, 16), enabled=0)``; what is not named is reserved.

    ``pack(enabled=1)`` builds a word, ``unpack(word)`` names its parts, ``reserved`` is the mask
    of bits that must be zero.
    """

    __slots__ = ("reserved", "rows")

    def __init__(self, **rows: int | tuple[int, int]) -> None:
        self.rows: dict[str, tuple[int, int]] = {
            name: (row if isinstance(row, tuple) else (row, row)) for name, row in rows.items()
        }
        named = 0
        for high, low in self.rows.values():
            mask = (1 << high + 1) - (1 << low)
            if high > 31 or low > high or named & mask:
                raise ValueError(f"bits {high}:{low} overlap another row or leave the word")
            named |= mask
        self.reserved = ~named & 0xFFFF_FFFF

    def pack(self, **values: int) -> int:
        """A word with the named parts set; raises ValueError for an unknown part or one too large."""
        word = 0
        for name, value in values.items():
            if name not in self.rows:
                raise ValueError(f"no bits are named {name!r}; the names are {', '.join(self.rows)}")
            high, low = self.rows[name]
            if not 0 <= value < 1 << high - low + 1:
                raise ValueError(f"{name} is {high - low + 1} bits wide; {value} does not fit")
            word |= value << low
        return word

    def get(self, word: int, name: str) -> int:
        high, low = self.rows[name]
        return word >> low & (1 << high - low + 1) - 1

    def unpack(self, word: int) -> dict[str, int]:
        return {name: self.get(word, name) for name in self.rows}


class Field(msgspec.Struct, frozen=True):
    """One row of a layout table.

    ``code`` is the struct letter ("I", "i", "Q", "q", "B", "H", "16s"); a counted array has ``count`` as
    ``"field[high:low]"``, ``"field"`` or REST, ``pad`` as the multiple of bytes it is zero-padded to, and
    ``item`` (instead of a code) if its items are structures. ``when`` makes a field of a structure depend
    on bits before it: ``"attributes_low[8] !attributes_high[8]"``. ``since`` is the protocol version that
    added the field; ``older`` maps a version to the bits that were legal below it; ``of`` names the kind
    of resource that the value identifies; ``values`` are names of the whole value, ``parts`` of some bits'.
    """

    code: str
    doc: str = ""
    since: int = ANY_VERSION
    bits: Bits | None = None
    older: Mapping[int, Bits] = {}
    of: str = ""
    values: Mapping[str, int] = {}
    parts: Mapping[str, Mapping[str, int]] = {}
    count: str = ""
    pad: int = 1
    item: Optional[type["Message"]] = None  # noqa: UP045 - a string has no "|"
    when: str = ""
    name: str = ""

    @property
    def kind(self) -> str:
        """How the specification writes the type: u32, u64, char[16], u64[count], PerfLevel[count]."""
        base = self.item.__name__ if self.item else KINDS.get(self.code)
        if base is None:
            return f"char[{self.code[:-1]}]"
        return f"{base}[{self.count}]" if self.count else base

    @property
    def empty(self) -> Any:
        """What stands for the field where a version or a condition leaves it out."""
        return "" if self.is_text else () if self.count else 0

    @property
    def is_text(self) -> bool:
        return self.code.endswith("s")

    def bits_at(self, version: int) -> Bits | None:
        """The bit names that hold when this protocol ``version`` is spoken."""
        for below, bits in sorted(self.older.items()):
            if version < below:
                return bits
        return self.bits


def u32(doc: str = "", **rest: Any) -> Field:
    return Field("I", doc, **rest)


def i32(doc: str = "", **rest: Any) -> Field:
    return Field("i", doc, **rest)


def u64(doc: str = "", **rest: Any) -> Field:
    """Two little-endian words, low first; only 4-byte aligned on the wire."""
    return Field("Q", doc, **rest)


def i64(doc: str = "", **rest: Any) -> Field:
    return Field("q", doc, **rest)


def char(size: int, doc: str = "", **rest: Any) -> Field:
    """``size`` bytes of NUL-terminated ASCII, so at most ``size - 1`` characters."""
    return Field(f"{size}s", doc, **rest)


def array(code: str, count: str, doc: str = "", **rest: Any) -> Field:
    """A counted array at the end of a message; ``code`` is "I", "i", "Q", "B" or "H"."""
    return Field(code, doc, count=count, **rest)


def structures(item: type["Message"], count: str, doc: str = "", **rest: Any) -> Field:
    """A counted array of structures at the end of a message."""
    return Field("", doc, count=count, item=item, **rest)


U32 = Annotated[int, u32()]
U64 = Annotated[int, u64()]


class Message(msgspec.Struct, frozen=True, gc=False):
    """The base of everything with a wire layout: frozen, every field required."""


M = TypeVar("M", bound=Message)


@cache
def fields_of(cls: type[Message]) -> tuple[Field, ...]:
    """The rows of a message's table, in wire order."""
    hints = get_type_hints(cls, include_extras=True)
    rows = []
    for name in cls.__struct_fields__:
        hint = hints[name]
        row = next((a for a in get_args(hint) if isinstance(a, Field)), None)
        if get_origin(hint) is not Annotated or row is None:
            raise TypeError(f"{cls.__name__}.{name} has no field kind")
        rows.append(msgspec.structs.replace(row, name=name))
    return tuple(rows)


class Layout:
    """How one message looks on the wire at one protocol version; made once by ``layout``.

    ``rows`` are the fields of that version, ``size`` the bytes of those before the counted array;
    ``dynamic`` if some depend on bits of others, so that ``size`` is only what is always there.
    """

    __slots__ = ("cls", "dynamic", "fixed", "missing", "offsets", "plain", "rows", "size", "tail", "texts")

    def __init__(self, cls: type[Message], version: int) -> None:
        every = fields_of(cls)
        self.cls = cls
        self.rows = tuple(row for row in every if row.since <= version)
        self.tail = next((row for row in self.rows if row.count), None)
        if self.tail is not None and self.rows[-1] is not self.tail:
            raise TypeError(f"{cls.__name__}: a counted array must be the last field")
        self.dynamic = any(row.when for row in self.rows)
        fixed = tuple(row for row in (self.rows[:-1] if self.tail else self.rows) if not row.when)
        self.fixed = struct.Struct("<" + "".join(row.code for row in fixed))
        self.size = self.fixed.size
        self.offsets = dict(_offsets(fixed))
        self.missing = tuple(row for row in every if row not in self.rows)
        self.texts = tuple(i for i, row in enumerate(fixed) if row.is_text)
        self.plain = not (self.tail or self.missing or self.texts or self.dynamic)


def _offsets(rows: tuple[Field, ...]) -> Iterator[tuple[str, int]]:
    at = 0
    for row in rows:
        yield row.name, at
        at += struct.calcsize("<" + row.code)


@cache
def layout(cls: type[Message], version: int = NEWEST) -> Layout:
    return Layout(cls, version)


def encode(message: Message, version: int = NEWEST) -> bytes:
    """The payload bytes of ``message`` at a protocol version; raises ValueError for a value out of range."""
    table = layout(type(message), version)
    try:
        if table.plain:
            return table.fixed.pack(*msgspec.structs.astuple(message))
        return _encode_slowly(message, table, version)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{type(message).__name__}: {error}") from None


def _encode_slowly(message: Message, table: Layout, version: int) -> bytes:
    data = b""
    for row in table.rows:
        value = getattr(message, row.name)
        if row.is_text:
            value = _text_bytes(value, int(row.code[:-1]))
        if not row.count and (not row.when or is_there(message, row)):
            data += struct.pack("<" + row.code, value)
    tail = table.tail
    if tail is None:
        return data
    items = getattr(message, tail.name)
    if len(items) != count_in(message, tail):
        raise ValueError(f"{type(message).__name__}.{tail.name} has {len(items)} items, its count differs")
    if tail.item:
        data += b"".join(encode(item, version) for item in items)
    else:
        data += struct.pack(f"<{len(items)}{tail.code}", *items)
    return data + bytes(-len(data) % tail.pad)


def _text_bytes(text: str, size: int) -> bytes:
    """NUL-terminated; a longer name is truncated, as every firmware does."""
    return text.encode("ascii", "replace")[: size - 1]


def is_there(message: Message, row: Field) -> bool:
    """Whether the condition of ``row`` holds in ``message``, so that the field is on the wire."""
    return not row.when or _holds(row.when, lambda name: int(getattr(message, name)))


def _holds(when: str, value: Callable[[str], int]) -> bool:
    return all(value(name) >> bit & 1 == wanted for name, bit, wanted in conditions(when))


@cache
def conditions(when: str) -> tuple[tuple[str, int, int], ...]:
    """``"low[8] !high[8]"`` as (("low", 8, 1), ("high", 8, 0))."""
    found = []
    for word in when.split():
        name, _, bit = word.lstrip("!").rstrip("]").partition("[")
        found.append((name, int(bit), 0 if word.startswith("!") else 1))
    return tuple(found)


def decode(cls: type[M], payload: bytes, version: int = NEWEST) -> M:
    """The message in ``payload``; raises WrongSize unless the length is exactly what the table says."""
    table = layout(cls, version)
    if table.plain:
        if len(payload) != table.size:
            raise WrongSize(f"{cls.__name__} is {table.size} bytes, not {len(payload)}")
        return cls(*table.fixed.unpack(payload))
    message, end = _decode_from(cls, payload, 0, version)
    if end != len(payload):
        raise WrongSize(f"{cls.__name__} is {end} bytes here, not {len(payload)}")
    return message


def decode_front(cls: type[M], payload: bytes, version: int = NEWEST) -> M:
    """The message at the front of ``payload``, whatever follows it; raises WrongSize if it is cut off."""
    return _decode_from(cls, payload, 0, version)[0]


def _decode_from(cls: type[M], payload: bytes, at: int, version: int) -> tuple[M, int]:
    """The message that begins at ``at``, and where it ends; raises WrongSize if it goes on beyond."""
    table = layout(cls, version)
    if len(payload) - at < table.size:
        raise WrongSize(f"{table.cls.__name__} has at least {table.size} bytes, not {len(payload) - at}")
    values: dict[str, Any] = {row.name: row.empty for row in table.missing}
    start = at
    for row in table.rows:
        if row.count:
            continue
        if row.when and not _holds(row.when, values.__getitem__):
            values[row.name] = row.empty
            continue
        end = at + struct.calcsize("<" + row.code)
        if end > len(payload):
            raise WrongSize(f"{table.cls.__name__} ends before {row.name}")
        (value,) = struct.unpack_from("<" + row.code, payload, at)
        text = row.is_text
        values[row.name] = value.split(b"\0", 1)[0].decode("ascii", "backslashreplace") if text else value
        at = end
    if table.tail is not None:
        values[table.tail.name], at = _items(table, payload, at, values, version)
        at += -(at - start) % table.tail.pad
        if at > len(payload):
            raise WrongSize(f"{table.cls.__name__}.{table.tail.name} is not padded to {table.tail.pad} bytes")
    return cls(**values), at


def _items(
    table: Layout, payload: bytes, at: int, values: Mapping[str, Any], version: int
) -> tuple[tuple[Any, ...], int]:
    """The counted array that begins at ``at``, and where it ends."""
    tail = table.tail
    assert tail is not None
    count = None if tail.count == REST else _count(values, tail.count)
    if tail.item is not None:
        found: list[Message] = []
        while at < len(payload) if count is None else len(found) < count:
            item, at = _decode_from(tail.item, payload, at, version)
            found.append(item)
        return tuple(found), at
    width = struct.calcsize("<" + tail.code)
    if count is None:
        count = (len(payload) - at) // width
    if at + count * width > len(payload):
        raise WrongSize(f"{table.cls.__name__} with {count} {tail.name} is not {len(payload)} bytes")
    return struct.unpack_from(f"<{count}{tail.code}", payload, at), at + count * width


def count_in(message: Message, row: Field) -> int:
    """How many items the counted array ``row`` of ``message`` claims to have."""
    if row.count == REST:
        return len(getattr(message, row.name))
    field, high, low = count_span(row.count)
    return int(getattr(message, field)) >> low & (1 << high - low + 1) - 1


def count_max(row: Field) -> int:
    """The most items that the count field of the counted array ``row`` can tell."""
    _, high, low = count_span(row.count)
    return (1 << high - low + 1) - 1


def _count(values: Mapping[str, int], count: str) -> int:
    field, high, low = count_span(count)
    return values[field] >> low & (1 << high - low + 1) - 1


@cache
def count_span(count: str) -> tuple[str, int, int]:
    """``"num[11:0]"`` as ("num", 11, 0); a bare name counts with all of its bits, so does REST."""
    name, _, span = count.partition("[")
    if not span:
        return name, 31, 0
    high, low = span.rstrip("]").split(":")
    return name, int(high), int(low)


def reserved_bits_set(message: Message, version: int = NEWEST) -> str | None:
    """The name of the first field with a reserved bit set, or None (SCMI: INVALID_PARAMETERS)."""
    for name, mask in _reserved_masks(type(message), version):
        if getattr(message, name) & mask:
            return name
    return None


@cache
def _reserved_masks(cls: type[Message], version: int) -> tuple[tuple[str, int], ...]:
    found = []
    for row in layout(cls, version).rows:
        bits = row.bits_at(version)
        if bits is not None and bits.reserved:
            found.append((row.name, bits.reserved))
    return tuple(found)
