"""``linearizable``: values that no order explains, and beside them the closest ones that some order does."""

import pytest
from msgspec.structs import replace

from bus.scmi import header
from bus.scmi.status import Status
from deploy.experiments.checkers.registers import VoteModel
from deploy.experiments.checkers.search import PENDING_MAX, QUEUE_MAX, Op, OpFate, OpKind, Search
from deploy.recording.events import Began
from nodes.firmware.profile import chosen
from tests.deploy.experiments.checkers.histories import (
    ERROR,
    FREE,
    Told,
    asked,
    automotive,
    found,
    results,
    word,
)
from tests.deploy.experiments.checkers.wishes import (
    BOOT,
    HIGH,
    IVI_LINE,
    LOW,
    NAME,
    ends,
    explained,
    read,
    reads,
    says,
    wish,
    wishes,
    with_platform,
)

# ---- one after the other ----------------------------------------------------------------------


def test_the_highest_wish_wins_and_a_reset_takes_it_back() -> None:
    story = Told()
    reads(story, "tcu#1", BOOT)
    wishes(story, "ivi#1", LOW)
    reads(story, "tcu#1", LOW)
    wishes(story, "tcu#1", HIGH)
    reads(story, "ivi#1", HIGH)
    story.reset("tcu")
    reads(story, "ivi#1", LOW)
    (result,) = results(story, NAME)
    assert result.violations == ()
    assert result.facts["judged"] == 7


@pytest.mark.parametrize("rate", [BOOT, HIGH])
def test_a_value_that_nobody_wished(rate: int) -> None:
    story = Told()
    wishes(story, "ivi#1", LOW)
    reads(story, "tcu#1", rate)
    (violation,) = found(story, NAME)
    assert f"agent 4 read {rate} as the rate of clock 5" in violation.text


def test_the_lowest_does_not_win() -> None:
    story = Told()
    wishes(story, "ivi#1", LOW)
    wishes(story, "tcu#1", HIGH)
    reads(story, "ivi#1", LOW)
    assert not explained(story)


def test_a_wish_that_a_reset_left_behind() -> None:
    story = Told()
    wishes(story, "ivi#1", HIGH)
    story.reset("ivi")
    reads(story, "tcu#1", HIGH)
    assert not explained(story)


def test_a_reset_that_was_refused_takes_nothing() -> None:
    story = Told()
    wishes(story, "ivi#1", HIGH)
    story.reset("ivi", status=Status.BUSY)
    reads(story, "tcu#1", HIGH)
    assert explained(story)


@pytest.mark.parametrize("status", [Status.DENIED, Status.BUSY])
def test_a_wish_that_was_refused_has_no_effect(status: Status) -> None:
    story = Told()
    story.call("ivi#1", wish(HIGH), word(status))
    reads(story, "tcu#1", BOOT)
    assert explained(story)
    story = Told()
    story.call("ivi#1", wish(HIGH), word(status))
    reads(story, "tcu#1", HIGH)
    assert not explained(story)


def test_after_one_finding_the_resource_is_not_judged_any_more() -> None:
    story = Told()
    for _ in range(3):
        reads(story, "tcu#1", LOW)
    assert len(found(story, NAME)) == 1


# ---- at the same time -------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [BOOT, HIGH])
def test_a_reading_beside_a_wish_may_see_it_or_not(rate: int) -> None:
    story = Told()
    set_, get = story.trap("ivi#1", *wish(HIGH)), story.trap("tcu#1", *read())
    ends(story, get, says(rate))
    ends(story, set_)
    assert explained(story)


def test_nobody_sees_the_past_once_the_new_was_seen() -> None:
    story = Told()
    set_ = story.trap("ivi#1", *wish(HIGH))
    reads(story, "tcu#1", HIGH)
    reads(story, "tcu#1", BOOT)
    ends(story, set_)
    assert not explained(story)


def test_two_readings_at_once_may_see_two_values() -> None:
    story = Told("dom0#1", "ivi#1", "tcu#1", "cluster#1")
    set_ = story.trap("ivi#1", *wish(HIGH))
    one, two = story.trap("tcu#1", *read()), story.trap("cluster#1", *read())
    ends(story, one, says(HIGH))
    ends(story, two, says(BOOT))
    ends(story, set_)
    assert explained(story)


def test_a_wish_that_ended_is_seen_by_who_begins_then() -> None:
    story = Told()
    set_ = story.trap("ivi#1", *wish(HIGH))
    executed = story.executed(story.smc(set_))
    get = story.trap("tcu#1", *read())
    story.returned(set_, executed)
    ends(story, get, says(BOOT))  # began before the wish ended
    assert explained(story)
    reads(story, "tcu#1", BOOT)
    assert not explained(story)


# ---- outcomes that nobody knows ---------------------------------------------------------------


@pytest.mark.parametrize("seen", [(BOOT, BOOT), (BOOT, HIGH), (HIGH, HIGH)])
def test_an_indefinite_wish_may_happen_at_any_time(seen: tuple[int, ...]) -> None:
    story = Told()
    story.failed(story.trap("ivi#1", *wish(HIGH)), "el3-lost")
    for rate in seen:
        reads(story, "tcu#1", rate)
    assert explained(story)


@pytest.mark.parametrize("rate", [BOOT, HIGH])
def test_it_may_have_happened_before_a_later_call_that_would_not_show_it(rate: int) -> None:
    story = Told()
    wishes(story, "tcu#1", HIGH)
    story.failed(story.trap("ivi#1", *wish(HIGH)), "el3-timeout")
    reads(story, "ivi#1", HIGH)
    story.reset("tcu")
    reads(story, "cluster#1", rate)
    assert explained(story)


def test_but_once() -> None:
    story = Told()
    story.failed(story.trap("ivi#1", *wish(HIGH)), "el3-lost")
    reads(story, "tcu#1", HIGH)
    reads(story, "tcu#1", BOOT)
    assert not explained(story)


def test_a_definite_error_did_not_happen() -> None:
    story = Told()
    story.failed(story.trap("ivi#1", *wish(HIGH)), "overflow", definite=True)
    reads(story, "tcu#1", HIGH)
    assert not explained(story)


def test_not_after_the_reset_of_its_agent() -> None:
    story = Told()
    story.failed(story.trap("ivi#1", *wish(HIGH)), "el3-lost")
    reads(story, "tcu#1", BOOT)
    story.reset("ivi")
    reads(story, "tcu#1", BOOT)
    assert explained(story)
    reads(story, "tcu#1", HIGH)
    assert not explained(story)


@pytest.mark.parametrize("rate", [BOOT, HIGH])
def test_who_dies_may_have_wished(rate: int) -> None:
    story = Told()
    story.trap("ivi#1", *wish(HIGH))
    reads(story, "tcu#1", rate)
    story.lived(1, "ivi", "dying", "crash")
    story.reset("ivi")
    reads(story, "tcu#1", BOOT)
    assert explained(story)


def test_a_channel_keeps_the_order_of_its_calls() -> None:
    story = Told()
    story.failed(story.trap("ivi#1", *wish(HIGH)), "el3-lost")
    wishes(story, "ivi#1", LOW)
    reads(story, "tcu#1", LOW)
    assert explained(story)
    reads(story, "tcu#1", HIGH)
    assert not explained(story)
    assert explained(story, faults=["link.reorder"])


# ---- what else changes things -----------------------------------------------------------------


def test_el3_that_starts_again_has_forgotten_all_wishes() -> None:
    story = Told()
    wishes(story, "ivi#1", HIGH)
    story.add(Began, "firmware")
    reads(story, "tcu#1", BOOT)
    assert explained(story)
    reads(story, "tcu#1", HIGH)
    assert not explained(story)


def test_xen_that_starts_again_has_not() -> None:
    story = Told()
    wishes(story, "ivi#1", HIGH)
    story.add(Began, "xen")
    story.start("tcu#2", 1)
    reads(story, "tcu#2", HIGH)
    assert explained(story)


def test_an_asynchronous_wish_ends_with_its_delayed_response() -> None:
    gpu = automotive().platform
    topology = replace(automotive(), platform=replace(gpu, perf_domain=(), powercap_domain=()))
    story = Told()
    trap = story.trap("ivi#1", *wish(400_000_000, flags=1, clock=6))
    ends(story, trap)
    for rate in (200_000_000, 400_000_000):
        story.call("tcu#1", read(6), says(rate))
    assert explained(story, topology=topology)
    story = Told()
    trap = story.trap("ivi#1", *wish(400_000_000, flags=1, clock=6))
    ends(story, trap)
    head = trap.head | header.HEADER.pack(message_type=header.MessageType.DELAYED_RESPONSE)
    story.interrupt("xen", IVI_LINE, head, word(0, 6, 400_000_000, 0))
    story.call("tcu#1", read(6), says(200_000_000))
    assert not explained(story, topology=topology)


def test_an_answer_that_a_planned_fault_may_have_changed() -> None:
    story = Told()
    story.begin(1, "el3.corrupt_page", "tcu")
    reads(story, "tcu#1", HIGH)
    story.end(1)
    assert explained(story, faults=["el3.corrupt_page"])


def test_an_error_area_is_no_answer() -> None:
    story = Told()
    for message in (wish(HIGH), read()):  # a firmware may leave the page as it found it, ERROR set
        trap = story.trap("ivi#1", *message)
        echo = message[1][:4].ljust(16, b"\0")
        story.returned(trap, story.executed(story.smc(trap), echo, channel_status=ERROR | FREE))
    reads(story, "tcu#1", BOOT)
    assert explained(story)


def test_missing_rows_prove_nothing() -> None:
    story = Told()
    reads(story, "tcu#1", HIGH)
    assert explained(story, complete=False)


# ---- what is not judged -----------------------------------------------------------------------


@pytest.mark.parametrize("clock", [6, 0])
def test_what_others_drive_is_not_judged(clock: int) -> None:
    story = Told()
    message = read(clock) if clock else asked("clock", "CLOCK_CONFIG_GET", clock_id=clock)
    story.call("tcu#1", message, word(0, 12345, 0))
    (result,) = results(story, NAME)
    assert result.violations == ()
    assert result.facts["resources"] == 0


def test_a_firmware_that_frees_nothing_keeps_wishes() -> None:
    story = Told()
    wishes(story, "ivi#1", HIGH)
    story.reset("ivi")
    reads(story, "tcu#1", HIGH)
    assert explained(story, topology=replace(automotive(), firmware=chosen("scp-firmware")))


def test_agents_that_see_their_own_wish() -> None:
    topology = with_platform(agent_view="own")
    story = Told()
    wishes(story, "ivi#1", LOW)
    wishes(story, "tcu#1", HIGH)
    reads(story, "ivi#1", LOW)
    reads(story, "dom0#1", HIGH)
    assert explained(story, topology=topology)
    reads(story, "tcu#1", LOW)
    assert not explained(story, topology=topology)


# ---- bounds -----------------------------------------------------------------------------------


def search() -> Search:
    return Search(VoteModel(0, max, own=False, newest=False), ordered=False)


def test_too_many_wishes_that_may_still_happen_are_undecided() -> None:
    one = search()
    for agent in range(PENDING_MAX + 1):
        op = Op(OpKind.WISH, agent, agent, value=agent)
        one.begin(op)
        one.settle(op, OpFate.OPEN)
        assert one.advance() is None
    assert one.undecided
    get = Op(OpKind.READ, 0, 99, "rate", 12345)
    one.begin(get)
    one.settle(get, OpFate.DONE)
    assert one.advance() is None


def test_a_call_that_is_never_told_does_not_stop_the_search() -> None:
    one = search()
    one.begin(Op(OpKind.WISH, 0, 0, value=5))
    for number in range(QUEUE_MAX):
        op = Op(OpKind.WISH, 1, number, value=3)
        one.begin(op)
        one.settle(op, OpFate.DONE)
        assert one.advance() is None
    get = Op(OpKind.READ, 2, 99, "rate", 4)
    one.begin(get)
    one.settle(get, OpFate.DONE)
    assert one.advance() is get
