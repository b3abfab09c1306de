"""Performance domains: levels and limits of several agents, notifications, who may."""

from typing import Any

import msgspec
import pytest

from bus.links import XEN
from bus.scmi import clock, perf
from bus.scmi.status import Status
from nodes.contract import Boot
from nodes.firmware.core import FirmwareCore
from nodes.firmware.platform import Right
from nodes.firmware.profile import SPEC_STRICT
from tests.nodes.el3 import DOM0, MANAGER, THREE, TWO, Bench
from tests.nodes.perf_domains import (
    ALONE,
    CPU,
    FIXED,
    GPU,
    TABLES,
    attributes,
    driven,
    level,
    level_changed,
    limit,
    limits,
    limits_changed,
    made,
    put,
    subscribe,
)
from tests.nodes.unasked import platform, reset, told

OK = Status.SUCCESS


@pytest.fixture
def bench() -> Bench:
    return made()


# ---- levels ---------------------------------------------------------------------------------


def test_the_highest_level_asked_for_wins(bench: Bench) -> None:
    assert level(bench) == 50, "as at boot"
    assert level(bench, GPU) == 30, "the highest, when nothing says otherwise"
    assert put(bench, TWO, 20) is OK
    assert level(bench) == 20
    assert put(bench, THREE, 80) is OK
    assert level(bench) == 80
    assert put(bench, THREE, 10) is OK
    assert level(bench) == 20
    reset(bench, TWO)
    assert level(bench) == 10
    reset(bench, THREE)
    assert level(bench) == 50


@pytest.mark.parametrize("wrong", [0, 9, 11, 99, 101, 2**32 - 1])
def test_levels_that_are_not_described(bench: Bench, wrong: int) -> None:
    assert put(bench, TWO, wrong) is Status.OUT_OF_RANGE
    assert bench.held(TWO) == {}


@pytest.mark.parametrize(
    ("wanted", "status"), [(30, OK), (60, OK), (20, Status.OUT_OF_RANGE), (70, Status.OUT_OF_RANGE)]
)
def test_levels_outside_of_the_limits(bench: Bench, wanted: int, status: Status) -> None:
    assert limit(bench, THREE, 60, 30) is OK
    assert put(bench, TWO, wanted) is status


# ---- limits ---------------------------------------------------------------------------------


def test_limits_are_what_everybodys_have_in_common(bench: Bench) -> None:
    assert limits(bench) == (100, 10)
    assert limit(bench, TWO, 80, 20) is OK
    assert limit(bench, THREE, 90, 60) is OK
    assert limits(bench) == (80, 60)
    assert level(bench) == 60, "the level at boot is below"
    reset(bench, THREE)
    assert (limits(bench), level(bench)) == ((80, 20), 50)


def test_where_limits_have_nothing_in_common_the_ceiling_counts(bench: Bench) -> None:
    assert limit(bench, TWO, 30, 10) is OK
    assert limit(bench, THREE, 90, 70) is OK
    assert limits(bench) == (30, 30)
    assert level(bench) == 30


def test_a_level_asked_for_before_comes_when_the_limits_allow_it(bench: Bench) -> None:
    assert put(bench, TWO, 90) is OK
    assert limit(bench, THREE, 40, 10) is OK
    assert level(bench) == 40
    assert limit(bench, THREE, 100, 10) is OK
    assert level(bench) == 90


def test_zero_leaves_a_limit_as_it_is(bench: Bench) -> None:
    assert limit(bench, TWO, 80, 0) is OK
    assert limits(bench) == (80, 10)
    assert bench.held(TWO) == {"perf_domain 0 maximum": 80}
    assert limit(bench, TWO, 0, 30) is OK
    assert limits(bench) == (80, 30)
    assert limit(bench, TWO, 0, 90) is Status.INVALID_PARAMETERS, "above the maximum set before"
    assert limit(bench, TWO, 20, 0) is Status.INVALID_PARAMETERS, "below the minimum set before"
    assert limit(bench, TWO, 0, 0) is Status.OUT_OF_RANGE
    assert limits(bench) == (80, 30)


def test_one_limit_may_be_at_the_far_end(bench: Bench) -> None:
    assert limit(bench, TWO, 10, 0) is OK
    assert limits(bench) == (10, 10)
    reset(bench, TWO)
    assert limit(bench, TWO, 0, 100) is OK
    assert limits(bench) == (100, 100)


def test_a_firmware_that_takes_two_zeros() -> None:
    bench = made()
    lenient = msgspec.structs.replace(SPEC_STRICT, limits_both_zero=OK)
    bench.core = FirmwareCore(platform(**TABLES), bench.memory, XEN, lenient)
    bench.core.step(Boot(), 0)
    assert limit(bench, TWO, 0, 0) is OK
    assert (limits(bench), bench.held(TWO)) == ((100, 10), {})


@pytest.mark.parametrize(
    ("high", "low", "status"),
    [
        (100, 10, OK),
        (100, 100, OK),
        (10, 10, OK),
        (101, 10, Status.OUT_OF_RANGE),
        (100, 9, Status.OUT_OF_RANGE),
        (20, 30, Status.INVALID_PARAMETERS),
        (1, 200, Status.INVALID_PARAMETERS),
        (17, 13, Status.OUT_OF_RANGE),
    ],
)
def test_limits_at_the_edges(bench: Bench, high: int, low: int, status: Status) -> None:
    assert limit(bench, TWO, high, low) is status
    assert limits(bench) == ((high, low) if status is OK else (100, 10))


def test_limits_between_levels_are_the_levels_inside(bench: Bench) -> None:
    assert limit(bench, TWO, 85, 25) is OK
    assert limits(bench) == (80, 30)


# ---- notifications --------------------------------------------------------------------------


def test_changes_are_told_with_who_caused_them(bench: Bench) -> None:
    for agent in (TWO, THREE):
        subscribe(bench, agent)
    assert put(bench, DOM0, 60) is OK
    assert told(bench) == [level_changed(TWO, DOM0, 60), level_changed(THREE, DOM0, 60)]
    assert limit(bench, TWO, 40, 10) is OK
    assert told(bench) == [
        limits_changed(TWO, TWO, 40, 10),
        limits_changed(THREE, TWO, 40, 10),
        level_changed(TWO, TWO, 40),
        level_changed(THREE, TWO, 40),
    ]
    assert limit(bench, THREE, 50, 10) is OK
    assert told(bench) == [], "nothing that is in force changed"


def test_what_a_level_moves_is_told_by_the_clocks(bench: Bench) -> None:
    assert bench.status(THREE, "clock", "CLOCK_RATE_NOTIFY", clock.RateNotify(1, 1)) is OK
    assert put(bench, TWO, 20) is OK
    (said,) = told(bench)
    assert said.body == clock.RateChanged(TWO, 1, 2_000_000)


def test_who_can_be_told(bench: Bench) -> None:
    both = {"limits_notify", "level_notify"}
    assert both <= attributes(bench, TWO, CPU)
    assert not both & (attributes(bench, TWO, FIXED) | attributes(bench, DOM0, CPU))
    for name in ("PERFORMANCE_NOTIFY_LEVEL", "PERFORMANCE_NOTIFY_LIMITS"):
        for agent, domain in ((TWO, FIXED), (DOM0, CPU)):
            assert bench.status(agent, "perf", name, perf.NotifyLevel(domain, 1)) is Status.NOT_SUPPORTED
        assert bench.status(TWO, "perf", name, perf.NotifyLevel(CPU, 2)) is Status.INVALID_PARAMETERS


def test_a_subscription_ends(bench: Bench) -> None:
    subscribe(bench, TWO)
    for name in ("PERFORMANCE_NOTIFY_LEVEL", "PERFORMANCE_NOTIFY_LIMITS"):
        assert bench.status(TWO, "perf", name, perf.NotifyLevel(CPU, 0)) is OK
    assert put(bench, TWO, 20) is OK
    assert told(bench) == []
    assert bench.held(TWO) == {"perf_domain 0 level": 20}


# ---- who may --------------------------------------------------------------------------------


def test_what_nobody_may_set(bench: Bench) -> None:
    assert put(bench, MANAGER, 10, FIXED) is Status.DENIED
    assert limit(bench, MANAGER, 20, 10, FIXED) is Status.DENIED
    assert not {"can_set_level", "can_set_limits"} & attributes(bench, MANAGER, FIXED)
    assert {"can_set_level", "can_set_limits"} <= attributes(bench, TWO, CPU)


def test_who_may_only_look() -> None:
    bench = made(default_permission="deny")
    assert not {"can_set_level", "can_set_limits"} & attributes(bench, TWO, CPU)
    assert {"can_set_level", "can_set_limits"} <= attributes(bench, MANAGER, CPU)
    assert put(bench, TWO, 10) is Status.DENIED
    assert level(bench) == 50


def test_rights_to_single_commands() -> None:
    bench = made(right=(Right(TWO, False, ("perf.PERFORMANCE_LEVEL_SET",)),))
    assert {"can_set_level", "can_set_limits"} & attributes(bench, TWO, CPU) == {"can_set_limits"}
    assert put(bench, TWO, 20) is Status.DENIED
    assert limit(bench, TWO, 20, 10) is OK


@pytest.mark.parametrize(
    "first", [put, lambda bench, agent, level, domain: limit(bench, agent, level, 0, domain)]
)
def test_an_exclusive_domain_is_its_first_users(bench: Bench, first: Any) -> None:
    assert first(bench, TWO, 40, ALONE) is OK
    assert bench.held(TWO)["perf_domain 4 exclusive"] == 1
    assert put(bench, THREE, 20, ALONE) is Status.DENIED
    assert limit(bench, THREE, 20, 10, ALONE) is Status.DENIED
    assert first(bench, TWO, 30, ALONE) is OK
    reset(bench, TWO)
    assert (level(bench, ALONE), limits(bench, ALONE)) == (100, (100, 10))
    assert put(bench, THREE, 20, ALONE) is OK


def test_a_refused_wish_takes_nothing(bench: Bench) -> None:
    assert put(bench, TWO, 5, ALONE) is Status.OUT_OF_RANGE
    assert limit(bench, TWO, 20, 30, ALONE) is Status.INVALID_PARAMETERS
    assert limit(bench, TWO, 17, 13, ALONE) is Status.OUT_OF_RANGE
    assert bench.held(TWO) == {}
    assert put(bench, THREE, 20, ALONE) is OK


def test_what_an_agent_sees_of_a_shared_domain() -> None:
    for view, seen in (("physical", (70, (80, 30))), ("own", (20, (80, 10)))):
        bench = made(agent_view=view)
        assert put(bench, TWO, 20) is OK
        assert put(bench, THREE, 70) is OK
        assert limit(bench, TWO, 80, 0) is OK
        assert limit(bench, THREE, 90, 30) is OK
        assert (level(bench), limits(bench)) == seen
        assert (level(bench, agent=DOM0), limits(bench, agent=DOM0)) == (70, (80, 30))
        assert put(bench, TWO, 20) is (OK if view == "own" else Status.OUT_OF_RANGE)
        assert bench.core.board.perf.level(CPU) == 6


def test_a_firmware_that_keeps_limits_by_agent() -> None:
    """Each agent's limits bind its own wish; the highest of what comes of them wins. At boot it is 50."""
    bench = Bench(platform(**TABLES), profile=msgspec.structs.replace(SPEC_STRICT, perf_limits="own"))
    assert put(bench, TWO, 20) is OK
    assert limit(bench, TWO, 40, 0) is OK
    assert put(bench, TWO, 60) is Status.OUT_OF_RANGE
    assert (level(bench), limits(bench)) == (20, (40, 10))
    assert put(bench, THREE, 60) is OK, "another agent's limits are none of its own"
    assert (level(bench), limits(bench, agent=THREE)) == (60, (100, 10))
    assert limit(bench, TWO, 0, 40) is OK
    assert limit(bench, THREE, 30, 0) is OK
    assert level(bench) == 40, "20 goes up to 40, 60 down to 30"
    bench.core.board.perf.limit(CPU, 1)
    assert [limits(bench, agent=one) for one in (TWO, THREE, DOM0)] == [(20, 20), (20, 10), (20, 10)]
    bench.core.board.perf.limit(CPU, None)
    reset(bench, TWO)
    assert level(bench) == 30
    reset(bench, THREE)
    assert limit(bench, THREE, 30, 0) is OK
    assert level(bench) == 30, "without a wish for a level, limits bind that at boot"
    assert limit(bench, THREE, 90, 0) is OK
    assert level(bench) == 50


def test_an_agent_that_sees_its_own_wish_sees_it_within_its_own_limits() -> None:
    bench = made(agent_view="own")
    assert put(bench, TWO, 70) is OK
    assert limit(bench, TWO, 50, 0) is OK
    assert (level(bench), limits(bench)) == (50, (50, 10))
    assert limit(bench, TWO, 100, 90) is OK
    assert (level(bench), limits(bench)) == (90, (100, 90))
    assert limit(bench, TWO, 100, 10) is OK
    assert level(bench) == 70, "the wish stays"


def test_an_agent_that_sees_its_own_limits_sees_the_far_end_where_it_set_none() -> None:
    bench = made(agent_view="own")
    assert limit(bench, THREE, 80, 40) is OK
    assert limit(bench, TWO, 90, 0) is OK
    assert limits(bench) == (90, 10)
    reset(bench, TWO)
    assert limit(bench, TWO, 0, 20) is OK
    assert limits(bench) == (100, 20)


def test_a_reset_gives_everything_back_and_tells_the_others(bench: Bench) -> None:
    for agent in (TWO, THREE):
        subscribe(bench, agent)
    assert limit(bench, TWO, 90, 20) is OK
    assert put(bench, TWO, 90) is OK
    assert put(bench, TWO, 90, ALONE) is OK
    told(bench)
    assert bench.held(TWO) == {
        "perf_domain 0 level": 90,
        "perf_domain 4 level": 90,
        "perf_domain 0 minimum": 20,
        "perf_domain 0 maximum": 90,
        "perf_domain 4 exclusive": 1,
        "perf_domain 0 PERFORMANCE_LIMITS_CHANGED": 1,
        "perf_domain 0 PERFORMANCE_LEVEL_CHANGED": 1,
    }
    reset(bench, TWO)
    assert bench.held(TWO) == {}
    assert told(bench) == [limits_changed(THREE, MANAGER, 100, 10), level_changed(THREE, MANAGER, 50)]
    assert driven(bench) == (5_000_000, True, 705_000, 5000)
