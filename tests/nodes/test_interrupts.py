"""Which lines of the GIC a node's properties name, and what is no line of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.devicetree import Tree, TreeError
from nodes.interrupts import Line, lines, named, spis
from tests.nodes.trees import Described, Value, node, tree

GIC, OTHER, DEV = 1, 2, "/soc/dev"


def board(properties: dict[str, Value], root: dict[str, Value] | None = None) -> Tree:
    gic = node({"phandle": [GIC], "#interrupt-cells": [3], "compatible": "arm,gic-400"})
    other = node({"phandle": [OTHER], "#interrupt-cells": [2], "compatible": "acme,intc"})
    soc = node(None, {"dev": node(properties)})
    top: dict[str, Value] = {"interrupt-parent": [GIC]} if root is None else root
    return tree(node(top, {"gic": gic, "intc": other, "soc": soc}))


def ids(properties: dict[str, Value], root: dict[str, Value] | None = None) -> list[int | None]:
    made = board(properties, root)
    return [line.intid for line in lines(made, made[DEV])]


def test_shared_and_private_lines() -> None:
    assert ids({"interrupts": [0, 80, 4, 1, 9, 8, 0, 987, 1]}) == [112, 25, 1019]
    made = board({"interrupts": [0, 80, 4, 1, 9, 8]})
    assert spis(made, made[DEV]) == [112]
    assert ids({}) == []


@pytest.mark.parametrize("entry", [[0, 988, 4], [1, 16, 4], [2, 0, 4]])
def test_numbers_just_outside(entry: list[int]) -> None:
    assert ids({"interrupts": [0, 1, 4, *entry]}) == [33, None]


def test_another_controllers_lines_are_not_the_gics() -> None:
    assert ids({"interrupts": [5, 1, 6, 1], "interrupt-parent": [OTHER]}) == [None, None]


def test_the_nearest_parent_counts() -> None:
    assert ids({"interrupts": [0, 80, 4], "interrupt-parent": [GIC]}, {"interrupt-parent": [OTHER]}) == [112]


@pytest.mark.parametrize("root", [{}, {"interrupt-parent": [0xFDE8]}], ids=["none", "not in this tree"])
def test_without_a_controller_the_gic_is_meant(root: dict[str, Value]) -> None:
    assert ids({"interrupts": [0, 80, 4]}, root) == [112]


def test_a_node_below_its_controller() -> None:
    made = tree(node(None, {"intc": node({"#interrupt-cells": [2]}, {"dev": node({"interrupts": [1, 2]})})}))
    assert [line.intid for line in lines(made, made["/intc/dev"])] == [None]


def test_the_fake_gic_of_a_partial_tree() -> None:
    parts: dict[str, Described] = {"gic": node({"#interrupt-cells": [3], "phandle": [9]})}
    parts["dev"] = node({"interrupts": [0, 1, 4], "interrupt-parent": [9]})
    made = tree(node(None, parts))
    assert [line.intid for line in lines(made, made["/dev"])] == [33]


def test_extended_wins_and_mixes_controllers() -> None:
    extended = [GIC, 0, 80, 4, OTHER, 7, 1, GIC, 1, 9, 8]
    assert ids({"interrupts": [0, 1, 4], "interrupts-extended": extended}) == [112, None, 25]


@pytest.mark.parametrize("bad", [[99, 0, 1, 4], [GIC, 0, 1], [GIC]])
def test_an_extended_entry_that_cannot_be_measured_ends_the_list(bad: list[int]) -> None:
    assert ids({"interrupts-extended": [GIC, 0, 80, 4, *bad]}) == [112, None]


def test_a_partial_entry_makes_the_whole_list_unusable() -> None:
    made = board({"interrupts": [0, 80, 4, 0]})
    assert lines(made, made[DEV]) == [
        Line("interrupts", None, "4 cells are no whole entries of 3; complete the last one")
    ]


CELL = st.sampled_from([0, 1, 2, 3, 4, GIC, OTHER, 16, 988]) | st.integers(0, 2**32 - 1)
CELLS = st.lists(CELL, max_size=14)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "interrupts": CELLS,
            "interrupts-extended": CELLS,
            "interrupt-parent": CELLS,
            "#interrupt-cells": CELLS,
        },
    ),
    CELLS,
)
def test_whatever_is_written_there_every_line_has_an_id_or_a_reason(
    properties: dict[str, Value], width: list[int]
) -> None:
    parts = {"gic": node({"phandle": [GIC], "#interrupt-cells": width}), "dev": node(properties)}
    made = tree(node(None, parts))
    for line in lines(made, made["/dev"]):
        assert (line.intid is None) is bool(line.reason)
        assert line.intid is None or line.intid in range(16, 1020)


# ---- by name ----------------------------------------------------------------------------------


def by_name(name: str, **properties: Value) -> int | None:
    made = board({key.replace("_", "-"): value for key, value in properties.items()})
    return named(made, made[DEV], name)


def test_a_name_finds_its_entry() -> None:
    lines_of: dict[str, Value] = {"interrupts": [0, 80, 4, 0, 81, 4], "interrupt_names": b"a2p\0p2a\0"}
    assert by_name("a2p", **lines_of) == 112
    assert by_name("p2a", **lines_of) == 113
    assert by_name("wakeup", **lines_of) is None
    assert by_name("p2a", interrupts=[0, 80, 4]) is None


def test_a_name_without_an_entry() -> None:
    with pytest.raises(TreeError, match=r"interrupt-names: 'p2a' is number 2, the node has 1 interrupts"):
        by_name("p2a", interrupts=[0, 80, 4], interrupt_names=b"a2p\0p2a\0")


def test_a_name_for_what_is_no_line() -> None:
    with pytest.raises(TreeError, match=r"interrupts: 'a2p': <0 988 4> is no interrupt"):
        by_name("a2p", interrupts=[0, 988, 4], interrupt_names="a2p")
    with pytest.raises(TreeError, match="/intc is not the GIC"):
        by_name("a2p", interrupts=[5, 1], interrupt_parent=[OTHER], interrupt_names="a2p")
