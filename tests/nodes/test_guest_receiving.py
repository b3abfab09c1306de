"""What a guest makes of its P2A page: notifications, delayed responses, and what is neither."""

import struct

import msgspec
import pytest

from bus import frames, shmem
from bus.scmi import header
from bus.scmi.header import MessageType
from nodes.contract import Send, Undelivered
from nodes.guest import console
from nodes.guest.binding import Binding
from nodes.guest.calls import Ask, Flight, Outcome
from nodes.guest.receiving import Receiver
from nodes.limits import CALL_TIMEOUT_NS, DELAYED_CALLS, DELAYED_TIMEOUT_NS, INBOX_MESSAGES
from nodes.meters import Meters
from tests.nodes.guest import BINDING, P2A_LINE, P2A_PAGE, WAY_BACK, Bench, reply

WITH_P2A: Binding = msgspec.structs.replace(BINDING, p2a=WAY_BACK)
RATE_SET = header.pack(0x14, 5, token=9)
COMPLETE = RATE_SET | MessageType.DELAYED_RESPONSE << 8
CHANGED = header.pack(0x11, 0, 0, MessageType.NOTIFICATION)
OK = b"\0\0\0\0"
RECEIVED = "trapline_guest_received_total"


def bench(**config: object) -> Bench:
    return Bench(binding=WITH_P2A, **config)  # type: ignore[arg-type]


def message(head: int, payload: bytes = b"") -> bytes:
    """The P2A page as EL3 leaves it: FREE clear."""
    return shmem.request(head, payload)


def take(made: Bench) -> tuple[tuple[tuple[int, bytes], ...], int]:
    answer = made.answer(made.ask(console.Take()))
    assert answer.code == ""
    return answer.messages, answer.status


def asked(made: Bench, head: int = RATE_SET, wait: bool = True) -> tuple[int, Send]:
    number = made.ask(console.Message(head, b"\1\0\0\0", wait))
    return number, made.traps.pop(0)


def told(made: Bench, number: int) -> bool:
    return any(one.request == number for one in made.told)


# ---- the page ---------------------------------------------------------------------------------


def test_a_notification_is_taken_and_the_page_given_back() -> None:
    made = bench()
    made.interrupt(P2A_LINE, message(CHANGED, b"\1\2\3\4"), request=8)
    end = made.ends[0]
    assert end.frame == frames.EndOfInterrupt(1, 8, 5, P2A_LINE, P2A_PAGE)
    assert len(end.page) == shmem.PAYLOAD_AT
    assert shmem.status_of(end.page) == shmem.FREE
    assert shmem.fields(end.page)[3] == CHANGED
    assert take(made) == (((CHANGED, b"\1\2\3\4"),), 0)
    assert take(made) == ((), 0)
    assert made.counted(RECEIVED) == {("domu", "notification"): 1}


def test_a_shared_page_is_read_once_and_freed_in_place() -> None:
    made = bench(carried=False)
    made.p2a[:32] = message(CHANGED, b"\1\2\3\4")
    made.interrupt(P2A_LINE)
    assert made.ends[0].page == b""
    assert shmem.status_of(made.p2a) == shmem.FREE
    assert take(made)[0] == ((CHANGED, b"\1\2\3\4"),)


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"\0" * 27,
        shmem.reply(CHANGED, b""),
        message(RATE_SET),
        message(RATE_SET | 1 << 8),
        message(CHANGED, b"1234")[:-1],
        b"\0" * 0x14 + b"\3\0\0\0" + struct.pack("<I", CHANGED),
    ],
    ids=["nothing", "short", "free", "command", "type 1", "cut", "length 3"],
)
def test_what_is_no_message_is_counted_and_the_interrupt_ended(page: bytes) -> None:
    made = bench()
    made.interrupt(P2A_LINE, page)
    assert made.counted(RECEIVED) == {("domu", "malformed"): 1}
    assert take(made) == ((), 0)
    assert shmem.status_of(made.ends[0].page) == shmem.FREE
    made.interrupt(P2A_LINE, message(CHANGED))
    assert len(take(made)[0]) == 1


@pytest.mark.parametrize("address", [0, P2A_PAGE + 0x1000])
def test_another_page_is_not_the_guests_to_read(address: int) -> None:
    """As with shared pages: where EL3 wrote elsewhere, the guest finds its own page as it was."""
    made = bench()
    made.give(frames.Interrupt(1, 0, 0, P2A_LINE, address), message(CHANGED))
    assert take(made) == ((), 0)
    assert made.counted(RECEIVED) == {("domu", "malformed"): 1}
    assert made.ends[0].frame.page == P2A_PAGE


def test_the_inbox_keeps_the_newest() -> None:
    made = bench()
    for number in range(INBOX_MESSAGES + 3):
        made.interrupt(P2A_LINE, message(CHANGED, number.to_bytes(4, "little")))
    messages, left = take(made)
    assert (len(messages), left) == (INBOX_MESSAGES, 0)
    assert int.from_bytes(messages[0][1], "little") == 3
    assert made.counted("trapline_bus_dropped_total") == {("overflow",): 3}


def test_a_full_inbox_of_long_messages_is_taken_in_parts() -> None:
    made = bench()
    for _ in range(5):
        made.interrupt(P2A_LINE, message(CHANGED, bytes(shmem.PAYLOAD_BYTES_MAX)))
    sizes = []
    left = 1
    while left:
        messages, left = take(made)
        assert messages
        sizes.append(len(messages))
    assert sum(sizes) == 5
    assert all(len(one.body) <= 16384 for one in made.told)


def test_taking_needs_no_channel() -> None:
    made = bench()
    made.call()
    made.interrupt(P2A_LINE, message(CHANGED))
    assert len(take(made)[0]) == 1


def test_a_guest_without_a_way_back() -> None:
    made = Bench()
    made.interrupt(P2A_LINE, message(CHANGED))
    assert [end.frame.intid for end in made.ends] == [P2A_LINE]
    assert made.counted(RECEIVED) == {("domu", "stray"): 1}
    for request in (console.Take(), console.Message(RATE_SET, b"", True)):
        answer = made.answer(made.ask(request))
        assert (answer.code, answer.definite) == ("no-p2a", True)
    assert made.traps == []


# ---- delayed responses ------------------------------------------------------------------------


def test_a_delayed_response_ends_the_call() -> None:
    made = bench()
    number, trap = asked(made)
    made.returned(trap, reply(trap, OK))
    assert not told(made, number)
    made.interrupt(P2A_LINE, message(COMPLETE, OK + b"rate"), after_ns=900)
    answer = made.answer(number)
    assert (answer.code, answer.status, answer.header, answer.payload) == ("", 0, COMPLETE, OK + b"rate")
    assert answer.elapsed_ns == 910
    assert made.counted(RECEIVED) == {("domu", "delayed_response"): 1}
    assert made.counted("trapline_guest_calls_total") == {("domu", "answered"): 1}
    assert take(made) == ((), 0)


def test_the_channel_is_free_while_a_delayed_response_is_awaited() -> None:
    made = bench()
    number, trap = asked(made)
    made.returned(trap, reply(trap, OK))
    other, second = made.call()
    made.interrupt(P2A_LINE, message(COMPLETE, OK))
    assert made.answer(number).code == ""
    made.returned(second, reply(second, OK))
    assert made.answer(other).code == ""


@pytest.mark.parametrize("other", [header.pack(0x14, 5, 8), header.pack(0x14, 6, 9), header.pack(0x15, 5, 9)])
def test_another_calls_delayed_response_goes_to_the_inbox(other: int) -> None:
    made = bench()
    number, trap = asked(made)
    made.returned(trap, reply(trap, OK))
    head = other | MessageType.DELAYED_RESPONSE << 8
    made.interrupt(P2A_LINE, message(head, OK))
    assert not told(made, number)
    assert take(made)[0] == ((head, OK),)
    assert made.counted(RECEIVED) == {("domu", "unasked"): 1}


def test_without_waiting_the_immediate_answer_ends_it() -> None:
    made = bench()
    number, trap = asked(made, wait=False)
    made.returned(trap, reply(trap, OK))
    assert (made.answer(number).header, made.answer(number).payload) == (RATE_SET, OK)
    made.interrupt(P2A_LINE, message(COMPLETE, OK))
    assert take(made)[0] == ((COMPLETE, OK),)


def test_an_error_promises_nothing() -> None:
    made = bench()
    number, trap = asked(made)
    made.returned(trap, reply(trap, struct.pack("<i", -6)))
    assert (made.answer(number).status, made.answer(number).header) == (-6, RATE_SET)
    made.interrupt(P2A_LINE, message(COMPLETE, OK))
    assert made.counted(RECEIVED) == {("domu", "unasked"): 1}


@pytest.mark.parametrize("immediate", ["answered", "lost"])
def test_one_that_overtakes_its_immediate_answer(immediate: str) -> None:
    made = bench()
    number, trap = asked(made)
    made.interrupt(P2A_LINE, message(COMPLETE, OK + b"rate"))
    assert not told(made, number), "the SMC has not returned"
    if immediate == "answered":
        made.returned(trap, reply(trap, OK))
    else:
        made.late()
    assert (made.answer(number).code, made.answer(number).payload) == ("", OK + b"rate")
    assert made.core.deadline_ns() is None


def test_patience_with_a_delayed_response() -> None:
    made = bench()
    number, trap = asked(made)
    made.returned(trap, reply(trap, OK))
    assert made.core.deadline_ns() == made.now_ns + DELAYED_TIMEOUT_NS
    made.late()
    answer = made.answer(number)
    assert (answer.code, answer.definite) == ("delayed-timeout", False)
    assert made.counted("trapline_guest_calls_total") == {("domu", "indefinite_error"): 1}
    made.interrupt(P2A_LINE, message(COMPLETE, OK))
    assert take(made)[0] == ((COMPLETE, OK),)


def test_the_nearer_deadline_counts() -> None:
    made = bench()
    number, trap = asked(made)
    made.returned(trap, reply(trap, OK))
    other, _ = made.call()
    assert made.core.deadline_ns() == made.now_ns + CALL_TIMEOUT_NS
    made.late()
    assert made.answer(other).code == "timeout"
    assert not told(made, number)
    made.late()
    assert made.answer(number).code == "delayed-timeout"


def test_how_many_may_wait() -> None:
    made = bench()
    for token in range(DELAYED_CALLS):
        _, trap = asked(made, header.pack(0x14, 5, token))
        made.returned(trap, reply(trap, OK))
    full = made.answer(made.ask(console.Message(header.pack(0x14, 5, 1000), b"", True)))
    assert (full.code, full.definite) == ("queue-full", True)
    made.interrupt(P2A_LINE, message(header.pack(0x14, 5, 3, MessageType.DELAYED_RESPONSE), OK))
    asked(made, header.pack(0x14, 5, 1000))


def test_two_calls_that_could_not_be_told_apart() -> None:
    made = bench()
    number, trap = asked(made)
    made.returned(trap, reply(trap, OK))
    second = made.answer(made.ask(console.Message(RATE_SET, b"", True)))
    assert (second.code, second.definite) == ("token-in-use", True)
    made.interrupt(P2A_LINE, message(COMPLETE, OK))
    assert made.answer(number).code == ""


# ---- messages with a header of the caller's own -----------------------------------------------


@pytest.mark.parametrize("head", [0, 0xFFFF_FFFF, RATE_SET, header.pack(0x99, 0xEE, 0x3FF, 1)])
def test_a_message_goes_out_as_it_is_and_its_answer_comes_back_as_it_is(head: int) -> None:
    made = Bench()
    number, trap = asked(made, head, wait=False)
    assert trap.page == shmem.request(head, b"\1\0\0\0")
    made.returned(trap, reply(trap, b"\xff\xff\xff\xffmore", head=head ^ 0x40))
    answer = made.answer(number)
    assert (answer.code, answer.header, answer.status) == ("", head ^ 0x40, -1)
    assert answer.payload == b"\xff\xff\xff\xffmore"


def test_an_answer_without_a_status_is_the_callers_to_judge() -> None:
    made = Bench()
    number, trap = asked(made, wait=False)
    made.returned(trap, reply(trap, b"\1"))
    assert (made.answer(number).code, made.answer(number).payload) == ("", b"\1")


def test_a_message_that_is_too_long() -> None:
    made = Bench()
    answer = made.answer(made.ask(console.Message(RATE_SET, bytes(shmem.PAYLOAD_BYTES_MAX + 1))))
    assert (answer.code, answer.definite) == ("too-long", True)


# ---- the workload's calls ---------------------------------------------------------------------


def test_work_that_is_stopped_waits_for_nothing() -> None:
    made = Receiver("domu", WAY_BACK, bytearray(4096), True, Meters("guest"))
    ask = Ask(0x14, 5, b"", "clock", None, True)
    flights = [
        Flight(number, header.pack(0x14, 5, number), ask, asker, 0, 0) for number, asker in ((1, 0), (2, 7))
    ]
    for flight in flights:
        made.expect(flight, ask)
        assert made.immediate(flight, Outcome("", False, 0, b"", "", 0), 0) is None
    made.forget_work()
    assert [ended.flight for ended in made.expired(DELAYED_TIMEOUT_NS)] == [flights[1]]


def test_all_that_is_outstanding_ends_with_xen() -> None:
    made = bench()
    accepted, trap = asked(made)
    made.returned(trap, reply(trap, OK))
    rung, _ = asked(made, RATE_SET ^ 1 << 18)
    waiting = made.ask(console.Call(0x10, 0, b""))
    made.feed(Undelivered(b"xen", None))
    ends = {number: made.answer(number) for number in (accepted, rung, waiting)}
    assert {end.code for end in ends.values()} == {"xen-lost"}
    assert [ends[number].definite for number in (accepted, rung, waiting)] == [False, False, True]
    assert made.traps == []
    assert made.halted is not None
    assert made.core.deadline_ns() is None
