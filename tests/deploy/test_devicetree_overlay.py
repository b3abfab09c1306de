"""Overlays, from source and compiled: the same merge, and the same as libfdt's where dtc is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.devicetree import emit, load
from deploy.errors import UserError
from nodes.devicetree import Tree

BASE = """\
/dts-v1/;
/ {
\tintc: pic { phandle = <1>; };
\tsoc: soc { uart: serial@1 { parent = <&intc>; status = "disabled"; }; };
\tbare: bare { };
};
"""

OVERLAY = """\
/dts-v1/;
/plugin/;
/ {
\tcompatible = "not,the-base";
\tfragment@8 {
\t\ttarget = <&soc>;
\t\t__overlay__ {
\t\t\tuse = <&intc 77 &fresh>;
\t\t\tserial@1 { status = "okay"; };
\t\t\tfresh: dev@2 { self = <&fresh>; };
\t\t};
\t};
\tfragment@9 {
\t\ttarget-path = "/";
\t\t__overlay__ { chosen { uart = <&uart &fresh>; }; };
\t};
};
&bare { added = <&fresh>; };
"""

# What dtc -@ makes of an overlay, spelled out, so that no dtc is needed to test one. Its phandle 1 collides.
COMPILED = """\
/dts-v1/;
/ {
\tfragment@0 {
\t\ttarget = <0xffffffff>;
\t\t__overlay__ {
\t\t\tuse = <0xffffffff 77 1>;
\t\t\tserial@1 { status = "okay"; };
\t\t\tdev@2 { self = <1>; phandle = <1>; };
\t\t};
\t};
\tfragment@1 {
\t\ttarget-path = "/";
\t\t__overlay__ { chosen { uart = <0xffffffff 1>; }; };
\t};
\tfragment@2 { target = <0xffffffff>; __overlay__ { added = <1>; }; };
\t__symbols__ { fresh = "/fragment@0/__overlay__/dev@2"; };
\t__fixups__ {
\t\tsoc = "/fragment@0:target:0";
\t\tintc = "/fragment@0/__overlay__:use:0";
\t\tuart = "/fragment@1/__overlay__/chosen:uart:0";
\t\tbare = "/fragment@2:target:0";
\t};
\t__local_fixups__ {
\t\tfragment@0 { __overlay__ { use = <8>; dev@2 { self = <0>; }; }; };
\t\tfragment@1 { __overlay__ { chosen { uart = <4>; }; }; };
\t\tfragment@2 { __overlay__ { added = <0>; }; };
\t};
};
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def compiled(folder: Path, name: str, text: str) -> Path:
    source = write(folder, name + ".dts", text)
    path = folder / name
    path.write_bytes(emit.to_dtb(load([source])))
    return path


def named(tree: Tree, path: str, prop: str) -> list[str | int]:
    """A property's cells, each phandle replaced by the path it means."""
    found = tree.get(path)
    assert found is not None, path
    return [known.path if (known := tree.by_phandle(cell)) else cell for cell in found.cells(prop) or []]


def check_merged(tree: Tree) -> None:
    assert named(tree, "/soc", "use") == ["/pic", 77, "/soc/dev@2"]
    assert named(tree, "/soc/dev@2", "self") == ["/soc/dev@2"]
    assert named(tree, "/chosen", "uart") == ["/soc/serial@1", "/soc/dev@2"]
    assert named(tree, "/bare", "added") == ["/soc/dev@2"]
    assert named(tree, "/soc/serial@1", "parent") == ["/pic"]
    uart = tree.get("/soc/serial@1")
    assert uart is not None
    assert uart.string("status") == "okay"
    assert "compatible" not in tree.root.properties
    assert not [node.path for node in tree if "fragment" in node.path]


def test_an_overlay_source_over_a_source(tmp_path: Path) -> None:
    base, overlay = write(tmp_path, "base.dts", BASE), write(tmp_path, "over.dts", OVERLAY)
    tree = load([base, overlay])
    check_merged(tree)
    soc, fresh = tree.get("/soc"), tree.get("/soc/dev@2")
    assert soc
    assert fresh
    assert (soc.origin(), soc.origin("use")) == (f"{base}:4", f"{overlay}:8")
    assert (fresh.labels, fresh.origin("self")) == (("fresh",), f"{overlay}:10")


def test_a_compiled_overlay_over_a_source(tmp_path: Path) -> None:
    overlay = compiled(tmp_path, "over.dtbo", COMPILED)
    tree = load([write(tmp_path, "base.dts", BASE), overlay])
    check_merged(tree)
    fresh = tree.get("/soc/dev@2")
    assert fresh is not None
    assert (fresh.labels, fresh.origin("self")) == (("fresh",), str(overlay))


def test_labels_of_an_overlay_serve_the_next_file(tmp_path: Path) -> None:
    base = write(tmp_path, "base.dts", BASE)
    more = write(tmp_path, "more.dts", "&fresh { late; };")
    for overlay in (write(tmp_path, "over.dts", OVERLAY), compiled(tmp_path, "over.dtbo", COMPILED)):
        found = load([base, overlay, more]).get("/soc/dev@2")
        assert found is not None
        assert "late" in found.properties


def test_two_overlays_with_the_same_fragment_names(tmp_path: Path) -> None:
    base = write(tmp_path, "base.dts", BASE)
    overlays = [
        write(
            tmp_path,
            f"{name}.dts",
            f'/dts-v1/;\n/plugin/;\n/ {{ f {{ target-path = "/{name}"; __overlay__ {{ {name}; }}; }}; }};',
        )
        for name in ("soc", "bare")
    ]
    tree = load([base, *overlays])
    soc, bare = tree.get("/soc"), tree.get("/bare")
    assert soc
    assert bare
    assert "soc" in soc.properties
    assert list(bare.properties) == ["bare"]


def test_a_base_phandle_outlives_the_overlay_s(tmp_path: Path) -> None:
    overlay = compiled(
        tmp_path,
        "over.dtbo",
        '/dts-v1/; / { f { target-path = "/pic"; __overlay__ { phandle = <9>; me = <9>; }; };'
        " __local_fixups__ { f { __overlay__ { me = <0>; }; }; }; };",
    )
    tree = load([write(tmp_path, "base.dts", BASE), overlay])
    pic = tree.get("/pic")
    assert pic is not None
    assert (pic.u32("phandle"), pic.u32("me")) == (1, 1)


def test_a_target_by_number_and_by_reference(tmp_path: Path) -> None:
    base = write(tmp_path, "base.dts", BASE)
    for target in ("target = <1>;", "target = <&intc>;", "target-path = &intc;", 'target-path = "/pic";'):
        overlay = write(
            tmp_path, "over.dts", f"/dts-v1/;\n/plugin/;\n/ {{ f {{ {target} __overlay__ {{ hit; }}; }}; }};"
        )
        pic = load([base, overlay]).get("/pic")
        assert pic is not None
        assert "hit" in pic.properties


def test_a_base_without_symbols_takes_paths_but_no_labels(tmp_path: Path) -> None:
    base = compiled(tmp_path, "base.dtb", BASE)
    by_path = '/dts-v1/; / { f { target-path = "/soc"; __overlay__ { hit; }; }; };'
    soc = load([base, compiled(tmp_path, "path.dtbo", by_path)]).get("/soc")
    assert soc is not None
    assert "hit" in soc.properties
    with pytest.raises(
        UserError, match=r"over\.dtbo: /fragment@0: target: .*'soc'; the base blob has no __symbols__"
    ):
        load([base, compiled(tmp_path, "over.dtbo", COMPILED)])


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("f { __overlay__ { }; };", r"over.dts:3: /f: the fragment has no usable target"),
        ("f { target = <99>; __overlay__ { }; };", "/f: the fragment has no usable target"),
        ("f { target = [01]; __overlay__ { }; };", "/f: the fragment has no usable target"),
        (
            "f { target = <&nope>; __overlay__ { }; };",
            "/f: target: undefined node label 'nope'; define the label",
        ),
        ('f { target-path = "/nope"; __overlay__ { }; };', "/f: target: component 'nope' .* check the path"),
        (
            'f { target-path = "soc"; __overlay__ { }; };',
            "/f: target: node path 'soc' does not start with '/'",
        ),
        (
            'f { target-path = "/"; __overlay__ { a = <&nope>; }; };',
            "over.dts:3: /: a: undefined node label 'nope'",
        ),
        ("chosen { };", "over.dts:3: /chosen: this node would be lost"),
    ],
)
def test_overlay_sources_that_cannot_be_merged(tmp_path: Path, body: str, complaint: str) -> None:
    overlay = write(tmp_path, "over.dts", f"/dts-v1/;\n/plugin/;\n/ {{ {body} }};")
    with pytest.raises(UserError, match=complaint):
        load([write(tmp_path, "base.dts", BASE), overlay])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (":target:0", ":target:1"),
        (":target:0", ":target:x"),
        (":target:0", ":target:99999999999"),
        (":target:0", ":nope:0"),
        ('"/fragment@0:target:0"', '"/nope:target:0"'),
        ('"/fragment@0:target:0"', '"junk"'),
        (":use:0", ":use:8"),  # also a local fixup
        (":use:0", ":use:6"),
        ("use = <8>", "use = <12>"),
        ("use = <8>", "use = <4>"),
        ("use = <8>", "nope = <8>"),
        ("dev@2 { self = <0>; };", "nope { };"),
    ],
)
def test_fixups_that_lead_nowhere(tmp_path: Path, old: str, new: str) -> None:
    assert COMPILED.count(old) >= 1
    overlay = compiled(tmp_path, "over.dtbo", COMPILED.replace(old, new, 1))
    with pytest.raises(UserError, match=r"over\.dtbo.*leads nowhere"):
        load([write(tmp_path, "base.dts", BASE), overlay])


def test_a_full_tree_is_no_overlay(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no overlay fragment"):
        load([write(tmp_path, "base.dts", BASE), compiled(tmp_path, "other.dtb", BASE)])


@pytest.mark.skipif(
    not shutil.which("fdtoverlay"), reason="dtc (package device-tree-compiler) is not installed"
)
def test_the_outcome_is_that_of_libfdt(tmp_path: Path) -> None:
    base, overlay = write(tmp_path, "base.dts", BASE), write(tmp_path, "over.dts", OVERLAY)
    for source, target in ((base, "base.dtb"), (overlay, "over.dtbo")):
        subprocess.run(["dtc", "-q", "-@", "-O", "dtb", "-o", tmp_path / target, source], check=True)
    subprocess.run(
        ["fdtoverlay", "-i", "base.dtb", "-o", "theirs.dtb", "over.dtbo"], check=True, cwd=tmp_path
    )
    theirs = load([tmp_path / "theirs.dtb"])
    check_merged(theirs)
    for first in (base, tmp_path / "base.dtb"):
        for second in (overlay, tmp_path / "over.dtbo"):
            ours = load([first, second])
            check_merged(ours)
            assert {node.path for node in ours} - {"/__symbols__"} == {node.path for node in theirs} - {
                "/__symbols__"
            }
