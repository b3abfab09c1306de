"""A tree as data: properties, phandles, and addresses through ``ranges``."""

import pytest

from nodes.devicetree import Node, Tree, TreeError
from tests.nodes.trees import Described, Value, node, tree


def test_nodes_in_document_order_and_by_path() -> None:
    made = tree(node(None, {"b": node(None, {"x": node()}), "a": node()}))
    assert [one.path for one in made] == ["/", "/b", "/b/x", "/a"]
    assert "/b/x" in made
    assert made.get("/b/y") is None
    found = made.get("/b/x")
    assert found is not None
    assert found.name == "x"
    assert [one.path for one in made.ancestors(found)] == ["/b", "/"]
    assert made.parent(made.root) is None


def test_phandles_old_and_new_and_the_first_wins() -> None:
    children = {
        "new": node({"phandle": [1], "linux,phandle": [9]}),
        "old": node({"linux,phandle": [2]}),
        "again": node({"phandle": [1]}),
    }
    made = tree(node(None, children))
    for phandle, path in ((1, "/new"), (2, "/old"), (9, None), (0, None)):
        found = made.by_phandle(phandle)
        assert (found.path if found else None) == path


def test_a_deep_tree_needs_no_deep_stack() -> None:
    """5,000 levels: as deep as a file may nest is the reader's matter, indexing does not recurse."""
    inner = Node("/" + "/".join(["a"] * 5000), {}, [])
    for depth in range(4999, 0, -1):
        inner = Node("/" + "/".join(["a"] * depth), {}, [inner])
    assert sum(1 for _ in Tree(Node("/", {}, [inner]))) == 5001


@pytest.mark.parametrize(
    ("value", "strings", "cells"),
    [
        (b"", [], []),
        (b"one\0two\0", ["one", "two"], [0x6F6E6500, 0x74776F00]),
        (b"\0\0\0\1\0\0\0", ["", "", "", "\x01", "", ""], [1]),
        (b"\xff\0", ["�"], []),
        (b"no-nul", [], [0x6E6F2D6E]),
    ],
)
def test_values_as_strings_and_cells(value: bytes, strings: list[str], cells: list[int]) -> None:
    made = Node("/", {"p": value}, [])
    assert made.strings("p") == strings
    assert made.cells("p") == cells
    assert made.string("p") == (strings[0] if strings else None)
    assert made.u32("p") == (cells[0] if cells else None)


def test_absent_properties() -> None:
    made = Node("/", {}, [])
    assert (made.cells("p"), made.u32("p"), made.string("p"), made.strings("p")) == (None, None, None, [])
    assert not made.compatible("x")


@pytest.mark.parametrize(
    ("status", "available"),
    [
        (None, True),
        (b"okay\0", True),
        (b"ok\0", True),
        (b"disabled\0", False),
        (b"fail\0", False),
        (b"", True),
    ],
)
def test_availability(status: bytes | None, available: bool) -> None:
    assert Node("/", {} if status is None else {"status": status}, []).available() is available


def test_where_something_was_written() -> None:
    made = Node("/n", {"p": b""}, [], origins={"": "a.dts:3", "p": "b.dts:9"})
    assert made.place("p") == "b.dts:9: /n: p"
    assert made.place("q") == "a.dts:3: /n: q"
    assert Node("/n", {}, []).place("p") == "/n: p"


# ---- addresses --------------------------------------------------------------------------------


def bus(ranges: Value | None, child: Described, address: int = 1, size: int = 1) -> Described:
    properties: dict[str, Value] = {"#address-cells": [address], "#size-cells": [size]}
    if ranges is not None:
        properties["ranges"] = ranges
    return node(properties, {"inner": child})


def reg(root: Described, path: str, index: int = 0) -> tuple[int, int]:
    made = tree(root)
    found = made.get(path)
    assert found is not None
    return made.reg(found, index)


DEVICE = node({"reg": [0x1000, 0x20]})


def top(child: Described, address: int = 2, size: int = 2) -> Described:
    return node({"#address-cells": [address], "#size-cells": [size]}, {"soc": child})


def test_an_address_at_the_root_is_the_cpus() -> None:
    assert reg(top(node({"reg": [1, 2, 3, 4]})), "/soc") == (1 << 32 | 2, 3 << 32 | 4)


def test_several_entries() -> None:
    root = top(node({"reg": [0, 1, 0, 2, 0, 3, 0, 4]}))
    assert reg(root, "/soc", 1) == (3, 4)
    with pytest.raises(TreeError, match="entry 2 needs 2 address and 2 size cells"):
        reg(root, "/soc", 2)


def test_defaults_of_two_address_cells_and_one_size_cell() -> None:
    assert reg(node(None, {"soc": node({"reg": [0, 0x10, 0x20]})}), "/soc") == (0x10, 0x20)


def test_empty_ranges_are_one_to_one() -> None:
    assert reg(top(bus(True, DEVICE)), "/soc/inner") == (0x1000, 0x20)


@pytest.mark.parametrize(
    ("address", "there"),
    [
        (0x1000, 0x8_0000_0000),
        (0x1FFF, 0x8_0000_0FFF),
        (0x3000, 0x9_0000_0000),
        (0xFFF, None),
        (0x2000, None),
    ],
)
def test_ranges_translate_what_they_cover(address: int, there: int | None) -> None:
    ranges = [0x1000, 8, 0, 0x1000, 0x3000, 9, 0, 0x10]
    root = top(bus(ranges, node({"reg": [address, 4]})))
    if there is None:
        with pytest.raises(TreeError, match=r"/soc: ranges: no entry covers"):
            reg(root, "/soc/inner")
    else:
        assert reg(root, "/soc/inner") == (there, 4)


def test_ranges_compose_from_the_inside_out() -> None:
    inner = bus([0x1000, 0x5000, 0x1000], DEVICE)
    outer = bus([0x5000, 1, 0, 0x1000], inner)
    assert reg(top(outer), "/soc/inner/inner") == (1 << 32, 0x20)


@pytest.mark.parametrize("missing", ["inner", "outer"])
def test_a_missing_ranges_anywhere_above_is_an_error_that_names_the_node(missing: str) -> None:
    inner = bus(None if missing == "inner" else True, DEVICE)
    outer = bus(None if missing == "outer" else True, inner)
    at = "/soc/inner" if missing == "inner" else "/soc"
    with pytest.raises(
        TreeError, match=f"{at}: 'ranges' is missing.* add an empty 'ranges;' to {at} "
    ) as raised:
        reg(top(outer), "/soc/inner/inner")
    assert raised.value.node is not None
    assert (raised.value.node.path, raised.value.prop) == (at, "ranges")


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({}, "the property is missing"),
        ({"reg": b""}, "needs 2 address and 2 size cells"),
        ({"reg": [1, 2, 3]}, "3 are there"),
    ],
)
def test_an_address_that_is_not_there(properties: dict[str, Value], told: str) -> None:
    with pytest.raises(TreeError, match=told) as raised:
        reg(top(node(properties)), "/soc")
    assert raised.value.node is not None
    assert (raised.value.node.path, raised.value.prop) == ("/soc", "reg")


def test_the_root_has_no_address() -> None:
    with pytest.raises(TreeError, match="the root node has no address"):
        reg(node({"reg": [1, 2, 3]}), "/")


def test_a_bus_without_addresses() -> None:
    with pytest.raises(TreeError, match="needs 0 address"):
        reg(top(node({"reg": [1]}), address=0, size=0), "/soc")


def test_a_cut_off_ranges_row_is_not_used() -> None:
    with pytest.raises(TreeError, match="no entry covers"):
        reg(top(bus([0x1000, 8, 0], DEVICE)), "/soc/inner")
