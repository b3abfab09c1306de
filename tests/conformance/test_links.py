"""Beyond the numbered scenarios: strangers, nonsense and lost peers look the same on both transports."""

import msgspec
import pytest

from bus import frames
from nodes.xen.errno import Errno
from tests.conformance.board import MINUS_ONE, Board
from tests.conformance.el3 import REGISTERS, El3
from tests.conformance.rig import FIRMWARE, VERSION, Port


def error(board: Board, port: Port, frame: frames.Frame) -> frames.Error:
    """What Xen answers to a frame that it must refuse."""
    port.send(frame)
    answer = port.answer_to(frame.request).frame
    assert isinstance(answer, frames.Error), answer
    return answer


def registers(x0: int) -> tuple[int, ...]:
    return (x0, 0, 0, 0, 0, 0, 0, 0)


def test_a_stranger_is_refused_whatever_it_says(board: Board) -> None:
    board.boot()
    stranger = board.rig.open("stranger", b"Z" * 32)
    for number, frame in enumerate(
        [
            frames.Hello(VERSION, 1, 0, "guest"),
            frames.Trap(VERSION, 2, 0, 0x17, 0, registers(0x8200_0002), 0),  # type: ignore[arg-type]
            frames.Domctl(VERSION, 3, 0, frames.ListDomains()),
            frames.SmcReturn(VERSION, 4, 0, (0, 0, 0, 0)),
            frames.Console(VERSION, 5, 0, 0, b""),
        ],
        start=1,
    ):
        assert frame.request == number
        answer = error(board, stranger, frame)
        assert (answer.code, answer.definite) == ("refused", True)
    assert len(board.el3.settled()) == 2


def test_a_guest_may_not_play_another_role(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    for frame in (
        frames.Domctl(VERSION, 901, 0, frames.DestroyDomain(0)),
        frames.SmcReturn(VERSION, 902, 0, (0, 0, 0, 0)),
        frames.Smc(VERSION, 903, 0, registers(0x8200_0003), 0),  # type: ignore[arg-type]
        frames.Console(VERSION, 904, 0, 0, b""),
    ):
        assert error(board, guest.port, frame).code == "refused"
    assert board.rc(frames.UnpauseDomain(guest.domid)) == 0


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        b"\xc1",
        b"\x00" * 40,
        msgspec.msgpack.encode([3, 2, 1, 0]),
        msgspec.msgpack.encode([99, 1, 0, 0]),
        msgspec.msgpack.encode([3, 1, 901, 0, 0x15, 0, registers(0x8200_0004), 0]),
    ],
    ids=["empty", "not-msgpack", "zeros", "version-2", "kind-99", "trap-of-no-call"],
)
def test_nonsense_is_dropped_and_the_next_call_served(board: Board, envelope: bytes) -> None:
    guest = board.boot().create("domu", 2)
    for port in (guest.port, board.toolstack, board.el3.port):
        port.send_raw(envelope)
    assert guest.trap(0x8200_0004).frame.x == REGISTERS
    assert len(board.el3.settled()) == 3
    assert board.domains()["domu"].state == "running"
    assert board.rig.warned("malformed")


def test_without_el3_a_call_surely_did_not_happen(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    board.rig.shut(board.el3.port)
    # Over sockets the loss shows when it shows; until then nobody answers, and the supervisor knows.
    request = guest.ring((0x8200_0004,))
    lost = board.hypercall(frames.NodeLost("firmware"))
    assert board.result(lost).rc == 0
    answer = guest.port.answer_to(request).frame
    assert isinstance(answer, frames.Error)
    assert answer.code == "el3-lost"
    assert guest.x0(0x8200_0005) == MINUS_ONE, "Xen itself lives on"


def test_el3_lost_in_the_middle_of_calls(board: Board) -> None:
    """Each of them ends. Those under way do not claim that they did not happen, those that waited do."""
    two, three = board.boot().create("two", 2), board.create("three", 3)
    board.el3.holding = True
    under_way = [(two, two.ring((0x8200_0004,))), (three, three.ring((0x8200_0005,)))]
    board.rig.wait(lambda: len(board.el3.held) == 2, "both doorbells")
    assign = board.hypercall(frames.AssignDevice(two.domid, "/soc/i2c@e6508000"))
    waiting = two.ring((0x8200_0004,))
    two.port.hello("guest")
    board.rig.shut(board.el3.port)
    assert board.rc(frames.NodeLost("firmware")) == 0
    for guest, request, definite in ((*under_way[0], False), (*under_way[1], False), (two, waiting, True)):
        frame = guest.port.answer_to(request).frame
        assert isinstance(frame, frames.Error)
        assert (frame.code, frame.definite) == ("el3-lost", definite)
    assert board.result(assign).rc == -Errno.EIO


def test_el3_may_come_back(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    board.rig.shut(board.el3.port)
    assert board.rc(frames.NodeLost("firmware")) == 0
    assert isinstance(guest.trap(0x8200_0004).frame, frames.Error)
    el3 = El3(board.rig.open("firmware", FIRMWARE))
    el3.port.hello("firmware")
    assert guest.trap(0x8200_0004).frame.x == REGISTERS
    assert [smc.fid for smc in el3.smcs] == [0x8200_0004]


def test_losing_something_else_ends_no_call(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    board.el3.holding = True
    request = guest.ring((0x8200_0004,))
    board.rig.wait(lambda: board.el3.held, "the doorbell")
    assert board.rc(frames.NodeLost("guest")) == -Errno.EINVAL
    board.el3.release()
    assert guest.port.answer_to(request).frame.x == REGISTERS


def test_a_gone_guest_does_not_disturb_the_others(board: Board) -> None:
    two, three = board.boot().create("two", 2), board.create("three", 3)
    board.el3.holding = True
    two.ring((0x8200_0004,))
    board.rig.wait(lambda: board.el3.held, "the doorbell")
    board.rig.shut(two.port)
    board.el3.release()
    assert three.trap(0x8200_0005).frame.x == REGISTERS
    assert board.rc(frames.DestroyDomain(two.domid)) == 0
    assert board.create("two", 2).trap(0x8200_0004).frame.x == REGISTERS


def test_hypercalls_before_el3_is_there_are_served_after_the_boot(board: Board) -> None:
    """The toolstack may be quicker than EL3: Xen boots all the same."""
    board.power_on()
    asked = board.hypercall(frames.ListDomains())
    board.toolstack.hello("toolstack")
    board.el3.port.hello("firmware")
    assert [info.name for info in board.result(asked).domains] == ["dom0"]
