"""Sensor management protocol, 0x15 (DEN0056)."""

from typing import Annotated

from bus.fields import REST, Bits, Message, array, char, i64, structures, u32, u64
from bus.scmi.protocol import Command, Confidence, Nothing, Notification, Protocol, Variant
from bus.scmi.sensor_types import SENSOR_TYPE
from bus.scmi.status import Status

DESCRIPTOR_LOW = Bits(
    async_read=31,
    continuous_update_notify=30,
    extended_name=29,
    timestamp_exponent_signed=(14, 10),
    timestamp=9,
    extended_attributes=8,
    num_trip_points=(7, 0),
)
DESCRIPTOR_HIGH = Bits(num_axes=(21, 16), unit_exponent_signed=(15, 11), axis_support=8, sensor_type=(7, 0))
DESCRIPTOR_HIGH_OLD = Bits(
    update_interval=(31, 27), update_multiplier=(26, 22), unit_exponent_signed=(15, 11), sensor_type=(7, 0)
)
RESOLUTION = Bits(exponent_signed=(31, 27), value=(26, 0))
AXIS_LOW = Bits(extended_name=9, extended_attributes=8)
AXIS_HIGH = Bits(unit_exponent_signed=(15, 11), sensor_type=(7, 0))
ATTRIBUTES = Bits(max_async_requests=(23, 16), num_sensors=(15, 0))
NUM_SENSORS = Bits(remaining=(31, 16), returned=(11, 0))
NOTIFY = Bits(enable=0)
TRIP_POINT_CONTROL = Bits(trip_point_id=(11, 4), mode=(1, 0))
READING_FLAGS = Bits(async_read=0)
NUM_AXES = Bits(remaining=(31, 26), returned=(5, 0))
NUM_INTERVALS = Bits(remaining=(31, 16), triplet=12, returned=(11, 0))
CONFIG = Bits(interval_seconds=(31, 16), interval_exponent_signed=(15, 11), timestamp_enabled=1, enabled=0)
CONFIG_SET = Bits(
    interval_seconds=(31, 16),
    interval_exponent_signed=(15, 11),
    rounding=(10, 9),
    timestamp_enable=1,
    enable=0,
)
TRIP_POINT_DESC = Bits(positive_direction=16, trip_point_id=(7, 0))
INTERVAL = Bits(seconds=(20, 5), exponent_signed=(4, 0))
TRIP_POINT_MODE = {"DISABLED": 0x0, "POSITIVE": 0x1, "NEGATIVE": 0x2, "BOTH": 0x3}
ROUNDING = {"DOWN": 0x0, "UP": 0x1, "AUTO": 0x2}

_EXTENDED = "attributes_low[8]"
_SCALAR = "attributes_low[8] !attributes_high[8]"  # an axis has its own range


class SensorReading(Message, frozen=True):
    value: Annotated[int, i64("in the unit of the sensor")]
    timestamp: Annotated[int, u64("in the unit that the descriptor gives, 0: none")]


class SensorDescriptor(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]
    attributes_low: Annotated[
        int,
        u32("what the sensor can do; the exponent is that of timestamps, to seconds", bits=DESCRIPTOR_LOW),
    ]
    attributes_high: Annotated[
        int,
        u32(
            "what it measures, and the power of ten",
            bits=DESCRIPTOR_HIGH,
            older={0x20000: DESCRIPTOR_HIGH_OLD},
            parts={"sensor_type": SENSOR_TYPE},
        ),
    ]
    name: Annotated[str, char(16)]
    power: Annotated[int, u32("what the sensor takes itself, 0: not known", since=0x20000, when=_EXTENDED)]
    resolution: Annotated[
        int, u32("value and its power of ten, 0: not known", bits=RESOLUTION, since=0x20000, when=_SCALAR)
    ]
    min_range: Annotated[int, i64("-2^63: not known", since=0x20000, when=_SCALAR)]
    max_range: Annotated[int, i64("2^63 - 1: not known", since=0x20000, when=_SCALAR)]


class AxisDescriptor(Message, frozen=True):
    axis_id: Annotated[int, u32("among the axes of its sensor, from 0")]
    attributes_low: Annotated[int, u32(bits=AXIS_LOW)]
    attributes_high: Annotated[
        int, u32("what it measures, and the power of ten", bits=AXIS_HIGH, parts={"sensor_type": SENSOR_TYPE})
    ]
    name: Annotated[str, char(16)]
    resolution: Annotated[
        int, u32("value and its power of ten, 0: not known", bits=RESOLUTION, when=_EXTENDED)
    ]
    min_range: Annotated[int, i64("in the unit of the axis", when=_EXTENDED)]
    max_range: Annotated[int, i64("in the unit of the axis", when=_EXTENDED)]


class AxisName(Message, frozen=True):
    axis_id: Annotated[int, u32("among the axes of its sensor, from 0")]
    name: Annotated[str, char(64)]


class ProtocolAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32(bits=ATTRIBUTES)]
    sensor_reg_address: Annotated[int, u64("physical address, 0: no shared registers")]
    sensor_reg_len: Annotated[int, u32("bytes")]


class DescriptionGet(Message, frozen=True):
    desc_index: Annotated[int, u32("the first descriptor wanted")]


class DescriptionGetReply(Message, frozen=True):
    num_sensor_flags: Annotated[int, u32("how many in this reply, how many after it", bits=NUM_SENSORS)]
    desc: Annotated[
        tuple[SensorDescriptor, ...],
        structures(SensorDescriptor, "num_sensor_flags[11:0]", "ascending by id; their size varies"),
    ]


class TripPointNotify(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]
    sensor_event_control: Annotated[int, u32(bits=NOTIFY)]


class TripPointConfig(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]
    trip_point_ev_ctrl: Annotated[
        int,
        u32(
            "which trip point, and what crossing counts",
            bits=TRIP_POINT_CONTROL,
            parts={"mode": TRIP_POINT_MODE},
        ),
    ]
    trip_point_val: Annotated[int, i64("in the unit of the sensor")]


class ReadingGet(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]
    flags: Annotated[int, u32(bits=READING_FLAGS)]


class ReadingGetReply(Message, frozen=True):
    readings: Annotated[
        tuple[SensorReading, ...], structures(SensorReading, REST, "one per axis, one for a scalar sensor")
    ]


class ReadingComplete(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]
    readings: Annotated[
        tuple[SensorReading, ...], structures(SensorReading, REST, "one per axis, one for a scalar sensor")
    ]


class ReadingGetReplyOld(Message, frozen=True):
    value: Annotated[int, i64("in the unit of the sensor")]


class ReadingCompleteOld(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]
    value: Annotated[int, i64("in the unit of the sensor")]


class AxisDescriptionGet(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]
    axis_desc_index: Annotated[int, u32("the first axis wanted")]


class AxisDescriptionGetReply(Message, frozen=True):
    num_axis_flags: Annotated[int, u32("how many in this reply, how many after it", bits=NUM_AXES)]
    desc: Annotated[
        tuple[AxisDescriptor, ...], structures(AxisDescriptor, "num_axis_flags[5:0]", "in order of the axes")
    ]


class ListUpdateIntervals(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]
    index: Annotated[int, u32("the first one wanted")]


class ListUpdateIntervalsReply(Message, frozen=True):
    num_interval_flags: Annotated[int, u32("how many in this reply, how many after it", bits=NUM_INTERVALS)]
    intervals: Annotated[
        tuple[int, ...],
        array(
            "I",
            "num_interval_flags[11:0]",
            "seconds (20:5) times ten to a signed exponent (4:0); triplet: shortest, longest, step",
        ),
    ]


class ConfigGet(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]


class ConfigGetReply(Message, frozen=True):
    sensor_config: Annotated[int, u32("an interval as in SENSOR_LIST_UPDATE_INTERVALS", bits=CONFIG)]


class ConfigSet(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]
    sensor_config: Annotated[
        int,
        u32("an interval as in SENSOR_LIST_UPDATE_INTERVALS", bits=CONFIG_SET, parts={"rounding": ROUNDING}),
    ]


class ContinuousUpdateNotify(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]
    sensor_event_control: Annotated[int, u32(bits=NOTIFY)]


class NameGet(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]


class NameGetReply(Message, frozen=True):
    flags: Annotated[int, u32("zero")]
    name: Annotated[str, char(64)]


class AxisNameGet(Message, frozen=True):
    sensor_id: Annotated[int, u32(of="sensor")]
    axis_desc_index: Annotated[int, u32("the first axis wanted")]


class AxisNameGetReply(Message, frozen=True):
    num_axis_flags: Annotated[int, u32("how many in this reply, how many after it", bits=NUM_AXES)]
    desc: Annotated[tuple[AxisName, ...], structures(AxisName, "num_axis_flags[5:0]", "in order of the axes")]


class TripPointEvent(Message, frozen=True):
    agent_id: Annotated[int, u32("0: the platform")]
    sensor_id: Annotated[int, u32(of="sensor")]
    trip_point_desc: Annotated[int, u32("which trip point; 1: crossed upwards", bits=TRIP_POINT_DESC)]


class Update(Message, frozen=True):
    agent_id: Annotated[int, u32("0: the platform")]
    sensor_id: Annotated[int, u32(of="sensor")]
    readings: Annotated[
        tuple[SensorReading, ...], structures(SensorReading, REST, "one per axis, one for a scalar sensor")
    ]


_UNKNOWN = {Status.NOT_FOUND: "unknown sensor"}
_NOTIFY_ERRORS = {
    Status.NOT_FOUND: "unknown sensor",
    Status.INVALID_PARAMETERS: "reserved bit set",
    Status.NOT_SUPPORTED: "sensor has no notification",
}

PROTOCOL_ATTRIBUTES = Command(0x1, "PROTOCOL_ATTRIBUTES", Nothing, ProtocolAttributesReply, mandatory=True)
SENSOR_DESCRIPTION_GET = Command(
    0x3,
    "SENSOR_DESCRIPTION_GET",
    DescriptionGet,
    DescriptionGetReply,
    mandatory=True,
    errors={Status.INVALID_PARAMETERS: "desc_index too big"},
)
SENSOR_TRIP_POINT_NOTIFY = Command(
    0x4,
    "SENSOR_TRIP_POINT_NOTIFY",
    TripPointNotify,
    Nothing,
    changes=True,
    errors={**_NOTIFY_ERRORS, Status.NOT_SUPPORTED: "no trip points"},
)
SENSOR_TRIP_POINT_CONFIG = Command(
    0x5,
    "SENSOR_TRIP_POINT_CONFIG",
    TripPointConfig,
    Nothing,
    changes=True,
    errors={
        Status.NOT_FOUND: "unknown sensor",
        Status.INVALID_PARAMETERS: "trip point id too big or reserved bit set",
    },
)
SENSOR_READING_GET = Command(
    0x6,
    "SENSOR_READING_GET",
    ReadingGet,
    ReadingGetReply,
    mandatory=True,
    delayed=ReadingComplete,
    errors={
        Status.NOT_FOUND: "unknown sensor",
        Status.INVALID_PARAMETERS: "reserved flag bit set",
        Status.NOT_SUPPORTED: "async read not available",
        Status.BUSY: "too many asynchronous requests outstanding",
        Status.PROTOCOL_ERROR: "sensor is disabled",
        Status.HARDWARE_ERROR: "sensor failed",
    },
    older={0x20000: Variant(reply=ReadingGetReplyOld, delayed=ReadingCompleteOld)},
)
SENSOR_AXIS_DESCRIPTION_GET = Command(
    0x7,
    "SENSOR_AXIS_DESCRIPTION_GET",
    AxisDescriptionGet,
    AxisDescriptionGetReply,
    since=0x20000,
    errors={**_UNKNOWN, Status.NOT_SUPPORTED: "sensor has no axes"},
)
SENSOR_LIST_UPDATE_INTERVALS = Command(
    0x8,
    "SENSOR_LIST_UPDATE_INTERVALS",
    ListUpdateIntervals,
    ListUpdateIntervalsReply,
    since=0x20000,
    errors={**_UNKNOWN, Status.NOT_SUPPORTED: "sensor has no update intervals"},
)
SENSOR_CONFIG_GET = Command(
    0x9,
    "SENSOR_CONFIG_GET",
    ConfigGet,
    ConfigGetReply,
    mandatory=True,
    since=0x20000,
    errors=_UNKNOWN,
    mandatory_confidence=Confidence.C,
)
SENSOR_CONFIG_SET = Command(
    0xA,
    "SENSOR_CONFIG_SET",
    ConfigSet,
    Nothing,
    mandatory=True,
    changes=True,
    since=0x20000,
    errors={
        Status.NOT_FOUND: "unknown sensor",
        Status.INVALID_PARAMETERS: "reserved bits or bad interval",
        Status.NOT_SUPPORTED: "option not available",
    },
    mandatory_confidence=Confidence.C,
)
SENSOR_CONTINUOUS_UPDATE_NOTIFY = Command(
    0xB,
    "SENSOR_CONTINUOUS_UPDATE_NOTIFY",
    ContinuousUpdateNotify,
    Nothing,
    changes=True,
    since=0x20000,
    errors=_NOTIFY_ERRORS,
)
SENSOR_NAME_GET = Command(0xC, "SENSOR_NAME_GET", NameGet, NameGetReply, since=0x30000, errors=_UNKNOWN)
SENSOR_AXIS_NAME_GET = Command(
    0xD,
    "SENSOR_AXIS_NAME_GET",
    AxisNameGet,
    AxisNameGetReply,
    since=0x30000,
    errors={**_UNKNOWN, Status.NOT_SUPPORTED: "sensor has no axes"},
    confidence=Confidence.B,
)
SENSOR_TRIP_POINT_EVENT = Notification(
    0x0, "SENSOR_TRIP_POINT_EVENT", TripPointEvent, "SENSOR_TRIP_POINT_NOTIFY"
)
SENSOR_UPDATE = Notification(
    0x1, "SENSOR_UPDATE", Update, "SENSOR_CONTINUOUS_UPDATE_NOTIFY", since=0x20000, confidence=Confidence.B
)

PROTOCOL = Protocol(
    0x15,
    "sensor",
    "Sensor management",
    versions=(0x10000, 0x20000, 0x30000, 0x30001),
    commands=(
        PROTOCOL_ATTRIBUTES,
        SENSOR_DESCRIPTION_GET,
        SENSOR_TRIP_POINT_NOTIFY,
        SENSOR_TRIP_POINT_CONFIG,
        SENSOR_READING_GET,
        SENSOR_AXIS_DESCRIPTION_GET,
        SENSOR_LIST_UPDATE_INTERVALS,
        SENSOR_CONFIG_GET,
        SENSOR_CONFIG_SET,
        SENSOR_CONTINUOUS_UPDATE_NOTIFY,
        SENSOR_NAME_GET,
        SENSOR_AXIS_NAME_GET,
    ),
    notifications=(SENSOR_TRIP_POINT_EVENT, SENSOR_UPDATE),
)
