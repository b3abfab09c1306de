"""Reference tables of the nodes, read off the code: life cycle, metrics, platform keys, Xen's versions.

It gives Markdown; which page holds what is ``deploy.generate``'s business.
"""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from nodes.firmware import platform
from nodes.metrics import CATALOGUE
from nodes.xen.domain import TRANSITIONS
from nodes.xen.hazard_table import KNOWN
from nodes.xen.profile import PROFILES, Profile


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


PROFILE_ROWS: tuple[tuple[str, str], ...] = (
    ("driver", "driver"),
    ("sci_types", "SCI types that xl and the boot domains' parser know"),
    ("xl_agent_ids", "agent ids that xl accepts"),
    ("dom0less_agent_ids", "agent ids of boot domains"),
    ("reset_flags", "flags of BASE_RESET_AGENT_CONFIGURATION"),
    ("checks_shmem_base", "S7 checks a page's base"),
    ("dom0_agent", "Dom0's agent comes from"),
    ("hides_container", "the `xen,sci` subtree is hidden from Dom0"),
    ("failed_probe_frees", "a second node's failed probe frees the channels (P12)"),
    ("assign", "SCI beside the IOMMU"),
    ("assigns_unprotected", "assigning a device without an IOMMU counts as done"),
)

MULTIAGENT_ONLY = ("reset_flags", "checks_shmem_base", "failed_probe_frees")


def profiles() -> str:
    """What each version of Xen's driver does, a column each."""
    titles = [f"* **{one.name}**: {one.title}." for one in PROFILES.values()]
    head = " | ".join(PROFILES)
    lines = [*titles, "", f"| | {head} |", "| --- |" + " --- |" * len(PROFILES)]
    for field, title in PROFILE_ROWS:
        values = " | ".join(_of(one, field) for one in PROFILES.values())
        lines.append(f"| {title} | {values} |")
    return "\n".join([*lines, ""])


def _of(profile: Profile, field: str) -> str:
    if field in MULTIAGENT_ONLY and profile.driver != "multiagent":
        return "-"
    return _cell(getattr(profile, field))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) if isinstance(value[0], str) else f"{value[0]}..{value[1]}"
    return "-" if value is None else str(value)


def hazards() -> str:
    """What the driver does wrong, and what a strict Xen does."""
    lines = ["| hazard | what one sees | with `--strict` | told |", "| --- | --- | --- | --- |"]
    lines += [f"| `{one.name}` | {one.seen} | {one.strict} | {one.told} |" for one in KNOWN]
    return "\n".join([*lines, ""])


def platform_keys() -> str:
    """Every key of ``platform.toml``."""
    lines: list[str] = []
    for title, table in _tables("", platform.Platform):
        lines += [f"**{title}**: {_first_line(table)}", ""]
        lines += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        hints = get_type_hints(table, include_extras=True)
        for field in msgspec.structs.fields(table):
            default = "required" if field.required else f"`{_spelled(field.default)}`"
            meaning = _meaning(hints[field.name])
            lines.append(f"| `{field.name}` | {_type(field.type)} | {default} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def _tables(path: str, table: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """A table and those below it, each with how a file begins it."""
    yield path or "top level", table
    for field in msgspec.structs.fields(table):
        for inner in _structs(field.type):
            listed = any(get_origin(one) is tuple and inner in get_args(one) for one in _options(field.type))
            title = f"[[{field.name}]]" if listed and not path else f"[{field.name}]"
            kind = inner.__struct_config__.tag
            told = f'kind = "{kind}", ...' if kind else "..."
            yield from _tables(f"{path} {field.name} = {{ {told} }}" if path else title, inner)


def _options(hint: Any) -> list[Any]:
    """What a type may be: itself, or the members of a union."""
    return list(get_args(hint)) if isinstance(hint, UnionType) else [hint]


def _structs(hint: Any) -> list[type[msgspec.Struct]]:
    """The tables that a key of this type may hold."""
    if isinstance(hint, type) and get_origin(hint) is None:
        return [hint] if issubclass(hint, msgspec.Struct) else []
    return [found for one in get_args(hint) for found in _structs(one)]


def _meaning(hint: Any) -> str:
    """What a key's annotation says of it, its bounds included."""
    notes = []
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and meta.description:
            notes.append(meta.description)
    return "; ".join(notes)


def _first_line(table: type[msgspec.Struct]) -> str:
    return " ".join((table.__doc__ or "").strip().split("\n\n")[0].split()).replace("``", "`")


def _spelled(value: object) -> str:
    if value is None:
        return "absent"
    if isinstance(value, msgspec.Struct):
        return "{}"
    if isinstance(value, tuple):
        return "[]"
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def _type(hint: Any) -> str:
    """A type as someone who writes TOML thinks of it."""
    if hasattr(hint, "__metadata__"):
        return _type(get_args(hint)[0])
    if get_origin(hint) is Mapping:
        return "table"
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
        return " or ".join(dict.fromkeys(_type(one) for one in inner))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return "table"
    return {int: "integer", str: "string", bool: "boolean"}.get(hint, str(hint))
