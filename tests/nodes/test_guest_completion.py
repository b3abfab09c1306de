"""Calls that end by interrupt: both the return and the interrupt, in any order, and FREE must be set."""

import msgspec
import pytest

from bus import frames, shmem
from nodes.contract import Send
from nodes.guest import console
from nodes.guest.binding import Binding
from tests.nodes.guest import A2P_LINE, BINDING, WAY_BACK, Bench, reply

BY_INTERRUPT: Binding = msgspec.structs.replace(BINDING, completion=A2P_LINE)
OK = b"\0\0\0\0"


def bench(**config: object) -> Bench:
    return Bench(binding=BY_INTERRUPT, **config)  # type: ignore[arg-type]


def told(made: Bench, number: int) -> bool:
    return any(one.request == number for one in made.told)


def test_the_request_asks_for_the_interrupt() -> None:
    made = bench()
    _, trap = made.call()
    assert shmem.fields(trap.page)[1] == 1
    _, polled = Bench().call()
    assert shmem.fields(polled.page)[1] == 0


@pytest.mark.parametrize("order", ["return first", "interrupt first"])
def test_both_end_it(order: str) -> None:
    made = bench()
    number, trap = made.call()
    steps = [lambda: made.returned(trap, reply(trap, OK + b"data")), lambda: made.interrupt(A2P_LINE)]
    first, second = steps if order == "return first" else reversed(steps)
    first()
    assert not told(made, number)
    second()
    answer = made.answer(number)
    assert (answer.code, answer.status, answer.payload, answer.x) == ("", 0, b"data", (0, 11, 12, 13))
    assert made.counted("trapline_guest_calls_total") == {("domu", "answered"): 1}
    assert [end.frame for end in made.ends] == [frames.EndOfInterrupt(1, 0, 5, A2P_LINE, 0)]
    assert made.ends[0].page == b""
    assert made.call()


def test_the_page_may_come_with_the_interrupt() -> None:
    made = bench()
    number, trap = made.call()
    made.returned(trap)
    made.interrupt(A2P_LINE)
    assert not told(made, number), "FREE is not set yet: somebody else's interrupt"
    made.interrupt(A2P_LINE, reply(trap, OK))
    assert made.answer(number).code == ""


def test_a_shared_page_is_looked_at_when_the_interrupt_comes() -> None:
    made = bench(carried=False)
    number, trap = made.call()
    made.returned(trap)
    made.interrupt(A2P_LINE)
    assert not told(made, number)
    head = shmem.fields(bytes(made.page))[3]
    shmem.publish(made.page, shmem.reply(head, OK))
    assert not told(made, number), "nobody polls"
    made.interrupt(A2P_LINE)
    assert made.answer(number).code == ""
    assert [end.page for end in made.ends] == [b"", b""]


def test_error_ends_it_as_free_does() -> None:
    made = bench()
    number, trap = made.call()
    made.returned(trap, reply(trap, OK, status=shmem.ERROR))
    made.interrupt(A2P_LINE)
    assert made.answer(number).code == "channel-error"


def test_a_refused_smc_needs_no_interrupt() -> None:
    made = bench()
    number, trap = made.call()
    made.returned(trap, x0=2**64 - 1)
    assert (made.answer(number).code, made.answer(number).definite) == ("smc-refused", True)
    assert made.call()


@pytest.mark.parametrize(
    ("returns", "detail"), [(True, "no completion interrupt"), (False, "no answer in time")]
)
def test_patience(returns: bool, detail: str) -> None:
    made = bench()
    number, trap = made.call()
    if returns:
        made.returned(trap, shmem.request(0x4000, b""))
    else:
        made.interrupt(A2P_LINE)
    made.late()
    answer = made.answer(number)
    assert (answer.code, answer.definite) == ("timeout", False)
    assert detail in answer.detail
    assert _refused(made) == "channel-busy"
    if returns:
        made.interrupt(A2P_LINE)
    else:
        made.returned(trap, reply(trap, OK))
    assert made.call(), "the call is over, the channel may be used again"


def _refused(made: Bench) -> str:
    return made.answer(made.ask(console.Call(0x10, 0, b""))).code


def test_a_late_interrupt_does_not_free_a_channel_that_the_smc_still_holds() -> None:
    made = bench()
    made.call()
    made.late()
    made.interrupt(A2P_LINE)
    assert _refused(made) == "channel-busy"


def test_a_shared_page_is_el3s_to_free() -> None:
    made = bench(carried=False)
    _, trap = made.call()
    made.returned(trap)
    made.late()
    made.interrupt(A2P_LINE)
    assert _refused(made) == "channel-busy"
    shmem.publish(made.page, shmem.reply(0, OK))
    assert made.call()


def test_an_interrupt_that_nobody_waits_for_is_ended_and_counted() -> None:
    made = bench()
    made.interrupt(A2P_LINE, request=4)
    made.interrupt(500)
    assert [(end.frame.request, end.frame.intid) for end in made.ends] == [(4, A2P_LINE), (0, 500)]
    assert made.counted("trapline_guest_received_total") == {("domu", "stray"): 2}
    number, trap = made.call()
    made.returned(trap, reply(trap, OK))
    assert not told(made, number), "an earlier interrupt does not count for this call"
    made.interrupt(A2P_LINE)
    assert made.answer(number).code == ""


def test_a_raw_trap_ends_when_it_returns() -> None:
    made = bench()
    number = made.ask(console.RawTrap(0x17, 0, (0x8000_0000, 0, 0, 0, 0, 0, 0, 0)))
    made.returned(made.traps.pop(), x0=0)
    assert made.answer(number).x == (0, 11, 12, 13)


def test_patience_with_a_raw_trap_has_nothing_to_do_with_the_call_before() -> None:
    made = bench()
    _, trap = made.call()
    made.returned(trap, reply(trap, OK))
    made.interrupt(A2P_LINE)
    number = made.ask(console.RawTrap(0x17, 0, (0x8000_0000, 0, 0, 0, 0, 0, 0, 0)))
    made.late()
    assert (made.answer(number).code, made.answer(number).detail) == ("timeout", "no answer in time")


def test_work_goes_on_call_after_call() -> None:
    made = Bench(binding=msgspec.structs.replace(BY_INTERRUPT, p2a=WAY_BACK), work=True)
    for _ in range(5):
        trap: Send = made.traps.pop()
        made.returned(trap, reply(trap, OK + bytes(4)))
        assert made.traps == []
        made.interrupt(A2P_LINE)
    assert len(made.traps) == 1


@pytest.mark.parametrize("carried", [True, False], ids=["carried", "mapped"])
def test_a_lost_interrupt_costs_one_call_only(carried: bool) -> None:
    """EL3 has given the page back, whoever lost the interrupt for it."""
    made = bench(carried=carried)
    for _ in range(2):
        number, trap = made.call()
        head = shmem.fields(bytes(made.page))[3]
        if not carried:
            shmem.publish(made.page, shmem.reply(head, OK))
        made.returned(trap, shmem.reply(head, OK) if carried else b"")
        made.late()
        assert (made.answer(number).code, made.answer(number).definite) == ("timeout", False)
    assert made.call()


@pytest.mark.parametrize("code", ["no-interrupt", "el3-lost"])
def test_the_refused_end_of_an_interrupt_ends_no_call_of_the_same_number(code: str) -> None:
    made = Bench()
    number, trap = made.call()
    made.give(frames.Error(1, trap.frame.request, 5, code, True, "interrupt 33 is not in flight in domu"))
    assert told(made, number) == (code != "no-interrupt")
    if code == "no-interrupt":
        made.returned(trap, reply(trap, OK))
        assert made.answer(number).code == ""
