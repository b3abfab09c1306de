"""Flattened device trees: read exactly, judged before they are trusted, and merged under sources."""

from pathlib import Path

import libfdt
import pytest

from deploy.devicetree import emit, load
from deploy.errors import UserError
from nodes.devicetree import Node, Tree


def node(name: str, /, *children: Node, **properties: bytes) -> Node:
    """A node for ``blob``: paths are put right there."""
    return Node(
        f"/{name}", {key.replace("_", "-"): value for key, value in properties.items()}, list(children)
    )


def blob(path: Path, root: Node) -> Path:
    path.write_bytes(emit.to_dtb(Tree(root)))
    return path


def symbols(**labels: str) -> Node:
    return Node("/__symbols__", {label: path.encode() + b"\0" for label, path in labels.items()}, [])


def with_properties(path: str, properties: dict[str, bytes]) -> Node:
    return Node(path, properties, [])


@pytest.fixture
def board(tmp_path: Path) -> Path:
    root = node(
        "",
        node(
            "soc",
            node("odd@1@2", phandle=b"\0\0\0\7"),
            with_properties("/soc/p", {"x@y": b"\1"}),
            status=b"okay\0",
        ),
        node("old", linux_phandle=b"\0\0\0\1"),
        symbols(odd="/soc/odd@1@2", gone="/nowhere", soc="/soc"),
    )
    old = root.children[1].properties
    old["linux,phandle"] = old.pop("linux-phandle")
    return blob(tmp_path / "board.dtb", root)


def test_a_blob_alone(board: Path) -> None:
    tree = load([board])
    assert [found.path for found in tree] == ["/", "/soc", "/soc/odd@1@2", "/soc/p", "/old", "/__symbols__"]
    odd = tree.get("/soc/odd@1@2")
    assert odd is not None
    assert (odd.properties, odd.labels, odd.origin("phandle")) == (
        {"phandle": b"\0\0\0\7"},
        ("odd",),
        str(board),
    )
    assert tree.by_phandle(7) is odd


def test_a_suffix_does_not_decide(board: Path, tmp_path: Path) -> None:
    renamed = board.rename(tmp_path / "board.dts")
    assert load([renamed]).get("/soc/p")


def test_a_fragment_over_a_blob(board: Path, tmp_path: Path) -> None:
    fragment = tmp_path / "xen.dts"
    fragment.write_text(
        '/ { chosen { use = <&odd &new>; new: xen { on = &soc; }; }; };\n&soc { status = "disabled"; };\n'
    )
    tree = load([board, fragment])
    chosen, xen, soc, odd = (tree.get(path) for path in ("/chosen", "/chosen/xen", "/soc", "/soc/odd@1@2"))
    assert chosen
    assert xen
    assert soc
    assert odd
    # 7 is the blob's phandle, 1 its old-style one; the new one takes neither.
    assert chosen.cells("use") == [7, 2]
    assert xen.string("on") == "/soc"
    assert (soc.origin(), soc.origin("status")) == (str(board), f"{fragment}:2")
    assert odd.labels == ("odd",)
    assert tree.get("/soc/p") is not None


def test_a_label_of_a_blob_without_symbols(tmp_path: Path) -> None:
    base = blob(tmp_path / "plain.dtb", node("", node("soc")))
    fragment = tmp_path / "xen.dts"
    fragment.write_text("&soc { };")
    with pytest.raises(
        UserError, match=r"xen\.dts:1: undefined node label 'soc'; the base blob has no __symbols__"
    ):
        load([base, fragment])
    fragment.write_text("&{/soc} { yes; };")
    found = load([base, fragment]).get("/soc")
    assert found is not None
    assert "yes" in found.properties


def test_every_truncation_and_bad_header_is_refused(board: Path) -> None:
    whole = board.read_bytes()
    for length in range(4, len(whole)):
        board.write_bytes(whole[:length])
        with pytest.raises(UserError, match="truncated or corrupt"):
            load([board])
    board.write_bytes(whole + b"trailing")
    assert load([board])


@pytest.mark.parametrize(
    ("root", "complaint"),
    [
        (node("", node("a", phandle=b"\0\0\0\1"), node("b", phandle=b"\0\0\0\1")), "0x1 is the phandle of"),
        (node("", node("a", phandle=b"\0\0\0\0")), "is no phandle"),
        (node("", node("a", phandle=b"\xff\xff\xff\xff")), "is no phandle"),
        (node("", node("a", phandle=b"\0\1")), "is no phandle"),
        (node("", node("a"), node("a")), "/a: the node appears twice"),
        (node("", node("f", node("__overlay__"))), "an overlay cannot be the first file"),
        (node("", node("n" * 1100)), "path exceeds 1024"),
    ],
)
def test_blobs_that_break_a_rule(tmp_path: Path, root: Node, complaint: str) -> None:
    path = blob(tmp_path / "bad.dtb", root)
    with pytest.raises(UserError, match=rf"^{path}: .*{complaint}"):
        load([path])


def raw(tmp_path: Path, names: list[str], prop: bytes = b"p") -> Path:
    """A blob of nested nodes, written without our own checks; each property "p" is then renamed ``prop``."""
    writer = libfdt.FdtSw(1 << 16)
    writer.finish_reservemap()
    for name in names:
        writer.begin_node(name)
        writer.property("p" * len(prop), b"")
    for _ in names:
        writer.end_node()
    path = tmp_path / "raw.dtb"
    path.write_bytes(bytes(writer.as_fdt().as_bytearray()).replace(b"p" * len(prop) + b"\0", prop + b"\0"))
    return path


def test_depth_up_to_the_limit(tmp_path: Path) -> None:
    assert len(list(load([raw(tmp_path, ["", *["n"] * 64])]))) == 65
    with pytest.raises(UserError, match="deeper than 64"):
        load([raw(tmp_path, ["", *["n"] * 65])])


@pytest.mark.parametrize("prop", [b"\xab\xff\xfe\xfd", b"a\tbc", b"a/bc"])
def test_property_names_that_are_no_names(tmp_path: Path, prop: bytes) -> None:
    with pytest.raises(UserError, match="is the file corrupt"):
        load([raw(tmp_path, [""], prop)])


@pytest.mark.parametrize("name", ["a b", "\u00e9", "\x7f"])
def test_node_names_that_are_no_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="bad name"):
        load([raw(tmp_path, ["", name])])
