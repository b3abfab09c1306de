"""Hostile guests: the bytes of each kind, what is accounted for, and that ordinary calls work afterwards."""

import struct
from typing import Any

import pytest

from bus import frames, shmem
from nodes.contract import Effect, SendBytes, Tick, Undelivered
from nodes.guest import blows, console
from nodes.guest.blows import Occasion
from nodes.limits import STORM_TRAPS
from tests.nodes.guest import FID, XEN, Bench, reply
from tests.nodes.test_guest_completion import BY_INTERRUPT

OK = b"\0\0\0\0\0\0\2\0"
MS = 1_000_000
OWN = ("spurious_doorbell", "oversize", "undersize", "error_preset")
HOSTILE = "trapline_guest_hostile_total"
FAILED = shmem.FREE | shmem.ERROR


class Villain(Bench):
    """``junk`` is what it sent that need not be a frame."""

    def __init__(self, **config: Any) -> None:
        self.junk: list[SendBytes] = []
        super().__init__(**config)

    def _sort(self, effect: Effect) -> None:
        if isinstance(effect, SendBytes):
            self.junk.append(effect)
        else:
            super()._sort(effect)

    def switch(self, kind: Any, run: bool = True, **how: Any) -> console.Answer:
        return self.answer(self.ask(console.Hostile(kind, run, **how)))

    def tick(self, after_ns: int = 0) -> None:
        self.feed(Tick(), after_ns)

    def honest_call(self) -> str:
        number, trap = self.call(0x10, 0)
        self.returned(trap, reply(trap, OK))
        return self.answer(number).code

    def results(self) -> dict[str, int]:
        return {result: count for (_, _, result), count in self.counted(HOSTILE).items()}


def words(page: bytes) -> tuple[int, int]:
    """Status and length."""
    status, _, length, _ = shmem.fields(page)
    return status, length


# ---- blows on the own channel -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "lengths"),
    [
        ("spurious_doorbell", shmem.FREE, {4}),
        ("error_preset", shmem.ERROR, {4}),
        ("undersize", 0, {0, 1, 2, 3}),
        ("oversize", 0, {105, 4096, 0x7FFF_FFFF, 0xFFFF_FFFF}),
    ],
)
def test_each_kind_breaks_its_one_rule(kind: str, status: int, lengths: set[int]) -> None:
    pages = [blows.page(kind, Occasion(1, number)) for number in range(60)]
    assert {words(page)[0] for page in pages} == {status}
    assert {words(page)[1] for page in pages} == lengths
    assert {page[:4] + page[8:20] for page in pages} == {bytes(16)}
    assert {struct.unpack_from("<I", page, 24)[0] & 0x3FFFF for page in pages} == {0x10 << 10}
    assert pages[7] == blows.page(kind, Occasion(1, 7))


@pytest.mark.parametrize("carried", [True, False])
@pytest.mark.parametrize("kind", OWN)
def test_a_blow_is_a_doorbell_of_its_own_and_leaves_a_usable_channel(kind: str, carried: bool) -> None:
    villain = Villain(carried=carried)
    assert villain.switch(kind, rate=1000, seed=5).code == ""
    trap = villain.traps.pop()
    assert trap.frame.x == (FID, 0, 0, 0, 0, 0, 0, 0)
    content = trap.page if carried else bytes(villain.page[:28])
    assert content == blows.page(kind, Occasion(5, 1))
    if not carried:
        villain.page[4:8] = FAILED.to_bytes(4, "little")
    villain.returned(trap, reply(trap, b"", status=FAILED) if carried else b"")
    assert villain.traps == []
    assert villain.core.deadline_ns() == 30 + MS
    villain.switch(kind, run=False)
    assert villain.core.deadline_ns() is None
    if carried:
        assert villain.honest_call() == ""
    assert shmem.status_of(villain.page) & shmem.FREE
    assert villain.counted(HOSTILE) == {("domu", kind, "sent"): 1, ("domu", kind, "definite_error"): 1}
    assert sum(villain.counted("trapline_guest_calls_total").values()) == (1 if carried else 0)


@pytest.mark.parametrize("x0", [0, 0xFFFF_FFFF_FFFF_FFFF])
def test_the_page_is_the_guest_s_own_even_if_nobody_gives_it_back(x0: int) -> None:
    villain = Villain()
    villain.switch("oversize", rate=1)
    villain.returned(villain.traps.pop(), x0=x0)
    villain.switch("oversize", run=False)
    assert villain.honest_call() == ""


def test_a_blow_that_nobody_answers_ends_uncertainly_and_a_late_answer_frees_the_channel() -> None:
    villain = Villain(timeout_ns=1000)
    villain.switch("undersize", rate=1)
    trap = villain.traps.pop()
    villain.late()
    assert villain.results() == {"sent": 1, "indefinite_error": 1}
    villain.switch("undersize", run=False)
    number = villain.ask(console.Call(0x10, 0, b""))
    assert villain.answer(number).code == "channel-busy"
    villain.returned(trap)
    assert villain.honest_call() == ""


def test_a_blow_ends_with_its_return_even_where_calls_end_with_an_interrupt() -> None:
    villain = Villain(binding=BY_INTERRUPT)
    villain.switch("error_preset", rate=1)
    trap = villain.traps.pop()
    villain.returned(trap, reply(trap, b"", status=FAILED))
    assert villain.results() == {"sent": 1, "definite_error": 1}


def test_the_work_goes_on_beside_the_blows_and_after_them() -> None:
    villain = Villain(work=True)
    number = villain.ask(console.Hostile("oversize", seed=1))
    assert villain.answer(number).code == "", "it needs no channel"
    kinds = []
    for _ in range(20):
        if not villain.traps:
            villain.late()
        trap = villain.traps.pop()
        hostile = words(trap.page)[1] > 100
        kinds.append(hostile)
        villain.returned(trap, reply(trap, OK, status=FAILED if hostile else shmem.FREE))
    assert 8 <= sum(kinds) <= 12, "turn and turn about"
    villain.switch("oversize", run=False)
    answered = villain.counted("trapline_guest_calls_total")
    assert answered == {("domu", "answered"): 20 - sum(kinds)}
    assert villain.traps or villain.core.deadline_ns() is not None


def test_an_occasion_is_used_as_likely_as_it_is_said() -> None:
    villain = Villain()
    villain.switch("error_preset", rate=1000, likelihood=0.25, seed=3)
    for _ in range(400):
        while villain.traps:
            villain.returned(villain.traps.pop())
        villain.late()
    sent = villain.results()["sent"]
    assert 70 < sent < 130


# ---- foreign doorbells ------------------------------------------------------------------------


def test_a_flood_rings_the_doorbells_it_was_given() -> None:
    villain = Villain()
    assert villain.switch("foreign_flood").code == "bad-plan"
    villain.switch("foreign_flood", foreign=(7, 8, 9), seed=2)
    rung = set()
    for _ in range(40):
        trap = villain.traps.pop()
        rung.add(trap.frame.x[0])
        assert shmem.status_of(trap.page) & shmem.FREE, "nobody claimed the page"
        villain.returned(trap, x0=0xFFFF_FFFF)
    assert rung == {7, 8, 9}
    assert villain.results() == {"sent": 41, "definite_error": 40}


# ---- junk -------------------------------------------------------------------------------------


def parses(envelope: bytes) -> bool:
    try:
        frames.decode(envelope)
    except frames.BadFrame:
        return False
    return True


@pytest.mark.parametrize("make", blows.JUNK, ids=lambda make: make.__name__)
def test_junk_is_drawn_from_its_seed_and_is_never_a_domain_s_frame(make: Any) -> None:
    made = [make(Occasion(4, number), 77) for number in range(50)]
    assert made == [make(Occasion(4, number), 77) for number in range(50)]
    if make is blows.forbidden:
        kinds = {type(frames.decode(one)) for one in made}
        assert len(kinds) == 7
        assert not kinds & {frames.Hello, frames.Trap, frames.EndOfInterrupt, frames.ConsoleReply}
        assert {frames.decode(one).request for one in made} == {77}
    else:
        assert not any(parses(one) for one in made)
    if make is blows.huge:
        assert {len(one) for one in made} == {frames.ENVELOPE_BYTES_MAX + 1}


def test_junk_keeps_its_pace_whatever_the_vcpu_does_and_refusals_are_counted() -> None:
    villain = Villain()
    number, trap = villain.call()
    villain.switch("junk_frames", rate=1000, seed=1)
    for _ in range(30):
        villain.late()
    assert len(villain.junk) == 30
    assert len({one.envelope for one in villain.junk}) > 10
    parsed = [frames.decode(one.envelope) for one in villain.junk if parses(one.envelope)]
    villain.give(frames.Error(1, parsed[-1].request, 0, "refused", True, "not yours"))
    villain.give(frames.Error(1, parsed[-1].request, 0, "refused", True, "not yours"))
    assert villain.results() == {"sent": 30, "definite_error": 1}
    assert villain.counted("trapline_bus_dropped_total") == {("late",): 1}, "the second one"
    villain.returned(trap, reply(trap, OK))
    assert villain.answer(number).code == ""
    villain.switch("junk_frames", run=False)
    assert villain.core.deadline_ns() is None


# ---- storms -----------------------------------------------------------------------------------


def test_a_storm_keeps_every_vcpu_in_a_trap_and_accounts_for_each() -> None:
    villain = Villain()
    villain.switch("trap_storm", vcpus=4)
    villain.late()
    assert len(villain.traps) == 4
    assert villain.core.deadline_ns() == villain.now_ns + villain.core.config.timeout_ns
    first, second, third, fourth = (villain.traps.pop(0) for _ in range(4))
    assert len({one.frame.request for one in (first, second, third, fourth)}) == 4
    villain.returned(first, reply(first, OK))
    assert len(villain.traps) == 1, "the vCPU traps again at once"
    villain.returned(second, x0=0xFFFF_FFFF)
    villain.give(frames.Undef(1, third.frame.request, 0))
    villain.give(frames.Error(1, fourth.frame.request, 0, "lost", False, "nobody knows"))
    assert villain.results() == {"sent": 8, "answered": 1, "definite_error": 2, "indefinite_error": 1}
    villain.returned(first, reply(first, OK))
    assert villain.counted("trapline_bus_dropped_total") == {("late",): 1}, "a copy ends nothing"
    villain.switch("trap_storm", run=False)
    for trap in villain.traps[:2]:
        villain.returned(trap, reply(trap, OK))
    villain.tick(villain.core.config.timeout_ns)
    assert villain.results() == {"sent": 8, "answered": 3, "definite_error": 2, "indefinite_error": 3}
    assert villain.core.deadline_ns() is None
    villain.traps.clear()
    assert villain.honest_call() == ""


def test_a_storm_with_a_rate_holds_back_what_finds_no_vcpu() -> None:
    villain = Villain()
    villain.switch("trap_storm", rate=1000, vcpus=2)
    for _ in range(5):
        villain.late()
    assert villain.results() == {"sent": 2, "held_back": 3}


def test_a_storm_does_not_stop_the_work() -> None:
    villain = Villain(work=True)
    number = villain.ask(console.Hostile("trap_storm", vcpus=STORM_TRAPS))
    assert villain.answer(number).code == ""
    own = villain.traps.pop()
    villain.late()
    assert len(villain.traps) == STORM_TRAPS
    villain.returned(own, reply(own, OK))
    assert len(villain.traps) == STORM_TRAPS + 1
    assert villain.counted("trapline_guest_calls_total") == {("domu", "answered"): 1}


def test_what_the_guest_does_to_its_own_page_proves_nothing() -> None:
    """In mapped pages an ERROR may be that of another vCPU's doorbell: the call may have happened."""
    villain = Villain(carried=False)
    number, trap = villain.call()
    villain.switch("trap_storm", vcpus=1)
    villain.tick()
    storm = villain.traps.pop()
    villain.page[4:8] = FAILED.to_bytes(4, "little")
    villain.switch("trap_storm", run=False)
    villain.returned(storm)
    villain.returned(trap)
    answer = villain.answer(number)
    assert (answer.code, answer.definite) == ("channel-error", False)
    number, trap = villain.call()
    villain.page[4:8] = FAILED.to_bytes(4, "little")
    villain.returned(trap)
    assert villain.answer(number).definite, "a call that began afterwards"


def test_scribbling_is_said_to_the_engine() -> None:
    villain = Villain(carried=False)
    assert villain.core.scribble is None
    villain.switch("header_flip", likelihood=0.5, seed=9)
    scribble = villain.core.scribble
    assert scribble is not None
    assert (scribble.kind, scribble.likelihood, scribble.seed) == ("header_flip", 0.5, 9)
    villain.switch("header_flip", run=False)
    assert villain.core.scribble is None


def test_everything_ends_with_xen() -> None:
    villain = Villain()
    villain.switch("trap_storm", vcpus=3)
    villain.switch("oversize", rate=1)
    villain.tick()
    villain.feed(Undelivered(XEN, villain.traps[0].frame))
    assert villain.halted is not None
    assert villain.counted(HOSTILE)["domu", "trap_storm", "indefinite_error"] == 3
    assert villain.counted(HOSTILE)["domu", "oversize", "indefinite_error"] == 1


def test_a_guest_without_a_channel_cannot_be_hostile() -> None:
    assert Villain(binding=None).switch("oversize").code == "no-scmi"


# ---- copies and losses ------------------------------------------------------------------------


def test_a_second_welcome_does_not_start_the_work_again() -> None:
    villain = Villain(work=True)
    villain.give(frames.Welcome(1, 0, 0, 3, "domu"))
    assert len(villain.traps) == 1
    assert villain.counted("trapline_bus_dropped_total") == {("late",): 1}


def test_a_copy_of_a_return_does_not_end_another_call() -> None:
    villain = Villain()
    number, first = villain.call()
    villain.returned(first, reply(first, OK))
    other, second = villain.call()
    villain.returned(first, reply(first, b"\xfd\xff\xff\xff"))
    assert not [one for one in villain.told if one.request == other]
    villain.returned(second, reply(second, OK))
    assert villain.answer(number).code == villain.answer(other).code == ""


def test_a_copy_of_a_completion_does_not_end_another_call() -> None:
    villain = Villain(binding=BY_INTERRUPT)
    assert BY_INTERRUPT.completion is not None
    number, first = villain.call()
    villain.returned(first)
    villain.interrupt(BY_INTERRUPT.completion, reply(first, OK))
    assert villain.answer(number).code == ""
    other, second = villain.call()
    villain.returned(second)
    villain.interrupt(BY_INTERRUPT.completion, reply(first, OK))
    assert not [one for one in villain.told if one.request == other]
    villain.interrupt(BY_INTERRUPT.completion, reply(second, OK))
    assert villain.answer(other).code == ""
    assert len(villain.ends) == 3, "each interrupt is ended"
    assert villain.counted("trapline_guest_received_total") == {("domu", "stray"): 1}


def test_a_lost_trap_blocks_the_channel_honestly_and_counts_every_call() -> None:
    villain = Villain(timeout_ns=1000)
    lost, _ = villain.call()
    villain.late()
    assert (villain.answer(lost).code, villain.answer(lost).definite) == ("timeout", False)
    busy = [villain.ask(console.Call(0x10, 0, b"")) for _ in range(5)]
    assert {villain.answer(one).code for one in busy} == {"channel-busy"}
    assert villain.counted("trapline_guest_calls_total") == {
        ("domu", "indefinite_error"): 1,
        ("domu", "definite_error"): 5,
    }
