"""``bounds``: each bound, kept and passed by one."""

from bus.scmi import header
from deploy.recording.events import Began
from nodes.limits import CHANNEL_WAITERS
from tests.deploy.experiments.checkers.histories import SMC_IDS, Told, asked, found, results, word

NAME = "bounds"
IVI_LINE = 112
NOTICE = header.pack(0x14, 0, 0, header.MessageType.NOTIFICATION)


def test_one_call_after_the_other() -> None:
    told = Told()
    first, second = told.trap("ivi#1"), told.trap("ivi#1")
    for trap in (first, second):
        told.returned(trap, told.executed(told.smc(trap)))
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["most_waiting"] == 1


def test_two_in_flight_on_one_channel() -> None:
    told = Told()
    first, second = told.trap("ivi#1"), told.trap("ivi#1")
    one, two = told.smc(first), told.smc(second)
    told.executed(one)
    told.executed(two)
    (violation,) = found(told, NAME)
    assert "while request 1 (ivi#1's call 1) was in flight" in violation.text


def test_two_in_flight_on_two_channels() -> None:
    told = Told()
    smcs = [told.smc(told.trap(domain)) for domain in ("ivi#1", "tcu#1")]
    smcs.append(told.own(asked("base", "BASE_DISCOVER_VENDOR")))
    for smc in smcs:
        told.executed(smc)
    assert found(told, NAME) == ()


def test_xens_own_beside_a_guests() -> None:
    told = Told()
    told.smc(told.trap("ivi#1"))
    told.own(asked("base", "BASE_DISCOVER_AGENT"), SMC_IDS["ivi"])
    assert len(found(told, NAME)) == 1


def test_a_call_that_was_given_up_is_not_in_flight() -> None:
    told = Told()
    first = told.trap("ivi#1")
    told.smc(first)
    told.failed(first, "el3-lost")
    told.executed(told.smc(told.trap("ivi#1")))
    assert found(told, NAME) == ()


def test_an_smc_of_a_xen_that_is_gone() -> None:
    told = Told()
    told.add(Began, "xen")
    told.own(asked("base", "BASE_DISCOVER_VENDOR"), SMC_IDS["ivi"])
    told.own(asked("base", "BASE_DISCOVER_AGENT"), SMC_IDS["ivi"])
    assert found(told, NAME) == ()
    told.own(asked("base", "BASE_DISCOVER_AGENT"), SMC_IDS["ivi"])
    assert len(found(told, NAME)) == 1


def waiting(number: int) -> Told:
    """So many calls wait when the last one comes."""
    told = Told()
    traps = [told.trap("ivi#1") for _ in range(number + 1)]
    for trap in traps:
        told.returned(trap, told.executed(told.smc(trap)))
    return told


def test_as_many_waiters_as_there_may_be() -> None:
    assert found(waiting(CHANNEL_WAITERS), NAME) == ()


def test_one_waiter_more() -> None:
    (violation,) = found(waiting(CHANNEL_WAITERS + 1), NAME)
    assert f"the limit is {CHANNEL_WAITERS}" in violation.text


def test_those_that_are_refused_do_not_wait() -> None:
    told = Told()
    traps = [told.trap("ivi#1") for _ in range(3 * CHANNEL_WAITERS)]
    for trap in traps[CHANNEL_WAITERS + 1 :]:
        told.failed(trap, "overflow", definite=True)
    for trap in traps[: CHANNEL_WAITERS + 1]:
        told.returned(trap, told.executed(told.smc(trap)))
    assert found(told, NAME) == ()


def test_a_message_at_a_time_in_a_page() -> None:
    told = Told()
    for number in range(3):
        told.interrupt("xen", IVI_LINE, NOTICE, word(number))
        told.interrupt("firmware", IVI_LINE, 0, b"", end=True)
    assert found(told, NAME) == ()
    told.interrupt("xen", IVI_LINE, NOTICE, word(4))
    told.interrupt("xen", IVI_LINE, NOTICE, word(5))
    (violation,) = found(told, NAME)
    assert "not given back" in violation.text


def test_a_reset_gives_the_page_back() -> None:
    told = Told()
    told.interrupt("xen", IVI_LINE, NOTICE, word(1))
    told.reset("ivi")
    told.interrupt("xen", IVI_LINE, NOTICE, word(2))
    assert found(told, NAME) == ()


def test_what_was_sent_before_a_reset_may_come_after_it() -> None:
    told = Told()
    told.reset("ivi")
    told.interrupt("xen", IVI_LINE, NOTICE, word(1))
    told.interrupt("xen", IVI_LINE, NOTICE, word(2))
    assert found(told, NAME) == ()
    told.interrupt("xen", IVI_LINE, NOTICE, word(3))
    assert len(found(told, NAME)) == 1
