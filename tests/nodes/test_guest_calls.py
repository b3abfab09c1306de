"""A guest's calls: what it rings with, what it believes, how honest it is about what it does not know."""

import pytest

from bus import frames, shmem
from bus.scmi import header
from nodes.contract import Tick, Undelivered
from nodes.guest import console
from nodes.limits import CONSOLE_CALLS, HELLO_AGAIN_NS
from tests.nodes.guest import BINDING, FID, PAGE, Bench, reply

OK = b"\0\0\0\0"
SMC64, HVC64 = 0x17, 0x16


def test_hello_then_nothing_until_welcome() -> None:
    bench = Bench(welcome=False, work=True)
    assert (bench.hellos, bench.traps) == (1, [])
    assert bench.core.deadline_ns() == bench.now_ns + HELLO_AGAIN_NS
    bench.give(frames.Welcome(1, 0, 0, 3, "domu"))
    assert len(bench.traps) == 1


def test_a_refused_hello_is_the_end() -> None:
    bench = Bench(welcome=False)
    bench.give(frames.Error(1, 0, 0, "refused", True, "this link belongs to no domain"))
    assert bench.halted is not None
    assert "belongs to no domain" in bench.halted.reason


def test_what_a_doorbell_looks_like() -> None:
    bench = Bench()
    _, trap = bench.call(0x14, 6, b"\5\0\0\0")
    frame = trap.frame
    assert (frame.ec, frame.immediate, frame.page) == (SMC64, 0, PAGE)
    assert frame.x == (FID, 0, 0, 0, 0, 0, 0, 0)
    assert trap.page == shmem.request(header.pack(0x14, 6, token=1), b"\5\0\0\0")
    assert bytes(bench.page[: len(trap.page)]) == trap.page


def test_the_conduit_is_psci_s() -> None:
    bench = Bench(binding=type(BINDING)("/scmi", FID, PAGE, True, ()))
    assert bench.call()[1].frame.ec == HVC64


def test_mapped_pages_do_not_travel() -> None:
    bench = Bench(carried=False)
    number, trap = bench.call()
    assert trap.page == b""
    _, _, _, head = shmem.fields(bytes(bench.page))
    shmem.publish(bench.page, shmem.reply(head, OK + b"answer__"))
    bench.returned(trap)
    assert bench.answer(number).payload == b"answer__"


def test_an_answer() -> None:
    bench = Bench()
    number, trap = bench.call()
    bench.returned(trap, reply(trap, OK + b"\1\0\2\0"), after_ns=700)
    answer = bench.answer(number)
    assert (answer.code, answer.status, answer.payload) == ("", 0, b"\1\0\2\0")
    assert (answer.elapsed_ns, answer.x) == (700, (0, 11, 12, 13))
    assert bench.counted("trapline_guest_calls_total") == {("domu", "answered"): 1}


def test_an_scmi_error_is_an_answer_too() -> None:
    bench = Bench()
    number, trap = bench.call()
    bench.returned(trap, reply(trap, (-3).to_bytes(4, "little", signed=True)))
    assert (bench.answer(number).code, bench.answer(number).status) == ("", -3)
    assert bench.counted("trapline_guest_calls_total") == {("domu", "answered"): 1}


def test_tokens_count_up_and_wrap() -> None:
    bench = Bench()
    tokens = []
    for _ in range(1026):
        number, trap = bench.call()
        tokens.append(header.token(shmem.fields(trap.page)[3]))
        bench.returned(trap, reply(trap, OK))
        assert bench.answer(number).code == ""
    assert tokens == [one & 0x3FF for one in range(1, 1027)]


@pytest.mark.parametrize("x0", [2**64 - 1, 2**64 - 3, 7])
def test_a_refused_smc(x0: int) -> None:
    """The page is not looked at, the call did not happen, and the channel is free for the next one."""
    bench = Bench()
    number, trap = bench.call()
    bench.returned(trap, reply(trap, OK), x0=x0)
    answer = bench.answer(number)
    assert (answer.code, answer.definite) == ("smc-refused", True)
    assert str(x0 - 2**64 if x0 >> 63 else x0) in answer.detail
    assert bench.call()


@pytest.mark.parametrize(
    ("make", "code", "definite"),
    [
        (lambda trap: reply(trap, OK, status=3), "channel-error", True),
        (lambda trap: reply(trap, OK, status=2), "channel-error", True),
        (lambda trap: reply(trap, OK, status=0), "channel-busy", False),
        (lambda trap: reply(trap, OK, head=header.pack(0x10, 0, token=2)), "bad-response", False),
        (lambda trap: reply(trap, OK, head=header.pack(0x10, 1, token=1)), "bad-response", False),
        (lambda trap: reply(trap, b""), "bad-response", False),
        (lambda trap: reply(trap, b"\0\0\0"), "bad-response", False),
        (lambda trap: reply(trap, OK)[:-1], "bad-response", False),
        (lambda _: b"", "channel-busy", False),
        (lambda trap: reply(trap, OK)[:27], "bad-response", False),
        (lambda _: b"\xff", "bad-response", False),
    ],
    ids=[
        "error-free", "error", "not-free", "token", "message", "no-status", "short-status", "short-page",
        "no-page", "less-than-a-header", "one-byte",
    ],
)  # fmt: skip
def test_returns_that_are_no_answer(make: object, code: str, definite: bool) -> None:
    bench = Bench()
    number, trap = bench.call()
    bench.returned(trap, make(trap))  # type: ignore[operator]
    assert (bench.answer(number).code, bench.answer(number).definite) == (code, definite)


@pytest.mark.parametrize("length", [0, 3, 0xFFFF_FFFF])
def test_a_response_with_an_absurd_length(length: int) -> None:
    bench = Bench()
    number, trap = bench.call()
    page = bytearray(reply(trap, OK))
    page[0x14:0x18] = length.to_bytes(4, "little")
    bench.returned(trap, bytes(page))
    assert bench.answer(number).code == "bad-response"


def test_a_channel_that_is_not_free_gets_no_doorbell() -> None:
    bench = Bench()
    bench.page[4:8] = bytes(4)
    number = bench.ask(console.Call(0x10, 0, b""))
    assert bench.traps == []
    assert (bench.answer(number).code, bench.answer(number).definite) == ("channel-busy", True)
    assert bench.counted("trapline_guest_calls_total") == {("domu", "definite_error"): 1}


@pytest.mark.parametrize(("size", "fits"), [(4068, True), (4069, False), (8000, False)])
def test_a_message_must_fit_the_page(size: int, fits: bool) -> None:
    bench = Bench()
    number = bench.ask(console.Call(0x10, 0, bytes(size)))
    assert len(bench.page) == 4096
    if fits:
        assert len(bench.traps.pop().page) == 4096
    else:
        assert (bench.answer(number).code, bench.answer(number).definite) == ("too-long", True)
        assert bench.call(), "the channel was not claimed"


def test_without_scmi_there_is_no_call() -> None:
    bench = Bench(binding=None, work=True)
    number = bench.ask(console.Call(0x10, 0, b""))
    assert bench.answer(number).code == "no-scmi"
    assert bench.traps == []
    assert bench.core.deadline_ns() is None


# ---- what the bus says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "definite", "free_again"),
    [("el3-lost", True, True), ("el3-timeout", False, False), ("el3-lost", False, True)],
)
def test_an_error_of_the_bus(code: str, definite: bool, free_again: bool) -> None:
    """The channel is free again if the call surely did not happen, or if EL3 is gone with all it had in hand;
    else EL3 may still write to it.
    """
    bench = Bench()
    number, trap = bench.call()
    bench.give(frames.Error(1, trap.frame.request, 0, code, definite, "gone"))
    answer = bench.answer(number)
    assert (answer.code, answer.definite, answer.detail) == (code, definite, "gone")
    again = bench.ask(console.Call(0x10, 0, b""))
    assert bool(bench.traps) is free_again
    if not free_again:
        assert bench.answer(again).code == "channel-busy"


def test_a_mapped_page_is_el3s_to_free_when_it_starts_again() -> None:
    bench = Bench(carried=False)
    _, trap = bench.call()
    bench.give(frames.Error(1, trap.frame.request, 0, "el3-lost", False, ""))
    assert bench.answer(bench.ask(console.Call(0x10, 0, b""))).code == "channel-busy"


def test_an_undefined_instruction() -> None:
    bench = Bench()
    number, trap = bench.call()
    bench.give(frames.Undef(1, trap.frame.request, 0))
    assert (bench.answer(number).code, bench.answer(number).definite) == ("undef", True)
    assert bench.call()


def test_xen_is_lost() -> None:
    bench = Bench(work=True)
    bench.feed(Undelivered(b"xen", bench.traps[0].frame))
    assert bench.halted is not None
    assert bench.halted.code == 1
    assert bench.counted("trapline_guest_calls_total") == {("domu", "indefinite_error"): 1}
    assert len(bench.traps) == 1
    assert bench.core.deadline_ns() is None


def test_xen_is_lost_for_a_console_call_and_between_calls() -> None:
    bench = Bench()
    number, trap = bench.call()
    bench.feed(Undelivered(b"xen", trap.frame))
    assert (bench.answer(number).code, bench.answer(number).definite) == ("xen-lost", False)
    idle = Bench()
    idle.feed(Undelivered(b"xen", frames.Hello(1, 0, 0, "guest")))
    assert idle.halted is not None


# ---- patience ---------------------------------------------------------------------------------


def test_a_call_takes_as_long_as_the_guest_waits() -> None:
    bench = Bench(timeout_ns=5000)
    number, trap = bench.call()
    assert bench.core.deadline_ns() == bench.now_ns + 5000
    bench.late()
    answer = bench.answer(number)
    assert (answer.code, answer.definite, answer.elapsed_ns) == ("timeout", False, 5000)
    assert bench.counted("trapline_guest_calls_total") == {("domu", "indefinite_error"): 1}
    busy = bench.ask(console.Call(0x10, 0, b""))
    assert bench.answer(busy).code == "channel-busy", "EL3 still has the page"
    bench.returned(trap, reply(trap, OK))
    assert bench.counted("trapline_bus_dropped_total") == {("late",): 1}
    assert len([one for one in bench.told if one.request == number]) == 1
    assert bench.call(), "the late answer freed the channel"


def test_a_late_refusal_frees_the_channel_a_late_doubt_does_not() -> None:
    for code, definite, free in (
        ("el3-lost", True, True),
        ("el3-lost", False, True),
        ("el3-timeout", False, False),
    ):
        bench = Bench()
        _, trap = bench.call()
        bench.late()
        bench.give(frames.Error(1, trap.frame.request, 0, code, definite, ""))
        bench.ask(console.Call(0x10, 0, b""))
        assert bool(bench.traps) is free


def test_a_late_raw_trap_does_not_free_a_channel_in_use() -> None:
    bench = Bench(carried=False)
    bench.ask(console.RawTrap(SMC64, 0, (0x8200_0099, 0, 0, 0, 0, 0, 0, 0)))
    raw = bench.traps.pop()
    bench.late()
    number, trap = bench.call()
    bench.returned(raw, x0=2**64 - 1)
    assert shmem.status_of(bench.page) == 0
    _, _, _, head = shmem.fields(bytes(bench.page))
    shmem.publish(bench.page, shmem.reply(head, OK))
    bench.returned(trap)
    assert bench.answer(number).code == ""


def test_a_tick_before_time_changes_nothing() -> None:
    bench = Bench()
    number, trap = bench.call()
    bench.now_ns += 5
    bench.feed(Tick())
    bench.returned(trap, reply(trap, OK))
    assert bench.answer(number).code == ""


@pytest.mark.parametrize("request_", [0, 77, 2**40])
def test_answers_to_nothing_are_counted_and_dropped(request_: int) -> None:
    bench = Bench()
    number, trap = bench.call()
    bench.give(frames.Return(1, request_, 0, (0, 0, 0, 0)), b"")
    bench.returned(trap, reply(trap, OK))
    bench.returned(trap, reply(trap, OK))
    assert bench.answer(number).code == ""
    assert bench.counted("trapline_bus_dropped_total") == {("late",): 2}


# ---- the console ------------------------------------------------------------------------------


def test_requests_are_served_in_order_one_at_a_time() -> None:
    bench = Bench()
    first, second = bench.ask(console.Call(0x10, 0, b"")), bench.ask(console.Call(0x10, 1, b""))
    assert len(bench.traps) == 1
    bench.returned(bench.traps[0], reply(bench.traps[0], OK))
    assert header.message_id(shmem.fields(bench.traps[1].page)[3]) == 1
    bench.returned(bench.traps[1], reply(bench.traps[1], OK))
    assert (bench.answer(first).code, bench.answer(second).code) == ("", "")


def test_the_console_queue_is_bounded() -> None:
    bench = Bench()
    numbers = [bench.ask(console.Call(0x10, 0, b"")) for _ in range(CONSOLE_CALLS + 2)]
    full = bench.answer(numbers[-1])
    assert (full.code, full.definite) == ("queue-full", True)
    assert bench.counted("trapline_bus_dropped_total") == {("overflow",): 1}
    while bench.traps:
        trap = bench.traps.pop(0)
        bench.returned(trap, reply(trap, OK))
    assert all(bench.answer(number).code == "" for number in numbers[:-1])
    assert bench.call(), "and there is room again"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x80",
        console.encode(console.Work(True))[:-1],
        console.encode({"type": "call", "protocol_id": 256, "message_id": 0, "payload": b""}),  # type: ignore[arg-type]
        console.encode({"type": "trap", "ec": -1, "immediate": 0, "x": [0] * 8}),  # type: ignore[arg-type]
        console.encode({"type": "trap", "ec": 23, "immediate": 2**32, "x": [0] * 8}),  # type: ignore[arg-type]
        console.encode({"type": "trap", "ec": 23, "immediate": 0, "x": [0] * 7}),  # type: ignore[arg-type]
        console.encode({"type": "other"}),  # type: ignore[arg-type]
    ],
)
def test_nonsense_on_the_console_is_told(body: bytes) -> None:
    bench = Bench()
    answer = bench.answer(bench.ask(body))
    assert (answer.code, answer.definite) == ("bad-console", True)
    assert bench.traps == []


def test_a_raw_trap_reports_registers_and_judges_nothing() -> None:
    bench = Bench()
    number = bench.ask(console.RawTrap(HVC64, 3, (1, 2, 3, 4, 5, 6, 7, 8)))
    trap = bench.traps.pop()
    assert (trap.frame.ec, trap.frame.immediate, trap.frame.x) == (HVC64, 3, (1, 2, 3, 4, 5, 6, 7, 8))
    assert trap.page == bytes(bench.page[:28])
    bench.returned(trap, b"whatever", x0=2**64 - 1)
    answer = bench.answer(number)
    assert (answer.code, answer.x) == ("", (2**64 - 1, 11, 12, 13))
    assert shmem.status_of(bench.page) == shmem.FREE


@pytest.mark.parametrize(("reboot", "function"), [(False, 0x8400_0008), (True, 0x8400_0009)])
def test_poweroff_is_a_psci_call_and_ends_the_work(reboot: bool, function: int) -> None:
    bench = Bench(work=True)
    first = bench.traps.pop()
    number = bench.ask(console.Poweroff(reboot))
    bench.returned(first, reply(first, OK + b"\0\0\2\0"))
    trap = bench.traps.pop()
    assert trap.frame.x[0] == function
    bench.give(frames.Error(1, trap.frame.request, 0, "shutdown", False, "the domain ended itself"))
    assert bench.answer(number).code == "shutdown"
    assert bench.traps == []
    assert bench.core.deadline_ns() is None


# ---- the first word ---------------------------------------------------------------------------


def test_hello_is_said_until_xen_welcomes_the_link() -> None:
    bench = Bench(welcome=False)
    assert bench.core.deadline_ns() == bench.now_ns + HELLO_AGAIN_NS
    for told in (2, 3):
        bench.feed(Tick(), HELLO_AGAIN_NS)
        assert bench.hellos == told
    bench.give(frames.Welcome(1, 0, 0, 3, "domu"))
    assert bench.core.deadline_ns() is None
