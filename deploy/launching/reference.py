"""The tables of LAUNCHING.md, read off the messages' classes and the words of refusals."""

import msgspec

from bus.reference import table
from deploy.launching import messages as m


def sent() -> str:
    """Every message: who says it, its fields in order, what it means."""
    rows = [
        (f"`{one.__struct_config__.tag}`", who, _fields(one), _said(one))
        for who, union in (("node", m.FromNode), ("registry", m.ToNode))
        for one in union.__args__
    ]
    return table(("message", "said by", "fields", "meaning"), rows)


def _fields(one: type[msgspec.Struct]) -> str:
    return ", ".join(one.__struct_fields__) or "-"


def _said(one: type[msgspec.Struct]) -> str:
    """The docstring without the marks of code."""
    return " ".join((one.__doc__ or "").split()).replace("``", "`")


def refusals() -> str:
    """The words of refusals."""
    return table(("word", "who is refused"), [(f"`{word}`", why) for word, why in m.REFUSALS.items()])
