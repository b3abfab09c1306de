"""Every key of ``platform.toml`` as Markdown: type and bounds, default, meaning, an example for each table.

All of it is read off the structs in ``platform/``; this module knows how that reads best. A table that occurs
in several places is described once. Which page it is part of is the generator's business.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, get_type_hints

import msgspec

from bus.scmi import BY_ID, BY_KEY, pinctrl, system
from nodes.firmware.key_types import bare, default_of, described, tables, tag
from nodes.firmware.platform import Platform
from nodes.firmware.platform.kinds import PROTOCOL_OF
from nodes.firmware.platform.pins import NAMED
from nodes.firmware.platform.sensors import NUMBERS
from nodes.firmware.platform_examples import EXAMPLES

Table = type[msgspec.Struct]
GENERAL: Final = ("agent", "device", "right", "view", "vendor_protocol")
OF_PROTOCOL: Final[Mapping[str, int]] = dict(
    sorted(
        {**PROTOCOL_OF, "system_power": system.PROTOCOL.id, "pin_control": pinctrl.PROTOCOL.id}.items(),
        key=lambda item: item[1],
    )
)
NOTES: Final[Mapping[str, str]] = {
    "agent": f"`protocols` takes: {', '.join(BY_KEY)}, and the keys of plug-ins' protocols.",
    "right": f"`kind` is one of: {', '.join(PROTOCOL_OF)}, or one of a plug-in's.",
    "sensor": f"Names of `type`: {', '.join(NUMBERS)}.",
    "pin": f"Names of `configs`: {', '.join(NAMED)}, oem_192 to oem_255.",
}


class Place:
    """Where a table is described: the keys that hold it, its heading."""

    def __init__(self, top: str, listed: bool) -> None:
        self.of = f"[[{top}]]" if listed else f"[{top}]"
        self.paths: list[str] = []

    @property
    def heading(self) -> str:
        """Without paths it is that of the table that the file begins with."""
        if not self.paths:
            return f"`{self.of}`"
        *first, last = (f"`{path}`" for path in self.paths)
        return f"{', '.join(first)}{' and ' if first else ''}{last} in `{self.of}`"

    @property
    def link(self) -> str:
        """What a heading is called in a link: lower case, words and hyphens only."""
        return re.sub(r"[^\w\- ]", "", self.heading.lower()).replace(" ", "-")


def markdown() -> str:
    """The whole reference, from heading level three on."""
    return "\n".join(Page().lines())


class Page:
    """``places`` says for every table where it is described; those of one tagged union share a place."""

    def __init__(self) -> None:
        self.places: dict[Table, Place] = {}
        self._tops: dict[str, list[Table]] = {}
        self._hints = get_type_hints(Platform, include_extras=True)
        for name in (*GENERAL, *OF_PROTOCOL):
            ((table, listed),) = tables(self._hints[name])
            self.places[table] = Place(name, listed)
            self._tops[name] = [table]
            self._collect(name, listed, table, "")

    def _collect(self, top: str, listed: bool, table: Table, path: str) -> None:
        below = []
        for key, hint in get_type_hints(table, include_extras=True).items():
            found = list(tables(hint))
            for one, _ in found:
                if one not in self.places:
                    self.places[one] = self.places.get(found[0][0], Place(top, listed))
                    self._tops[top].append(one)
                if f"{path}{key}" not in self.places[one].paths:
                    self.places[one].paths.append(f"{path}{key}")
                below.append((one, f"{path}{key}{'[]' if found[0][1] else ''}."))
        for one, inner in below:
            self._collect(top, listed, one, inner)

    # ---- writing ------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        """The page."""
        yield from ("### The top level", "", "These come first in the file, before any table.", "")
        yield from self._rows(Platform, [one for one in self._hints if one not in self._tops])
        yield from ("", "And the tables:", "")
        for name in self._tops:
            place = self.places[self._tops[name][0]]
            yield f"* [`{place.of}`](#{place.link}): {bare(self._hints[name])[1]['description']}"
        yield from ("", "### Agents and what they may do", "")
        for name in GENERAL:
            yield from self._table(name)
        for protocol in BY_ID.values():
            names = [name for name, its in OF_PROTOCOL.items() if its == protocol.id]
            if names:
                yield from (f"### {protocol.title}, {protocol.id:#x}", "")
            for name in names:
                yield from self._table(name)

    def _table(self, name: str) -> Iterator[str]:
        first, *below = self._tops[name]
        yield from self._section(first)
        if name in NOTES:
            yield from (NOTES[name], "")
        if name in EXAMPLES:
            yield from ("```toml", EXAMPLES[name].strip(), "```", "")
        headed: set[str] = set()
        for table in sorted(below, key=lambda one: bool(tag(one))):
            heading = self.places[table].heading
            yield from self._section(table, headed=heading in headed)
            headed.add(heading)

    def _section(self, table: Table, *, headed: bool = False) -> Iterator[str]:
        if not headed:
            yield from (f"#### {self.places[table].heading}", "")
        kind = f'`kind = "{tag(table)}"`: ' if tag(table) else ""
        yield from (kind + _doc(table), "")
        twin = self._twin(table)
        names = list(get_type_hints(table))
        if twin is not None:
            place = self.places[twin]
            yield from (f"Its keys are those of [{place.heading}](#{place.link}), but for:", "")
            same = get_type_hints(twin, include_extras=True)
            own = get_type_hints(table, include_extras=True)
            names = [name for name in names if own[name] != same[name]]
        yield from (*self._rows(table, names), "")

    def _twin(self, table: Table) -> Table | None:
        """A table before this one under a key of the same name, with the same keys."""
        keys = set(get_type_hints(table))
        for one, place in self.places.items():
            if one is table:
                return None
            if place.paths == self.places[table].paths and set(get_type_hints(one)) == keys and not tag(one):
                return one if place.of != self.places[table].of else None
        return None

    def _rows(self, table: Table, names: Sequence[str]) -> Iterator[str]:
        yield from ("| key | type | default | meaning |", "| --- | --- | --- | --- |")
        hints = get_type_hints(table, include_extras=True)
        fields = {field.name: field for field in msgspec.structs.fields(table)}
        for name in names:
            meaning = bare(hints[name])[1].get("description", "")
            kind = described(hints[name], self._mention)
            yield f"| `{name}` | {kind} | {default_of(fields[name], hints[name])} | {meaning} |"

    def _mention(self, table: Table, word: str) -> str:
        return f"[{word}](#{self.places[table].link})"


def _doc(table: Table) -> str:
    return " ".join((table.__doc__ or "").split()).replace("``", "`")


def meanings() -> Iterator[tuple[str, str]]:
    """Every key with its meaning, "" where there is none."""
    every: tuple[Table, ...] = (Platform, *Page().places)
    for table in every:
        for name, hint in get_type_hints(table, include_extras=True).items():
            yield f"{table.__name__}.{name}", str(bare(hint)[1].get("description", ""))
