"""The reference of platform.toml: no key without a meaning, no link without a heading, examples that work."""

import re
from typing import Annotated, Any, Literal

import msgspec
import pytest

from deploy import platform_toml
from nodes.firmware import key_types, platform_keys
from nodes.firmware.platform import Platform, problems
from nodes.firmware.platform.described import Id, Name, says
from nodes.firmware.platform_examples import EXAMPLES, TOP

PAGE = platform_keys.markdown()


def test_every_key_has_a_meaning() -> None:
    meanings = dict(platform_keys.meanings())
    assert [key for key, meaning in meanings.items() if not meaning] == []
    assert "Clock.rates" in meanings
    assert "Averaging.boot" in meanings


def test_every_table_is_described_once() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    assert sorted(set(headings)) == sorted(headings)
    for table in msgspec.structs.fields(Platform):
        if key_types.element(table.type) and key_types.is_table(key_types.element(table.type)):
            assert f"`[[{table.name}]]`" in headings


def test_every_link_has_a_heading() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\(#([^)]*)\)", PAGE))
    assert links
    assert links <= anchors


def test_no_row_tells_of_python() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    assert [row for row in rows if re.search(r"typing|msgspec|Annotated|NODEFAULT|<", row)] == []
    assert {row.count(" | ") for row in rows} == {3}


def test_the_examples_together_are_a_platform() -> None:
    platform = platform_toml.decode(TOP + "".join(EXAMPLES.values()))
    assert list(problems(platform)) == []
    assert len(platform.sensor) == 2


def test_there_is_no_example_for_a_table_that_is_not_there() -> None:
    for name, text in EXAMPLES.items():
        assert hasattr(Platform, name)
        assert set(re.findall(r"^\[+(\w+)\]", text, re.MULTILINE)) == {name}


Small = Annotated[int, msgspec.Meta(ge=0, le=7)]


class Inner(msgspec.Struct):
    one: Annotated[Id, says("one")]


class Kind(msgspec.Struct, tag_field="kind", tag="this"):
    two: int


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        (Id, "u32"),
        (Annotated[Id | None, says("or not")], "u32"),
        (Annotated[int, msgspec.Meta(ge=-16, le=15)], "-16 to 15"),
        (Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)], "1 to 2^63 - 1"),
        (Annotated[int, msgspec.Meta(ge=0, le=2**62)], "0 to 2^62"),
        (Annotated[int, msgspec.Meta(ge=1, le=0xFFF_FFFF)], "1 to 0xFFF_FFFF"),
        (Annotated[int, msgspec.Meta(ge=0, le=100_000)], "0 to 100_000"),
        (Annotated[int, msgspec.Meta(ge=0)], "0 or more"),
        (Name, "string of 1 to 63 characters"),
        (bool, "boolean"),
        (Literal[0x20000, 8], "`0x20000` or `8`"),
        (tuple[Name, ...], "list of strings of 1 to 63 characters"),
        (Annotated[tuple[Id, ...], msgspec.Meta(min_length=1)], "list of 1 or more u32"),
        (Annotated[tuple[Inner, ...], msgspec.Meta(max_length=9)], "list of 0 to 9 <tables>"),
        (tuple[Small, ...] | Inner, "list of integers (0 to 7) or <table>"),
        (Annotated[Kind | None, says("of a kind")], "<table> of `kind` this"),
    ],
)
def test_types_in_words(hint: Any, told: str) -> None:
    assert key_types.described(hint, lambda _table, word: f"<{word}>") == told


@pytest.mark.parametrize(
    ("given", "told"),
    [(True, "true"), (0x20000, "131_072"), (100_000, "100_000"), ("x", '"x"'), ((), "[]"), ({}, "{}")],
)
def test_values_as_toml_has_them(given: object, told: str) -> None:
    assert key_types.value(given) == told
