"""``reset``: each way to break it, and beside it the closest history that is right."""

import pytest
from msgspec.structs import replace

from bus.scmi.status import Status
from deploy.recording.events import Began
from nodes.firmware.profile import chosen
from nodes.xen.profile import FORWARDER
from tests.deploy.experiments.checkers.histories import Told, asked, automotive, found, results, word

NAME = "reset"
GPU = 6
CLOCK, BOOT, HIGH = 5, 33_333_333, 66_666_666
GPU_RATE = asked("clock", "CLOCK_RATE_GET", clock_id=6)
WISH = asked("clock", "CLOCK_RATE_SET", clock_id=CLOCK, rate=HIGH)
READ = asked("clock", "CLOCK_RATE_GET", clock_id=CLOCK)


def noted(story: Told, leaks: int, text: str = "") -> None:
    story.note("firmware", "reset", 1, (3, 5, leaks, leaks), text)


def end(story: Told, domid: int = 1, name: str = "ivi") -> None:
    """The domain goes, as it should."""
    story.lived(domid, name, "dying", "destroy")
    story.reset(name)
    story.lived(domid, name, "reset", "agent 3 reset and free")
    story.lived(domid, name, "dead", "destroy")


# ---- what EL3 notes ---------------------------------------------------------------------------


def test_an_empty_ledger() -> None:
    story = Told()
    noted(story, 0)
    (result,) = results(story, NAME)
    assert result.violations == ()
    assert result.facts["judged"]


def test_a_leak() -> None:
    story = Told()
    noted(story, 2, "clock 5 rate; power_domain 3 state")
    (violation,) = found(story, NAME)
    assert "agent 3 still holds 2 of 5 things: clock 5 rate; power_domain 3 state" in violation.text


# ---- hands ------------------------------------------------------------------------------------


def test_an_agent_that_was_reset_may_be_given_again() -> None:
    story = Told()
    end(story)
    story.start("ivi#2", 5)
    (result,) = results(story, NAME)
    assert result.violations == ()
    assert result.facts["handed_over"] == 5


def test_one_that_was_not() -> None:
    story = Told()
    story.lived(1, "ivi", "dying", "destroy")
    story.start("ivi#2", 5)
    (violation,) = found(story, NAME)
    assert "ivi got agent 3, which EL3 has not reset" in violation.text


@pytest.mark.parametrize(("status", "wrong"), [(0, 0), (Status.NOT_SUPPORTED, 0), (Status.BUSY, 2)])
def test_a_reset_that_was_refused_is_none(status: int, wrong: int) -> None:
    story = Told()
    story.lived(1, "ivi", "dying", "destroy")
    story.reset("ivi", status=status)
    story.lived(1, "ivi", "reset", "agent 3 reset and free")
    story.start("ivi#2", 5)
    assert len(found(story, NAME)) == wrong


def test_given_back_before_el3_was_told() -> None:
    story = Told()
    story.lived(1, "ivi", "dying", "destroy")
    story.lived(1, "ivi", "reset", "agent 3 reset and free")
    story.reset("ivi")
    (violation,) = found(story, NAME)
    assert "ivi gave agent 3 back" in violation.text


def test_a_reset_by_the_domain_itself_is_not_xens() -> None:
    story = Told()
    story.call("ivi#1", asked("base", "BASE_RESET_AGENT_CONFIGURATION", agent_id=3, flags=1))
    story.lived(1, "ivi", "reset", "agent 3 reset and free")
    assert len(found(story, NAME)) == 1


def test_xen_that_starts_again_gives_agents_without_a_reset() -> None:
    story = Told()
    story.add(Began, "xen")
    story.start("ivi#2", 1)
    assert found(story, NAME) == ()


def test_the_last_words_of_a_xen_that_has_ended_are_not_the_next_ones() -> None:
    for dom0, wrong in ((False, 0), (True, 1)):
        story = Told()
        story.add(Began, "xen")
        if dom0:
            story.lived(0, "dom0", "created", "no SCMI")
        story.lived(7, "ivi", "created", "agent 3")
        if not dom0:
            story.lived(0, "dom0", "created", "no SCMI")
        story.start("ivi#2", 1)
        assert len(found(story, NAME)) == wrong


def test_a_driver_that_knows_no_resets() -> None:
    story = Told()
    story.lived(1, "ivi", "reset", "agent 3 free, the firmware is not told")
    story.start("ivi#2", 5)
    assert found(story, NAME, topology=replace(automotive(), profile=FORWARDER)) == ()


# ---- what is read afterwards ------------------------------------------------------------------


def heritage(seen: int) -> Told:
    story = Told()
    story.call("ivi#1", WISH)
    story.call("tcu#1", READ, word(0, HIGH, 0))
    end(story)
    story.call("tcu#1", READ, word(0, seen, 0))
    return story


def test_what_others_read_is_as_at_boot_again() -> None:
    (result,) = results(heritage(BOOT), NAME)
    assert result.violations == ()
    assert (result.facts["resets"], result.facts["readings"]) == (1, 2)


@pytest.mark.parametrize("firmware", ["spec-strict", "scp-firmware"])
def test_a_wish_of_the_life_before_still_counts(firmware: str) -> None:
    (violation,) = found(heritage(HIGH), NAME, topology=replace(automotive(), firmware=chosen(firmware)))
    assert "what agent 3 wished before its reset still counts" in violation.text


def test_another_value_is_not_this_claims_business() -> None:
    assert found(heritage(13_333_333), NAME) == ()


def test_nothing_is_said_while_a_wish_is_open() -> None:
    story = heritage(BOOT)
    story.smc(story.trap("dom0#1", *asked("clock", "CLOCK_RATE_SET", clock_id=CLOCK, rate=HIGH)))
    story.call("tcu#1", READ, word(0, HIGH, 0))
    assert found(story, NAME) == ()


def test_a_new_wish_is_nothing_old() -> None:
    story = heritage(BOOT)
    story.start("ivi#2", 5)
    story.call("ivi#2", WISH)
    story.call("tcu#1", READ, word(0, HIGH, 0))
    assert found(story, NAME) == ()


# ---- grants -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, Status.DENIED])
def test_a_grant_of_the_life_before(status: int) -> None:
    story = Told()
    story.grant("ivi", GPU)
    end(story)
    story.start("ivi#2", 5)
    story.call("ivi#2", GPU_RATE, word(status, 1, 0))
    assert len(found(story, NAME)) == (status == 0)


def test_what_was_granted_again_is_of_this_life() -> None:
    story = Told()
    story.grant("ivi", GPU)
    end(story)
    story.start("ivi#2", 5)
    story.grant("ivi", GPU)
    story.call("ivi#2", GPU_RATE, word(0, 1, 0))
    assert found(story, NAME) == ()


def test_what_was_never_granted_is_not_this_claims_business() -> None:
    story = Told()
    end(story)
    story.call("ivi#1", GPU_RATE, word(0, 1, 0))
    assert found(story, NAME) == ()
