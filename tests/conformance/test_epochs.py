"""Whoever was replaced while it was cut off is refused when it comes back; whoever replaced it is served.

Messages of a peer that is cut off wait at its port, both ways, and all get through when it heals.
"""

from bus import frames
from tests.conformance.board import Board
from tests.conformance.el3 import REGISTERS, El3
from tests.conformance.rig import FIRMWARE, VERSION

BELL = 0x8200_0004
OURS, THEIRS = bytes(range(16)), bytes(range(16, 32))
NEXT_FIRMWARE = FIRMWARE + b"#2"


def stale(got: object, request: int) -> None:
    assert isinstance(got, frames.Error), got
    assert (got.code, got.definite, got.request) == ("stale", True, request)


def test_a_domain_that_was_created_again_while_it_was_cut_off(board: Board) -> None:
    old = board.boot().create("domu", 2)
    assert old.trap(BELL).frame.x == REGISTERS
    old.port.cut()
    queued = [old.ring((BELL,)) for _ in range(3)]
    assert board.rc(frames.DestroyDomain(old.domid)) == 0
    new = board.create("domu", 2)
    assert new.info.incarnation == old.info.incarnation + 1
    assert [new.trap(BELL).frame.x for _ in range(3)] == [REGISTERS] * 3
    old.port.heal()
    for request in queued:
        stale(old.port.answer_to(request).frame, request)
    repeated = frames.Trap(VERSION, queued[0], queued[0], 0x17, 0, (BELL, 0, 0, 0, 0, 0, 0, 0), 0)
    old.port.send(repeated)
    stale(old.port.answer_to(queued[0]).frame, queued[0])
    old.port.send(frames.Hello(VERSION, 99, 0, "guest", b"", 1))
    stale(old.port.answer_to(99).frame, 99)
    assert [new.trap(BELL).frame.x for _ in range(3)] == [REGISTERS] * 3
    assert len([smc for smc in board.el3.settled() if smc.fid == BELL]) == 7, "each of its own, none else"
    assert board.rig.warned("refused what is stale: domu#1, destroyed")
    assert board.lifecycle("domu")[-1] == "stale"
    assert board.lifecycle("domu").count("stale") == 1


def test_an_el3_that_was_started_again_while_the_old_one_was_cut_off(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    old = board.el3
    old.port.cut()
    under_way = guest.ring((BELL,))
    board.rig.wait(lambda: old.port.waiting, "the SMC")
    assert board.rc(frames.NodeExpected("firmware", 2)) == 0
    lost = guest.port.answer_to(under_way).frame
    assert isinstance(lost, frames.Error)
    assert (lost.code, lost.definite) == ("el3-lost", False)
    refused = guest.trap(BELL).frame
    assert isinstance(refused, frames.Error)
    assert (refused.code, refused.definite) == ("el3-lost", True)
    new = El3(board.rig.open("firmware", NEXT_FIRMWARE))
    new.port.hello("firmware")
    assert guest.trap(BELL).frame.x == REGISTERS
    old.port.heal()
    (smc,) = (smc for smc in old.smcs if smc.fid == BELL)
    stale(old.port.answer_to(smc.frame.request).frame, smc.frame.request)
    old.port.send(frames.Hello(VERSION, 98, 0, "firmware", b"", 1))
    stale(old.port.answer_to(98).frame, 98)
    assert guest.trap(BELL).frame.x == REGISTERS
    assert guest.port.take(under_way) is None, "nobody's answer came after the error"
    assert len([smc for smc in new.smcs if smc.fid == BELL]) == 2
    assert board.rig.warned("refused what is stale: EL3#1, replaced")


def test_only_a_newer_el3_is_expected(board: Board) -> None:
    guest = board.boot().create("domu", 2)
    for incarnation in (0, 1):
        assert board.rc(frames.NodeExpected("firmware", incarnation)) < 0
    assert board.rc(frames.NodeExpected("guest", 2)) < 0
    assert guest.trap(BELL).frame.x == REGISTERS


def test_each_says_who_it_is_and_a_false_claim_is_refused(board: Board) -> None:
    board.power_on(cluster=OURS.hex())
    el3 = board.el3.port
    for claim, code in (
        ((THEIRS, 1), "other-cluster"),
        ((OURS, 2), "refused"),
    ):
        request = el3.next_request()
        el3.send(frames.Hello(VERSION, request, 0, "firmware", *claim))
        answer = el3.answer_to(request).frame
        assert isinstance(answer, frames.Error)
        assert (answer.code, answer.definite) == (code, True)
    request = el3.next_request()
    el3.send(frames.Hello(VERSION, request, 0, "firmware", OURS, 1))
    assert el3.answer_to(request).frame == frames.Welcome(VERSION, request, 0, 0, "firmware", OURS, 1)
    stranger = board.rig.open("stranger", b"N" * 32)
    stranger.send(frames.Hello(VERSION, 1, 0, "guest", THEIRS, 1))
    answer = stranger.answer_to(1).frame
    assert isinstance(answer, frames.Error)
    assert answer.code == "other-cluster"
