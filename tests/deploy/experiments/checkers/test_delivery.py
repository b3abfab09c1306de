"""``delivery``: each way to break it, and beside it the closest history that is right."""

from bus.scmi import header
from tests.deploy.experiments.checkers.histories import (
    ERROR,
    FREE,
    SMC_IDS,
    Told,
    asked,
    found,
    results,
    word,
)

NAME = "delivery"
IVI_LINE = 112  # the automotive platform's one way back
NOTICE = header.pack(0x14, 0, 0, header.MessageType.NOTIFICATION)


def test_calls_as_they_should_be() -> None:
    told = Told()
    for domain in ("dom0#1", "ivi#1", "tcu#1"):
        told.call(domain, (0x5005, word(1, 2)))
    told.grant("ivi", 6)
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["pages_compared"] == 6


def test_an_smc_with_another_page() -> None:
    told = Told()
    trap = told.trap("ivi#1", payload=word(1))
    told.returned(trap, told.executed(told.smc(trap, payload=word(2))))
    (violation,) = found(told, NAME)
    assert "another one in EL3" in violation.text


def test_an_smc_with_another_function() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    told.returned(trap, told.executed(told.smc(trap, function=SMC_IDS["tcu"])))
    (violation,) = found(told, NAME)
    assert "EL3 got 0x82000006" in violation.text


def test_a_foreign_doorbell_that_is_forwarded() -> None:
    told = Told()
    trap = told.trap("ivi#1", function=SMC_IDS["tcu"])
    told.returned(trap, told.executed(told.smc(trap)))
    (violation,) = found(told, NAME)
    assert "its own is 0x82000005" in violation.text


def test_a_foreign_doorbell_that_is_refused() -> None:
    told = Told()
    trap = told.trap("ivi#1", function=SMC_IDS["tcu"])
    reply = told.executed(told.own(asked("base", "PROTOCOL_VERSION")), word(0, 0x20000))
    told.returned(trap, reply, x0=2**64 - 1, head=-1, payload=b"", status=None)
    assert found(told, NAME) == ()


def test_an_smc_that_nobody_trapped() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    told.smc(trap, cause=99, domain="")
    (violation,) = found(told, NAME)
    assert "nobody trapped" in violation.text


def test_xen_on_a_guests_channel() -> None:
    told = Told()
    told.executed(told.own(asked("clock", "CLOCK_RATE_SET", clock_id=1), SMC_IDS["xen"]))
    told.executed(told.own(asked("base", "BASE_DISCOVER_VENDOR"), SMC_IDS["tcu"]))
    told.executed(told.own(asked("base", "BASE_DISCOVER_AGENT"), SMC_IDS["tcu"]))  # as its probe does
    assert len(found(told, NAME)) == 2


def test_another_calls_answer() -> None:
    told = Told()
    mine, other = told.trap("ivi#1", payload=word(1)), told.trap("tcu#1", payload=word(2))
    answer = told.executed(told.smc(mine), word(0, 1))
    told.executed(told.smc(other), word(0, 2))
    told.returned(other, answer)
    (violation,) = found(told, NAME)
    assert violation.domains == ("tcu#1",)
    assert "not the one that EL3 made" in violation.text


def test_an_answer_of_the_life_before() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    smc = told.smc(trap)
    told.lived(1, "ivi", "dying", "crash")
    told.start("ivi#2", 5)
    told.trap("ivi#2")
    told.returned(told.trap("ivi#2", request=2), told.executed(smc))
    (violation,) = found(told, NAME)
    assert violation.domains == ("ivi#2",)


def test_a_return_before_el3_is_done() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    smc = told.smc(trap)
    told.returned(trap, told.executed(smc, word(0)))
    assert found(told, NAME) == ()
    told = Told()
    trap = told.trap("ivi#1")
    other = told.executed(told.smc(told.trap("tcu#1")))
    told.smc(trap)
    told.returned(trap, other)
    (violation,) = found(told, NAME)
    assert "before EL3 returned" in violation.text


def test_another_x0() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    told.returned(trap, told.executed(told.smc(trap)), x0=5)
    (violation,) = found(told, NAME)
    assert "the domain got 0x5" in violation.text


def test_an_error_area_is_delivered_as_it_is() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    executed = told.executed(told.smc(trap), b"", channel_status=FREE | ERROR, head=0)
    told.returned(trap, executed)
    assert found(told, NAME) == ()
    told.returned(told.trap("ivi#1"), executed, channel_status=FREE)
    assert len(found(told, NAME)) == 1


def test_an_answer_to_a_request_that_el3_never_got() -> None:
    told = Told()
    smc = told.own(asked("base", "BASE_DISCOVER_VENDOR"))
    told.executed(smc, request=77)
    (violation,) = found(told, NAME)
    assert "never got" in violation.text


def test_an_interrupt_with_its_message() -> None:
    told = Told()
    told.interrupt("xen", IVI_LINE, NOTICE, word(1, 2))
    told.interrupt("ivi#1", IVI_LINE, NOTICE, word(1, 2))
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["interrupts"] == 1


def test_an_interrupt_of_another_agent() -> None:
    told = Told()
    told.interrupt("xen", IVI_LINE, NOTICE, word(1, 2))
    told.interrupt("tcu#1", IVI_LINE, NOTICE, word(1, 2))
    (violation,) = found(told, NAME)
    assert "agent 3's" in violation.text


def test_a_message_that_nobody_sent() -> None:
    told = Told()
    told.interrupt("xen", IVI_LINE, NOTICE, word(1, 2))
    told.interrupt("ivi#1", IVI_LINE, NOTICE, word(1, 3))
    assert len(found(told, NAME)) == 1


def test_a_message_of_the_life_before() -> None:
    told = Told()
    told.interrupt("xen", IVI_LINE, NOTICE, word(1, 2))
    told.lived(1, "ivi", "dying", "crash")
    told.reset("ivi")
    told.start("ivi#2", 5)
    told.interrupt("ivi#2", IVI_LINE, NOTICE, word(1, 2))
    (violation,) = found(told, NAME)
    assert "in this life" in violation.text
    assert found(told, NAME, faults=["link.reorder"]) == ()
