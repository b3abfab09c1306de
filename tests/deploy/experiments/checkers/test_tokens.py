"""``tokens``: each way to break it, and beside it the closest history that is right."""

from bus.scmi import header
from tests.deploy.experiments.checkers.histories import ERROR, FREE, Told, asked, found, results, word

NAME = "tokens"
IVI_LINE = 112
TOKEN = 1 << 18
DELAYED = 2 << 8


def test_headers_that_are_the_requests() -> None:
    told = Told()
    for domain in ("dom0#1", "ivi#1", "tcu#1"):
        told.call(domain)
    told.grant("ivi", 6)
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["judged"] == 4


def test_another_token() -> None:
    told = Told()
    smc = told.smc(told.trap("ivi#1"))
    told.executed(smc, head=smc.head + TOKEN)
    (violation,) = found(told, NAME)
    assert "another token" in violation.text


def test_another_message() -> None:
    told = Told()
    smc = told.smc(told.trap("ivi#1"))
    told.executed(smc, head=smc.head ^ 1)
    (violation,) = found(told, NAME)
    assert "another header" in violation.text


def test_an_error_area_has_no_header() -> None:
    told = Told()
    told.executed(told.smc(told.trap("ivi#1")), b"", head=0, channel_status=FREE | ERROR)
    assert found(told, NAME) == ()


def test_a_planned_wrong_token_while_it_lasts() -> None:
    told = Told()
    told.begin(1, "el3.wrong_token", "ivi")
    smc = told.smc(told.trap("ivi#1"))
    told.executed(smc, head=smc.head + TOKEN)
    told.end(1)
    (result,) = results(told, NAME, faults=["el3.wrong_token"])
    assert result.violations == ()
    assert result.facts["abstained"] == 1
    told.wait(1_000_000_000)
    late = told.smc(told.trap("ivi#1"))
    told.executed(late, head=late.head + TOKEN)
    assert len(found(told, NAME, faults=["el3.wrong_token"])) == 1


def test_a_planned_wrong_token_is_not_another_message_nor_anothers() -> None:
    told = Told()
    told.begin(1, "el3.wrong_token", "ivi")
    mine, other = told.smc(told.trap("ivi#1")), told.smc(told.trap("tcu#1"))
    told.executed(mine, head=mine.head ^ 1)
    told.executed(other, head=other.head + TOKEN)
    assert len(found(told, NAME, faults=["el3.wrong_token"])) == 2


def test_a_delayed_response_to_a_command() -> None:
    told = Told()
    told.call("ivi#1", asked("clock", "CLOCK_RATE_SET", clock_id=6, flags=1))
    head = header.pack(0x14, 0x5, 1) | DELAYED
    told.interrupt("xen", IVI_LINE, head, word(0, 6))
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["delayed_responses"] == 1
    told.interrupt("xen", IVI_LINE, head + TOKEN, word(0, 6))
    (violation,) = found(told, NAME)
    assert "never sent" in violation.text
