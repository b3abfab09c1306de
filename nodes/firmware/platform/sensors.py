"""The sensors: what they measure, how often, and what they can tell by themselves."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from bus.scmi.sensor_types import SENSOR_TYPE
from bus.shmem import PAYLOAD_AT
from nodes.firmware.platform.choices import Range, choices_problems, offers
from nodes.firmware.platform.described import (
    Described,
    Id,
    Name,
    Positive,
    ResourceId,
    ResourceName,
    repeated,
    says,
    unknown,
)

Value = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Exponent = Annotated[int, msgspec.Meta(ge=-16, le=15)]
Noise = Annotated[
    int,
    msgspec.Meta(ge=0, le=2**62),
    says("up to so much is added or taken away, differently in each sample"),
]
Resolution = Annotated[
    int, msgspec.Meta(ge=0, le=0x7FF_FFFF), says("the smallest step that it can tell; 0: not known")
]
READING_BYTES = 16
READINGS_AT = 8  # a status or an agent, and the sensor, come before the readings
INTERVAL_MAX = 0xFFFF
INTERVALS = 4095  # of one sensor: what one message tells of them is a 12-bit count
NUMBERS = {name.lower(): number for name, number in SENSOR_TYPE.items()}


class Constant(Described, frozen=True, tag_field="kind", tag="constant"):
    """Always the same."""

    value: Annotated[Value, says("in the sensor's unit")]


class Wave(Described, frozen=True, tag_field="kind", tag="wave"):
    """``offset`` plus or minus ``amplitude``, over and over."""

    shape: Annotated[
        Literal["sine", "triangle", "square", "sawtooth"],
        says("square: first high; sawtooth: first low; the others begin at offset, rising"),
    ]
    period_us: Annotated[Positive, says("how long one wave lasts")]
    amplitude: Annotated[Value, says("in the sensor's unit")]
    offset: Annotated[Value, says("in the sensor's unit")] = 0
    phase_us: Annotated[Id, says("how far into its period it is at boot")] = 0


class Steps(Described, frozen=True, tag_field="kind", tag="steps"):
    """One value after the other, over and over."""

    values: Annotated[
        tuple[Value, ...], msgspec.Meta(min_length=1, max_length=4096), says("in the sensor's unit")
    ]
    step_us: Annotated[Positive, says("how long each lasts")]


class Temperature(Described, frozen=True, tag_field="kind", tag="temperature"):
    """What performance domains heat; at boot it is ambient. It follows their power as a first-order lag."""

    perf_domains: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1), says("those that heat it")]
    ambient: Annotated[Value, says("without any power, in the sensor's unit")]
    per_watt: Annotated[Value, says("how much a watt heats in the end, in the sensor's unit")]
    time_constant_ms: Annotated[Positive, says("63 % of a change is through after that")] = 5000


class Power(Described, frozen=True, tag_field="kind", tag="power"):
    """What a performance domain draws now, or what a powercap domain measures."""

    perf_domain: Annotated[Id | None, says("its id; the value is in watts, by `unit_exponent`")] = None
    powercap_domain: Annotated[Id | None, says("its id, instead; the value is an average")] = None


class Rail(Described, frozen=True, tag_field="kind", tag="voltage"):
    """What a voltage domain supplies now."""

    voltage_domain: Annotated[Id, says("its id; the value is in volts, by `unit_exponent`")]


class Rate(Described, frozen=True, tag_field="kind", tag="rate"):
    """The rate of a clock in Hz, 0 while it is off."""

    clock: Annotated[Id, says("its id")]


Source = Constant | Wave | Steps | Temperature | Power | Rail | Rate


class Axis(Described, frozen=True):
    """One axis of a sensor that has several."""

    name: Annotated[Name, says("as agents are told it")]
    source: Annotated[Source, says("what it measures")]
    type: Annotated[str | Id | None, says("absent: as the sensor says")] = None
    unit_exponent: Annotated[Exponent | None, says("absent: as the sensor says")] = None
    noise: Noise = 0
    resolution: Resolution = 0
    resolution_exponent: Annotated[Exponent, says("its power of ten")] = 0
    min: Annotated[Value | None, says("the lowest value that it gives")] = None
    max: Annotated[Value | None, says("the highest")] = None


class IntervalRange(Range, frozen=True):
    """Update intervals with even steps, in microseconds."""

    min: Annotated[Positive, says("the shortest")]
    max: Annotated[Positive, says("none is longer")]
    step: Annotated[Positive, says("from one to the next")]


class Sensor(Described, frozen=True):
    """A sensor: a ``source``, or ``axes`` with a source each."""

    id: ResourceId
    name: ResourceName
    source: Annotated[Source | None, says("what a scalar sensor measures")] = None
    axes: Annotated[
        tuple[Axis, ...], msgspec.Meta(max_length=63), says("what one with several measures")
    ] = ()
    type: Annotated[str | Id, says("its unit: a name such as celsius, or the specification's number")] = (
        "unspecified"
    )
    unit_exponent: Annotated[Exponent, says("values are in units of ten to that power")] = 0
    noise: Noise = 0
    sample_us: Annotated[Positive, says("how often noise changes and trip points are looked at")] = 100_000
    power_uw: Annotated[
        Id, says("what the sensor draws itself; this, resolution, min or max: it has extended attributes")
    ] = 0
    resolution: Resolution = 0
    resolution_exponent: Annotated[Exponent, says("its power of ten")] = 0
    min: Annotated[Value | None, says("the lowest value that it gives")] = None
    max: Annotated[Value | None, says("the highest")] = None
    trip_points: Annotated[int, msgspec.Meta(ge=0, le=255), says("how many each agent can set")] = 0
    async_read: Annotated[bool, says("it can be read asynchronously")] = False
    read_us: Annotated[Id, says("how long that takes")] = 0
    continuous: Annotated[bool, says("updates can be had at intervals")] = False
    intervals_us: Annotated[tuple[Positive, ...] | IntervalRange, says("those, a list or a range")] = ()
    interval_us: Annotated[Positive | None, says("the one at boot, else the shortest")] = None
    timestamps: Annotated[bool, says("readings can have the time since boot")] = False
    timestamp_exponent: Annotated[Exponent, says("in seconds of ten to that power")] = -9
    enabled: Annotated[bool, says("the state at boot")] = True

    @property
    def boot_interval_us(self) -> int:
        """The update interval at boot, 0 if it has none."""
        given = self.intervals_us
        if self.interval_us is not None:
            return self.interval_us
        return given.min if isinstance(given, IntervalRange) else (given[0] if given else 0)

    @property
    def parts(self) -> tuple[Axis, ...]:
        """Its axes; for a scalar sensor one that is the sensor itself."""
        if self.source is None:
            return self.axes
        extent = (self.resolution, self.resolution_exponent, self.min, self.max)
        return (Axis(self.name, self.source, self.type, self.unit_exponent, self.noise, *extent),)


def interval_word(us: int) -> tuple[int, int] | None:
    """An interval as (count, power of ten of a second); None if that takes more than 16 bits."""
    exponent = -6
    while us % 10 == 0 and exponent < 15:
        us, exponent = us // 10, exponent + 1
    return (us, exponent) if us <= INTERVAL_MAX else None


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    most = (platform.area_bytes - PAYLOAD_AT - READINGS_AT) // READING_BYTES
    for at, sensor in enumerate(platform.sensor):
        place = f"sensor[{at}]"
        if (sensor.source is None) == (not sensor.axes):
            yield f"{place}: a sensor has a source or axes; give one of the two"
        if len(sensor.axes) > most:
            yield f"{place}.axes: {len(sensor.axes)}, a message takes {most}; raise area_bytes"
        if sensor.axes and sensor.trip_points:
            yield f"{place}.trip_points: a sensor with axes has none; leave them out"
        if sensor.read_us and not sensor.async_read:
            yield f"{place}.read_us: only an asynchronous reading takes time; set async_read or leave it out"
        yield from repeated(f"{place}.axes", "name", [axis.name for axis in sensor.axes])
        yield from _type_problems(f"{place}.type", sensor.type)
        yield from _interval_problems(place, sensor)
        for number, axis in enumerate(sensor.parts):
            inner = f"{place}.axes[{number}]" if sensor.axes else place
            yield from _type_problems(f"{inner}.type", axis.type)
            yield from _source_problems(f"{inner}.source", axis.source, platform)
            if axis.min is not None and axis.max is not None and axis.min > axis.max:
                yield f"{inner}.min: {axis.min} is above max {axis.max}; swap them"


def _type_problems(place: str, kind: str | int | None) -> Iterator[str]:
    if isinstance(kind, str) and kind not in NUMBERS:
        yield f"{place}: {kind!r} is no sensor type; use a name of the list, such as celsius, or a number"
    if isinstance(kind, int) and kind > 255:
        yield f"{place}: {kind} is above 255; a type is one byte"


def _interval_problems(place: str, sensor: Sensor) -> Iterator[str]:
    given = sensor.intervals_us
    listed = given.triplet if isinstance(given, IntervalRange) else given
    yield from choices_problems(f"{place}.intervals_us", given, INTERVALS)
    if sensor.continuous and not given:
        yield f"{place}.continuous: updates need intervals_us; give at least one"
    for us in listed:
        if interval_word(us) is None:
            yield f"{place}.intervals_us: {us} does not fit 16 bits and a power of ten; use a rounder number"
    boot = sensor.interval_us
    if boot is not None and (not offers(given, boot) or interval_word(boot) is None):
        yield f"{place}.interval_us: {boot} is none of intervals_us; choose one that is"


def _source_problems(place: str, source: Source | None, platform: Any) -> Iterator[str]:
    wanted: list[tuple[str, tuple[int, ...]]] = []
    if isinstance(source, Temperature):
        wanted.append(("perf_domain", source.perf_domains))
    elif isinstance(source, Rail):
        wanted.append(("voltage_domain", (source.voltage_domain,)))
    elif isinstance(source, Rate):
        wanted.append(("clock", (source.clock,)))
    elif isinstance(source, Power):
        if (source.perf_domain is None) == (source.powercap_domain is None):
            yield f"{place}: name a perf_domain or a powercap_domain, one of the two"
        for key in ("perf_domain", "powercap_domain"):
            one = getattr(source, key)
            wanted.append((key, () if one is None else (one,)))
    for kind, ids in wanted:
        yield from unknown(place, ids, kind, {row.id for row in getattr(platform, kind)} if ids else ())
