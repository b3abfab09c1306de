"""Every key of a scenario file as Markdown, and the tables of faults, measures, mixes and checkers.

All of it is read off the structs and tables; which page it is part of is the generator's business.
"""

from collections.abc import Iterator
from typing import Final, get_type_hints

import msgspec

from deploy.experiments.checkers.registry import CHECKERS
from deploy.experiments.describing import faults
from deploy.experiments.describing.problems import read, taken
from deploy.experiments.describing.scenario import Scenario, Share, ready
from deploy.experiments.judging import measure
from nodes.firmware.key_types import bare, default_of, described, tables
from nodes.guest.mixes import MIXES

Table = type[msgspec.Struct]
ORIGINS: Final = {"architecture": "the architecture", "bus": "only our bus"}


def keys() -> str:
    """The tables of a scenario file, the top level first."""
    return "\n".join(_keys())


def _keys() -> Iterator[str]:
    hints = get_type_hints(Scenario, include_extras=True)
    below = {name: found for name, hint in hints.items() if (found := list(tables(hint)))}
    yield from ("### The top level", "", "These come first in the file, before any table.", "")
    yield from _rows(Scenario, [name for name in hints if name not in below])
    yield ""
    for name, ((table, listed),) in below.items():
        yield from _section(f"[[{name}]]" if listed else f"[{name}]", table)
        if name == "load":
            yield from _section("mix in [[load]]", Share)


def _section(heading: str, table: Table) -> Iterator[str]:
    doc = " ".join((table.__doc__ or "").split())
    yield from (f"### `{heading}`", "", doc, "")
    yield from (*_rows(table, list(get_type_hints(table))), "")


def _rows(table: Table, names: list[str]) -> Iterator[str]:
    yield from ("| key | type and range | unit | default | meaning |", "| --- | --- | --- | --- | --- |")
    hints = get_type_hints(table, include_extras=True)
    fields = {field.name: field for field in msgspec.structs.fields(table)}
    for name in names:
        said = bare(hints[name])[1]
        kind = _kind(hints[name])
        default = default_of(fields[name], hints[name])
        yield f"| `{name}` | {kind} | {_unit(hints[name])} | {default} | {said.get('description', '')} |"


def _kind(hint: object) -> str:
    kind = described(hint, lambda table, word: f"{word} (see below)")
    return "table of integers" if kind == "table" and not any(True for _ in tables(hint)) else kind


def _unit(hint: object) -> str:
    for meta in getattr(hint, "__metadata__", ()):
        if meta.extra:
            return str(meta.extra["unit"])
    return ""


def ready_table() -> str:
    """The scenarios that come with Trapline, and what each answers."""
    lines = ["| scenario | the question | known to break |", "| --- | --- | --- |"]
    for name in ready():
        one = read(name)[0]
        known = f"{', '.join(f'`{checker}`' for checker in one.known)} on {one.platform.firmware}"
        lines.append(f"| [`{name}`]({name}.toml) | {one.question} | {known if one.known else 'nothing'} |")
    return "\n".join([*lines, ""])


def fault_table() -> str:
    """Every kind of fault: what it does, whose doing it could be, what it takes, how it is healed."""
    lines = ["| kind | what | possible on | keys | afterwards |", "| --- | --- | --- | --- | --- |"]
    for kind in faults.KINDS:
        what = kind.what + ("; needs mapped pages" if kind.needs == "mapped" else "")
        listed = ", ".join(f"`{key}`" for key in taken(kind))
        lines.append(f"| `{kind.name}` | {what} | {ORIGINS[kind.origin]} | {listed} | {HEALS[kind.heals]} |")
    return "\n".join([*lines, ""])


HEALS: Final = {
    "": "it ends",
    "reboot": "the domains it hit are rebooted",
    "reboot-all": "every guest is rebooted",
}


def mix_table() -> str:
    """The named mixes: what of the calls each message is."""
    lines = ["| mix | messages |", "| --- | --- |"]
    for name, parts in MIXES.items():
        whole = sum(part.weight for part in parts)
        told = ", ".join(f"{part.message} {part.weight / whole:.0%}" for part in parts)
        lines.append(f"| `{name}` | {told} |")
    return "\n".join([*lines, ""])


def checker_table() -> str:
    """What each checker claims."""
    lines = ["| checker | what holds if it finds nothing |", "| --- | --- |"]
    lines += [f"| `{name}` | {one.claim} |" for name, one in CHECKERS.items()]
    return "\n".join([*lines, ""])


def measure_table() -> str:
    """What thresholds may ask."""
    lines = ["| measure | unit | what it is | of |", "| --- | --- | --- | --- |"]
    for row in measure.MEASURES:
        of = "all together" if row.of_all else "a domain, or all together"
        lines.append(f"| `{row.name}` | {row.unit} | {row.what} | {of} |")
    return "\n".join([*lines, ""])
