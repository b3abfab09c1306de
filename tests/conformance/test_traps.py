"""Scenarios 20 to 24, 41: what becomes of a trapped SMC or HVC."""

from bus import frames
from tests.conformance.board import (
    HVC32,
    HVC64,
    MINUS_ONE,
    PAGE,
    SMC32,
    VERSION_MESSAGE,
    Board,
)
from tests.conformance.el3 import REGISTERS, XEN_FID, area
from tests.conformance.trees import CANONICAL, PLATFORM, secondaries

ARGUMENTS = tuple(0xA1 * 2**48 + number for number in range(1, 8))
OEM_FID, SMC64_FID = 0x8300_0001, 0xC200_0004


def test_s20_registers_reach_el3_untouched_and_come_back(board: Board) -> None:
    dom0 = board.boot().dom0()
    page = area(0, VERSION_MESSAGE, b"opaque to Xen")
    got = dom0.trap(0x8200_0002, *ARGUMENTS, page=page, address=0x47FF_0000)
    smc = board.el3.settled()[-1]
    assert smc.x == (0x8200_0002, *ARGUMENTS)
    assert (smc.address, smc.page) == (0x47FF_0000, page)
    assert got.frame.x == REGISTERS
    assert got.page == area(1, VERSION_MESSAGE, b"\0\0\0\0")


def test_s20_the_upper_half_of_x0_is_not_compared(board: Board) -> None:
    got = board.boot().dom0().trap(0xFFFF_FFFF_8200_0002)
    assert got.frame.x == REGISTERS
    assert board.el3.settled()[-1].x[0] == 0xFFFF_FFFF_8200_0002


def test_s20_a_page_nobody_mapped_has_no_machine_address(board: Board) -> None:
    board.boot().dom0().trap(0x8200_0002, address=0x1234_5000)
    assert board.el3.settled()[-1].address == 0


def test_s20_the_real_firmware_answers(board: Board) -> None:
    guest = board.boot_with_real_firmware(CANONICAL, PLATFORM).create("domu", 2)
    page = guest.message(0x8200_0004, VERSION_MESSAGE | 5 << 18)
    assert page == area(1, VERSION_MESSAGE | 5 << 18, b"\0\0\0\0" + 0x2_0001.to_bytes(4, "little"))


def test_s21_foreign_doorbells_are_unknown_functions(board: Board) -> None:
    dom0 = board.boot().dom0()
    for fid in (XEN_FID, 0x8200_0004, 0x8200_0099):
        got = dom0.trap(fid, *ARGUMENTS, page=area(0, VERSION_MESSAGE, b""))
        assert isinstance(got.frame, frames.Return)
        assert got.frame.x == (MINUS_ONE, *ARGUMENTS[:3]), "other registers stay"
        assert got.page == b""
    assert len(board.el3.settled()) == 2


def test_s21_also_the_other_way_round(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    for fid in (0x8200_0002, XEN_FID, 0x8200_0005):
        assert guest.x0(fid) == MINUS_ONE
    assert len(board.el3.settled()) == 2


def test_s22_hvc_0_is_forwarded_as_an_smc(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    assert guest.trap(0x8200_0004, *ARGUMENTS, ec=HVC64).frame.x == REGISTERS
    smc = board.el3.settled()[-1]
    assert (smc.fid, smc.x[1:], smc.address) == (0x8200_0004, ARGUMENTS, 0x47FF_2000)


def test_s22_smc_1_is_undefined(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    assert isinstance(guest.trap(0x8200_0004, immediate=1).frame, frames.Undef)
    assert len(board.el3.settled()) == 2


def test_s22_hvc_1_is_a_hypercall_and_no_doorbell(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    assert guest.x0(0x8200_0004, ec=HVC64, immediate=0xEA1) == 2**64 - 38
    assert len(board.el3.settled()) == 2


def test_s23_an_oem_doorbell_never_reaches_the_mediator(board: Board) -> None:
    board.power_on(secondaries("0x82000002 &scmi_shm_0 0", f"{OEM_FID:#x} &scmi_shm_2 2"))
    board.el3.agents[OEM_FID] = 2
    guest = board.boot().create("domu", 2)
    assert (guest.info.agent_id, guest.info.smc_id) == (2, OEM_FID)
    assert guest.x0(OEM_FID) == MINUS_ONE
    assert len(board.el3.settled()) == 2


def test_s24_a_32_bit_domain_may_not_use_the_64_bit_convention(board: Board) -> None:
    board.power_on(secondaries("0x82000002 &scmi_shm_0 0", f"{SMC64_FID:#x} &scmi_shm_2 2"))
    board.el3.agents[SMC64_FID] = 2
    guest = board.boot().create("domu", 2, aarch32=True)
    for ec in (SMC32, HVC32):
        assert guest.x0(SMC64_FID, ec=ec) == MINUS_ONE
    assert len(board.el3.settled()) == 2


def test_s24_a_64_bit_domain_may(board: Board) -> None:
    board.power_on(secondaries("0x82000002 &scmi_shm_0 0", f"{SMC64_FID:#x} &scmi_shm_2 2"))
    board.el3.agents[SMC64_FID] = 2
    assert board.boot().create("domu", 2).trap(SMC64_FID).frame.x == REGISTERS


def test_s24_a_32_bit_domain_has_its_32_bit_doorbell(board: Board) -> None:
    guest = board.boot().create("domu", 2, aarch32=True)
    assert guest.trap(0x8200_0004, ec=SMC32).frame.x == REGISTERS


def test_s41_vcpus_of_one_domain_are_serialised(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    board.el3.holding = True
    requests = [guest.ring((0x8200_0004, number)) for number in (1, 2, 3)]
    for number in (1, 2, 3):
        seen = board.rig.wait(lambda: board.el3.held, "the next doorbell")
        assert [smc.x[1] for smc in board.el3.settled()[2:]] == list(range(1, number + 1))
        assert [smc.x[1] for smc in seen] == [number]
        board.el3.release(1)
    for request in requests:
        assert guest.port.answer_to(request).frame.x == REGISTERS


def test_s41_different_domains_overlap(board: Board) -> None:
    two, three = board.boot().create("two", 2), board.create("three", 3)
    board.el3.holding = True
    first, second = two.ring((0x8200_0004,)), three.ring((0x8200_0005,))
    held = board.rig.wait(lambda: board.el3.held if len(board.el3.held) == 2 else None, "both doorbells")
    assert {smc.fid for smc in held} == {0x8200_0004, 0x8200_0005}
    board.el3.held.reverse()
    board.el3.release()
    assert two.port.answer_to(first).frame.x == three.port.answer_to(second).frame.x == REGISTERS


def test_s41_a_destroy_waits_for_the_call_under_way(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    board.el3.holding = True
    call = guest.ring((0x8200_0004,), address=PAGE)
    board.rig.wait(lambda: board.el3.held, "the doorbell")
    destroy = board.hypercall(frames.DestroyDomain(guest.domid))
    board.toolstack.hello("toolstack")
    assert len(board.el3.settled()) == 3, "no reset while the call is under way"
    board.el3.release()
    assert guest.port.answer_to(call).frame.x == REGISTERS
    assert board.result(destroy).rc == 0
