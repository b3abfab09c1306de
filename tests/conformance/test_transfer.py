"""Scenarios 39 and 40: what Xen, as an SCMI agent, believes of an answer."""

import struct

import pytest

from bus import frames
from nodes.xen.errno import Errno
from tests.conformance import el3
from tests.conformance.board import Board
from tests.conformance.el3 import (
    DISCOVER_AGENT,
    FREE,
    INVALID_PARAMETER,
    NOT_SUPPORTED,
    RESET_AGENT_CONFIGURATION,
    Script,
    area,
)

OK = b"\0\0\0\0"


def destroy(board: Board, script: Script) -> int:
    """rc of destroying a domain while EL3 answers its reset in this way."""
    guest = board.boot().create("domu", 2)
    board.el3.on[RESET_AGENT_CONFIGURATION] = script
    return board.rc(frames.DestroyDomain(guest.domid))


def booted_with(board: Board, payload: bytes) -> bool:
    """Whether the probe succeeds when EL3 answers DISCOVER_AGENT with this payload."""
    board.power_on()
    board.el3.on[DISCOVER_AGENT] = el3.content(lambda smc: area(FREE, smc.header, payload))
    board.boot()
    return board.domains()["dom0"].agent_id == 0


@pytest.mark.parametrize("length", [0, 2, 3])
def test_s39_a_length_without_room_for_the_header(board: Board, length: int) -> None:
    rc = destroy(board, el3.content(lambda smc: area(FREE, smc.header, OK, length=length)))
    assert rc == -Errno.EINVAL


def test_s39_a_response_that_is_too_long(board: Board) -> None:
    payload = OK + struct.pack("<I", 1) + b"agent1".ljust(20, b"\0")
    assert len(payload) == 4 + 24
    assert not booted_with(board, payload)
    assert board.rig.warned("(-EINVAL)")


def test_s39_a_response_of_the_right_length(board: Board) -> None:
    assert booted_with(board, OK + struct.pack("<I", 1) + b"agent1".ljust(16, b"\0"))
    assert not board.rig.warned("short")


def test_s39_a_shorter_response_is_accepted(board: Board) -> None:
    assert booted_with(board, OK + struct.pack("<I", 1))
    assert board.rig.warned("is short: 4 bytes after the status, 20 expected")


def test_s39_a_foreign_header_with_good_status_is_accepted(board: Board) -> None:
    assert destroy(board, el3.content(lambda smc: area(FREE, 0x0FFC_5005, OK))) == 0


def test_s39_the_error_bit_is_not_looked_at(board: Board) -> None:
    assert destroy(board, el3.content(lambda smc: area(FREE | el3.ERROR, smc.header, OK))) == 0


def test_s40_invalid_parameter(board: Board) -> None:
    assert destroy(board, el3.refused(INVALID_PARAMETER)) == -Errno.EINVAL


@pytest.mark.parametrize("x0", [NOT_SUPPORTED, 7, 0xFFFF_FFFD], ids=["-1", "7", "zero-extended -3"])
def test_s40_any_other_refusal_counts_as_not_implemented(board: Board, x0: int) -> None:
    """-EOPNOTSUPP: a reset that is not implemented is no reason to keep the domain."""
    assert destroy(board, el3.refused(x0)) == 0
    assert "refused" not in board.lifecycle("domu")


@pytest.mark.parametrize(
    ("code", "errno"),
    [
        (-2, Errno.EINVAL),
        (-3, Errno.EACCES),
        (-4, Errno.ENOENT),
        (-5, Errno.ERANGE),
        (-6, Errno.EBUSY),
        (-7, Errno.ENOTCONN),
        (-8, Errno.EIO),
        (-9, Errno.ENXIO),
        (-10, Errno.EBADMSG),
        (-11, Errno.EINVAL),
        (-42, Errno.EINVAL),
        (-200, Errno.EINVAL),
        (7, Errno.EINVAL),
    ],
)
def test_s40_status_codes(board: Board, code: int, errno: Errno) -> None:
    assert destroy(board, el3.reply(code)) == -errno


@pytest.mark.parametrize("x0", [NOT_SUPPORTED, 7], ids=["-1", "7"])
def test_s40_a_refusal_at_boot_is_eopnotsupp(board: Board, x0: int) -> None:
    board.power_on()
    board.el3.on[DISCOVER_AGENT] = el3.refused(x0)
    board.boot()
    assert board.rig.warned("(-EOPNOTSUPP)")
