"""A second management node (P12): the registered mediator loses its channels, or what a profile leaves."""

import pytest

from bus import frames
from nodes.xen.errno import Errno
from tests.conformance.board import MA, MINUS_ONE, Board
from tests.conformance.el3 import DISCOVER_AGENT, PROTOCOL_ATTRIBUTES, REGISTERS, XEN_FID
from tests.conformance.trees import CONTAINER, DOM0_AGENT, edited

SECOND_FID = 0x8200_0007
SECOND = f"""\
{CONTAINER}
				scmi2 {{
					compatible = "arm,scmi-smc";
					arm,smc-id = <{SECOND_FID:#x}>;
					shmem = <&scmi_shm_4>;
				}};
				scmi_shm_4: sram@47ff4000 {{
					compatible = "arm,scmi-shmem";
					reg = <0x0 0x47ff4000 0x0 0x1000>;
				}};"""


def tree(*changes: tuple[str, str]) -> str:
    """The canonical tree; the new node stands before the old one, so it is the first that binds."""
    return edited((CONTAINER, SECOND), *changes)


def boot(board: Board, **how: object) -> None:
    board.power_on(tree((DOM0_AGENT, "")), **how)
    board.el3.agents = {**board.el3.agents, SECOND_FID: 9}
    board.boot()


def test_its_probe_replaces_the_channels_of_the_first(board: Board) -> None:
    boot(board)
    smcs = board.el3.settled()
    assert [smc.fid for smc in smcs] == [SECOND_FID, SECOND_FID, XEN_FID, XEN_FID]
    assert [smc.header for smc in smcs] == [DISCOVER_AGENT, PROTOCOL_ATTRIBUTES] * 2
    assert board.rig.warned("(-EEXIST)")
    assert board.rig.warned("driver hazard second-management-node")
    assert board.rc(frames.CreateDomain("domu", MA, 2)) == -Errno.ENOENT
    assert board.rc(frames.CreateDomain("domu", 1, 0)) == -Errno.EINVAL, "a mediator is registered"
    assert board.create("plain", 0, sci_type=0).x0(0x8200_0004) == MINUS_ONE
    assert len(board.el3.settled()) == 4


def test_dom0s_agent_is_lost_with_them(board: Board) -> None:
    board.power_on(tree())
    board.el3.agents = {**board.el3.agents, SECOND_FID: 9}
    board.el3.port.hello("firmware")
    reason = board.rig.wait(lambda: board.rig.halted, "Xen's panic")
    assert "Error creating domain 0 (rc = -2)" in reason
    assert "driver hazard second-management-node" in reason


@pytest.mark.parametrize("profile", ["v9", "v7"])
def test_older_drivers_keep_what_it_left(board: Board, profile: str) -> None:
    boot(board, profile=profile)
    assert board.rig.warned("driver hazard second-management-node")
    guest = board.create("domu", 2)
    assert guest.trap(0x8200_0004).frame.x == REGISTERS
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    assert board.el3.settled()[-1].fid == XEN_FID, "resets go through the second node's channel"


def test_strict_keeps_the_first_and_refuses_the_second(board: Board) -> None:
    boot(board, strict=True)
    assert [smc.fid for smc in board.el3.settled()] == [SECOND_FID, SECOND_FID]
    assert board.rig.warned("only one SCI controller is supported")
    guest = board.create("domu", 2)
    assert guest.trap(0x8200_0004).frame.x == REGISTERS
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    assert board.el3.settled()[-1].fid == SECOND_FID
