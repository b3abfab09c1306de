"""Other versions of the driver on the bus: v7 and v9 where they differ, and mainline's forwarder."""

import pytest

from bus import frames
from nodes.xen.errno import Errno
from tests.conformance import el3, trees
from tests.conformance.board import MA, MINUS_ONE, Board
from tests.conformance.el3 import REGISTERS, RESET_AGENT_CONFIGURATION, SET_DEVICE_PERMISSIONS
from tests.conformance.trees import DOM0_AGENT, I2C_CONTROLLER, edited

I2C = "/soc/i2c@e6508000"
PASSTHROUGH = "scmi-smc-passthrough"
SMC = 1  # XEN_DOMCTL_CONFIG_ARM_SCI_SCMI_SMC


@pytest.mark.parametrize(("profile", "flags"), [("v7", 0), ("v9", 1), ("v11", 1)])
def test_reset_flags(board: Board, profile: str, flags: int) -> None:
    guest = board.boot(edited((DOM0_AGENT, "")), profile=profile).create("domu", 2)
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    assert [smc.words for smc in board.el3.messages(RESET_AGENT_CONFIGURATION)] == [(2, flags)]


@pytest.mark.parametrize(("profile", "accepted"), [("v7", True), ("v9", True), ("v11", False)])
def test_base_of_a_page(board: Board, profile: str, accepted: bool) -> None:
    half = "reg = <0x0 0x47ff2800 0x0 0x1000>;"
    board.boot(edited((trees.SHM_2, half), (DOM0_AGENT, "")), profile=profile)
    assert (board.create("domu", 2).info.agent_id == 2) is accepted


@pytest.mark.parametrize(("profile", "agent"), [("v7", 3), ("v9", 0), ("v11", 0)])
def test_where_dom0s_agent_comes_from(board: Board, profile: str, agent: int) -> None:
    board.boot(profile=profile, command_line="dom0=sci-agent-id=3")
    assert board.domains()["dom0"].agent_id == agent


@pytest.mark.parametrize(("profile", "pages"), [("v7", 4), ("v9", 1), ("v11", 1)])
def test_v7_shows_dom0_every_page(board: Board, profile: str, pages: int) -> None:
    """It leaves the container in Dom0's tree, and what a tree describes is mapped."""
    board.boot(profile=profile, command_line="dom0=sci-agent-id=0")
    assert sum(count for _, _, count in board.domains()["dom0"].mapped) == pages


@pytest.mark.parametrize(("profile", "merged"), [("v7", True), ("v11", False)])
def test_an_sci_refusal_beside_the_iommu(board: Board, profile: str, merged: bool) -> None:
    tree = edited((I2C_CONTROLLER, f"{I2C_CONTROLLER} iommus = <0x77 1>;"), (DOM0_AGENT, ""))
    first, second = board.boot(tree, profile=profile).create("first", 2), board.create("second", 3)
    board.el3.on[SET_DEVICE_PERMISSIONS] = el3.reply(-3)
    assert board.rc(frames.AssignDevice(first.domid, I2C)) == -Errno.EACCES
    taken = board.rc(frames.TestAssignDevice(second.domid, I2C)) == -Errno.EINVAL
    assert taken is merged, "asked all the same, the IOMMU gave it"


# ---- the forwarder ----------------------------------------------------------------------------


def test_the_forwarder_gives_dom0_the_channel(board: Board) -> None:
    dom0 = board.boot(profile="forwarder").dom0()
    assert board.el3.settled() == [], "it says nothing on its own"
    assert dom0.trap(0x8200_0002, 7).frame.x == REGISTERS
    assert board.el3.settled()[-1].x[:2] == (0x8200_0002, 7)
    assert dom0.x0(0x8200_0003) == MINUS_ONE
    assert board.rc(frames.CreateDomain("domu", SMC, 0)) == -Errno.EINVAL
    assert board.rc(frames.CreateDomain("domu", MA, 2)) == -Errno.EINVAL
    assert board.create("plain", 0, sci_type=0).x0(0x8200_0002) == MINUS_ONE
    assert board.rig.warned("Unprivileged access attempt")


def test_the_forwarder_with_passthrough(board: Board) -> None:
    board.boot(profile="forwarder", command_line=PASSTHROUGH)
    assert board.dom0().x0(0x8200_0002) == MINUS_ONE
    guest = board.create("domu", 0, sci_type=SMC)
    assert guest.trap(0x8200_0002).frame.x == REGISTERS
    assert board.el3.settled()[-1].address == 0x47FF_0000
    assert board.rc(frames.CreateDomain("second", SMC, 0)) == -Errno.EEXIST
    rung = len(board.el3.settled())
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    assert len(board.el3.settled()) == rung
    assert board.create("second", 0, sci_type=SMC).trap(0x8200_0002).frame.x == REGISTERS


def test_the_forwarders_vcpus_ring_at_once(board: Board) -> None:
    dom0 = board.boot(profile="forwarder").dom0()
    board.el3.holding = True
    requests = [dom0.ring((0x8200_0002, number)) for number in (1, 2)]
    held = board.rig.wait(lambda: board.el3.held if len(board.el3.held) == 2 else None, "both doorbells")
    assert [smc.x[1] for smc in held] == [1, 2]
    board.el3.release()
    assert all(dom0.port.answer_to(request).frame.x == REGISTERS for request in requests)
