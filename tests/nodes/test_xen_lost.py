"""EL3 or a guest is gone: whatever was under way gets one answer, an honest one."""

import pytest

from bus import frames
from nodes.contract import Tick, Undelivered
from nodes.limits import HYPERCALLS
from nodes.xen.domain import State
from nodes.xen.errno import Errno
from tests.nodes.trees import FID
from tests.nodes.xen import FIRMWARE, MA, TOOLSTACK, Bench

I2C = "/soc/i2c@1000"


def test_undelivered_calls_surely_did_not_happen() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    requests = [bench.trap(domain, FID[2]) for _ in range(3)]
    while bench.smcs:
        bench.lose_el3()
    for request in requests:
        error = bench.answer(domain.link, request)
        assert (error.code, error.definite) == ("el3-lost", True)
    assert bench.counted("trapline_scmi_inflight_calls") == {}
    assert isinstance(bench.trapped(domain, FID[2]), frames.Return), "the channel is free again"


def test_an_undelivered_message_of_xen_is_eio() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    destroy = bench.domctl(frames.DestroyDomain(domain.domid))
    bench.lose_el3()
    assert bench.answer(TOOLSTACK, destroy).rc == -Errno.EIO
    assert domain.state is State.DYING


def test_node_lost_ends_everything_once() -> None:
    bench = Bench()
    two, three = bench.create("two", 2), bench.create("three", 3)
    under_way = [(two, bench.trap(two, FID[2])), (three, bench.trap(three, FID[3]))]
    waiting = [(two, bench.trap(two, FID[2])), (two, bench.trap(two, FID[2]))]
    hypercalls = [
        bench.domctl(frames.AssignDevice(two.domid, I2C)),
        bench.domctl(frames.DestroyDomain(three.domid)),
    ]
    sent = len(bench.seen)
    assert bench.rc(frames.NodeLost("firmware")) == 0
    for expected, calls in ((False, under_way), (True, waiting)):
        for domain, request in calls:
            error = bench.answer(domain.link, request)
            assert (error.code, error.definite) == ("el3-lost", expected)
    rcs = [bench.answer(TOOLSTACK, request).rc for request in hypercalls]
    assert rcs == [-Errno.EIO, -Errno.EBUSY], "the first left Xen's own channel claimed"
    assert bench.counted("trapline_scmi_inflight_calls") == {}
    assert len(bench.seen) == sent, "nothing is said to somebody who is gone"


def test_while_el3_is_gone_nothing_is_sent_to_it() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    bench.rc(frames.NodeLost("firmware"))
    sent = len(bench.seen)
    error = bench.trapped(domain, FID[2])
    assert (error.code, error.definite) == ("el3-lost", True)
    assert bench.rc(frames.AssignDevice(domain.domid, I2C)) == -Errno.EIO
    assert bench.rc(frames.UnpauseDomain(domain.domid)) == 0
    assert bench.trapped(domain, FID[3]).x[0] == 2**64 - 1
    assert len(bench.seen) == sent
    assert bench.counted("trapline_smc_traps_total")[("domu", "doorbell", "refused")] == 1


def test_el3_comes_back_with_a_hello() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    old = bench.trap(domain, FID[2])
    smc, _ = bench.smcs.pop()
    bench.rc(frames.NodeLost("firmware"))
    bench.give(FIRMWARE, frames.Hello(1, 9, 0, "firmware"))
    assert isinstance(bench.trapped(domain, FID[2]), frames.Return)
    bench.give(FIRMWARE, frames.SmcReturn(1, smc.request, 0, (0, 0, 0, 0)))
    assert len(bench.answers(domain.link, old)) == 1
    assert bench.counted("trapline_bus_dropped_total") == {("late",): 1}


def test_el3_is_lost_while_xen_boots() -> None:
    bench = Bench(boot=False)
    bench.give(FIRMWARE, frames.Hello(1, 1, 0, "firmware"))
    assert len(bench.smcs) == 1
    bench.rc(frames.NodeLost("firmware"))
    assert bench.core.booted
    assert not bench.core.hypervisor.sci.initialized
    assert bench.rc(frames.CreateDomain("domu", MA, 2)) == 0


def test_losing_another_role_changes_nothing() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    request = bench.trap(domain, FID[2])
    assert bench.rc(frames.NodeLost("guest"), lambda *_: (0, b"")) == -Errno.EINVAL
    assert len(bench.answers(domain.link, request)) == 1


def test_xen_needs_no_clock() -> None:
    bench = Bench()
    assert bench.core.deadline_ns() is None
    assert list(bench.core.step(Tick(), 1)) == []


# ---- the console relay ------------------------------------------------------------------------


def ask(bench: Bench, domid: int, body: bytes = b"body") -> int:
    request = bench.next_request()
    bench.give(TOOLSTACK, frames.Console(1, request, 3, domid, body))
    return request


def relayed(bench: Bench, link: bytes) -> list[frames.Console]:
    return [frame for frame in bench.sent[link] if isinstance(frame, frames.Console)]


def test_a_question_and_its_answer_are_carried_unread() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    request = ask(bench, domain.domid, b"\xff\x00 not even msgpack")
    (question,) = relayed(bench, domain.link)
    assert (question.body, question.cause) == (b"\xff\x00 not even msgpack", 3)
    bench.give(domain.link, frames.ConsoleReply(1, question.request, 0, b"answer"))
    answer = bench.answer(TOOLSTACK, request)
    assert (answer.body, answer.cause) == (b"answer", 3)


def test_who_cannot_be_asked() -> None:
    bench = Bench()
    assert bench.rc(frames.CreateDomain("silent", 0, 0)) == 0
    for domid, text in ((99, "there is no domain 99"), (1, "is not connected")):
        error = bench.answer(TOOLSTACK, ask(bench, domid))
        assert (error.code, error.definite) == ("no-console", True)
        assert text in error.detail


def test_the_number_of_open_questions_is_bounded() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    requests = [ask(bench, domain.domid) for _ in range(HYPERCALLS + 1)]
    refused = bench.answer(TOOLSTACK, requests[-1])
    assert (refused.code, refused.definite) == ("no-console", True)
    for question in relayed(bench, domain.link):
        bench.give(domain.link, frames.ConsoleReply(1, question.request, 0, b""))
    assert all(isinstance(bench.answer(TOOLSTACK, one), frames.ConsoleReply) for one in requests[:-1])
    assert not bench.answers(TOOLSTACK, ask(bench, domain.domid)), "and it is passed on again"


def test_only_the_domain_that_was_asked_may_answer() -> None:
    bench = Bench()
    two, three = bench.create("two", 2), bench.create("three", 3)
    request = ask(bench, two.domid)
    (question,) = relayed(bench, two.link)
    bench.give(three.link, frames.ConsoleReply(1, question.request, 0, b"forged"))
    assert bench.answers(TOOLSTACK, request) == []
    assert bench.counted("trapline_bus_dropped_total") == {("late",): 1}
    bench.give(two.link, frames.ConsoleReply(1, question.request, 0, b"true"))
    assert bench.answer(TOOLSTACK, request).body == b"true"


def test_a_second_answer_is_late() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    request = ask(bench, domain.domid)
    (question,) = relayed(bench, domain.link)
    for _ in range(2):
        bench.give(domain.link, frames.ConsoleReply(1, question.request, 0, b""))
    assert len(bench.answers(TOOLSTACK, request)) == 1
    assert bench.counted("trapline_bus_dropped_total") == {("late",): 1}


@pytest.mark.parametrize("how", ["undelivered", "destroyed"])
def test_who_waits_for_a_gone_domain_is_told(how: str) -> None:
    bench = Bench()
    two, three = bench.create("two", 2), bench.create("three", 3)
    request, other = ask(bench, two.domid), ask(bench, three.domid)
    if how == "undelivered":
        bench.feed(Undelivered(two.link, relayed(bench, two.link)[0]))
    else:
        assert bench.rc(frames.DestroyDomain(two.domid)) == 0
    error = bench.answer(TOOLSTACK, request)
    assert (error.code, error.definite) == ("no-console", how == "undelivered")
    assert bench.answers(TOOLSTACK, other) == []


# ---- EL3 behind the same relay ----------------------------------------------------------------


def test_el3_is_asked_by_a_domain_id_of_its_own() -> None:
    bench = Bench()
    request = ask(bench, frames.EL3_DOMID, b"what")
    (question,) = relayed(bench, FIRMWARE)
    assert (question.body, question.cause, question.domid) == (b"what", 3, frames.EL3_DOMID)
    bench.give(FIRMWARE, frames.ConsoleReply(1, question.request, 0, b"that"))
    assert bench.answer(TOOLSTACK, request).body == b"that"


def test_nobody_answers_for_el3_nor_el3_for_anybody() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    of_el3, of_domain = ask(bench, frames.EL3_DOMID), ask(bench, domain.domid)
    (for_el3,), (for_domain,) = relayed(bench, FIRMWARE), relayed(bench, domain.link)
    bench.give(domain.link, frames.ConsoleReply(1, for_el3.request, 0, b"forged"))
    bench.give(FIRMWARE, frames.ConsoleReply(1, for_domain.request, 0, b"forged"))
    assert bench.answers(TOOLSTACK, of_el3) == bench.answers(TOOLSTACK, of_domain) == []
    assert bench.counted("trapline_bus_dropped_total") == {("late",): 2}


@pytest.mark.parametrize("how", ["undelivered", "lost"])
def test_who_waits_for_a_gone_el3_is_told(how: str) -> None:
    bench = Bench()
    request = ask(bench, frames.EL3_DOMID)
    if how == "undelivered":
        bench.feed(Undelivered(FIRMWARE, relayed(bench, FIRMWARE)[0]))
    else:
        assert bench.rc(frames.NodeLost("firmware")) == 0
    error = bench.answer(TOOLSTACK, request)
    assert (error.code, error.definite, error.detail) == ("no-console", how == "undelivered", "EL3 is gone")


def test_a_domain_may_not_ask_el3() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    bench.give(domain.link, frames.Console(1, 9, 0, frames.EL3_DOMID, b""))
    assert bench.answer(domain.link, 9).code == "refused"
    assert relayed(bench, FIRMWARE) == []
