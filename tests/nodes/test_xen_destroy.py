"""The end of a domain: a reset that fails and is repeated, destroys that overlap, who has its agent then."""

import pytest

from bus import frames
from nodes.metric_labels import DOMAIN
from nodes.xen.domain import State
from nodes.xen.errno import Errno
from tests.nodes.trees import FID
from tests.nodes.xen import MA, TOOLSTACK, Bench, in_turn, status, well

I2C = "/soc/i2c@1000"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_refused_reset_leaves_it_dying_until_one_succeeds(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    destroy = frames.DestroyDomain(domain.domid)
    for attempt in (1, 2, 3):
        assert bench.rc(destroy, status(-3)) == -Errno.EACCES
        assert domain.state is State.DYING
        assert domain.channel is not None
        assert len(bench.seen) == 2 + attempt
    assert bench.rc(frames.CreateDomain("other", MA, 2)) == -Errno.EEXIST
    assert bench.rc(frames.UnpauseDomain(domain.domid)) == -Errno.EINVAL
    assert bench.rc(destroy) == 0
    assert domain.state is State.DEAD
    assert bench.lifecycle("domu")[-3:] == ["dying", "reset", "dead"]
    assert bench.counted("trapline_agent_resets_total") == {("2", "destroy"): 1}


def test_a_missing_reset_is_no_reset(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    assert bench.rc(frames.DestroyDomain(domain.domid), status(-1)) == 0
    assert bench.counted("trapline_agent_resets_total") == {}
    assert bench.create("other", 2).channel is not None


def test_who_has_an_agent_or_had_it_last_is_told(bench: Bench) -> None:
    owners = bench.core.meters.counter("trapline_agent_info")
    assert owners == {("0", "dom0"): 1}
    domain = bench.create("domu", 2)
    bench.create("plain", sci=0)
    assert owners == {("0", "dom0"): 1, ("2", "domu"): 1}
    destroy = frames.DestroyDomain(domain.domid)
    assert bench.rc(destroy, status(-3)) == -Errno.EACCES
    assert owners[("2", "domu")] == 1
    assert bench.rc(destroy) == 0
    assert owners == {("0", "dom0"): 1, ("2", "domu"): 0}
    bench.create("other", 2)
    assert owners == {("0", "dom0"): 1, ("2", "other"): 1}


def test_domains_that_come_and_go_leave_one_name_per_agent(bench: Bench) -> None:
    for number in range(DOMAIN.bound + 8):
        domain = bench.create(f"domu{number}", 2, run=False)
        assert bench.rc(frames.DestroyDomain(domain.domid)) == 0
    assert len(bench.core.meters.counter("trapline_agent_info")) <= 2


def test_two_destroys_at_once_end_one_domain(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    first = bench.domctl(frames.DestroyDomain(domain.domid))
    second = bench.domctl(frames.DestroyDomain(domain.domid))
    bench.el3_all()
    assert bench.answer(TOOLSTACK, first).rc == bench.answer(TOOLSTACK, second).rc == 0
    assert bench.lifecycle("domu").count("dead") == 1
    assert len(bench.seen) == 3


def test_a_repeated_destroy_does_not_reset_the_next_owner(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    bench.domctl(frames.DestroyDomain(domain.domid))
    bench.domctl(frames.DestroyDomain(domain.domid))
    bench.el3()
    heir = bench.create("heir", 2)
    bench.el3_all()
    assert heir.channel is not None
    assert len(bench.seen) == 3


def test_a_device_that_waits_for_a_dying_domain_is_not_given_to_the_next_owner(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    bench.domctl(frames.DestroyDomain(domain.domid))
    assign = bench.domctl(frames.AssignDevice(domain.domid, I2C))
    created = bench.domctl(frames.CreateDomain("early", MA, 2))
    bench.el3_all()
    assert bench.answer(TOOLSTACK, assign).rc == -Errno.ESRCH
    assert bench.answer(TOOLSTACK, created).rc == -Errno.EEXIST
    assert len(bench.seen) == 3


def test_the_second_of_two_destroys_retries_what_the_first_could_not(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    first = bench.domctl(frames.DestroyDomain(domain.domid))
    second = bench.domctl(frames.DestroyDomain(domain.domid))
    bench.el3_all(in_turn(status(-3), well))
    assert bench.answer(TOOLSTACK, first).rc == -Errno.EACCES
    assert bench.answer(TOOLSTACK, second).rc == 0
    assert domain.state is State.DEAD


def test_calls_that_wait_are_refused_when_their_domain_dies(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    under_way, waiting = bench.trap(domain, FID[2]), bench.trap(domain, FID[2])
    destroy = bench.domctl(frames.DestroyDomain(domain.domid))
    bench.el3_all()
    assert isinstance(bench.answer(domain.link, under_way), frames.Return)
    refused = bench.answer(domain.link, waiting)
    assert (refused.code, refused.definite) == ("not-running", True)
    assert bench.answer(TOOLSTACK, destroy).rc == 0


def test_a_domain_may_be_destroyed_before_it_ran(bench: Bench) -> None:
    domain = bench.create("domu", 2, run=False)
    assert bench.rc(frames.DestroyDomain(domain.domid)) == 0
    assert domain.state is State.DEAD
