"""Scenarios 1 to 16: what Xen reads from the host tree, and what it says to EL3 at boot."""

import pytest

from bus import frames
from nodes.xen.errno import Errno
from tests.conformance import el3, trees
from tests.conformance.board import MINUS_ONE, Board
from tests.conformance.el3 import DISCOVER_AGENT, PROTOCOL_ATTRIBUTES, SELF, XEN_FID
from tests.conformance.trees import edited, secondaries


def assert_not_initialised(board: Board, errno: Errno) -> None:
    """The probe failed with ``errno``; the boot went on, without SCMI for anybody."""
    assert board.rig.warned(f"(-{errno.name})"), board.rig.lines
    assert [info.agent_id for info in board.domains().values()] == [None]
    asked = len(board.el3.settled())
    assert board.dom0().x0(0x8200_0002) == MINUS_ONE
    assert len(board.el3.settled()) == asked


def assert_initialised(board: Board, *agents: int) -> None:
    """The mediator is there: each of the agents can be claimed."""
    for agent in agents:
        assert board.create(f"of{agent}", agent).info.agent_id == agent


def test_s01_the_canonical_tree_costs_two_messages(board: Board) -> None:
    smcs = board.boot().el3.settled()
    assert [smc.fid for smc in smcs] == [XEN_FID, XEN_FID]
    assert [smc.header for smc in smcs] == [DISCOVER_AGENT, PROTOCOL_ATTRIBUTES]
    assert [smc.words for smc in smcs] == [(SELF,), ()]
    assert [smc.x[1:] for smc in smcs] == [(0,) * 7] * 2
    assert {smc.address for smc in smcs} == {0x47FF_1000}
    assert all(smc.status == 0 for smc in smcs), "the channel is claimed before the doorbell"


def test_s02_two_cells_discover_each_agent_on_its_own_channel(board: Board) -> None:
    tree = secondaries("0x82000002 &scmi_shm_0", "0x82000005 &scmi_shm_3", "0x82000004 &scmi_shm_2", cells=2)
    smcs = board.boot(tree).el3.settled()[2:]
    assert [(smc.fid, smc.address) for smc in smcs] == [
        (0x8200_0002, 0x47FF_0000),
        (0x8200_0005, 0x47FF_3000),
        (0x8200_0004, 0x47FF_2000),
    ]
    assert [(smc.header, smc.words, smc.status) for smc in smcs] == [(DISCOVER_AGENT, (SELF,), 0)] * 3
    assert_initialised(board, 3, 2)


@pytest.mark.parametrize(
    ("entries", "cells", "asked", "errno"),
    [
        (("0x82000002 &scmi_shm_0", "0x82000004 0xdead"), 2, 1, Errno.EINVAL),
        (("0x82000002 &scmi_shm_0 0", "0x82000004 &scmi_shm_2 0", "0x82000005 0xdead 3"), 3, 0, Errno.EEXIST),
    ],
    ids=["discovered-before", "taken-before"],
)
def test_the_list_is_worked_off_entry_by_entry(
    board: Board, entries: tuple[str, ...], cells: int, asked: int, errno: Errno
) -> None:
    """What is wrong further down is not known yet: earlier agents are asked, earlier errors go first."""
    board.boot(secondaries(*entries, cells=cells))
    assert [smc.fid for smc in board.el3.settled()] == [XEN_FID] * 2 + [0x8200_0002] * asked
    assert_not_initialised(board, errno)


def test_s03_no_container_no_mediator(board: Board) -> None:
    board.boot(trees.without_container())
    assert board.el3.settled() == []
    guest = board.create("domu", 2)
    dom0 = board.dom0()
    for fid in (0x8200_0002, XEN_FID, 0x8200_0004):
        assert dom0.x0(fid) == MINUS_ONE
        assert guest.x0(fid) == MINUS_ONE
    assert board.el3.settled() == []


def test_s04_two_levels_below_the_container_binds(board: Board) -> None:
    nested = "a { #address-cells = <2>; #size-cells = <2>; ranges; b { scmi_xen: scmi {"
    tree = edited(("scmi_xen: scmi {", nested))
    end = "#access-controller-cells = <1>;\n\t\t\t\t};\n\t\t\t};\n\t\t};\n\t};\n};\n"
    assert tree.endswith(end)
    board.boot(tree.removesuffix(end) + end.replace("};", "}; }; };", 1))
    assert len(board.el3.settled()) == 2
    assert_initialised(board, 2)


def test_s05_the_container_may_have_any_name(board: Board) -> None:
    board.boot(edited((trees.CONTAINER, trees.CONTAINER.replace("xen_scmi_config", "whatever"))))
    assert_initialised(board, 2)


def test_s06_four_cells_are_einval(board: Board) -> None:
    board.boot(edited((trees.CELLS, "#scmi-secondary-agents-cells = <4>;")))
    assert_not_initialised(board, Errno.EINVAL)


def test_s07_no_cells_property_means_three(board: Board) -> None:
    board.boot(edited((trees.CELLS, "")))
    assert len(board.el3.settled()) == 2
    assert_initialised(board, 2, 3)


@pytest.mark.parametrize(
    "entries",
    [
        "",
        "scmi-secondary-agents;",
        "scmi-secondary-agents = <0x82000002 &scmi_shm_0 0 0x82000004>;",
    ],
    ids=["missing", "empty", "four-words"],
)
def test_s08_a_bad_list_is_einval(board: Board, entries: str) -> None:
    board.boot(edited((trees.LIST, entries)))
    assert_not_initialised(board, Errno.EINVAL)


def test_s09_a_repeated_agent_leaves_no_channel_at_all(board: Board) -> None:
    board.boot(secondaries("0x82000002 &scmi_shm_0 0", "0x82000004 &scmi_shm_2 0"))
    assert_not_initialised(board, Errno.EEXIST)


def test_s10_xens_own_agent_in_the_list(board: Board) -> None:
    board.boot(secondaries("0x82000002 &scmi_shm_0 0", "0x82000004 &scmi_shm_2 1"))
    assert_not_initialised(board, Errno.EEXIST)


def test_s11_a_repeated_doorbell_is_accepted(board: Board) -> None:
    entries = ("0x82000002 &scmi_shm_0 0", "0x82000004 &scmi_shm_2 2", "0x82000004 &scmi_shm_3 3")
    board.boot(secondaries(*entries))
    assert_initialised(board, 2, 3)


def test_s11_strict_warns_of_a_repeated_doorbell(board: Board) -> None:
    entries = ("0x82000002 &scmi_shm_0 0", "0x82000004 &scmi_shm_2 2", "0x82000004 &scmi_shm_3 3")
    board.boot(secondaries(*entries), strict=True)
    assert board.rig.warned("(duplicate-smc-id)")
    assert_initialised(board, 2, 3)


@pytest.mark.parametrize(
    "reg", ["<0x0 0x47ff2800 0x0 0x1000>", "<0x0 0x47ff2000 0x0 0x800>"], ids=["base", "size"]
)
def test_s12_secondary_pages_must_be_whole(board: Board, reg: str) -> None:
    board.boot(edited((trees.SHM_2, f"reg = {reg};")))
    assert_not_initialised(board, Errno.EINVAL)


def test_s12_of_two_pages_one_is_used(board: Board) -> None:
    board.boot(edited((trees.SHM_2, "reg = <0x0 0x47ff2000 0x0 0x2000>;")))
    guest = board.create("domu", 2)
    assert guest.info.shmem == 0x47FF_2000
    assert board.rc(frames.IomemPermission(guest.domid, 0x47FF3, 1, True)) == -Errno.EPERM


def test_s13_the_base_of_xens_own_page_is_not_checked(board: Board) -> None:
    board.boot(edited((trees.SHM_1, "reg = <0x0 0x47ff1800 0x0 0x1000>;")))
    assert {smc.address for smc in board.el3.settled()} == {0x47FF_1800}
    assert_initialised(board, 2)


def test_s13_strict_refuses_it(board: Board) -> None:
    board.boot(edited((trees.SHM_1, "reg = <0x0 0x47ff1800 0x0 0x1000>;")), strict=True)
    assert board.el3.settled() == []
    assert board.rig.warned("(xen-shmem-unaligned)")
    assert_not_initialised(board, Errno.EINVAL)


def test_s14_discovery_is_needed_even_with_three_cells(board: Board) -> None:
    board.power_on()
    board.el3.on[DISCOVER_AGENT] = el3.reply(-1)
    board.boot()
    assert_not_initialised(board, Errno.EOPNOTSUPP)


@pytest.mark.parametrize(
    ("machine", "errno"),
    [({"acpi": True}, Errno.EINVAL), ({"smccc_version": 0x1_0000}, Errno.ENOSYS)],
    ids=["acpi", "smccc-1.0"],
)
def test_s15_the_wrong_machine(board: Board, machine: dict[str, int], errno: Errno) -> None:
    board.boot(**machine)
    assert_not_initialised(board, errno)


@pytest.mark.parametrize("line", [trees.XEN_SMC_ID, trees.XEN_SHMEM], ids=["smc-id", "shmem"])
def test_s15_an_incomplete_management_node(board: Board, line: str) -> None:
    board.boot(edited((line, "")))
    assert_not_initialised(board, Errno.ENOENT)


def test_s16_more_entries_than_agents_are_accepted(board: Board) -> None:
    board.power_on()
    board.el3.on[PROTOCOL_ATTRIBUTES] = el3.reply(0, 2 << 8 | 3)
    board.boot()
    assert_initialised(board, 2, 3)
