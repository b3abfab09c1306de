"""``isolation``: each way to break it, and beside it the closest history that is right."""

import pytest
from msgspec.structs import replace

from bus.scmi import header
from bus.scmi.status import Status
from deploy.recording.events import Began
from deploy.topology import Topology
from nodes.firmware.platform import Right, View
from nodes.firmware.profile import chosen
from tests.deploy.experiments.checkers.histories import AGENTS, Told, asked, automotive, found, results, word

NAME = "isolation"
GPU, GPU_CLOCK, MMC_CLOCK, FREE_CLOCK = 6, 6, 1, 0  # the pll is in no device
IVI_LINE = 112
READ = asked("clock", "CLOCK_RATE_GET", clock_id=GPU_CLOCK)
WRITE = asked("clock", "CLOCK_RATE_SET", clock_id=GPU_CLOCK, rate=200_000_000)
DENIED = word(Status.DENIED)
BUSY = word(Status.BUSY)


def told(*after: str) -> Told:
    """ivi is granted the gpu, then what the names say happens."""
    story = Told()
    story.grant("ivi", GPU)
    for what in after:
        {
            "take": lambda: story.grant("ivi", GPU, allow=False),
            "reset": lambda: story.reset("ivi"),
            "keep": lambda: story.reset("ivi", flags=0),
            "refused": lambda: story.reset("ivi", status=Status.BUSY),
        }[what]()
    return story


@pytest.mark.parametrize("message", [READ, WRITE])
def test_what_was_granted_works_and_nothing_else(message: tuple[int, bytes]) -> None:
    story = told()
    story.call("ivi#1", message)
    story.call("tcu#1", message, DENIED)
    (result,) = results(story, NAME)
    assert result.violations == ()
    assert (result.facts["judged"], result.facts["not_granted"]) == (3, 1)


@pytest.mark.parametrize("message", [READ, WRITE])
def test_success_without_a_grant(message: tuple[int, bytes]) -> None:
    story = told()
    story.call("tcu#1", message)
    (violation,) = found(story, NAME)
    assert "agent 4 sent" in violation.text
    assert violation.domains == ("tcu#1",)


def test_denied_though_granted() -> None:
    story = told()
    story.call("ivi#1", READ, DENIED)
    (violation,) = found(story, NAME)
    assert "which it was granted, and got DENIED" in violation.text


def test_other_refusals_say_nothing_of_rights() -> None:
    story = told()
    story.call("ivi#1", READ, BUSY)
    story.call("tcu#1", READ, BUSY)
    assert found(story, NAME) == ()


@pytest.mark.parametrize(
    ("after", "works"),
    [(("take",), False), (("reset",), False), (("keep",), True), (("refused",), True)],
)
def test_what_was_taken_away_is_gone(after: tuple[str, ...], works: bool) -> None:
    for success in (True, False):
        story = told(*after)
        story.call("ivi#1", READ, word(0, 1, 0) if success else DENIED)
        assert bool(found(story, NAME)) is (success is not works)


def test_a_grant_that_was_refused_grants_nothing() -> None:
    story = Told()
    story.xen(asked("base", "BASE_SET_DEVICE_PERMISSIONS", agent_id=3, device_id=GPU, flags=1), BUSY)
    story.call("ivi#1", READ, DENIED)
    assert found(story, NAME) == ()
    story.call("ivi#1", READ)
    assert len(found(story, NAME)) == 1


def around(take_first: bool, success: bool) -> Told:
    """A call and a withdrawal under way together; EL3 gets one of them first."""
    story = told()
    take = asked("base", "BASE_SET_DEVICE_PERMISSIONS", agent_id=3, device_id=GPU, flags=0)
    trap = story.trap("ivi#1", *READ)
    if take_first:
        own = story.own(take)
        smc = story.smc(trap)
    else:
        smc = story.smc(trap)
        own = story.own(take)
    story.executed(smc, word(0, 1, 0) if success else DENIED)
    story.executed(own)
    return story


@pytest.mark.parametrize("take_first", [True, False])
def test_the_moment_is_el3s_order(take_first: bool) -> None:
    assert len(found(around(take_first, success=not take_first), NAME)) == 0
    wrong = around(take_first, success=take_first)
    if take_first:  # its outcome comes after the call's: both are possible, so nobody can tell
        (result,) = results(wrong, NAME)
        assert result.violations == ()
        assert result.facts["abstained"] == 1
    else:
        assert len(found(wrong, NAME)) == 1


def test_a_call_behind_a_withdrawal_that_was_answered_first() -> None:
    story = told()
    take = story.own(asked("base", "BASE_SET_DEVICE_PERMISSIONS", agent_id=3, device_id=GPU, flags=0))
    smc = story.smc(story.trap("ivi#1", *READ))
    story.executed(take)
    story.executed(smc, word(0, 1, 0))
    assert len(found(story, NAME)) == 1


def test_a_lost_answer_leaves_it_open_until_the_reset() -> None:
    story = told()
    story.own(asked("base", "BASE_SET_DEVICE_PERMISSIONS", agent_id=3, device_id=GPU, flags=0))
    story.call("ivi#1", READ)
    story.call("ivi#1", READ, DENIED)
    assert found(story, NAME) == ()
    story.reset("ivi")
    story.call("ivi#1", READ)
    assert len(found(story, NAME)) == 1


def test_what_is_in_no_device() -> None:
    read = asked("clock", "CLOCK_RATE_GET", clock_id=FREE_CLOCK)
    write = asked("clock", "CLOCK_RATE_SET", clock_id=FREE_CLOCK)
    story = Told()
    story.call("ivi#1", read)
    story.call("ivi#1", write, DENIED)
    story.xen(write)
    assert found(story, NAME) == ()
    story.call("ivi#1", read, DENIED)
    story.call("ivi#1", write)
    assert len(found(story, NAME)) == 2


def test_a_protocol_taken_away_on_a_device() -> None:
    story = told()
    values = {"agent_id": 3, "device_id": GPU, "flags": 0}
    story.xen(asked("base", "BASE_SET_PROTOCOL_PERMISSIONS", command_id=0x14, **values))
    power = asked("power", "POWER_STATE_GET", domain_id=4)
    story.call("ivi#1", READ, DENIED)
    story.call("ivi#1", power)
    assert found(story, NAME) == ()
    story.call("ivi#1", READ)
    story.call("ivi#1", power, DENIED)
    assert len(found(story, NAME)) == 2


@pytest.mark.parametrize("what", ["BASE_SET_DEVICE_PERMISSIONS", "BASE_RESET_AGENT_CONFIGURATION"])
def test_who_may_grant_and_reset(what: str) -> None:
    values = {"device_id": GPU} if "DEVICE" in what else {}
    other = asked("base", what, agent_id=AGENTS["tcu"], flags=1, **values)
    itself = asked("base", what, agent_id=AGENTS["ivi"], flags=1, **values)
    story = Told()
    story.call("ivi#1", other, DENIED)
    assert found(story, NAME) == ()
    story.call("ivi#1", other)
    assert len(found(story, NAME)) == 1
    story.call("ivi#1", itself)
    assert len(found(story, NAME)) == (1 if "RESET" in what else 2)


def test_el3_that_starts_again_has_forgotten_all_grants() -> None:
    story = told()
    story.add(Began, "firmware")
    story.call("ivi#1", READ, DENIED)
    assert found(story, NAME) == ()
    story.call("ivi#1", READ)
    assert len(found(story, NAME)) == 1


def test_an_answer_that_a_planned_fault_may_have_changed() -> None:
    story = told()
    story.begin(1, "el3.corrupt_page", "tcu")
    story.call("tcu#1", READ)
    (result,) = results(story, NAME, faults=["el3.corrupt_page"])
    assert result.violations == ()
    assert result.facts["abstained"] == 1


NOTICE = header.pack(0x14, 0, 0, header.MessageType.NOTIFICATION)


def test_notifications_of_what_it_has_or_had() -> None:
    story = told()
    story.interrupt("xen", IVI_LINE, NOTICE, word(0, GPU_CLOCK, 1, 0))
    story.grant("ivi", GPU, allow=False)
    story.interrupt("xen", IVI_LINE, NOTICE, word(0, GPU_CLOCK, 2, 0))  # was on its way
    assert found(story, NAME) == ()
    story.interrupt("xen", IVI_LINE, NOTICE, word(0, MMC_CLOCK, 1, 0))
    story.reset("ivi")
    story.interrupt("xen", IVI_LINE, NOTICE, word(0, GPU_CLOCK, 3, 0))
    assert len(found(story, NAME)) == 2


def variant(topology: Topology, **platform: object) -> Topology:
    return replace(topology, platform=replace(topology.platform, **platform))


@pytest.mark.parametrize(
    ("rights", "read", "write"),
    [
        ((Right(4, True, kind="clock", ids=(6,)),), True, True),
        ((Right(4, True, kind="clock", ids=(1,)),), False, False),
        ((Right(4, True, kind="clock"), Right(4, False, ("clock.CLOCK_RATE_SET",), "clock")), True, False),
        ((Right(4, False, kind="clock"), Right(4, True, kind="clock", ids=(6,))), True, True),
        ((Right(4, True, kind="clock"), Right(4, False, kind="clock")), False, False),
        ((Right(4, True, ("clock.CLOCK_RATE_GET",), "clock", (6,)),), True, False),
    ],
)
def test_rights_decide_before_devices(rights: tuple[Right, ...], read: bool, write: bool) -> None:
    topology = variant(automotive(), right=rights)
    for message, may in ((READ, read), (WRITE, write)):
        for success in (True, False):
            story = Told()
            story.call("tcu#1", message, word(0) if success else DENIED)
            assert bool(found(story, NAME, topology=topology)) is (success is not may)


@pytest.mark.parametrize(
    ("firmware", "read", "write"), [("imx-sm", True, False), ("scp-firmware", True, True)]
)
def test_firmwares_with_other_rules(firmware: str, read: bool, write: bool) -> None:
    topology = replace(automotive(), firmware=chosen(firmware))
    for message, may in ((READ, read), (WRITE, write)):
        for success in (True, False):
            story = Told()
            story.call("tcu#1", message, word(0) if success else DENIED)
            assert bool(found(story, NAME, topology=topology)) is (success is not may)


@pytest.mark.parametrize(
    "topology",
    [
        variant(automotive(), view=(View(4, "clock", (6,)),)),
        replace(automotive(), firmware=chosen("tfa")),
    ],
)
def test_numbers_of_ones_own_are_not_judged(topology: Topology) -> None:
    story = Told()
    story.call("tcu#1", READ)
    (result,) = results(story, NAME, topology=topology)
    assert result.violations == ()
    assert result.facts["abstained"] == 1


def test_an_exclusive_holder_may_be_why() -> None:
    platform = automotive().platform
    clocks = tuple(replace(one, sharing="exclusive") if one.id == 6 else one for one in platform.clock)
    story = told()
    story.call("ivi#1", WRITE, DENIED)
    assert found(story, NAME, topology=variant(automotive(), clock=clocks)) == ()
    assert len(found(story, NAME)) == 1
