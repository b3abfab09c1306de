"""Sensors as the protocol describes them: descriptors, axes, intervals, each as a version wants it.

Pure functions of what platform.toml says; who asks and what is measured is ``sensor.py``'s business.
"""

from collections.abc import Sequence
from fractions import Fraction

from bus.fields import Message, encode
from bus.scmi import sensor
from nodes.firmware.platform.choices import neighbours
from nodes.firmware.platform.sensors import NUMBERS, Axis, Sensor, interval_word

NEW, NAMED = 0x20000, 0x30000  # since when descriptors are long, since when names are
SHORT_NAME = 15
LOWEST, HIGHEST = -(2**63), 2**63 - 1
FIVE_BITS = 0x1F
OLD_COUNT_MAX = 31


def signed(exponent: int) -> int:
    """A power of ten as five bits."""
    return exponent & FIVE_BITS


def exponent(bits: int) -> int:
    """Five bits as a power of ten."""
    return bits - 32 if bits & 0x10 else bits


def type_number(kind: str | int) -> int:
    return NUMBERS[kind] if isinstance(kind, str) else kind


def extent_given(one: Sensor | Axis) -> bool:
    """Whether anything is known of its resolution and range."""
    return bool(one.resolution) or one.min is not None or one.max is not None


def resolution(one: Sensor | Axis) -> int:
    """The resolution word, 0 if it is not known."""
    if not one.resolution:
        return 0
    return sensor.RESOLUTION.pack(exponent_signed=signed(one.resolution_exponent), value=one.resolution)


def descriptor(one: Sensor, version: int, *, reached: bool, interval_us: int) -> sensor.SensorDescriptor:
    """``reached``: the agent that asks can be told things; ``interval_us`` is the one in force."""
    low = {
        "async_read": one.async_read and reached,
        "num_trip_points": one.trip_points if reached else 0,
        "extended_name": version >= NAMED and len(one.name) > SHORT_NAME,
    }
    if version < NEW:
        count, power = old_interval(interval_us)
        high = sensor.DESCRIPTOR_HIGH_OLD.pack(
            update_interval=count,
            update_multiplier=signed(power),
            unit_exponent_signed=signed(one.unit_exponent),
            sensor_type=type_number(one.type),
        )
        return sensor.SensorDescriptor(one.id, sensor.DESCRIPTOR_LOW.pack(**low), high, one.name, 0, 0, 0, 0)
    low["continuous_update_notify"] = one.continuous and reached
    low["timestamp"] = one.timestamps
    low["timestamp_exponent_signed"] = signed(one.timestamp_exponent) if one.timestamps else 0
    low["extended_attributes"] = bool(one.power_uw) or extent_given(one)
    high = sensor.DESCRIPTOR_HIGH.pack(
        num_axes=len(one.axes),
        axis_support=bool(one.axes),
        unit_exponent_signed=signed(one.unit_exponent),
        sensor_type=type_number(one.type),
    )
    low_word = sensor.DESCRIPTOR_LOW.pack(**low)
    return sensor.SensorDescriptor(
        one.id, low_word, high, one.name, one.power_uw, resolution(one), *limits(one)
    )


def limits(one: Sensor | Axis) -> tuple[int, int]:
    """The range, as wide as a number can be where it is not known."""
    return LOWEST if one.min is None else one.min, HIGHEST if one.max is None else one.max


def axis_descriptor(of: Sensor, number: int, version: int) -> sensor.AxisDescriptor:
    axis = of.axes[number]
    low = sensor.AXIS_LOW.pack(
        extended_name=version >= NAMED and len(axis.name) > SHORT_NAME, extended_attributes=extent_given(axis)
    )
    unit = of.unit_exponent if axis.unit_exponent is None else axis.unit_exponent
    high = sensor.AXIS_HIGH.pack(
        unit_exponent_signed=signed(unit),
        sensor_type=type_number(of.type if axis.type is None else axis.type),
    )
    return sensor.AxisDescriptor(number, low, high, axis.name, resolution(axis), *limits(axis))


def page(items: Sequence[Message], room: int, version: int, most: int) -> int:
    """How many of ``items``, from the first on, fit into ``room`` bytes; at most ``most``."""
    used = 0
    for number, item in enumerate(items[:most]):
        used += len(encode(item, version))
        if used > room:
            return number
    return min(len(items), most)


def interval(us: int) -> int:
    """An interval as the list of them has it."""
    count, power = interval_word(us) or (0, 0)
    return sensor.INTERVAL.pack(seconds=count, exponent_signed=signed(power))


def old_interval(us: int) -> tuple[int, int]:
    """An interval in the five bits that the first version has for its count, as near as they can."""
    count, power = interval_word(us) or (0, 0)
    while count > OLD_COUNT_MAX:
        count, power = (count + 5) // 10, power + 1
    return count, power


def wanted_interval(one: Sensor, count: int, power: int, rounding: int) -> int | None:
    """The sensor's interval that a wish is rounded to, in microseconds; None if there is none that way."""
    wanted = count * Fraction(10) ** (power + 6)
    lower, upper = neighbours(one.intervals_us, wanted)
    if rounding == sensor.ROUNDING["DOWN"]:
        return lower
    if rounding == sensor.ROUNDING["UP"]:
        return upper
    if lower is None or upper is None:
        return lower or upper
    return lower if wanted - lower <= upper - wanted else upper
