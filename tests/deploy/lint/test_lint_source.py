"""Properties after subnodes, found in the text of sources."""

from pathlib import Path

import pytest

from deploy.lint import Inputs, check

HEAD = "/dts-v1/;\n/ {\n"


def found(tmp_path: Path, text: str) -> list[tuple[str, int | None, str]]:
    path = tmp_path / "t.dts"
    path.write_text(text)
    return [
        (one.spot.prop, one.spot.line, one.spot.node)
        for one in check(Inputs((path,)))
        if one.rule == "property-after-subnode"
    ]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("a;\nb { };", []),
        ("b { };\na;", [("a", 4, "/")]),
        ("b { };\nl: a = <1>, <2>;", [("a", 4, "/")]),
        ("c { b { };\n#a = [00]; };", [("#a", 4, "/c")]),
        ("c { b { };\n}; d { a; };", []),
        ('a = "b { };", "c;"; // b { };\n/* { */ z;\nb { };', []),
        ("b { };\n/delete-node/ b;", []),
        ("b { };\n/delete-property/ a;", []),
        ("b { }; a { };", []),
        ("b{};a;", [("a", 3, "/")]),
        ("/omit-if-no-ref/ b { };\na;", [("a", 4, "/")]),
        ('# 7 "other.dts"\nb { };\na;', [("a", 8, "/")]),
    ],
)
def test_in_one_file(tmp_path: Path, body: str, wanted: list[tuple[str, int, str]]) -> None:
    assert found(tmp_path, f"{HEAD}{body}\n}};\n") == wanted


def test_after_a_reference(tmp_path: Path) -> None:
    text = f"{HEAD}l: n {{ }};\n}};\n&l {{\n\tm {{ }};\n\tlate;\n}};\n"
    assert found(tmp_path, text) == [("late", 7, "")]


def test_in_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "in.dtsi").write_text("/ {\nb { };\na;\n};\n")
    assert found(tmp_path, '/dts-v1/;\n/include/ "in.dtsi"\n') == [("a", 3, "/")]
