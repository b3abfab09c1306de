"""Trees written out: nothing lost on the way back, equal bytes each time, and readable by dtc."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.devicetree import blob, emit, load
from deploy.devicetree.source import Sources
from deploy.errors import UserError
from nodes.devicetree import Node, Tree

NAMES = st.text("abcXYZ019,._+-", min_size=1, max_size=8)
VALUES = st.one_of(
    st.binary(max_size=12),
    st.lists(st.text("ab\"\\ 0{};/*'#", min_size=1, max_size=5), min_size=1, max_size=3).map(
        lambda parts: "".join(part + "\0" for part in parts).encode()
    ),
)
PROPERTIES = st.dictionaries(NAMES.map("p".__add__), VALUES, max_size=4)


def hang(path: str, shape: tuple[dict[str, bytes], dict[str, Any]]) -> Node:
    """A node at ``path`` of ``(properties, {child name: shape})``."""
    properties, children = shape
    prefix = path.rstrip("/")
    return Node(path, properties, [hang(f"{prefix}/{name}", inner) for name, inner in children.items()])


SHAPES: st.SearchStrategy[Any] = st.recursive(
    st.tuples(PROPERTIES, st.just({})),
    lambda inner: st.tuples(PROPERTIES, st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
TREES = SHAPES.map(lambda shape: Tree(hang("/", shape)))


def content(root: Node) -> list[tuple[str, list[tuple[str, bytes]], tuple[str, ...]]]:
    return [(node.path, list(node.properties.items()), node.labels) for node in Tree(root)]


def parsed(text: str) -> Node:
    sources = Sources(None)
    sources.add(Path("emitted.dts"), text)
    return sources.finish()


@given(TREES)
def test_nothing_is_lost_in_source_or_blob(tree: Tree) -> None:
    assert content(parsed(emit.to_dts(tree))) == content(tree.root)
    assert content(blob.parse(emit.to_dtb(tree), "blob")) == content(tree.root)


def test_the_text_and_the_blob_are_these(tmp_path: Path) -> None:
    root = Node(
        "/",
        {"#a": b"\0\0\0\1\xff\xff\xff\xff", "e": b"", "s": b'a"\\\0b\0', "x": b"\1\2\0"},
        [Node("/n@1", {"phandle": b"\0\0\0\2"}, [], ("l", "m"))],
    )
    text = (
        "/dts-v1/;\n\n/ {\n\t#a = <0x1 0xffffffff>;\n\te;\n"
        '\ts = "a\\"\\\\", "b";\n\tx = [01 02 00];\n\tl: m: n@1 {\n\t\tphandle = <0x2>;\n\t};\n};\n'
    )
    assert emit.to_dts(Tree(root)) == text
    path = tmp_path / "t.dts"
    path.write_text(text)
    assert content(load([path]).root) == content(root)
    assert emit.to_dtb(load([path])) == emit.to_dtb(Tree(root))
    assert emit.to_dtb(Tree(root))[:8] == b"\xd0\x0d\xfe\xed\0\0\0\xb9"


def test_names_that_cannot_be_written() -> None:
    for name in ("", "a b", "\u00e9", "a{", "a\0"):
        with pytest.raises(UserError, match="cannot be written"):
            emit.to_dts(Tree(Node("/", {name: b""}, [])))
    with pytest.raises(UserError, match="cannot be written"):
        emit.to_dts(Tree(Node("/", {}, [Node("/a{", {}, [])])))
    for name in ("", "a b", "\u00e9", "a\0"):
        with pytest.raises(UserError, match="cannot be written"):
            emit.to_dtb(Tree(Node("/", {name: b""}, [])))


@pytest.mark.skipif(not shutil.which("dtc"), reason="dtc (package device-tree-compiler) is not installed")
def test_dtc_reads_and_writes_the_same(tmp_path: Path) -> None:
    tree = Tree(
        Node(
            "/",
            {"cells": b"\0\0\0\1" * 3, "text": b"a b\0c\0", "bytes": b"\1\2\3", "none": b""},
            [Node("/n@1", {"phandle": b"\0\0\0\2", "quote": b'\\"\0'}, [Node("/n@1/m", {}, [], ("l",))])],
        )
    )
    dts, dtb = tmp_path / "ours.dts", tmp_path / "ours.dtb"
    dts.write_text(emit.to_dts(tree))
    dtb.write_bytes(emit.to_dtb(tree))
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", tmp_path / "1.dtb", dts], check=True)
    subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "-o", tmp_path / "2.dts", dtb], check=True)
    expected = [(node.path, node.properties) for node in tree]
    for name in ("1.dtb", "2.dts"):
        assert [(node.path, node.properties) for node in load([tmp_path / name])] == expected


REFERENCES = """/dts-v1/; / {
    a: a { #clock-cells = <1>; }; b { #clock-cells = <0>; };
    user { clocks = <&a 7>, <&{/b}>; shmem = <&a>; other = <&a 7>; };
    pins: pins { #gpio-cells = <2>; };
    led { reset-gpios = <&pins 1 2>, <0>, <&pins 3 4>; nr-gpios = <&pins 1 2>; gpio = <&pins 5 6>; };
    short { clocks = <&a>; }; none { clocks = <0x99 1>; bytes { clocks = [01]; }; };
};"""


def test_references_are_written_as_such_where_they_are_known_to_be_one() -> None:
    tree = Tree(parsed(REFERENCES))
    text = emit.to_dts(tree)
    assert "clocks = <&a 0x7>, <&{/b}>;" in text
    assert "shmem = <&a>;" in text
    assert f"other = <{tree['/a'].u32('phandle'):#x} 0x7>;" in text
    assert "clocks = <0x99 0x1>;" in text
    assert "reset-gpios = <&pins 0x1 0x2>, <0x0>, <&pins 0x3 0x4>;" in text
    assert "nr-gpios = <&" not in text
    assert "\tgpio = <&pins 0x5 0x6>;" in text
    assert content(parsed(text)) == content(tree.root)
