"""Device tree sources: what merges over what, where things were written, and every way to be wrong."""

from pathlib import Path

import pytest

from deploy.devicetree import load
from deploy.errors import UserError
from nodes.devicetree import Tree

BOARD = """\
/dts-v1/;
/memreserve/ 0x1000 0x100;
/ {
\t#address-cells = <2>;
\taliases { Bad_Alias = "not a path"; };
\tsoc: soc {
\t\tuart: serial@1000 {
\t\t\tstatus = "okay";
\t\t\tclocks = <&clk 4>;
\t\t};
\t\tclk: clock {
\t\t\tphandle = <7>;
\t\t};
\t};
};
"""


class Files:
    """Writes sources to a folder and loads them, the first as base."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def load(self, *texts: str) -> Tree:
        return load([self.path(f"{at}.dts", text) for at, text in enumerate(texts)])

    def complaint(self, *texts: str) -> str:
        with pytest.raises(UserError) as caught:
            self.load(*texts)
        assert "\n" not in str(caught.value)
        return str(caught.value).replace(f"{self.folder}/", "")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def body(text: str) -> str:
    return f"/dts-v1/;\n/ {{ {text} }};\n"


def test_a_source_alone(files: Files) -> None:
    tree = files.load(BOARD)
    assert [node.path for node in tree] == ["/", "/aliases", "/soc", "/soc/serial@1000", "/soc/clock"]
    uart = tree.get("/soc/serial@1000")
    assert uart is not None
    assert uart.properties == {"status": b"okay\0", "clocks": bytes.fromhex("0000000700000004")}
    assert uart.labels == ("uart",)
    assert uart.origin() == f"{files.folder}/0.dts:7"
    assert uart.origin("clocks") == f"{files.folder}/0.dts:9"


def test_fragments_merge_in_order_and_share_labels(files: Files) -> None:
    tree = files.load(
        BOARD,
        '&uart { status = "disabled"; extra; };\n/ { chosen { xen: xen { use = <&clk>; by = &uart; }; }; };',
        "/dts-v1/;\n&{/chosen/xen} { use = <&soc &xen>; };\n/ { soc { serial@1000 { extra = <1>; }; }; };",
    )
    uart, xen, soc = tree.get("/soc/serial@1000"), tree.get("/chosen/xen"), tree.get("/soc")
    assert uart
    assert xen
    assert soc
    assert uart.string("status") == "disabled"
    assert uart.properties["extra"] == b"\0\0\0\1"
    assert uart.origin("status") == f"{files.folder}/1.dts:1"
    assert uart.origin("clocks") == f"{files.folder}/0.dts:9"
    assert uart.origin("extra") == f"{files.folder}/2.dts:3"
    assert xen.string("by") == "/soc/serial@1000"
    # New phandles avoid the 7 the board took.
    assert xen.cells("use") == [soc.u32("phandle"), xen.u32("phandle")] == [1, 2]


def test_an_empty_property_replaces_an_earlier_value(files: Files) -> None:
    tree = files.load(BOARD, "&uart { clocks; };")
    uart = tree.get("/soc/serial@1000")
    assert uart is not None
    assert uart.properties["clocks"] == b""
    assert uart.origin("clocks") == f"{files.folder}/1.dts:1"


def test_deletions(files: Files) -> None:
    tree = files.load(BOARD, "&uart { /delete-property/ clocks; };\n/delete-node/ &clk;")
    assert [node.path for node in tree] == ["/", "/aliases", "/soc", "/soc/serial@1000"]
    assert tree.root.children[1].children[0].properties == {"status": b"okay\0"}


def test_a_label_deleted_and_defined_again(files: Files) -> None:
    tree = files.load(
        BOARD, "&uart { /delete-property/ clocks; };\n/delete-node/ &clk;\n/ { clk: c2 { a = &clk; }; };"
    )
    node = tree.get("/c2")
    assert node is not None
    assert node.string("a") == "/c2"


def test_includes_are_relative_to_the_including_file(files: Files) -> None:
    (files.folder / "parts").mkdir()
    files.path("parts/a.dtsi", '/include/ "b.dtsi"\n')
    files.path("parts/b.dtsi", '/ { b { data = /incbin/("data.bin", 1, 2); }; };\n')
    (files.folder / "parts" / "data.bin").write_bytes(b"\1\2\3\4")
    tree = files.load('/dts-v1/;\n/include/ "parts/a.dtsi"\n/ { late; };\n')
    node = tree.get("/b")
    assert node is not None
    assert node.properties["data"] == b"\2\3"
    assert node.origin("data") == f"{files.folder}/parts/b.dtsi:1"
    assert tree.root.origin("late") == f"{files.folder}/0.dts:3"


def test_line_markers_of_cpp_name_the_original(files: Files) -> None:
    tree = files.load('# 1 "board.dts"\n# 1 "<built-in>"\n# 1 "board.dts"\n/dts-v1/;\n/ {\n\ta;\n};\n')
    assert tree.root.origin("a") == "board.dts:3"


def test_windows_line_ends(files: Files) -> None:
    assert files.load(BOARD.replace("\n", "\r\n")).get("/soc/clock")


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["/ { };"], "0.dts:1: expected '/dts-v1/;' at the start"),
        (["/dts-v1/;"], "0.dts:1: no root node defined"),
        (["/dts-v1/;\n&x { };"], "0.dts:2: nothing can be referred to before the root node"),
        ([body("a = <1>")], "0.dts:2: expected ';' or ','"),
        ([body("a = <1 << 2>;")], "0.dts:2: expected number"),
        ([body("a = <09>;")], "0.dts:2: '09' is not a number; 0 in front means octal"),
        ([body("a = <(1 << 99999999999)>;")], "0.dts:2: cannot shift by 99999999999 bits"),
        ([body("a = <(1 << (0 - 1))>;")], "0.dts:2: cannot shift by -1 bits"),
        ([body("a = <0x100000000>;")], "0.dts:2: 4294967296 does not fit in 32 bits"),
        ([body("a = <(1 / 0)>;")], "0.dts:2: division by zero"),
        ([body("a = <" + "(" * 5000 + ">;")], "0.dts:2: nested too deeply"),
        ([body("n@1@2 { };")], "0.dts:2: multiple '@' in node name"),
        ([body("p@1 = <1>;")], "0.dts:2: '@' is only allowed in node names"),
        ([body("n { " * 65 + "}; " * 65)], "0.dts:2: nodes nest deeper than 64"),
        ([body("a = <&nope>;")], "0.dts:2: /: a: undefined node label 'nope'; define the label"),
        (
            [body("a = &{/nope};")],
            "0.dts:2: /: a: component 'nope' in path '/nope' does not exist; check the path",
        ),
        ([body(""), "\n&nope { };"], "1.dts:2: undefined node label 'nope'; define the label"),
        ([body("a { phandle = <1>; }; b { phandle = <1>; };")], "0.dts:2: /b: duplicated phandle 0x1"),
        ([body("a { phandle = <1>; };"), "/ { b { phandle = <1>; }; };"], "1.dts:1: /b: duplicated phandle"),
        ([body("a { phandle = <0>; };")], "0.dts:2: /a: bad value 0x00000000 for phandle"),
        ([body("a { phandle = [01]; };")], "0.dts:2: /a: bad phandle length"),
        ([body("l: a { }; l: b { };")], "0.dts:2: Label 'l' appears on /a and on /b"),
        ([body(""), "/delete-node/ &{/};"], "1.dts:1: the root node cannot be deleted"),
        ([body("") + '/include/ "0.dts"'], "0.dts:3: /include/ of 0.dts by itself"),
        ([body("") + '/include/ "none.dtsi"'], "0.dts:3: /include/: none.dtsi: no such file"),
        ([body("") + '/include/ "."'], "0.dts:3: /include/: "),
        ([body("") + '/include/ "-"'], "0.dts:3: /include/: -: no such file"),
        ([body("") + '/include/ "/dev/zero"'], "0.dts:3: /include/: /dev/zero: is not a regular file"),
        ([body("") + '/include/ "\\377"'], "0.dts:3: "),
        ([body('a = /incbin/("/dev/zero");')], "0.dts:2: /incbin/: /dev/zero: is not a regular file"),
        ([body('a = /incbin/("0.dts", (0 - 1), 5);')], "0.dts:2: "),
        (
            ["#include <dt-bindings/x.h>\n" + body("")],
            "0.dts:1: C preprocessor line '#include <dt-bindings/x.h>'",
        ),
        (["/dts-v1/;\n#include <dt-bindings/x.h>\n/ { };"], "0.dts:2: C preprocessor line"),
        (["/dts-v1/;\n/ { };\n#define A 1\n"], "0.dts:3: C preprocessor line '#define A 1'"),
        (
            ["/dts-v1/;\n/ {\n#ifdef A\n};\n#endif\n"],
            "0.dts:3: C preprocessor line '#ifdef A'",
        ),
        ([body("a = <GIC_SPI 1>;")], "0.dts:2: expected a value, found 'GIC_SPI'; if that is a C macro"),
        ([body("a = <1 IRQ(2)>;")], "0.dts:2: expected a value, found 'IRQ'; if that is a C macro"),
        (["/dts-v1/;\n/plugin/;\n/ { };"], "0.dts:2: an overlay cannot be the first file"),
        ([body("a = " + ",".join(["<1>"] * 65537) + ";")], "0.dts:2: a has more than 65536 values"),
    ],
)
def test_mistakes_are_told_with_their_place(files: Files, texts: list[str], complaint: str) -> None:
    assert files.complaint(*texts).startswith(complaint)


def test_properties_that_only_look_like_directives(files: Files) -> None:
    assert files.load(body("#address-cells = <1>; #if-cells = <2>;")).root.u32("#if-cells") == 2


def test_depth_and_values_up_to_the_limit(files: Files) -> None:
    assert len(list(files.load(body("n { " * 64 + "}; " * 64)))) == 65
    assert len(files.load(body("a = " + ",".join(["<1>"] * 65536) + ";")).root.properties["a"]) == 262144


def test_an_include_loop_of_two_and_a_long_chain(files: Files) -> None:
    files.path("a.dtsi", '/include/ "b.dtsi"')
    files.path("b.dtsi", '/include/ "./a.dtsi"')
    assert files.complaint('/dts-v1/;\n/include/ "a.dtsi"').startswith(
        "b.dtsi:1: /include/ of a.dtsi by itself"
    )
    for at in range(40):
        files.path(f"{at}.dtsi", f'/include/ "{at + 1}.dtsi"')
    assert "nests deeper than 32" in files.complaint('/dts-v1/;\n/include/ "0.dtsi"')


def test_includes_cannot_multiply_without_bound(files: Files) -> None:
    files.path("0.dtsi", "// " + "x" * (1 << 20))
    for at in range(1, 6):
        files.path(f"{at}.dtsi", f'/include/ "{at - 1}.dtsi"\n' * 2)
    assert "exceed 16777216 bytes" in files.complaint('/dts-v1/;\n/include/ "5.dtsi"\n/ { };')


def test_files_that_cannot_be_read(files: Files) -> None:
    for paths, complaint in [
        ([], "no device tree given"),
        ([files.folder / "none.dts"], "no such file"),
        ([files.folder], "is a directory"),
        ([files.path("empty.dts", "")], "the file is empty"),
        ([files.path("ok.dts", BOARD), files.folder / "none.dts"], "no such file"),
        ([files.path("nul\udcff.dts".encode("utf-8", "replace").decode(), "\0")], "expected '/dts-v1/;'"),
    ]:
        with pytest.raises(UserError, match=complaint):
            load(paths)
    (files.folder / "latin.dts").write_bytes(b'/dts-v1/;\n/ { a = "\xe9"; };')
    with pytest.raises(UserError, match=r"latin\.dts:2: byte 0xe9 is not UTF-8"):
        load([files.folder / "latin.dts"])
    with (files.folder / "huge.dts").open("wb") as huge:
        huge.truncate((16 << 20) + 1)
    with pytest.raises(UserError, match="larger than the limit"):
        load([files.folder / "huge.dts"])
