"""What sensors measure and tell by themselves: sources, noise, heat, trip points, continuous updates."""

from math import exp
from typing import Any

import msgspec
import pytest

from bus.scmi import perf, sensor
from bus.scmi.status import Status
from nodes.firmware.hardware.sensors import noise, scaled, wave
from nodes.firmware.platform import (
    Clock,
    Constant,
    Opp,
    PerfDomain,
    PlatformError,
    Power,
    PowerDomain,
    Rail,
    Rate,
    Sensor,
    Steps,
    Temperature,
    VoltageDomain,
    Wave,
)
from nodes.firmware.platform.sensors import Source
from nodes.firmware.protocols.sensor_watch import crossed
from tests.nodes.el3 import DOM0, THREE, TWO, Bench
from tests.nodes.unasked import Told, answer, negotiate, platform, reset, told, wait

OK = Status.SUCCESS
RISING, FALLING, BOTH = 1, 2, 3
LADDER = Sensor(
    0, "ladder", Steps((0, 10, 20, 10), 1000), sample_us=1000, trip_points=2, continuous=True,
    intervals_us=(500, 2000),
)  # fmt: skip


def made(*sensors: Sensor, **tables: Any) -> Bench:
    return Bench(platform(sensor=sensors, **tables))


def at(bench: Bench, us: int, sensor_id: int = 0) -> int:
    """The value ``us`` after boot."""
    bench.now_ns = us * 1000 - 1
    found = answer(bench, TWO, "sensor", "SENSOR_READING_GET", sensor.ReadingGet(sensor_id, 0))
    value: int = found.readings[0].value
    return value


# ---- sources ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "values"),
    [
        ("sine", (5, 15, 5, -5, 5)),
        ("triangle", (5, 15, 5, -5, 5)),
        ("square", (15, 15, -5, -5, 15)),
        ("sawtooth", (-5, 0, 5, 10, -5)),
    ],
)
def test_waves_by_quarters_of_their_period(shape: Any, values: tuple[int, ...]) -> None:
    source = Wave(shape, period_us=4000, amplitude=10, offset=5)
    assert tuple(round(wave(source, quarter * 1_000_000)) for quarter in range(5)) == values
    later = Wave(shape, period_us=4000, amplitude=10, offset=5, phase_us=1000)
    assert tuple(round(wave(later, quarter * 1_000_000)) for quarter in range(4)) == values[1:]


def test_steps_go_round() -> None:
    bench = made(LADDER)
    assert [at(bench, us) for us in (1, 999, 1000, 2999, 3000, 4000, 5000)] == [0, 0, 10, 20, 10, 0, 10]


def test_values_stay_within_their_range() -> None:
    bench = made(Sensor(0, "a", Wave("square", 4000, 100), min=-20, max=30))
    assert (at(bench, 100), at(bench, 2100)) == (30, -20)


def test_noise_is_bounded_new_in_each_sample_and_the_same_again() -> None:
    noisy = Sensor(0, "a", Constant(100), noise=3, sample_us=1000)
    values = [at(made(noisy), us) for us in range(500, 200_000, 1000)]
    assert set(values) == set(range(97, 104))
    bench = made(noisy)
    assert [at(bench, us) for us in range(700, 200_000, 1000)] == values
    assert [at(made(noisy, seed=1), us) for us in range(500, 200_000, 1000)] != values


def test_noise_depends_on_everything_it_is_made_of() -> None:
    start = noise(2**40, (1, 2, 3, 4))
    assert all(noise(2**40, of) != start for of in ((2, 2, 3, 4), (1, 3, 3, 4), (1, 2, 4, 4), (1, 2, 3, 5)))
    assert noise(0, (1, 2, 3)) == 0


@pytest.mark.parametrize(
    ("value", "exponent", "expected"), [(1234, 0, 1234), (1239, -2, 12), (-1239, -2, -12), (12, 2, 1200)]
)
def test_the_boards_quantities_in_a_sensors_unit(value: int, exponent: int, expected: int) -> None:
    assert scaled(value, exponent) == expected


BOARD: dict[str, Any] = {
    "clock": (Clock(1, "cpu", (500_000_000, 1_000_000_000), 500_000_000),),
    "voltage_domain": (VoltageDomain(1, "vcpu", (800_000, 900_000), 800_000),),
    "power_domain": (PowerDomain(1, "cpus", "on"),),
    "perf_domain": (
        PerfDomain(
            1,
            "cpu",
            (Opp(1, 2000, 500_000, 800_000), Opp(2, 6000, 1_000_000, 900_000)),
            level=1,
            clock=1,
            voltage_domain=1,
            power_domain=1,
        ),
    ),
    "perf_power_unit": "mW",
}
HEAT = Temperature((1,), ambient=25_000, per_watt=10_000, time_constant_ms=1000)
ON_BOARD = (
    Sensor(0, "temp", HEAT, type="celsius", unit_exponent=-3),
    Sensor(1, "power", Power(perf_domain=1), type="watt", unit_exponent=-3),
    Sensor(2, "volt", Rail(1), type="volt", unit_exponent=-3),
    Sensor(3, "rate", Rate(1), type="hertz", unit_exponent=6),
)


def level(bench: Bench, value: int, agent: int = TWO) -> None:
    assert bench.status(agent, "perf", "PERFORMANCE_LEVEL_SET", perf.LevelSet(1, value)) is OK


def test_sensors_show_the_board() -> None:
    bench = made(*ON_BOARD, **BOARD)
    assert [at(bench, 1, one) for one in (1, 2, 3)] == [2000, 800, 500]
    level(bench, 2)
    assert [at(bench, 2, one) for one in (1, 2, 3)] == [6000, 900, 1000]


def test_a_busy_domain_heats_its_sensor() -> None:
    bench = made(*ON_BOARD, **BOARD)
    assert at(bench, 1) == 25_000
    assert at(bench, 1_000_000) == pytest.approx(25_000 + 20_000 * (1 - exp(-1)), abs=2)
    assert at(bench, 20_000_000) == 45_000
    level(bench, 2)
    assert at(bench, 21_000_000) == pytest.approx(85_000 - 40_000 * exp(-1), abs=2)
    assert at(bench, 60_000_000) == 85_000
    bench.core.board.power.demand(1, 0x4000_0000)
    assert at(bench, 60_000_001, 1) == 0, "its power domain is off"
    assert at(bench, 120_000_000) == 25_000


def test_equal_stories_give_equal_temperatures_however_often_one_looks() -> None:
    seldom, often = made(*ON_BOARD, **BOARD), made(*ON_BOARD, **BOARD)
    for us in range(1, 900_000, 10_000):
        at(often, us)
    assert at(seldom, 900_000) == at(often, 900_000)


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        (Temperature((9,), 0, 0), r"no \[\[perf_domain\]\] has id 9"),
        (Power(perf_domain=9), r"no \[\[perf_domain\]\] has id 9"),
        (Power(powercap_domain=9), r"no \[\[powercap_domain\]\] has id 9"),
        (Power(), "one of the two"),
        (Power(1, 1), "one of the two"),
        (Rail(9), r"no \[\[voltage_domain\]\] has id 9"),
        (Rate(9), r"no \[\[clock\]\] has id 9"),
    ],
)
def test_sources_that_are_not_there(source: Source, rule: str) -> None:
    with pytest.raises(PlatformError, match=rule):
        made(Sensor(0, "a", source), **BOARD)


def test_how_sources_are_written_in_a_file() -> None:
    text = """
    id = 0
    name = "all"
    [[axes]]
    name = "x"
    source = { kind = "constant", value = -1 }
    [[axes]]
    name = "y"
    source = { kind = "wave", shape = "square", period_us = 4, amplitude = 2 }
    [[axes]]
    name = "z"
    source = { kind = "steps", values = [1, 2], step_us = 3 }
    [[axes]]
    name = "heat"
    source = { kind = "temperature", perf_domains = [1], ambient = 20, per_watt = 5 }
    [[axes]]
    name = "power"
    source = { kind = "power", powercap_domain = 1 }
    [[axes]]
    name = "rail"
    source = { kind = "voltage", voltage_domain = 1 }
    [[axes]]
    name = "rate"
    source = { kind = "rate", clock = 1 }
    """
    assert [axis.source for axis in msgspec.toml.decode(text, type=Sensor).axes] == [
        Constant(-1),
        Wave("square", 4, 2),
        Steps((1, 2), 3),
        Temperature((1,), 20, 5),
        Power(powercap_domain=1),
        Rail(1),
        Rate(1),
    ]
    with pytest.raises(msgspec.ValidationError, match="kind"):
        msgspec.toml.decode(text.replace("constant", "fixed"), type=Sensor)


# ---- trip points ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "mode", "is_crossed"),
    [
        (9, 10, RISING, True),
        (10, 11, RISING, False),
        (9, 9, RISING, False),
        (9, 10, FALLING, False),
        (10, 9, FALLING, True),
        (11, 10, FALLING, False),
        (11, 9, FALLING, True),
        (9, 11, BOTH, True),
        (11, 9, BOTH, True),
    ],
)
def test_when_a_trip_point_is_crossed(before: int, after: int, mode: int, is_crossed: bool) -> None:
    assert crossed(before, after, mode, 10) is is_crossed


def trip(bench: Bench, agent: int, number: int, mode: int, value: int) -> None:
    request = sensor.TripPointConfig(0, number << 4 | mode, value)
    assert bench.status(agent, "sensor", "SENSOR_TRIP_POINT_CONFIG", request) is OK


def listen(bench: Bench, agent: int, enable: int = 1) -> Status:
    return bench.status(agent, "sensor", "SENSOR_TRIP_POINT_NOTIFY", sensor.TripPointNotify(0, enable))


def test_each_agent_hears_of_its_own_trip_points() -> None:
    bench = made(LADDER)
    trip(bench, TWO, 0, RISING, 15)
    trip(bench, TWO, 1, FALLING, 5)
    trip(bench, THREE, 1, BOTH, 10)
    for agent in (TWO, THREE):
        assert listen(bench, agent) is OK
    came = wait(bench, 4000)
    up, number = 1 << 16, sensor.TRIP_POINT_DESC
    assert [(one.agent, one.body.trip_point_desc) for one in came] == [
        (THREE, up | 1),
        (TWO, up | 0),
        (TWO, number.pack(trip_point_id=1)),
        (THREE, number.pack(trip_point_id=1)),
    ]
    assert came[0] == Told(THREE, "SENSOR_TRIP_POINT_EVENT", sensor.TripPointEvent(0, 0, up | 1), bytes=12)


def test_nothing_is_planned_for_nobody() -> None:
    bench = made(LADDER)
    trip(bench, TWO, 0, RISING, 15)
    assert bench.core.deadline_ns() is None, "nobody listens"
    assert listen(bench, THREE) is OK
    assert bench.core.deadline_ns() is None, "who listens has no trip point"
    assert listen(bench, TWO) is OK
    assert bench.core.deadline_ns() == 1_000_000, "the next sample, counted from boot"
    trip(bench, TWO, 0, 0, 0)
    assert bench.core.deadline_ns() is None
    trip(bench, TWO, 0, BOTH, 1)
    assert listen(bench, TWO, 0) is OK
    assert bench.core.deadline_ns() is None


def test_a_disabled_sensor_does_not_tell_and_a_failed_one_neither() -> None:
    bench = made(LADDER)
    trip(bench, TWO, 0, RISING, 15)
    assert listen(bench, TWO) is OK
    assert bench.status(THREE, "sensor", "SENSOR_CONFIG_SET", sensor.ConfigSet(0, 0)) is OK
    assert bench.core.deadline_ns() is None
    assert wait(bench, 10_000) == []
    assert bench.status(THREE, "sensor", "SENSOR_CONFIG_SET", sensor.ConfigSet(0, 1)) is OK
    bench.core.board.sensors.fail(0, True)
    assert wait(bench, 10_000) == []
    bench.core.board.sensors.fail(0, False)
    assert len(wait(bench, 8000)) == 2


def test_what_a_failed_sensor_crosses_is_told_once_it_is_mended() -> None:
    bench = made(LADDER)
    trip(bench, TWO, 0, RISING, 5)
    assert listen(bench, TWO) is OK
    sensors = bench.core.board.sensors
    sensors.fail(0, True)
    assert wait(bench, 1500) == []
    assert sensors.values(0) == (10,)
    sensors.fail(0, False)
    (event,) = wait(bench, 1000)
    assert event.body == sensor.TripPointEvent(0, 0, 1 << 16)


def test_heat_trips() -> None:
    hot = Sensor(0, "temp", HEAT, type="celsius", unit_exponent=-3, trip_points=1, sample_us=1000)
    bench = made(hot, **BOARD)
    trip(bench, TWO, 0, RISING, 50_000)
    assert listen(bench, TWO) is OK
    assert wait(bench, 10_000_000) == [], "at 2 W it ends at 45 degrees"
    level(bench, 2)
    assert [one.name for one in wait(bench, 1_000_000)] == ["SENSOR_TRIP_POINT_EVENT"]


# ---- continuous updates -----------------------------------------------------------------------


def update(bench: Bench, agent: int, enable: int = 1) -> Status:
    request = sensor.ContinuousUpdateNotify(0, enable)
    return bench.status(agent, "sensor", "SENSOR_CONTINUOUS_UPDATE_NOTIFY", request)


def test_updates_come_at_the_interval_in_force() -> None:
    bench = made(LADDER)
    assert update(bench, TWO) is OK
    came = wait(bench, 2100)
    assert [one.body.readings[0].value for one in came] == [0, 10, 10, 20]
    assert came[0].body == sensor.Update(0, 0, (sensor.SensorReading(0, 0),))
    longer = sensor.CONFIG_SET.pack(enable=1, interval_seconds=2, interval_exponent_signed=32 - 3)
    assert bench.status(TWO, "sensor", "SENSOR_CONFIG_SET", sensor.ConfigSet(0, longer)) is OK
    assert len(wait(bench, 4000)) == 2
    assert update(bench, TWO, 0) is OK
    assert bench.core.deadline_ns() is None


def test_updates_are_for_those_who_can_hear_and_understand() -> None:
    bench = made(LADDER)
    assert update(bench, DOM0) is Status.NOT_SUPPORTED
    assert update(bench, TWO) is OK
    assert update(bench, THREE) is OK
    negotiate(bench, THREE, "sensor", 0x10000)
    assert {one.agent for one in wait(bench, 2000)} == {TWO}


def test_a_reset_frees_everything() -> None:
    bench = made(LADDER)
    trip(bench, TWO, 1, BOTH, 10)
    assert listen(bench, TWO) is OK
    assert update(bench, TWO) is OK
    assert bench.status(TWO, "sensor", "SENSOR_CONFIG_SET", sensor.ConfigSet(0, 1)) is OK
    assert set(bench.held(TWO)) == {
        "sensor 0 config",
        "sensor 0 trip point 1",
        "sensor 0 SENSOR_TRIP_POINT_EVENT",
        "sensor 0 SENSOR_UPDATE",
    }
    reset(bench, TWO)
    assert bench.held(TWO) == {}
    assert bench.core.deadline_ns() is None
    assert told(bench) == []
