"""How long Xen waits for EL3: for ever, unless an experiment says otherwise."""

import pytest

from bus import frames
from nodes.contract import Tick
from nodes.xen.config import Tuning
from nodes.xen.domain import State
from nodes.xen.errno import Errno
from nodes.xen.patience import SWEEP_MIN, Patience
from tests.nodes.trees import FID
from tests.nodes.xen import FIRMWARE, TOOLSTACK, Bench, well

PATIENCE_NS = 1_000_000


def patient(**tuning: int) -> Bench:
    return Bench(tuning=Tuning(patience_ns=PATIENCE_NS, **tuning))


def tick(bench: Bench, at_ns: int) -> None:
    bench.now_ns = at_ns - 1000  # what feeding an event adds
    bench.feed(Tick())


def test_a_board_waits_for_ever() -> None:
    bench = Bench()
    bench.trap(bench.create("domu", 2), FID[2])
    assert bench.core.deadline_ns() is None


def test_what_el3_does_not_answer_ends_to_the_nanosecond() -> None:
    bench = patient()
    domain = bench.create("domu", 2)
    request = bench.trap(domain, FID[2])
    due_ns = bench.now_ns + PATIENCE_NS
    assert bench.core.deadline_ns() == due_ns
    tick(bench, due_ns - 1)
    assert bench.answers(domain.link, request) == []
    tick(bench, due_ns)
    error = bench.answer(domain.link, request)
    assert (error.code, error.definite) == ("el3-timeout", False)
    assert bench.core.deadline_ns() is None
    assert bench.counted("trapline_scmi_inflight_calls") == {}


def test_the_channel_goes_to_the_next_and_a_late_answer_is_dropped() -> None:
    bench = patient()
    domain = bench.create("domu", 2)
    first, second = bench.trap(domain, FID[2]), bench.trap(domain, FID[2])
    late, page = bench.smcs.pop()
    tick(bench, bench.now_ns + PATIENCE_NS)
    assert [smc.cause for smc, _ in bench.smcs] == [6]
    bench.give(FIRMWARE, frames.SmcReturn(1, late.request, late.cause, (0, 0, 0, 0)), page)
    assert bench.counted("trapline_bus_dropped_total") == {("late",): 1}
    bench.el3_all()
    assert isinstance(bench.answer(domain.link, first), frames.Error)
    assert isinstance(bench.answer(domain.link, second), frames.Return)
    assert bench.core.deadline_ns() is None


def test_an_exchange_of_xen_is_etimedout_and_its_page_is_free_again() -> None:
    bench = patient()
    domain = bench.create("domu", 2)
    destroy = bench.domctl(frames.DestroyDomain(domain.domid))
    bench.smcs.clear()
    tick(bench, bench.now_ns + PATIENCE_NS)
    assert bench.answer(TOOLSTACK, destroy).rc == -Errno.ETIMEDOUT
    assert domain.state is State.DYING
    assert bench.rc(frames.DestroyDomain(domain.domid)) == 0, "the next try goes through"


def test_without_el3_the_boot_goes_on() -> None:
    bench = Bench(boot=False, tuning=Tuning(patience_ns=PATIENCE_NS))
    bench.give(FIRMWARE, frames.Hello(1, 1, 0, "firmware"))
    for _ in range(3):
        if bench.core.deadline_ns() is not None:
            tick(bench, bench.now_ns + PATIENCE_NS + 1000)
    assert bench.core.booted or bench.halted is not None
    bench.el3_all(well)


def test_only_what_is_unanswered_is_told() -> None:
    waiting: dict[int, int] = {}
    patience = Patience(10, waiting)
    for request in range(4):
        waiting[request] = 0
        patience.sent(request, request)
    del waiting[0], waiting[2]
    assert patience.deadline_ns() == 11
    assert patience.overdue(10) == []
    assert patience.overdue(12) == [1]
    assert patience.overdue(100) == [3]
    assert patience.deadline_ns() is None


@pytest.mark.parametrize("stuck", [0, 1, 500])
def test_what_is_answered_is_not_kept(stuck: int) -> None:
    """However many calls come and go behind one that never ends."""
    waiting = dict.fromkeys(range(stuck))
    patience = Patience(10**18, waiting)
    for request in range(stuck):
        patience.sent(request, 0)
    for request in range(stuck, 20 * SWEEP_MIN):
        waiting[request] = None
        patience.sent(request, request)
        del waiting[request]
        assert len(patience) <= max(SWEEP_MIN, 2 * stuck) + 1
    assert patience.deadline_ns() == (10**18 if stuck else None)
