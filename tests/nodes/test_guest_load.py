"""A guest under a plan: what arrives when, what waits, what is dropped, what is noted, and which messages."""

import struct
from itertools import islice, pairwise
from typing import Any

import pytest

from bus import frames, shmem
from bus.fields import encode
from bus.scmi import clock, header
from nodes.contract import Effect, Note, Tick
from nodes.guest import console
from nodes.guest.arrivals import Rates, intended_ns
from nodes.guest.load import Part, RecordedMessage, WorkPlan, problems
from nodes.guest.mixes import MIXES, NOTHING_ELSE, found
from tests.nodes.guest import Bench, reply

OK = b"\0\0\0\0"
VERSION = OK + (0x2_0000).to_bytes(4, "little")
RATES = OK + encode(clock.DescribeRatesReply(2, (1000, 2000)))
MS = 1_000_000
BASE = (Part("base.BASE_DISCOVER_VENDOR"),)


class Loaded(Bench):
    """``notes`` are what the guest noted; ``answer_one`` ends the call under way, well."""

    def __init__(self, plan: WorkPlan | None = None, **config: Any) -> None:
        self.notes: list[Note] = []
        super().__init__(work=plan is not None, plan=plan, record=config.pop("record", True), **config)

    def _sort(self, effect: Effect) -> None:
        if isinstance(effect, Note):
            self.notes.append(effect)
        else:
            super()._sort(effect)

    def answer_one(self, after_ns: int = 0) -> tuple[int, int]:
        trap = self.traps.pop(0)
        asked = struct.unpack_from("<I", trap.page, 24)[0]
        name = header.protocol_id(asked), header.message_id(asked)
        payload = VERSION if name[1] == 0 else RATES if name == (0x14, 4) else OK
        self.returned(trap, reply(trap, payload), after_ns=after_ns)
        return name

    def settle(self) -> None:
        """Answer what the guest asks before its load begins."""
        while self.traps:
            self.answer_one()
        self.notes.clear()

    def tick_at(self, at_ns: int) -> None:
        self.feed(Tick(), at_ns - self.now_ns)

    def noted(self, what: str) -> list[tuple[int, ...]]:
        return [note.numbers for note in self.notes if note.what == what]


def times(rates: Rates, until_ns: int, seed: int | None = None, since_ns: int = 0) -> list[int]:
    found = []
    for at_ns, _ in intended_ns(rates, (0, 0), seed, since_ns):
        if at_ns >= until_ns:
            break
        found.append(at_ns)
    return found


# ---- arrivals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rates", "until_ns", "expected"),
    [
        (Rates(1000, 1000), 1000 * MS, 1000),
        (Rates(0, 1000, 1000 * MS), 1000 * MS, 500),
        (Rates(1000, 0, 1000 * MS), 1000 * MS, 500),
        (Rates(1000, 3000, 500 * MS), 500 * MS, 1000),
        (Rates(1000, 3000, 500 * MS), 1000 * MS, 2500),
        (Rates(0, 0), 1000 * MS, 0),
        (Rates(0, 0, 10 * MS), 1000 * MS, 0),
        (Rates(3, 3), 1000 * MS, 3),
    ],
)
def test_a_ramp_brings_as_many_as_its_integral(rates: Rates, until_ns: int, expected: int) -> None:
    came = times(rates, until_ns)
    assert len(came) == expected
    assert came == sorted(came)
    assert round(rates.arrived(until_ns)) == expected


def test_a_ramp_to_nothing_ends() -> None:
    assert len(list(intended_ns(Rates(100, 0, 1000 * MS), (0, 0), None, 0))) == 51, "the last at its very end"


@pytest.mark.parametrize("since_ns", [0, 1, 499 * MS, 500 * MS, 500 * MS + 1, 700 * MS])
def test_what_is_even_is_the_same_wherever_one_begins_to_look(since_ns: int) -> None:
    rates = Rates(1000, 3000, 600 * MS)
    every = list(islice(intended_ns(rates, (3, 50 * MS), None, 0), 2500))
    later = intended_ns(rates, (3, 50 * MS), None, since_ns)
    assert [next(later) for _ in range(50)] == [one for one in every if one[0] >= since_ns][:50]


def test_chance_is_seeded_and_about_right() -> None:
    rates = Rates(1000, 1000)
    came = times(rates, 10_000 * MS, seed=1)
    assert came == times(rates, 10_000 * MS, seed=1)
    assert came != times(rates, 10_000 * MS, seed=2)
    assert 9_700 < len(came) < 10_300
    gaps = [after - before for before, after in pairwise(came)]
    short = sum(gap < MS for gap in gaps) / len(gaps)
    assert 0.61 < short < 0.65, "1 - 1/e of the gaps are shorter than their mean"


# ---- an open loop -----------------------------------------------------------------------------


def open_loop(**plan: Any) -> WorkPlan:
    return WorkPlan("open", mix=BASE, rate=1000, **plan)


def test_latency_counts_from_when_a_call_was_meant_to_begin() -> None:
    """A stall of 5 ms: the calls behind it are late, too, though each of them took no time itself."""
    bench = Loaded(open_loop(start_ns=1 * MS, epoch_ns=0))
    bench.settle()
    bench.tick_at(1 * MS)
    bench.answer_one(after_ns=5 * MS)
    for _ in range(5):
        bench.answer_one()
    assert bench.traps == []
    latencies = [6 * MS - numbers[1] for numbers in bench.noted("call")]
    assert latencies == [5 * MS, 4 * MS, 3 * MS, 2 * MS, 1 * MS, 0]
    assert [numbers[2] for numbers in bench.noted("call")] == [1 * MS, *[6 * MS] * 5]
    assert bench.core.deadline_ns() == 7 * MS
    kept = bench.core.meters.histogram("trapline_scmi_call_duration_seconds")["2", "base"]
    assert kept.sum_ns - 15 * MS < 100_000, "beside what the start took"


@pytest.mark.parametrize(("backlog", "kept"), [(0, 0), (1, 1), (3, 3), (5, 5), (6, 5)])
def test_what_waits_is_bounded_and_what_is_dropped_is_counted(backlog: int, kept: int) -> None:
    bench = Loaded(open_loop(start_ns=1 * MS, epoch_ns=0, backlog=backlog))
    bench.settle()
    bench.tick_at(1 * MS)
    bench.answer_one(after_ns=5 * MS + 1)
    calls = 1
    while bench.traps:
        bench.answer_one()
        calls += 1
    assert calls == 1 + kept
    dropped = bench.noted("arrival_dropped")
    assert dropped == [(at * MS,) for at in range(2 + kept, 7)]
    counted = bench.counted("trapline_guest_arrivals_dropped_total")
    assert counted == ({("domu", "backlog"): 5 - kept} if kept < 5 else {})
    assert bench.core.deadline_ns() == 7 * MS


def test_bursts_come_on_top() -> None:
    bench = Loaded(open_loop(start_ns=1 * MS, epoch_ns=0, burst_calls=3, burst_every_ns=2 * MS))
    bench.settle()
    begun = []
    for at in range(1, 6):
        bench.tick_at(at * MS)
        while bench.traps:
            bench.answer_one()
        begun.append(len(bench.noted("call")))
    assert begun == [1, 2, 6, 7, 11]


def test_a_load_begins_and_stops_when_its_plan_says() -> None:
    bench = Loaded(open_loop(start_ns=2 * MS, stop_ns=5 * MS, epoch_ns=0))
    bench.settle()
    assert bench.core.deadline_ns() == 2 * MS
    for at in (2, 3):
        bench.tick_at(at * MS)
        bench.answer_one()
    bench.tick_at(4 * MS)
    assert len(bench.traps) == 1
    bench.answer_one()
    assert bench.core.deadline_ns() is None


def test_what_waits_when_a_load_stops_was_never_tried() -> None:
    bench = Loaded(open_loop(start_ns=2 * MS, stop_ns=5 * MS, epoch_ns=0))
    bench.settle()
    bench.tick_at(2 * MS)
    bench.answer_one(after_ns=3 * MS)
    assert bench.traps == []
    assert bench.noted("arrival_dropped") == [(3 * MS,), (4 * MS,)]
    assert bench.counted("trapline_guest_arrivals_dropped_total") == {("domu", "stopped"): 2}
    assert bench.core.deadline_ns() is None


def test_a_guest_that_comes_late_takes_the_load_up_where_it_is() -> None:
    bench = Loaded(welcome=False, plan=open_loop(epoch_ns=0))
    bench.now_ns = 7 * MS + 5
    bench.give(frames.Welcome(1, 0, 0, 3, "domu"))
    bench.settle()
    assert bench.core.deadline_ns() == 8 * MS, "what was due before never arrived"


# ---- replay -----------------------------------------------------------------------------------


def test_a_trace_is_replayed_in_order_and_at_its_times() -> None:
    trace = (
        RecordedMessage(3 * MS, 0x14, 6, b"late"),
        RecordedMessage(1 * MS, 0x10, 3, b""),
        RecordedMessage(1 * MS, 0x11, 5, b"\2\0\0\0"),
    )
    bench = Loaded(WorkPlan("replay", trace=trace, epoch_ns=0))
    assert bench.traps == []
    bench.tick_at(1 * MS)
    assert bench.answer_one() == (0x10, 3)
    assert bench.traps[0].page[28:] == b"\2\0\0\0"
    assert bench.answer_one() == (0x11, 5)
    assert bench.core.deadline_ns() == 3 * MS
    bench.tick_at(3 * MS)
    assert bench.traps[0].page[28:] == b"late"
    assert bench.answer_one() == (0x14, 6)
    assert bench.core.deadline_ns() is None
    assert [numbers[1] for numbers in bench.noted("call")] == [1 * MS, 1 * MS, 3 * MS]


# ---- a closed loop ----------------------------------------------------------------------------


def test_pauses_are_drawn_from_their_range() -> None:
    def pauses(seed: int) -> list[int]:
        bench = Loaded(WorkPlan("closed", mix=BASE, think_ns=100, think_max_ns=200, seed=seed))
        found = []
        for _ in range(40):
            bench.answer_one()
            deadline_ns = bench.core.deadline_ns()
            assert deadline_ns is not None
            found.append(deadline_ns - bench.now_ns)
            bench.tick_at(deadline_ns)
        return found

    assert pauses(1) == pauses(1) != pauses(2)
    assert min(pauses(1)) >= 100
    assert max(pauses(1)) <= 200


def test_an_idle_plan_does_nothing_and_one_for_nobody_neither() -> None:
    assert Loaded(WorkPlan("idle")).traps == []
    assert Loaded(open_loop(), binding=None).traps == []


# ---- mixes ------------------------------------------------------------------------------------


def sent(mix: str | tuple[Part, ...], calls: int = 200, seed: int = 1) -> list[tuple[int, int, bytes]]:
    bench = Loaded(WorkPlan("closed", mix=mix, seed=seed))
    messages = []
    for _ in range(calls):
        page = bench.traps[0].page
        messages.append((*bench.answer_one(), page[28:]))
    return messages


def test_a_mix_learns_what_it_sets_and_keeps_to_the_domain_s_own_tree() -> None:
    messages = sent("rates")
    assert (0x14, 4, struct.pack("<II", 5, 0)) in messages
    wanted = {payload for protocol, message, payload in messages if (protocol, message) == (0x14, 5)}
    assert wanted == {struct.pack("<IIQ", 0, 5, rate) for rate in (1000, 2000)}
    assert {row[:2] for row in messages[10:]} == {(0x14, 5), (0x14, 6)}


def test_a_mix_has_its_weights_and_its_seed() -> None:
    mix = (Part("clock.CLOCK_RATE_GET", 3), Part("power.POWER_STATE_GET", 1))
    messages = sent(mix, 1000)
    gets = sum(row[:2] == (0x14, 6) for row in messages)
    assert 700 < gets < 800
    assert messages == sent(mix, 1000)
    assert messages != sent(mix, 1000, seed=2)


def test_a_part_may_name_what_belongs_to_others() -> None:
    part = Part("clock.CLOCK_RATE_SET", fields={"clock_id": 9, "rate": 77})
    never = Part("power.POWER_STATE_GET", 0)
    assert sent((never, part), 5)[-1] == (0x14, 5, struct.pack("<IIQ", 0, 9, 77))


def test_a_domain_that_has_nothing_of_a_mix_asks_base() -> None:
    assert sent((Part("sensor.SENSOR_READING_GET"),), 4)[-1][:2] == (
        NOTHING_ELSE.protocol_id,
        NOTHING_ELSE.message_id,
    )


@pytest.mark.parametrize("name", MIXES)
def test_every_named_mix_is_of_known_messages(name: str) -> None:
    assert all(found(part.message) for part in MIXES[name])
    assert problems(WorkPlan("closed", mix=name)) == []


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (WorkPlan("open"), "rate: an open loop"),
        (WorkPlan("open", rate=-1), "rate: calls per second"),
        (WorkPlan("open", burst_calls=1), "burst_every:"),
        (WorkPlan("replay"), "trace:"),
        (WorkPlan("closed", think_ns=2, think_max_ns=1), "think:"),
        (WorkPlan(start_ns=2, stop_ns=2), "stop:"),
        (WorkPlan(mix="none"), "mix: there is none named 'none'; take one of reads,"),
        (WorkPlan(mix=()), "mix: it is empty"),
        (WorkPlan(mix=(Part("clock.NOTHING"),)), "mix: there is no message 'clock.NOTHING'"),
        (WorkPlan(mix=(Part("CLOCK_RATE_GET"),)), "mix: there is no message"),
        (WorkPlan(mix=(Part("clock.CLOCK_RATE_GET", -1),)), "mix: clock.CLOCK_RATE_GET: weight is -1"),
        (
            WorkPlan(mix=(Part("clock.CLOCK_RATE_GET", 1, {"rate": 1}),)),
            "has no field 'rate'; it has clock_id",
        ),
        (WorkPlan(mix=(Part("clock.CLOCK_RATE_GET", 1, {"clock_id": -1}),)), "-1 cannot be given"),
    ],
)
def test_a_bad_plan_is_told(plan: WorkPlan, said: str) -> None:
    (wrong,) = problems(plan)
    assert said in wrong
    bench = Loaded()
    assert bench.answer(bench.ask(console.Work(True, plan=plan))).code == "bad-plan"
    assert bench.traps == []


# ---- by console -------------------------------------------------------------------------------


def test_a_plan_is_changed_by_console_once_the_call_under_way_is_over() -> None:
    bench = Loaded(WorkPlan("closed", mix=BASE))
    bench.answer_one()
    number = bench.ask(console.Work(True, plan=WorkPlan("replay", trace=(RecordedMessage(5, 0x11, 5, OK),))))
    assert not [one for one in bench.told if one.request == number]
    bench.answer_one()
    assert bench.answer(number).code == ""
    assert bench.traps == []
    begin_ns = bench.now_ns
    assert bench.core.deadline_ns() == begin_ns + 5
    bench.late()
    assert bench.answer_one() == (0x11, 5)


def test_a_drain_drops_what_waits_and_lets_the_call_under_way_end() -> None:
    bench = Loaded(open_loop(start_ns=1 * MS, epoch_ns=0))
    bench.settle()
    bench.tick_at(1 * MS)
    bench.now_ns = 3 * MS + 500_000
    number = bench.ask(console.Work(False))
    bench.answer_one()
    assert bench.answer(number).code == ""
    assert [note.text for note in bench.notes] == ["", "stopped", "stopped"]
    assert bench.traps == []
    assert bench.core.deadline_ns() is None


# ---- notes ------------------------------------------------------------------------------------


def test_each_call_that_ended_is_noted_once_and_only_if_asked() -> None:
    bench = Loaded(timeout_ns=1000)
    for _ in range(2):
        _, trap = bench.call(0x14, 6)
        bench.returned(trap, reply(trap, b"\xfd\xff\xff\xff"))
    head = shmem.fields(trap.page)[3]
    assert bench.notes[-1] == Note("call", 2, (head, bench.now_ns - 10, bench.now_ns - 10, 0, -3), "")
    bench.call()
    bench.late()
    assert (bench.notes[-1].request, bench.notes[-1].text, bench.notes[-1].numbers[3]) == (3, "timeout", 0)
    bench.ask(console.Call(0x10, 0, b""))
    assert (bench.notes[-1].request, bench.notes[-1].text) == (0, "channel-busy")
    bench.ask(console.RawTrap(0x17, 0, (1, 2, 3, 4, 5, 6, 7, 8)))
    bench.returned(bench.traps.pop(), x0=9)
    assert [note.what for note in bench.notes] == ["call"] * 5
    assert sum(bench.counted("trapline_guest_calls_total").values()) == 5
    silent = Loaded(WorkPlan(), record=False)
    for _ in range(3):
        silent.answer_one()
    assert silent.notes == []
