"""Scenarios 25 to 32: domains claim agents, lose them, and what EL3 is told."""

import struct
from pathlib import Path

import pytest

from bus import frames
from deploy import devicetree
from deploy.errors import UserError
from deploy.xl.sci import SciType, parse_arm_sci
from nodes.xen import dom0less
from nodes.xen.errno import Errno, XenError
from tests.conformance import el3
from tests.conformance.board import MA, MINUS_ONE, Board
from tests.conformance.el3 import REGISTERS, RESET_AGENT_CONFIGURATION, XEN_FID, area
from tests.conformance.trees import CANONICAL, PLATFORM, edited, without_container

RATE_SET = 0x14 << 10 | 5
DENIED, NOT_SUPPORTED = -3, -1


def status(page: bytes) -> int:
    return struct.unpack_from("<i", page, 28)[0]


def test_s25_an_agent_has_one_domain(board: Board) -> None:
    wanted = parse_arm_sci("type=scmi_smc_multiagent,agent_id=2")
    assert (wanted.type, wanted.agent_id) == (SciType.MULTIAGENT, 2)
    board.boot()
    assert board.create("first", wanted.agent_id).info.agent_id == 2
    assert board.rc(frames.CreateDomain("second", MA, wanted.agent_id)) == -Errno.EEXIST
    assert list(board.domains()) == ["dom0", "first"]
    assert len(board.el3.settled()) == 2, "creation says nothing to EL3"


def test_s25_xens_own_agent_is_taken(board: Board) -> None:
    assert board.boot().rc(frames.CreateDomain("domu", MA, 1)) == -Errno.EEXIST


def test_s26_an_unknown_agent(board: Board) -> None:
    assert board.boot().rc(frames.CreateDomain("domu", MA, 7)) == -Errno.ENOENT
    assert list(board.domains()) == ["dom0"]


def test_s26_what_xl_makes_of_the_configuration() -> None:
    with pytest.raises(UserError, match=r"valid range \[0..254\]"):
        parse_arm_sci("type=scmi_smc_multiagent,agent_id=255")
    assert parse_arm_sci("type=scmi_smc_multiagent").agent_id == 0


def test_s27_the_single_agent_type_is_not_built_in(board: Board) -> None:
    assert parse_arm_sci("type=scmi_smc").type == SciType.SCMI_SMC
    assert board.boot().rc(frames.CreateDomain("domu", 1, 0)) == -Errno.EINVAL


def test_s27_without_a_mediator_the_domain_is_created_without_scmi(board: Board) -> None:
    guest = board.boot(without_container()).create("domu", 2)
    assert guest.info.agent_id is None
    assert guest.x0(0x8200_0004) == MINUS_ONE


def test_s28_dom0_may_hand_out_the_page_once_it_was_claimed_and_for_ever(board: Board) -> None:
    other = board.boot().create("other", 0, sci_type=0)
    hand_out = frames.IomemPermission(other.domid, 0x47FF2, 1, True)
    assert board.rc(hand_out) == -Errno.EPERM
    guest = board.create("domu", 2)
    assert board.rc(hand_out) == 0
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    assert board.rc(hand_out) == 0
    assert board.rc(frames.IomemPermission(other.domid, 0x47FF3, 1, True)) == -Errno.EPERM
    assert board.rc(frames.IomemPermission(other.domid, 0x47FF1, 1, True)) == -Errno.EPERM


def dom0less_tree(*properties: str) -> str:
    node = f'\tdomu1 {{ compatible = "xen,domain"; {" ".join(properties)} }};\n\t\txen {{'
    return edited(("\txen {", node))


@pytest.mark.parametrize("agent", ["", "xen,sci-agent-id = <255>;"], ids=["missing", "255"])
def test_s29_a_boot_domain_needs_an_agent_id(board: Board, agent: str) -> None:
    reason = board.panic(dom0less_tree('xen,sci_type = "scmi_smc_multiagent";', agent))
    assert "(-EINVAL)" in reason
    assert "domu1" in reason


@pytest.mark.parametrize("agent", [0, 254])
def test_s29_the_ends_of_the_range_are_parsed(tmp_path: Path, agent: int) -> None:
    path = tmp_path / "host.dts"
    agents = f"xen,sci-agent-id = <{agent}>;"
    path.write_text(dom0less_tree('xen,sci_type = "scmi_smc_multiagent";', agents))
    node = devicetree.load([path]).get("/chosen/domu1")
    assert node is not None
    assert dom0less.sci_config(node) == (MA, agent)


def test_s29_an_unknown_type(tmp_path: Path) -> None:
    path = tmp_path / "host.dts"
    path.write_text(dom0less_tree('xen,sci_type = "scmi_smc_multi";'))
    node = devicetree.load([path]).get("/chosen/domu1")
    assert node is not None
    with pytest.raises(XenError) as raised:
        dom0less.sci_config(node)
    assert raised.value.errno is Errno.EINVAL


def test_s29_a_boot_domain_gets_its_agent_and_page(board: Board) -> None:
    tree = dom0less_tree('xen,sci_type = "scmi_smc_multiagent";', "xen,sci-agent-id = <2>;")
    partial = """/dts-v1/; / { passthrough { sram@22001000 {
        xen,reg = <0x0 0x47ff2000 0x0 0x1000 0x0 0x22001000>;
        xen,force-assign-without-iommu; }; }; };"""
    info = board.boot(tree, partials={"domu1": partial}).domains()["domu1"]
    assert (info.state, info.agent_id) == ("running", 2)
    assert info.mapped == ((0x22001, 0x47FF2, 1),)


def test_s28_who_hands_a_page_on_needs_access_to_it_himself(board: Board) -> None:
    """A boot domain's own page does not become Dom0's to hand out, only an agent's claim does that."""
    partial = """/dts-v1/; / { passthrough { sram@22001000 {
        xen,reg = <0x0 0x47ff3000 0x0 0x1000 0x0 0x22001000>;
        xen,force-assign-without-iommu; }; }; };"""
    info = board.boot(dom0less_tree(), partials={"domu1": partial}).domains()["domu1"]
    again = frames.MemoryMapping(info.domid, 0x30000, 0x47FF3, 1)
    assert board.rc(again) == -Errno.EPERM
    board.create("three", 3)
    assert board.rc(again) == 0


def test_s30_destroy_resets_the_agent_on_xens_channel(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    resets = [smc for smc in board.el3.settled() if smc.header == RESET_AGENT_CONFIGURATION]
    assert [(smc.fid, smc.address, smc.words) for smc in resets] == [(XEN_FID, 0x47FF_1000, (2, 1))]
    assert "domu" not in board.domains()
    assert board.lifecycle("domu")[-3:] == ["dying", "reset", "dead"]
    again = board.create("domu", 2)
    assert again.info.incarnation == 2
    assert again.info.link != guest.info.link
    assert again.trap(0x8200_0004).frame.x == REGISTERS


def test_s30_the_old_incarnation_is_a_stranger(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    board.create("domu", 2)
    got = guest.trap(0x8200_0004)
    assert isinstance(got.frame, frames.Error)
    assert (got.frame.code, got.frame.definite) == ("stale", True)
    assert board.el3.messages(0) == []


def test_s30_the_real_firmware_forgets_what_the_agent_held(board: Board) -> None:
    board.boot_with_real_firmware(CANONICAL, PLATFORM)
    rate_set = struct.pack("<IIQ", 0, 5, 2000)
    guest = board.create("domu", 2)
    assert status(guest.message(0x8200_0004, RATE_SET, rate_set)) == DENIED
    assert board.rc(frames.AssignDevice(guest.domid, "/soc/i2c@e6508000")) == 0
    assert status(guest.message(0x8200_0004, RATE_SET, rate_set)) == 0
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    again = board.create("domu", 2)
    assert status(again.message(0x8200_0004, RATE_SET, rate_set)) == DENIED


def test_s31_firmware_without_the_reset(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    board.el3.on[RESET_AGENT_CONFIGURATION] = el3.reply(NOT_SUPPORTED)
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    assert board.create("domu", 2).info.agent_id == 2


def test_s31_a_denied_reset_leaves_the_domain_dying(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    board.el3.on[RESET_AGENT_CONFIGURATION] = el3.reply(DENIED)
    for attempt in (1, 2):
        assert board.rc(frames.DestroyDomain(guest.domid)) == -Errno.EACCES
        info = board.domains()["domu"]
        assert (info.state, info.agent_id) == ("dying", 2)
        assert len(board.el3.messages(RESET_AGENT_CONFIGURATION)) == attempt
    assert board.rc(frames.CreateDomain("other", MA, 2)) == -Errno.EEXIST
    trapped = guest.trap(0x8200_0004).frame
    assert isinstance(trapped, frames.Error)
    assert trapped.definite
    del board.el3.on[RESET_AGENT_CONFIGURATION]
    assert board.rc(frames.DestroyDomain(guest.domid)) == 0
    assert board.create("other", 2).info.agent_id == 2


def test_s32_a_refused_reset_wedges_xens_channel(board: Board) -> None:
    two, three = board.boot().create("two", 2), board.create("three", 3)
    board.el3.on[RESET_AGENT_CONFIGURATION] = el3.refused(el3.NOT_SUPPORTED)
    assert board.rc(frames.DestroyDomain(two.domid)) == 0
    rung = len(board.el3.settled())
    assert board.rc(frames.DestroyDomain(three.domid)) == -Errno.EBUSY
    assert len(board.el3.settled()) == rung
    assert board.domains()["three"].state == "dying"
    assert board.rig.warned("driver hazard wedged-channel")


def test_s32_strict_the_refused_reset_fails_itself(board: Board) -> None:
    guest = board.boot(strict=True).create("two", 2)
    board.el3.on[RESET_AGENT_CONFIGURATION] = el3.refused(el3.NOT_SUPPORTED)
    for _ in range(2):
        reply = board.domctl(frames.DestroyDomain(guest.domid))
        assert reply.rc == -Errno.EBUSY
        info = board.domains()["two"]
        assert (info.state, info.agent_id) == ("dying", 2)
    assert len(board.el3.messages(RESET_AGENT_CONFIGURATION)) == 1
    assert board.rig.warned("driver hazard wedged-channel")
    assert board.rc(frames.CreateDomain("heir", MA, 2)) == -Errno.EEXIST


def test_s33_a_channel_that_is_not_free_gets_no_doorbell(board: Board) -> None:
    """EL3 returned once without setting FREE: from then on Xen neither rings nor polls."""
    two, three = board.boot().create("two", 2), board.create("three", 3)
    board.el3.on[RESET_AGENT_CONFIGURATION] = el3.content(lambda smc: area(0, smc.header, b"\0\0\0\0"))
    assert board.rc(frames.DestroyDomain(two.domid)) == -Errno.EBUSY
    rung = len(board.el3.settled())
    del board.el3.on[RESET_AGENT_CONFIGURATION]
    for domid in (two.domid, three.domid, two.domid):
        assert board.rc(frames.DestroyDomain(domid)) == -Errno.EBUSY
    assert len(board.el3.settled()) == rung
