"""Which characters of which line are underlined."""

from pathlib import Path

import pytest

from deploy.lint.finding import Spot, finding
from deploy.lint.locate import Texts, located


def marked(tmp_path: Path, content: str, **spot: object) -> str:
    """What is underlined in ``content``, for a place on its line 1."""
    path = tmp_path / "file"
    path.write_text(content)
    found = located(finding("syntax", Spot(str(path), 1, **spot), "x"), Texts()).spot  # type: ignore[arg-type]
    assert found.line is not None
    assert found.column is not None
    line = content.split("\n")[found.line - 1]
    return f"{found.line}:{line[found.column - 1 : found.column - 1 + (found.width or 0)]}"


@pytest.mark.parametrize(
    ("text", "prop", "wanted"),
    [
        ("\ta = <1>; b = <2>;", "b", "1:b = <2>"),
        ("ab = <1>; b = <2>;", "b", "1:b = <2>"),
        ('n = "a;b", "c"; // d', "n", '1:n = "a;b", "c"'),
        ("flag; /* flag */", "flag", "1:flag"),
        ("list = <1 2", "list", "1:list = <1 2"),
        ("#x-cells = <3>;", "#x-cells", "1:#x-cells = <3>"),
        ("vcpus = 2 # two", "vcpus", "1:vcpus = 2"),
        ("a = <1>;", "absent", "1:a = <1>;"),
    ],
)
def test_a_property(tmp_path: Path, text: str, prop: str, wanted: str) -> None:
    assert marked(tmp_path, text, prop=prop) == wanted


@pytest.mark.parametrize(
    ("text", "node", "wanted"),
    [
        ("label: dev@1 {", "/soc/dev@1", "1:dev@1"),
        ("/ {", "/", "1:/"),
        ("&label {", "/soc/dev@1", "1:&label"),
        ("&{/soc/dev@1} {", "/soc/dev@1", "1:&{/soc/dev@1}"),
        ("a { dev@1 {", "/a/dev@1", "1:dev@1"),
    ],
)
def test_a_node(tmp_path: Path, text: str, node: str, wanted: str) -> None:
    assert marked(tmp_path, text, node=node) == wanted


@pytest.mark.parametrize(
    ("text", "cells", "wanted"),
    [
        ("p = <1 2 3>;", (1, 1), "1:2"),
        ("p = <1 2 3>;", (1, 2), "1:2 3"),
        ("p = <1 2>,\n <3 4>;", (2, 1), "2:3"),
        ("p = <\n1 &a 2\n3 &{/b} 4>;", (4, 1), "3:&{/b}"),
        ("p = /* 9 9 */ <1 // 9\n l: (2 + (3)) 4>;", (1, 2), "2:(2 + (3)) 4"),
        ("p = <1 2>;", (7, 1), "1:p = <1 2>"),
        ('p = "text";', (0, 1), '1:p = "text"'),
    ],
)
def test_cells(tmp_path: Path, text: str, cells: tuple[int, int], wanted: str) -> None:
    assert marked(tmp_path, text, prop="p", cells=cells) == wanted


def test_an_item_below(tmp_path: Path) -> None:
    assert marked(tmp_path, 'dtdev = [\n  "/a",\n  "/b" ]', prop="dtdev", text="/b") == "3:/b"


def test_a_blob_and_a_missing_file_have_no_columns(tmp_path: Path) -> None:
    blob = tmp_path / "b.dtb"
    blob.write_bytes(b"\xd0\x0d\xfe\xed\n\n\n")
    for file in (blob, tmp_path / "absent"):
        spot = Spot(str(file), 1, prop="p")
        assert located(finding("syntax", spot, "x"), Texts()).spot == spot


def test_lines_are_counted_as_the_parser_does(tmp_path: Path) -> None:
    path = tmp_path / "odd.dts"
    path.write_text("/* \x0b \x0c \u2028 */\r\np;\n")
    assert Texts().line(str(path), 2) == "p;"
