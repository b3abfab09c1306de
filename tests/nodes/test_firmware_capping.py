"""What the board does about power caps: averages, limits on levels, trees, and that it comes to rest."""

from math import log
from typing import Any

import pytest

from bus.fields import encode
from bus.scmi import perf, power, powercap, sensor
from bus.scmi.status import Status
from nodes.firmware.hardware.lag import Lag
from nodes.firmware.platform import (
    Averaging,
    CapRange,
    PerfDomain,
    Power,
    PowercapDomain,
    PowerDomain,
    Sensor,
)
from nodes.firmware.platform.perf import Opp
from tests.nodes.el3 import THREE, TWO, Bench
from tests.nodes.unasked import platform, reset, wait

OK = Status.SUCCESS
SOC, BIG, LITTLE = 0, 1, 2
WATTS = tuple(Opp(level, 1000 * level * level) for level in (1, 2, 3, 4))
CAP, PAI = CapRange(1, 100_000), Averaging(10_000, 100_000, boot=10_000)
TABLES: dict[str, Any] = {
    "perf_power_unit": "mW",
    "power_domain": (PowerDomain(0, "bigs", "on"),),
    "perf_domain": (
        PerfDomain(BIG, "big", WATTS, level=1, power_domain=0),
        PerfDomain(LITTLE, "little", WATTS, level=1),
    ),
    "powercap_domain": (
        PowercapDomain(SOC, "soc", CAP, PAI, base_uw=500_000),
        PowercapDomain(BIG, "bigs", CAP, PAI, parent=SOC, perf_domains=(BIG,)),
        PowercapDomain(LITTLE, "littles", CAP, PAI, parent=SOC, perf_domains=(LITTLE,)),
    ),
}


@pytest.fixture
def bench() -> Bench:
    return Bench(platform(**TABLES))


def ask_level(bench: Bench, domain: int, value: int, agent: int = TWO) -> Status:
    return bench.status(agent, "perf", "PERFORMANCE_LEVEL_SET", perf.LevelSet(domain, value))


def level(bench: Bench, domain: int, value: int) -> None:
    assert ask_level(bench, domain, value) is OK


def cap(bench: Bench, domain: int, mw: int, agent: int = TWO) -> None:
    request = powercap.CapSet(domain, 0, 0, mw)
    assert bench.raw(agent, 0x18 << 10 | 5, encode(request, 0x20000))[0] is OK


def levels(bench: Bench) -> tuple[int, int]:
    """The levels that are physically in force."""
    board = bench.core.board.perf
    return WATTS[board.level(BIG)].level, WATTS[board.level(LITTLE)].level


def measured(bench: Bench, domain: int) -> int:
    bench.core.machine.now_ns = bench.now_ns
    return bench.core.board.powercap.measured_uw(domain)


# ---- the average ------------------------------------------------------------------------------


def test_a_lag_says_exactly_when_it_is_above_a_level() -> None:
    lag = Lag(1000)
    lag.start(0, 10)
    assert lag.reaches_ns(0, 10) is None, "at the level is not above it"
    assert lag.reaches_ns(5, 9.5) == 5
    lag.aim(100, 20)
    due = lag.reaches_ns(100, 15)
    assert due == 100 + int(1000 * log(2)) + 1
    assert lag.at(due - 1) <= 15 < lag.at(due)
    assert lag.reaches_ns(100, 20) is None


def test_a_lag_that_hardly_gets_above_a_level_says_so_once() -> None:
    """A kilowatt over an hour, one microwatt above the level: what a float tells apart is far from 1 ns."""
    lag = Lag(3_600_000_000_000)
    lag.aim(0, 1_000_000_000)
    due = lag.reaches_ns(0, 999_999_999)
    assert due is not None
    assert lag.at(due) > 999_999_999


def test_the_measured_power_follows_what_is_drawn(bench: Bench) -> None:
    assert [measured(bench, one) for one in (SOC, BIG, LITTLE)] == [2_500_000, 1_000_000, 1_000_000]
    level(bench, BIG, 4)
    assert measured(bench, BIG) == 1_000_000
    wait(bench, 10_000)
    assert 10_400_000 < measured(bench, BIG) < 10_600_000, "63 % of the way to 16 W"
    wait(bench, 1_000_000)
    assert [measured(bench, one) for one in (SOC, BIG, LITTLE)] == [17_500_000, 16_000_000, 1_000_000]


def test_a_sensor_shows_what_a_domain_measures() -> None:
    watts = Sensor(0, "soc", Power(powercap_domain=SOC), type="watt", unit_exponent=-3)
    bench = Bench(platform(**TABLES, sensor=(watts,)))
    level(bench, BIG, 2)
    wait(bench, 10_000_000)
    reading = bench.call(TWO, "sensor", "SENSOR_READING_GET", sensor.ReadingGet(0, 0)).body.readings[0]
    assert reading.value == 5500


# ---- capping ----------------------------------------------------------------------------------


def test_a_burst_shorter_than_the_average_is_let_through(bench: Bench) -> None:
    cap(bench, BIG, 5000)
    level(bench, BIG, 4)
    assert levels(bench) == (4, 1)
    wait(bench, 1000)
    level(bench, BIG, 1)
    wait(bench, 1_000_000)
    assert levels(bench) == (1, 1)
    assert bench.core.deadline_ns() is None


def test_what_stays_too_much_is_lowered_until_it_fits(bench: Bench) -> None:
    cap(bench, BIG, 5000)
    level(bench, BIG, 4)
    due = bench.core.deadline_ns()
    assert due is not None
    wait(bench, (due - bench.now_ns) // 1000 - 1)
    assert levels(bench) == (4, 1)
    wait(bench, 2)
    assert levels(bench) == (2, 1), "4 W fit under 5, 9 do not"
    assert bench.core.board.perf.limits(BIG) == (0, 1)
    assert bench.core.deadline_ns() is None, "and there it rests"
    wait(bench, 1_000_000)
    assert measured(bench, BIG) == 4_000_000


@pytest.mark.parametrize("again", ["level", "cap", "lift", "reset", "off"])
def test_the_limit_goes_when_there_is_room(bench: Bench, again: str) -> None:
    level(bench, BIG, 4)
    cap(bench, BIG, 5000, THREE)
    wait(bench, 100_000)
    assert levels(bench) == (2, 1)
    match again:
        case "level":
            level(bench, BIG, 2)
        case "cap":
            cap(bench, BIG, 16_000, THREE)
        case "lift":
            cap(bench, BIG, 0, THREE)
        case "reset":
            reset(bench, THREE)
        case "off":
            off = power.StateSet(0, 0, power.OFF)
            assert bench.status(TWO, "power", "POWER_STATE_SET", off) is OK
    assert bench.core.board.perf.limits(BIG) == (0, 3)
    assert levels(bench)[0] == (2 if again == "level" else 4)


def test_who_asks_for_more_while_limited_gets_no_more(bench: Bench) -> None:
    cap(bench, BIG, 5000)
    level(bench, BIG, 3)
    wait(bench, 100_000)
    assert levels(bench)[0] == 2
    assert ask_level(bench, BIG, 4) is Status.OUT_OF_RANGE
    assert levels(bench)[0] == 2
    cap(bench, BIG, 8999)
    assert levels(bench)[0] == 2
    cap(bench, BIG, 9000)
    assert levels(bench)[0] == 3, "a higher cap counts at once"


def test_a_cap_below_what_can_be_reached_ends_at_the_lowest_level(bench: Bench) -> None:
    level(bench, BIG, 4)
    cap(bench, BIG, 1)
    wait(bench, 100_000)
    assert levels(bench) == (1, 1)
    assert bench.core.deadline_ns() is None


def test_a_parents_cap_takes_from_who_draws_most(bench: Bench) -> None:
    level(bench, BIG, 4)
    level(bench, LITTLE, 3)
    cap(bench, SOC, 9000)
    wait(bench, 100_000)
    assert levels(bench) == (2, 2), "0.5 + 4 + 4 W"
    level(bench, LITTLE, 1)
    assert levels(bench) == (2, 1), "0.5 + 9 + 1 W would not fit"
    cap(bench, SOC, 11_000)
    assert levels(bench) == (3, 1)
    level(bench, BIG, 1)
    assert levels(bench) == (1, 1)
    assert bench.core.board.perf.limits(BIG) == (0, 3)


def test_the_lowest_limit_of_a_domain_and_its_parents_counts(bench: Bench) -> None:
    level(bench, BIG, 4)
    cap(bench, BIG, 10_000)
    cap(bench, SOC, 6000)
    wait(bench, 100_000)
    assert levels(bench) == (2, 1)
    cap(bench, SOC, 0)
    wait(bench, 100_000)
    assert levels(bench) == (3, 1)
    cap(bench, BIG, 0)
    assert levels(bench) == (4, 1)


def test_it_comes_to_rest_whatever_is_asked(bench: Bench) -> None:
    """No matter which caps and levels are set, without new wishes nothing changes any more."""
    for step in range(60):
        ask_level(bench, BIG, step * 7 % 4 + 1)
        ask_level(bench, LITTLE, step * 5 % 4 + 1)
        cap(bench, (SOC, BIG, LITTLE)[step % 3], (step * 1733 % 20_000) or 1)
        wait(bench, step * 997 % 30_000)
    wait(bench, 1_000_000)
    at_rest = levels(bench)
    assert bench.core.deadline_ns() is None
    wait(bench, 1_000_000)
    assert levels(bench) == at_rest


def test_agents_are_told_of_limits_by_the_platform(bench: Bench) -> None:
    request = perf.NotifyLimits(BIG, 1)
    assert bench.status(TWO, "perf", "PERFORMANCE_NOTIFY_LIMITS", request) is OK
    level(bench, BIG, 4)
    cap(bench, BIG, 5000)
    came = wait(bench, 100_000)
    assert [(one.name, one.body.agent_id, one.body.range_max) for one in came] == [
        ("PERFORMANCE_LIMITS_CHANGED", 0, 2)
    ]


def test_a_maximum_below_another_agents_minimum_is_what_the_cap_counts_with(bench: Bench) -> None:
    level(bench, BIG, 4)
    level(bench, LITTLE, 4)
    cap(bench, SOC, 20_600)
    wait(bench, 1_000_000)
    assert levels(bench) == (3, 3), "32.5 W are too much, so are 25.5 W"
    for agent, limits in ((TWO, perf.LimitsSet(BIG, 4, 4)), (THREE, perf.LimitsSet(BIG, 2, 1))):
        assert bench.status(agent, "perf", "PERFORMANCE_LIMITS_SET", limits) is OK
    assert levels(bench) == (2, 4), "20.5 W fit"
