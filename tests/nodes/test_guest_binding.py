"""What a guest finds in its own tree."""

import pytest

from nodes.devicetree import TreeError
from nodes.guest.binding import Binding, Consumer, WayBack, bind
from tests.nodes.trees import BUS, Described, node, page_node, tree

SHM, CLK, PD, RST, OTHER, P2A = 1, 2, 3, 4, 5, 6


def guest_tree() -> Described:
    scmi = node(
        {"compatible": "arm,scmi-smc", "arm,smc-id": [0x8200_0004], "shmem": [SHM]},
        {
            "protocol@14": node({"reg": [0x14], "phandle": [CLK], "#clock-cells": [1]}),
            "protocol@11": node({"reg": [0x11], "phandle": [PD], "#power-domain-cells": [1]}),
            "protocol@16": node({"reg": [0x16], "phandle": [RST], "#reset-cells": [1]}),
        },
    )
    other = node({"phandle": [OTHER], "#clock-cells": [2]})
    device = node({"clocks": [CLK, 3, OTHER, 8, 9, CLK, 4], "power-domains": [PD, 2], "resets": [RST, 1]})
    passthrough = {"sram@22001000": page_node(SHM, 0x2200_1000), "scmi": scmi, "osc": other, "dev": device}
    root = {"#address-cells": [2], "#size-cells": [2], "compatible": "xen,guest"}
    return node(root, {"passthrough": node(BUS, passthrough)})


def scmi_of(root: Described) -> Described:
    return root.children["passthrough"].children["scmi"]


def test_the_channel_and_its_consumers() -> None:
    consumer = Consumer("/passthrough/dev", (3, 4), (2,), (1,))
    assert bind(tree(guest_tree())) == Binding(
        "/passthrough/scmi", 0x8200_0004, 0x2200_1000, False, (consumer,)
    )


@pytest.mark.parametrize(("method", "hvc"), [("smc", False), ("hvc", True)])
def test_the_conduit(method: str, hvc: bool) -> None:
    root = guest_tree()
    root.children["psci"] = node({"method": method})
    binding = bind(tree(root))
    assert binding is not None
    assert binding.hvc is hvc


def test_no_channel_no_binding() -> None:
    root = guest_tree()
    scmi_of(root).properties["status"] = "disabled"
    assert bind(tree(root)) is None
    assert bind(tree(node())) is None


@pytest.mark.parametrize(
    ("prop", "value", "told"),
    [
        ("arm,smc-id", b"", "arm,smc-id: missing"),
        ("shmem", [99], "shmem: refers to no node"),
        ("shmem", b"", "shmem: refers to no node"),
        ("shmem", [CLK], "reg: entry 0 needs 2 address"),
    ],
)
def test_an_unusable_node(prop: str, value: bytes | list[int], told: str) -> None:
    root = guest_tree()
    scmi_of(root).properties[prop] = value
    with pytest.raises(TreeError, match=told):
        bind(tree(root))


def test_disabled_devices_use_nothing() -> None:
    root = guest_tree()
    root.children["passthrough"].children["dev"].properties["status"] = "disabled"
    binding = bind(tree(root))
    assert binding is not None
    assert binding.consumers == ()


def test_a_reference_to_nowhere_ends_the_list() -> None:
    root = guest_tree()
    root.children["passthrough"].children["dev"].properties["clocks"] = [CLK, 3, 99, 1, CLK, 4]
    binding = bind(tree(root))
    assert binding is not None
    assert binding.consumers[0].clocks == (3,)


# ---- interrupts and the second page -----------------------------------------------------------


def with_interrupts(names: bytes, cells: list[int], shmem: list[int]) -> Binding | None:
    root = guest_tree()
    root.children["passthrough"].children["sram@22002000"] = page_node(P2A, 0x2200_2000)
    scmi_of(root).properties.update({"interrupt-names": names, "interrupts": cells, "shmem": shmem})
    return bind(tree(root))


@pytest.mark.parametrize(
    ("names", "cells", "shmem", "completion", "p2a"),
    [
        (b"", [], [SHM], None, None),
        (b"a2p\0", [0, 79, 4], [SHM], 111, None),
        (b"a2p\0p2a\0", [0, 79, 4, 0, 80, 4], [SHM, P2A], 111, WayBack(0x2200_2000, 112)),
        (b"p2a\0", [0, 80, 4], [SHM, P2A], None, WayBack(0x2200_2000, 112)),
        (b"p2a\0", [1, 9, 4], [SHM, P2A], None, WayBack(0x2200_2000, 25)),
        (b"", [], [SHM, P2A], None, None),
        (b"a2p\0", [0, 79, 4], [SHM, 99], 111, None),
    ],
    ids=["neither", "completion", "both", "back", "private", "page only", "page that is no page"],
)
def test_interrupts(
    names: bytes, cells: list[int], shmem: list[int], completion: int | None, p2a: WayBack | None
) -> None:
    binding = with_interrupts(names, cells, shmem)
    assert binding is not None
    assert (binding.shmem, binding.completion, binding.p2a) == (0x2200_1000, completion, p2a)


@pytest.mark.parametrize(
    ("names", "cells", "shmem", "told"),
    [
        (b"p2a\0", [0, 80, 4], [SHM], "shmem: the 'p2a' interrupt needs a second page"),
        (b"p2a\0", [0, 80, 4], [SHM, 99], "shmem: refers to no node"),
        (b"p2a\0", [0, 80, 4], [SHM, SHM], "shmem: both pages are at 0x22001000"),
        (b"a2p\0p2a\0", [0, 80, 4, 0, 80, 4], [SHM, P2A], "interrupts: 'a2p' and 'p2a' are one line"),
        (b"a2p\0p2a\0", [0, 80, 4], [SHM, P2A], "interrupt-names: 'p2a' is number 2"),
        (b"a2p\0", [0, 80], [SHM], "interrupts: 'a2p': 2 cells are no whole entries"),
        (b"a2p\0", [7, 80, 4], [SHM], "interrupts: 'a2p': <7 80 4> is no interrupt"),
    ],
)
def test_unusable_interrupts(names: bytes, cells: list[int], shmem: list[int], told: str) -> None:
    with pytest.raises(TreeError, match=told):
        with_interrupts(names, cells, shmem)
