"""Scenarios 34 to 38: which devices Xen asks EL3 to allow, and what the IOMMU says to them."""

import pytest

from bus import frames
from nodes.xen.errno import Errno
from tests.conformance import el3
from tests.conformance.board import Board
from tests.conformance.el3 import SET_DEVICE_PERMISSIONS, XEN_FID
from tests.conformance.trees import DOM0_AGENT, I2C_CONTROLLER, edited

I2C, SERIAL = "/soc/i2c@e6508000", "/soc/serial@e6e60000"
PROTECTED = edited((I2C_CONTROLLER, f"{I2C_CONTROLLER} iommus = <0x77 1>;"))


def test_s34_denied_is_eacces_and_the_iommu_is_not_asked(board: Board) -> None:
    first, second = board.boot(PROTECTED).create("first", 2), board.create("second", 3)
    board.el3.on[SET_DEVICE_PERMISSIONS] = el3.reply(-3)
    assert board.rc(frames.AssignDevice(first.domid, I2C)) == -Errno.EACCES
    assert board.domains()["first"].devices == ()
    assert board.rc(frames.TestAssignDevice(second.domid, I2C)) == 0, "the device is nobody's"


def test_s34_hardware_error_is_swallowed_and_the_iommu_decides(board: Board) -> None:
    first, second = board.boot(PROTECTED).create("first", 2), board.create("second", 3)
    board.el3.on[SET_DEVICE_PERMISSIONS] = el3.reply(-9)
    assert board.rc(frames.AssignDevice(first.domid, I2C)) == 0
    assert board.domains()["first"].devices == (I2C,)
    assert board.rc(frames.AssignDevice(second.domid, I2C)) == -Errno.EBUSY
    assert len(board.el3.messages(SET_DEVICE_PERMISSIONS)) == 2
    assert board.rig.warned("driver hazard enxio-swallowed")


def test_s34_strict_hardware_error_is_enxio(board: Board) -> None:
    first, second = board.boot(PROTECTED, strict=True).create("first", 2), board.create("second", 3)
    board.el3.on[SET_DEVICE_PERMISSIONS] = el3.reply(-9)
    assert board.rc(frames.AssignDevice(first.domid, I2C)) == -Errno.ENXIO
    assert board.domains()["first"].devices == ()
    assert board.rc(frames.TestAssignDevice(second.domid, I2C)) == 0, "the IOMMU was not asked"


def test_s35_assigning_a_device_sets_its_permission(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    assert board.rc(frames.AssignDevice(guest.domid, I2C)) == 0
    smc = board.el3.settled()[-1]
    assert (smc.fid, smc.header, smc.words) == (XEN_FID, SET_DEVICE_PERMISSIONS, (2, 5, 1))
    assert board.domains()["domu"].devices == (I2C,)


def test_s35_without_the_iommu_the_permission_is_set_all_the_same(board: Board) -> None:
    guest = board.boot().create("domu", 2, iommu=False)
    assert board.rc(frames.AssignDevice(guest.domid, I2C)) == -Errno.EOPNOTSUPP
    assert [smc.words for smc in board.el3.messages(SET_DEVICE_PERMISSIONS)] == [(2, 5, 1)]
    assert board.domains()["domu"].devices == ()
    assert board.rig.warned("driver hazard permission-not-revoked")


def test_s35_a_protected_device_has_one_owner(board: Board) -> None:
    first, second = board.boot(PROTECTED).create("first", 2), board.create("second", 3)
    assert board.rc(frames.AssignDevice(first.domid, I2C)) == 0
    assert board.rc(frames.TestAssignDevice(second.domid, I2C)) == -Errno.EINVAL
    assert board.rc(frames.AssignDevice(second.domid, I2C)) == -Errno.EBUSY
    assert [smc.words for smc in board.el3.messages(SET_DEVICE_PERMISSIONS)] == [(2, 5, 1), (3, 5, 1)]


def test_s35_each_listed_device_id_in_order_until_one_fails(board: Board) -> None:
    three = "access-controllers = <&scmi_xen 5>, <&scmi_xen 6>, <&scmi_xen 7>;"
    guest = board.boot(edited((I2C_CONTROLLER, three))).create("domu", 2)
    assert board.rc(frames.AssignDevice(guest.domid, I2C)) == 0
    assert [smc.words for smc in board.el3.messages(SET_DEVICE_PERMISSIONS)] == [
        (2, 5, 1), (2, 6, 1), (2, 7, 1)
    ]  # fmt: skip
    board.el3.on[SET_DEVICE_PERMISSIONS] = el3.reply(-4)
    assert board.rc(frames.AssignDevice(guest.domid, I2C)) == -Errno.ENOENT
    assert len(board.el3.messages(SET_DEVICE_PERMISSIONS)) == 4


def test_s35_dom0_gets_its_devices_at_boot(board: Board) -> None:
    board.boot(edited((f"{I2C_CONTROLLER}\n\t\t\txen,passthrough;", I2C_CONTROLLER)))
    assert [smc.words for smc in board.el3.messages(SET_DEVICE_PERMISSIONS)] == [(0, 5, 1)]
    assert board.domains()["dom0"].devices == (I2C,)


def test_s35_a_refused_device_of_dom0_panics(board: Board) -> None:
    board.power_on(edited((f"{I2C_CONTROLLER}\n\t\t\txen,passthrough;", I2C_CONTROLLER)))
    board.el3.on[SET_DEVICE_PERMISSIONS] = el3.reply(-3)
    board.el3.port.hello("firmware")
    assert "(rc = -13)" in board.rig.wait(lambda: board.rig.halted, "Xen's panic")


@pytest.mark.parametrize(
    "provider",
    ["<&scmi 5>", "<0>", "<0xdead 5>", "<&scmi_xen>"],
    ids=["other", "empty", "unknown", "too-short"],
)
def test_s36_another_provider_is_skipped(board: Board, provider: str) -> None:
    tree = edited((I2C_CONTROLLER, f"access-controllers = {provider};"))
    guest = board.boot(tree).create("domu", 2)
    assert board.rc(frames.AssignDevice(guest.domid, I2C)) == 0
    assert len(board.el3.settled()) == 2


def test_s36_firmware_without_permissions_is_eopnotsupp(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    board.el3.on[SET_DEVICE_PERMISSIONS] = el3.reply(-1)
    assert board.rc(frames.AssignDevice(guest.domid, I2C)) == -Errno.EOPNOTSUPP


def test_s37_a_domain_without_scmi_says_nothing(board: Board) -> None:
    board.boot(edited((DOM0_AGENT, "")))
    guest = board.create("domu", 0, sci_type=0)
    assert board.rc(frames.AssignDevice(guest.domid, I2C)) == 0
    assert len(board.el3.settled()) == 2


def test_s37_nor_does_a_device_without_a_controller(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    assert board.rc(frames.AssignDevice(guest.domid, SERIAL)) == 0
    assert board.rc(frames.AssignDevice(guest.domid, "/soc/nowhere@0")) == -Errno.ESRCH
    assert len(board.el3.settled()) == 2


def test_s38_taking_a_device_away_says_nothing(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    assert board.rc(frames.AssignDevice(guest.domid, I2C)) == 0
    rung = len(board.el3.settled())
    assert board.rc(frames.DeassignDevice(guest.domid, I2C)) == 0
    assert len(board.el3.settled()) == rung
    assert board.domains()["domu"].devices == ()
