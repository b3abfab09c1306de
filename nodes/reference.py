"""Reference tables of the nodes, read off the code: life cycle, metric catalogue, platform keys.

It gives Markdown; which page holds what is ``deploy.generate``'s business.
"""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import msgspec

from nodes.firmware import platform
from nodes.metrics import CATALOGUE
from nodes.xen.domain import TRANSITIONS


def lifecycle() -> str:
    """The life cycle as a state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> created: createdomain"]
    for event, moves in TRANSITIONS.items():
        lines += [f"    {before} --> {after}: {event}" for before, after in moves.items() if before != after]
    return "\n".join([*lines, "    dead --> [*]", "```", ""])


def metrics() -> str:
    """The metric catalogue."""
    lines = [
        "| metric | type | kept by | labels (bound) | what it counts |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in CATALOGUE:
        labels = ", ".join(f"{label.name} ({label.bound})" for label in row.labels) or "-"
        lines.append(f"| `{row.name}` | {row.type} | {row.owner} | {labels} | {row.help} |")
    return "\n".join([*lines, ""])


def platform_keys() -> str:
    """Every key of ``platform.toml``."""
    lines: list[str] = []
    for title, table in _tables():
        lines += [f"**{title}**: {_first_line(table)}", "", "| key | type | default |", "| --- | --- | --- |"]
        for field in msgspec.structs.fields(table):
            default = "required" if field.required else f"`{_spelled(field.default)}`"
            lines.append(f"| `{field.name}` | {_type(field.type)} | {default} |")
        lines.append("")
    return "\n".join(lines)


def _tables() -> Iterator[tuple[str, type[msgspec.Struct]]]:
    yield "top level", platform.Platform
    yield "[[agent]]", platform.Agent
    yield "[[clock]]", platform.Clock
    yield "[[clock]] rates = { ... }", platform.RateRange
    yield "[[power_domain]]", platform.PowerDomain
    yield "[[reset_domain]]", platform.ResetDomain
    yield "[[device]]", platform.Device


def _first_line(table: type[msgspec.Struct]) -> str:
    return " ".join((table.__doc__ or "").strip().split("\n\n")[0].split()).replace("``", "`")


def _spelled(value: object) -> str:
    if value is None:
        return "absent"
    if isinstance(value, tuple):
        return "[]"
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def _type(hint: Any) -> str:
    """A type as someone who writes TOML thinks of it."""
    if hasattr(hint, "__metadata__"):
        return _type(get_args(hint)[0])
    inner = [one for one in get_args(hint) if one not in (type(None), Ellipsis)]
    if get_origin(hint) is tuple:
        made: Any = inner[0]
        return (
            "tables"
            if isinstance(made, type) and issubclass(made, msgspec.Struct)
            else f"list of {_type(made)}s"
        )
    if inner and all(isinstance(one, str) for one in inner):
        return " or ".join(f'`"{one}"`' for one in inner)
    if inner:
        return " or ".join(_type(one) for one in inner)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return "table"
    return {int: "integer", str: "string", bool: "boolean"}.get(hint, str(hint))
