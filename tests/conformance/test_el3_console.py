"""EL3 is asked through Xen what an agent holds: the real firmware answers, on both links."""

import struct

import pytest

from bus import frames
from bus.frames import EL3_DOMID
from nodes.firmware import console
from nodes.firmware.console import Ledger
from tests.conformance.board import VERSION, Board
from tests.conformance.trees import CANONICAL, PLATFORM

FID = 0x8200_0004
NEGOTIATE = 0x10 << 10 | 0x10


def ask(board: Board, request: console.Request) -> console.Answer:
    number = board.toolstack.next_request()
    body = console.encode_request(request)
    board.toolstack.send(frames.Console(VERSION, number, number, EL3_DOMID, body))
    frame = board.toolstack.answer_to(number).frame
    assert isinstance(frame, frames.ConsoleReply), frame
    return console.decode_answer(frame.body)


@pytest.mark.parametrize("reason", ["destroy", "crash"])
def test_the_ledger_of_a_dead_domain(board: Board, reason: str) -> None:
    """What it held before is still told, and that nothing is left."""
    board.boot_with_real_firmware(CANONICAL, PLATFORM)
    guest = board.create("two", 2)
    guest.message(FID, NEGOTIATE, struct.pack("<I", 0x20000))
    assert [entry.thing for entry in ask(board, Ledger(2)).entries] == ["base version"]
    assert ask(board, Ledger(2)).reset_ns is None
    assert board.rc(frames.DestroyDomain(guest.domid, reason)) == 0
    assert ask(board, Ledger(2)).entries == ()
    before = ask(board, Ledger(2, "before"))
    assert [entry.thing for entry in before.entries] == ["base version"]
    assert before.reset_ns is not None
    assert before.now_ns >= before.reset_ns
    assert ask(board, Ledger(2, "leaks")).total == 0


def test_el3_refuses_in_words(board: Board) -> None:
    board.boot_with_real_firmware(CANONICAL, PLATFORM)
    assert ask(board, Ledger(200)).error == "there is no agent 200"
