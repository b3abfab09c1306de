"""Sensors as agents see them: descriptors of every version, readings, configuration, faults."""

from typing import Any

import pytest

from bus.scmi import sensor
from bus.scmi.status import Status
from nodes.firmware.platform import Axis, Constant, IntervalRange, PlatformError, Sensor, Steps, View
from tests.nodes.el3 import DOM0, THREE, TWO, Bench
from tests.nodes.unasked import Told, answer, negotiate, platform, reset, told, wait

OK = Status.SUCCESS
HIGHEST = 2**63 - 1
PLAIN, RICH, AXES, STEPPED = 0, 3, 4, 7
SENSORS = (
    Sensor(STEPPED, "stepped", Constant(-5), intervals_us=IntervalRange(1000, 9500, 2000)),
    Sensor(PLAIN, "plain", Constant(42), enabled=False),
    Sensor(
        RICH,
        "a-sensor-with-a-very-long-name",
        Steps((10, 20, 30), 1000),
        type="celsius",
        unit_exponent=-3,
        power_uw=9,
        resolution=5,
        resolution_exponent=-2,
        min=-100,
        trip_points=3,
        async_read=True,
        read_us=50,
        continuous=True,
        intervals_us=(1000, 50_000, 123_000),
        interval_us=50_000,
        timestamps=True,
        timestamp_exponent=-6,
    ),
    Sensor(
        AXES,
        "axes",
        axes=(
            Axis("x", Constant(1), resolution=2, min=-7, max=7),
            Axis("y-with-a-very-long-name", Constant(2), type="hertz", unit_exponent=6),
            Axis("z", Constant(3)),
        ),
        type=89,
    ),
)


@pytest.fixture
def bench() -> Bench:
    return Bench(platform(sensor=SENSORS))


def ask(bench: Bench, name: str, request: Any, agent: int = TWO) -> Any:
    return answer(bench, agent, "sensor", f"SENSOR_{name}", request)


def described(bench: Bench, agent: int = TWO) -> tuple[list[sensor.SensorDescriptor], list[tuple[int, int]]]:
    """Every descriptor, and (returned, remaining) of every page."""
    found: list[sensor.SensorDescriptor] = []
    pages = []
    while not pages or pages[-1][1]:
        body = ask(bench, "DESCRIPTION_GET", sensor.DescriptionGet(len(found)), agent)
        found.extend(body.desc)
        pages.append((len(body.desc), sensor.NUM_SENSORS.get(body.num_sensor_flags, "remaining")))
    return found, pages


def configure(bench: Bench, sensor_id: int, agent: int = TWO, **bits: int) -> Any:
    return ask(bench, "CONFIG_SET", sensor.ConfigSet(sensor_id, sensor.CONFIG_SET.pack(**bits)), agent)


def config(bench: Bench, sensor_id: int) -> dict[str, int]:
    return sensor.CONFIG.unpack(ask(bench, "CONFIG_GET", sensor.ConfigGet(sensor_id)).sensor_config)


def read(bench: Bench, sensor_id: int, agent: int = TWO, flags: int = 0) -> Any:
    return ask(bench, "READING_GET", sensor.ReadingGet(sensor_id, flags), agent)


# ---- what there is ----------------------------------------------------------------------------


def test_attributes(bench: Bench) -> None:
    for agent, most in ((TWO, 64), (DOM0, 0)):
        body = answer(bench, agent, "sensor", "PROTOCOL_ATTRIBUTES")
        assert sensor.ATTRIBUTES.unpack(body.attributes) == {"max_async_requests": most, "num_sensors": 4}


def test_descriptors_come_by_id_as_many_as_fit(bench: Bench) -> None:
    found, pages = described(bench)
    assert [one.sensor_id for one in found] == [PLAIN, RICH, AXES, STEPPED]
    assert pages == [(2, 2), (2, 0)], "28 and 52 bytes, then 28 and 28, of 92"


def test_a_rich_scalar_sensor(bench: Bench) -> None:
    rich = described(bench)[0][1]
    low = sensor.DESCRIPTOR_LOW.unpack(rich.attributes_low)
    assert low == {
        "async_read": 1,
        "continuous_update_notify": 1,
        "extended_name": 1,
        "timestamp_exponent_signed": 32 - 6,
        "timestamp": 1,
        "extended_attributes": 1,
        "num_trip_points": 3,
    }
    high = sensor.DESCRIPTOR_HIGH.unpack(rich.attributes_high)
    assert high == {"num_axes": 0, "unit_exponent_signed": 32 - 3, "axis_support": 0, "sensor_type": 2}
    assert (rich.name, rich.power, rich.resolution) == ("a-sensor-with-a", 9, (32 - 2) << 27 | 5)
    assert (rich.min_range, rich.max_range) == (-100, HIGHEST)


def test_what_an_agent_without_a_way_back_is_not_told_of(bench: Bench) -> None:
    rich = described(bench, DOM0)[0][1]
    low = sensor.DESCRIPTOR_LOW.unpack(rich.attributes_low)
    assert (low["async_read"], low["continuous_update_notify"], low["num_trip_points"]) == (0, 0, 0)
    assert ask(bench, "TRIP_POINT_CONFIG", sensor.TripPointConfig(RICH, 1, 0), DOM0) is (
        Status.INVALID_PARAMETERS
    )
    assert read(bench, RICH, DOM0, flags=1) is Status.NOT_SUPPORTED


def test_the_first_version_has_short_descriptors_and_one_value(bench: Bench) -> None:
    negotiate(bench, TWO, "sensor", 0x10000)
    found, pages = described(bench)
    assert pages == [(3, 1), (1, 0)]
    rich = found[1]
    assert sensor.DESCRIPTOR_HIGH_OLD.unpack(rich.attributes_high) == {
        "update_interval": 5,
        "update_multiplier": 32 - 2,
        "unit_exponent_signed": 32 - 3,
        "sensor_type": 2,
    }
    assert rich.attributes_low == 1 << 31 | 3
    bench.now_ns = 1_500_000
    assert read(bench, RICH).value == 20
    assert read(bench, AXES).value == 1
    for name, request in (("CONFIG_GET", sensor.ConfigGet(RICH)), ("NAME_GET", sensor.NameGet(RICH))):
        assert ask(bench, name, request) is Status.NOT_FOUND


def test_version_2_has_no_long_names(bench: Bench) -> None:
    negotiate(bench, TWO, "sensor", 0x20000)
    assert not sensor.DESCRIPTOR_LOW.get(described(bench)[0][1].attributes_low, "extended_name")
    body = ask(bench, "AXIS_DESCRIPTION_GET", sensor.AxisDescriptionGet(AXES, 1))
    assert not sensor.AXIS_LOW.get(body.desc[0].attributes_low, "extended_name")
    assert ask(bench, "AXIS_NAME_GET", sensor.AxisNameGet(AXES, 0)) is Status.NOT_FOUND


def test_axes(bench: Bench) -> None:
    body = ask(bench, "AXIS_DESCRIPTION_GET", sensor.AxisDescriptionGet(AXES, 0))
    assert sensor.NUM_AXES.unpack(body.num_axis_flags) == {"remaining": 1, "returned": 2}
    x, y = body.desc
    assert (x.axis_id, x.name, x.min_range, x.max_range, x.resolution) == (0, "x", -7, 7, 2)
    assert sensor.AXIS_HIGH.unpack(x.attributes_high) == {"unit_exponent_signed": 0, "sensor_type": 89}
    assert sensor.AXIS_HIGH.unpack(y.attributes_high) == {"unit_exponent_signed": 6, "sensor_type": 20}
    assert sensor.AXIS_LOW.unpack(y.attributes_low) == {"extended_name": 1, "extended_attributes": 0}
    names = [ask(bench, "AXIS_NAME_GET", sensor.AxisNameGet(AXES, at)).desc[0].name for at in range(3)]
    assert names == ["x", "y-with-a-very-long-name", "z"]


def test_names(bench: Bench) -> None:
    assert ask(bench, "NAME_GET", sensor.NameGet(RICH)).name == "a-sensor-with-a-very-long-name"


def test_intervals(bench: Bench) -> None:
    body = ask(bench, "LIST_UPDATE_INTERVALS", sensor.ListUpdateIntervals(RICH, 1))
    assert sensor.NUM_INTERVALS.unpack(body.num_interval_flags) == {
        "remaining": 0, "triplet": 0, "returned": 2
    }  # fmt: skip
    assert body.intervals == (5 << 5 | 32 - 2, 123 << 5 | 32 - 3)
    body = ask(bench, "LIST_UPDATE_INTERVALS", sensor.ListUpdateIntervals(STEPPED, 0))
    assert sensor.NUM_INTERVALS.get(body.num_interval_flags, "triplet")
    assert body.intervals == (1 << 5 | 29, 9 << 5 | 29, 2 << 5 | 29)


@pytest.mark.parametrize(
    ("name", "request_", "status"),
    [
        ("DESCRIPTION_GET", sensor.DescriptionGet(4), Status.INVALID_PARAMETERS),
        ("AXIS_DESCRIPTION_GET", sensor.AxisDescriptionGet(AXES, 3), Status.INVALID_PARAMETERS),
        ("AXIS_DESCRIPTION_GET", sensor.AxisDescriptionGet(PLAIN, 0), Status.NOT_SUPPORTED),
        ("AXIS_NAME_GET", sensor.AxisNameGet(AXES, 3), Status.INVALID_PARAMETERS),
        ("AXIS_NAME_GET", sensor.AxisNameGet(PLAIN, 0), Status.NOT_SUPPORTED),
        ("LIST_UPDATE_INTERVALS", sensor.ListUpdateIntervals(RICH, 3), Status.INVALID_PARAMETERS),
        ("LIST_UPDATE_INTERVALS", sensor.ListUpdateIntervals(STEPPED, 1), Status.INVALID_PARAMETERS),
        ("LIST_UPDATE_INTERVALS", sensor.ListUpdateIntervals(PLAIN, 0), Status.NOT_SUPPORTED),
        ("TRIP_POINT_NOTIFY", sensor.TripPointNotify(PLAIN, 1), Status.NOT_SUPPORTED),
        ("TRIP_POINT_NOTIFY", sensor.TripPointNotify(RICH, 2), Status.INVALID_PARAMETERS),
        ("TRIP_POINT_CONFIG", sensor.TripPointConfig(RICH, 3 << 4 | 1, 0), Status.INVALID_PARAMETERS),
        ("TRIP_POINT_CONFIG", sensor.TripPointConfig(PLAIN, 1, 0), Status.INVALID_PARAMETERS),
        ("TRIP_POINT_CONFIG", sensor.TripPointConfig(RICH, 2 << 4 | 3, 0), None),
        ("CONTINUOUS_UPDATE_NOTIFY", sensor.ContinuousUpdateNotify(PLAIN, 1), Status.NOT_SUPPORTED),
        ("READING_GET", sensor.ReadingGet(RICH, 2), Status.INVALID_PARAMETERS),
        ("READING_GET", sensor.ReadingGet(AXES, 1), Status.NOT_SUPPORTED),
        ("READING_GET", sensor.ReadingGet(PLAIN, 0), Status.PROTOCOL_ERROR),
        ("READING_GET", sensor.ReadingGet(99, 0), Status.NOT_FOUND),
    ],
)
def test_refusals(bench: Bench, name: str, request_: Any, status: Status | None) -> None:
    found = ask(bench, name, request_)
    assert isinstance(found, Status) is (status is not None)
    assert status is None or found is status


def test_an_agent_with_a_view_finds_its_own_sensors_under_its_own_numbers() -> None:
    bench = Bench(platform(sensor=SENSORS, view=(View(TWO, "sensor", (STEPPED, RICH)),)))
    found, pages = described(bench)
    assert [(one.sensor_id, one.name) for one in found] == [(0, "stepped"), (1, "a-sensor-with-a")]
    assert sum(returned for returned, _ in pages) == 2
    assert ask(bench, "DESCRIPTION_GET", sensor.DescriptionGet(2)) is Status.INVALID_PARAMETERS
    assert read(bench, 0).readings[0].value == -5
    ask(bench, "CONTINUOUS_UPDATE_NOTIFY", sensor.ContinuousUpdateNotify(1, 1))
    assert [one.body.sensor_id for one in wait(bench, 50_100)] == [1]
    assert [one.sensor_id for one in described(bench, THREE)[0]] == [PLAIN, RICH, AXES, STEPPED]


# ---- readings ---------------------------------------------------------------------------------


def test_one_reading_per_axis(bench: Bench) -> None:
    assert [one.value for one in read(bench, AXES).readings] == [1, 2, 3]
    assert [one.value for one in read(bench, STEPPED).readings] == [-5]


def test_timestamps_are_zero_until_somebody_wants_them(bench: Bench) -> None:
    bench.now_ns = 7_000_000
    assert read(bench, RICH).readings[0].timestamp == 0
    assert configure(bench, RICH, THREE, enable=1, timestamp_enable=1) is not None
    assert read(bench, RICH).readings[0].timestamp == 7000
    assert config(bench, RICH)["timestamp_enabled"]
    assert configure(bench, PLAIN, enable=1, timestamp_enable=1) is Status.NOT_SUPPORTED


def test_a_delayed_reading_is_of_when_it_is_done(bench: Bench) -> None:
    bench.now_ns = 975_000
    assert bench.status(TWO, "sensor", "SENSOR_READING_GET", sensor.ReadingGet(RICH, 1)) is OK
    assert told(bench) == []
    assert "sensor 3 SENSOR_READING_GET" in bench.held(TWO)
    assert wait(bench, 60) == [
        Told(
            TWO,
            "SENSOR_READING_GET",
            sensor.ReadingComplete(RICH, (sensor.SensorReading(20, 0),)),
            bytes=4 + 4 + 16,
        )
    ]


def test_a_delayed_reading_in_the_first_version(bench: Bench) -> None:
    negotiate(bench, TWO, "sensor", 0x10000)
    assert bench.status(TWO, "sensor", "SENSOR_READING_GET", sensor.ReadingGet(RICH, 1)) is OK
    assert [one.body for one in wait(bench, 60)] == [sensor.ReadingCompleteOld(RICH, 10)]


def test_a_failed_sensor(bench: Bench) -> None:
    bench.core.board.sensors.fail(RICH, True)
    assert read(bench, RICH) is Status.HARDWARE_ERROR
    assert bench.status(TWO, "sensor", "SENSOR_READING_GET", sensor.ReadingGet(RICH, 1)) is OK
    assert [one.status for one in wait(bench, 60)] == [Status.HARDWARE_ERROR]
    bench.core.board.sensors.fail(RICH, False)
    assert read(bench, RICH).readings[0].value == 10


# ---- configuration ----------------------------------------------------------------------------


def test_a_sensor_is_on_while_anyone_wants_it(bench: Bench) -> None:
    for agent, on, readable in ((TWO, 1, True), (THREE, 0, True), (TWO, 0, False), (THREE, 1, True)):
        configure(bench, PLAIN, agent, enable=on)
        assert isinstance(read(bench, PLAIN), Status) is not readable
        assert config(bench, PLAIN)["enabled"] == readable
    reset(bench, THREE)
    assert read(bench, PLAIN) is Status.PROTOCOL_ERROR
    reset(bench, TWO)
    assert bench.held(TWO) == bench.held(THREE) == {}


def test_the_shortest_interval_wins_and_0_leaves_it(bench: Bench) -> None:
    assert (config(bench, RICH)["interval_seconds"], config(bench, RICH)["interval_exponent_signed"]) == (
        5,
        30,
    )
    configure(bench, RICH, TWO, enable=1, interval_seconds=123, interval_exponent_signed=32 - 3)
    assert config(bench, RICH)["interval_seconds"] == 123
    configure(bench, RICH, THREE, enable=1, interval_seconds=1, interval_exponent_signed=32 - 3)
    assert config(bench, RICH)["interval_seconds"] == 1
    configure(bench, RICH, THREE, enable=0)
    assert config(bench, RICH)["interval_seconds"] == 1
    reset(bench, THREE)
    assert config(bench, RICH)["interval_seconds"] == 123


@pytest.mark.parametrize(
    ("sensor_id", "ms", "rounding", "expected"),
    [
        (RICH, 50, 0, 50_000),
        (RICH, 49, 0, 1000),
        (RICH, 49, 1, 50_000),
        (RICH, 25, 2, 1000),
        (RICH, 26, 2, 50_000),
        (RICH, 0xFFFF, 0, 123_000),
        (RICH, 0xFFFF, 1, None),
        (RICH, 0xFFFF, 2, 123_000),
        (RICH, 50, 3, None),
        (STEPPED, 3, 0, 3000),
        (STEPPED, 4, 0, 3000),
        (STEPPED, 4, 1, 5000),
        (STEPPED, 4, 2, 3000),
        (STEPPED, 9, 1, 9000),
        (STEPPED, 10, 0, 9000),
        (STEPPED, 10, 1, None),
    ],
)
def test_rounding(bench: Bench, sensor_id: int, ms: int, rounding: int, expected: int | None) -> None:
    bits = {"enable": 1, "interval_seconds": ms, "interval_exponent_signed": 32 - 3, "rounding": rounding}
    found = configure(bench, sensor_id, **bits)
    if expected is None:
        assert found is Status.INVALID_PARAMETERS
        assert bench.held(TWO) == {}
    else:
        got = config(bench, sensor_id)
        assert got["interval_seconds"] * 10.0 ** (got["interval_exponent_signed"] - 32 + 6) == expected


def test_an_interval_that_is_too_short_is_rounded_up_only(bench: Bench) -> None:
    bits = {"enable": 1, "interval_seconds": 1, "interval_exponent_signed": 32 - 16}
    assert configure(bench, RICH, **bits, rounding=0) is Status.INVALID_PARAMETERS
    configure(bench, RICH, **bits, rounding=1)
    assert config(bench, RICH)["interval_seconds"] == 1
    assert configure(bench, PLAIN, **bits) is Status.NOT_SUPPORTED


# ---- what platform.toml may not say -----------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "rule"),
    [
        (Sensor(0, "a"), "has a source or axes"),
        (Sensor(0, "a", Constant(1), axes=(Axis("x", Constant(1)),)), "has a source or axes"),
        (Sensor(0, "a", axes=tuple(Axis(str(n), Constant(n)) for n in range(6))), "a message takes 5"),
        (Sensor(0, "a", axes=(Axis("x", Constant(1)),), trip_points=1), "with axes has none"),
        (Sensor(0, "a", Constant(1), type="heat"), "'heat' is no sensor type"),
        (Sensor(0, "a", Constant(1), type=256), "above 255"),
        (Sensor(0, "a", Constant(1), continuous=True), "updates need intervals_us"),
        (Sensor(0, "a", Constant(1), intervals_us=(2, 1)), "in ascending order"),
        (Sensor(0, "a", Constant(1), intervals_us=(65_537,)), "does not fit 16 bits"),
        (Sensor(0, "a", Constant(1), intervals_us=(1,), interval_us=2), "is none of intervals_us"),
        (Sensor(0, "a", Constant(1), intervals_us=IntervalRange(2, 1, 1)), "swap them"),
        (Sensor(0, "a", Constant(1), min=2, max=1), "swap them"),
        (Sensor(0, "a", Constant(1), read_us=1), "only an asynchronous reading"),
    ],
)
def test_impossible_sensors(one: Sensor, rule: str) -> None:
    with pytest.raises(PlatformError, match=rule):
        platform(sensor=(one,))


def test_as_many_axes_as_a_message_takes() -> None:
    five = Sensor(0, "a", axes=tuple(Axis(str(n), Constant(n)) for n in range(5)))
    assert len(read(Bench(platform(sensor=(five,))), 0).readings) == 5
