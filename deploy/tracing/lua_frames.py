"""The envelopes as schemas for the Lua msgpack reader, read off the types of ``bus.frames``.

What may answer what, and which way a page is to be read, are tables here; everything else is the types'.
"""

from typing import Any, Final

from msgspec import NODEFAULT, inspect

from bus import frames, smccc
from deploy.tracing.lua_text import Fields

ANSWERS: Final[dict[type[frames.Frame], tuple[type[frames.Frame], ...]]] = {
    frames.Welcome: (frames.Hello,),
    frames.Return: (frames.Trap,),
    frames.Undef: (frames.Trap,),
    frames.SmcReturn: (frames.Smc,),
    frames.Error: (frames.Trap, frames.Domctl, frames.Console, frames.Smc, frames.Hello),
    frames.DomctlReply: (frames.Domctl,),
    frames.ConsoleReply: (frames.Console,),
    frames.EndOfInterrupt: (frames.Interrupt,),
}
REPLIES: Final = {frames.Trap: False, frames.Smc: False, frames.Return: True, frames.SmcReturn: True}
CALLS: Final = (frames.Trap, frames.Smc)
HEX: Final = frozenset({"x", "page", "smc_id", "shmem"})
COMMON: Final = frozenset({"version", "request", "cause"})  # the same in every frame
REGISTERS: Final = "x"
NAMES: Final = {"ec": {one.name: int(one) for one in smccc.ExceptionClass}}


def frame_rows(fields: Fields) -> dict[int, Any]:
    """By kind: the name, a schema per item after the kind, who asks and who answers."""
    asked = {one for kinds in ANSWERS.values() for one in kinds}
    return {int(str(cls.__struct_config__.tag)): _frame(fields, cls, asked) for cls in frames.FRAME_TYPES}


def _frame(fields: Fields, cls: type[frames.Frame], asked: set[type[frames.Frame]]) -> dict[str, Any]:
    name = cls.__name__.lower()
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    items = [_item(fields, name, field.name, field.type) for field in info.fields]
    names = [field.name for field in info.fields]
    return {
        "name": name,
        "items": items,
        "asks": name if cls in asked else None,
        "answers": [one.__name__.lower() for one in ANSWERS.get(cls, ())] or None,
        "is_reply": REPLIES.get(cls),
        "calls": names.index(REGISTERS) + 2 if cls in CALLS else None,
    }


def _item(fields: Fields, frame: str, name: str, kind: inspect.Type) -> dict[str, Any]:
    if name == REGISTERS:
        assert isinstance(kind, inspect.TupleType)
        each = [
            schema(fields, f"smccc.x{number}", f"x{number}", one, hexadecimal=True)
            for number, one in enumerate(kind.item_types)
        ]
        return {"kind": "array", "name": name, "items": each}
    prefix = "trapline" if name in COMMON else f"trapline.{frame}"
    return schema(fields, f"{prefix}.{name}", name, kind)


def schema(
    fields: Fields, abbrev: str, name: str, kind: inspect.Type, *, hexadecimal: bool = False
) -> dict[str, Any]:
    """What the reader expects for a value of a type; raises TypeError for a type that no envelope has."""
    hexadecimal = hexadecimal or name in HEX
    made: dict[str, Any] = {"name": name}
    if isinstance(kind, inspect.UnionType):
        return _union(fields, abbrev, name, kind)
    if isinstance(kind, inspect.IntType):
        signed = not hexadecimal and (kind.ge is None or kind.ge < 0)
        base = "HEX" if hexadecimal else "DEC"
        number = fields.number("int64" if signed else "uint64", abbrev, name=name, base=base)
        made |= {"kind": "int", "f": number, "signed": signed or None, "hex": hexadecimal or None}
        return made | {"max": kind.le, "min": kind.ge or None}
    if isinstance(kind, inspect.LiteralType):
        names = {key: one for key, one in NAMES.get(name, {}).items() if one in kind.values}
        number = fields.number("uint64", abbrev, base="DEC", values=fields.names(names))
        return made | {"kind": "int", "f": number, "only": {int(str(one)): True for one in kind.values}}
    if isinstance(kind, inspect.StrType | inspect.BytesType):
        of = "string" if isinstance(kind, inspect.StrType) else "bytes"
        made |= {"kind": of, "f": fields.number(of, abbrev, name=name)}
        return made | {"max": kind.max_length, "min": kind.min_length}
    if isinstance(kind, inspect.BoolType):
        return made | {"kind": "bool", "f": fields.number("bool", abbrev)}
    if isinstance(kind, inspect.TupleType):
        each = [schema(fields, abbrev, f"{name}_{at}", one) for at, one in enumerate(kind.item_types)]
        return made | {"kind": "array", "items": each}
    if isinstance(kind, inspect.VarTupleType | inspect.ListType):
        return made | {"kind": "array", "each": schema(fields, abbrev, name, kind.item_type)}
    if isinstance(kind, inspect.StructType):
        return made | {"kind": "map", "keys": _keys(fields, abbrev, kind)}
    raise TypeError(f"{abbrev}: no schema for {kind}")


def _union(fields: Fields, abbrev: str, name: str, kind: inspect.UnionType) -> dict[str, Any]:
    types = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
    if len(types) == 1:
        return schema(fields, abbrev, name, types[0]) | {"nullable": True}
    of = {}
    for one in types:
        assert isinstance(one, inspect.StructType)
        of[str(one.tag)] = _keys(fields, abbrev.rpartition(".")[0], one)
    return {"kind": "map", "name": name, "tag": "type", "f": fields.number("string", abbrev), "of": of}


def _keys(fields: Fields, prefix: str, kind: inspect.StructType) -> list[dict[str, Any]]:
    return [
        schema(fields, f"{prefix}.{field.encode_name}", field.encode_name, field.type)
        | {"optional": field.default is not NODEFAULT or None}
        for field in kind.fields
    ]


def note_items(fields: Fields) -> list[dict[str, Any]]:
    """A note is an array, too; its numbers are named by what it says."""
    texts = {name: fields.number("string", f"trapline.note.{name}") for name in ("what", "text")}
    request = fields.number("uint64", "trapline.request", base="DEC")
    return [
        {"name": "what", "kind": "string", "f": texts["what"]},
        {"name": "request", "kind": "int", "f": request},
        {"name": "numbers", "kind": "array"},
        {"name": "text", "kind": "string", "f": texts["text"]},
    ]
