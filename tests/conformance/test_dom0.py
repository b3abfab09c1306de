"""Scenarios 17 to 19, 42: Dom0's agent and tree, and the same tree without Xen."""

from pathlib import Path

import pytest

from deploy import devicetree
from nodes.devicetree import Tree
from nodes.guest.binding import bind
from nodes.xen.dom0 import tree_for_dom0
from tests.conformance import trees
from tests.conformance.board import MINUS_ONE, VERSION_MESSAGE, Board
from tests.conformance.el3 import REGISTERS
from tests.conformance.trees import CANONICAL, DOM0_AGENT, PLATFORM, edited


def load(folder: Path, source: str) -> Tree:
    path = folder / "tree.dts"
    path.write_text(source)
    return devicetree.load([path])


def test_s17_dom0_owns_its_agent(board: Board) -> None:
    board.boot()
    info = board.domains()["dom0"]
    assert (info.domid, info.agent_id, info.smc_id, info.shmem) == (0, 0, 0x8200_0002, 0x47FF_0000)
    assert info.state == "running"
    assert board.dom0().trap(0x8200_0002).frame.x == REGISTERS


def test_s17_dom0s_tree_is_the_hosts_without_the_container(tmp_path: Path) -> None:
    host = load(tmp_path, CANONICAL)
    tree = tree_for_dom0(host, mediator=True, scmi=True)
    for path in ("/firmware/scmi", "/firmware/scmi/protocol@14", "/sram@47ff0000"):
        found, original = tree.get(path), host.get(path)
        assert found is not None
        assert original is not None
        assert found.properties == original.properties
    assert "/chosen/xen" in tree
    assert not [node.path for node in tree if node.path.startswith("/chosen/xen/")]


def test_s18_without_the_property_dom0_has_no_scmi(board: Board) -> None:
    board.boot(edited((DOM0_AGENT, "")))
    assert board.domains()["dom0"].agent_id is None
    assert board.dom0().x0(0x8200_0002) == MINUS_ONE
    assert len(board.el3.settled()) == 2


def test_s18_without_the_property_dom0s_tree_loses_every_channel(tmp_path: Path) -> None:
    tree = tree_for_dom0(load(tmp_path, edited((DOM0_AGENT, ""))), mediator=True, scmi=False)
    assert "/firmware/scmi" not in tree
    assert not [node.path for node in tree if node.compatible("arm,scmi-shmem", "arm,scmi-smc", "xen,sci")]


@pytest.mark.parametrize("value", [255, 4000])
def test_s19_an_invalid_agent_switches_dom0s_scmi_off(board: Board, value: int) -> None:
    board.boot(edited((DOM0_AGENT, f"xen,dom0-sci-agent-id = <{value}>;")))
    assert board.rig.warned(f"Invalid agent id {value}")
    assert board.domains()["dom0"].agent_id is None
    assert board.dom0().x0(0x8200_0002) == MINUS_ONE
    assert board.create("domu", 2).info.agent_id == 2


def test_s19_an_unknown_agent_panics(board: Board) -> None:
    reason = board.panic(edited((DOM0_AGENT, "xen,dom0-sci-agent-id = <9>;")))
    assert "Error creating domain 0 (rc = -2)" in reason


def test_s19_xens_own_agent_panics(board: Board) -> None:
    reason = board.panic(edited((DOM0_AGENT, "xen,dom0-sci-agent-id = <1>;")))
    assert "Error creating domain 0 (rc = -17)" in reason


def test_s42_bare_metal_uses_the_host_channel(tmp_path: Path) -> None:
    binding = bind(load(tmp_path, CANONICAL))
    assert binding is not None
    assert (binding.node, binding.func_id, binding.shmem) == ("/firmware/scmi", 0x8200_0002, 0x47FF_0000)
    assert [(one.path, one.clocks) for one in binding.consumers] == [("/soc/i2c@e6508000", (5,))]


def test_s42_chosen_is_ignored_wherever_it_stands(tmp_path: Path) -> None:
    """An operating system makes no devices of what is below /chosen, be it first in the file or not."""
    head, rest = CANONICAL.split("\tscmi_shm: sram@47ff0000", 1)
    middle, chosen = rest.split("\tchosen {", 1)
    body = chosen.removesuffix("};\n")
    chosen_first = f"{head}\tchosen {{{body}\tscmi_shm: sram@47ff0000{middle}}};\n"
    binding = bind(load(tmp_path, chosen_first))
    assert binding is not None
    assert (binding.func_id, binding.shmem) == (0x8200_0002, 0x47FF_0000)
    bare = bind(load(tmp_path, trees.without_container((DOM0_AGENT, ""))))
    assert bare is not None
    assert (bare.func_id, bare.shmem) == (0x8200_0002, 0x47FF_0000)


def test_s42_the_pair_of_bare_metal_works_unchanged_in_dom0(board: Board, tmp_path: Path) -> None:
    binding = bind(load(tmp_path, CANONICAL))
    assert binding is not None
    board.boot_with_real_firmware(CANONICAL, PLATFORM)
    page = board.dom0().message(binding.func_id, VERSION_MESSAGE, address=binding.shmem)
    assert int.from_bytes(page[28:32], "little") == 0
    assert int.from_bytes(page[32:36], "little") == 0x2_0001
