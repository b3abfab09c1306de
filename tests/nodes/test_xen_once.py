"""What reaches Xen twice happens once: windows of request numbers on each link."""

import pytest

from bus import frames
from nodes.contract import Note
from nodes.xen.config import Tuning
from tests.nodes.trees import FID
from tests.nodes.xen import TOOLSTACK, Bench

DROPS = "trapline_bus_dropped_total"
REGISTERS = (FID[2], 0, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("record", [False, True])
def test_a_trap_that_comes_twice_is_one_smc(record: bool) -> None:
    bench = Bench(tuning=Tuning(record=record))
    domain = bench.create("domu", 2)
    trap = frames.Trap(1, 201, 6, 0x17, 0, REGISTERS, 0)
    for _ in range(2):
        bench.give(domain.link, trap)
    assert len(bench.smcs) == 1
    bench.el3_all()
    bench.give(domain.link, trap)
    assert len(bench.answers(domain.link, 201)) == 1
    assert bench.counted(DROPS) == {("duplicate",): 2}
    notes = [line for line in bench.lines if isinstance(line, Note)]
    assert notes == ([Note("duplicate", 201, (), "trap")] * 2 if record else [])


def test_a_trap_that_was_overtaken_is_served() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    for request in (201, 203, 202, 203, 202, 201):
        bench.give(domain.link, frames.Trap(1, request, 6, 0x17, 0, REGISTERS, 0))
    bench.el3_all()
    assert [len(bench.answers(domain.link, request)) for request in (201, 202, 203)] == [1, 1, 1]
    assert bench.counted(DROPS) == {("duplicate",): 3}


def test_links_count_each_for_itself() -> None:
    bench = Bench()
    for name, agent in (("two", 2), ("three", 3)):
        domain = bench.create(name, agent)
        bench.give(domain.link, frames.Trap(1, 201, 6, 0x17, 0, (FID[agent], *REGISTERS[1:]), 0))
        bench.el3_all()
        assert isinstance(bench.answer(domain.link, 201), frames.Return)


def test_who_says_hello_with_another_number_counts_anew() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    trap = frames.Trap(1, 201, 6, 0x17, 0, REGISTERS, 0)
    for hello, answers in ((1, 1), (1, 1), (2, 2), (2, 2)):
        bench.give(domain.link, frames.Hello(1, hello, 0, "guest"))
        bench.give(domain.link, trap)
        bench.el3_all()
        assert len(bench.answers(domain.link, 201)) == answers


def test_a_hypercall_that_comes_twice_is_carried_out_once() -> None:
    bench = Bench()
    frame = frames.Domctl(1, 500, 5, frames.CreateDomain("domu", 2, 2))
    for _ in range(2):
        bench.give(TOOLSTACK, frame)
        bench.el3_all()
    assert [frame.rc for frame in bench.answers(TOOLSTACK, 500)] == [0]
    assert bench.lifecycle("domu") == ["created"]
    assert bench.counted(DROPS) == {("duplicate",): 1}


def test_a_console_request_that_comes_twice_is_handed_on_once() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    for _ in range(2):
        bench.give(TOOLSTACK, frames.Console(1, 500, 5, domain.domid, b"?"))
    assert sum(isinstance(frame, frames.Console) for frame in bench.sent[domain.link]) == 1
    assert bench.counted(DROPS) == {("duplicate",): 1}


def test_a_xen_that_starts_again_uses_no_number_again() -> None:
    bench = Bench(tuning=Tuning(first_request=1000))
    domain = bench.create("domu", 2)
    bench.trap(domain, FID[2])
    bench.give(TOOLSTACK, frames.Console(1, 900, 5, domain.domid, b"?"))
    numbers = [smc.request for smc in bench.seen]
    assert numbers == list(range(1001, 1001 + len(numbers)))
    assert bench.sent[domain.link][-1].request == 1001
