"""Sensors with everything they can do: a scalar one and one with axes."""

from bus.scmi import sensor
from nodes.firmware.platform import Axis, Constant, Sensor, Steps, Wave

TABLES = {
    "sensor": (
        Sensor(
            1,
            "specimen-with-a-very-long-name",
            Wave("sine", 1_000_000, 1000, 40_000),
            type="celsius",
            unit_exponent=-3,
            noise=5,
            power_uw=7,
            resolution=1,
            resolution_exponent=-3,
            min=-40_000,
            max=125_000,
            trip_points=2,
            async_read=True,
            read_us=10,
            continuous=True,
            intervals_us=(1000, 10_000),
            timestamps=True,
        ),
        Sensor(
            2,
            "specimen-axes",
            axes=(
                Axis("x", Constant(1), min=-10, max=10, resolution=1),
                Axis("y-with-a-very-long-name", Steps((1, 2, 3), 1000)),
            ),
            type="metre_per_second_squared",
        ),
        Sensor(3, "specimen-of-others", Constant(3)),
    ),
}
DEVICE = {"sensors": (1, 2)}
REQUESTS = {
    "PROTOCOL_ATTRIBUTES": None,
    "SENSOR_DESCRIPTION_GET": sensor.DescriptionGet(0),
    "SENSOR_TRIP_POINT_NOTIFY": sensor.TripPointNotify(1, 1),
    "SENSOR_TRIP_POINT_CONFIG": sensor.TripPointConfig(1, 0x13, 40_500),
    "SENSOR_READING_GET": sensor.ReadingGet(1, 0),
    "SENSOR_AXIS_DESCRIPTION_GET": sensor.AxisDescriptionGet(2, 0),
    "SENSOR_LIST_UPDATE_INTERVALS": sensor.ListUpdateIntervals(1, 0),
    "SENSOR_CONFIG_GET": sensor.ConfigGet(1),
    "SENSOR_CONFIG_SET": sensor.ConfigSet(1, 3),
    "SENSOR_CONTINUOUS_UPDATE_NOTIFY": sensor.ContinuousUpdateNotify(1, 1),
    "SENSOR_NAME_GET": sensor.NameGet(1),
    "SENSOR_AXIS_NAME_GET": sensor.AxisNameGet(2, 0),
}
