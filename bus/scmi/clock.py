"""Clock management protocol, 0x14 (DEN0056)."""

from typing import Annotated

from bus.fields import Bits, Message, array, char, u32, u64
from bus.scmi.protocol import Command, Confidence, Nothing, Notification, Protocol
from bus.scmi.status import Status

ATTRIBUTES = Bits(max_async_requests=(23, 16), num_clocks=(15, 0))
CLOCK = Bits(
    rate_change_notify=31,
    rate_change_requested_notify=30,
    extended_name=29,
    parents=28,
    extended_config=27,
    restricted=1,
    enabled=0,
)
NUM_RATES = Bits(remaining=(31, 16), triplet=12, returned=(11, 0))
RATE_SET_FLAGS = Bits(round_auto=3, round_up=2, no_delayed_response=1, async_set=0)
CONFIG_SET = Bits(extended_config_type=(23, 16), state=(1, 0))
CONFIG_SET_OLD = Bits(enable=0)
CONFIG_GET_FLAGS = Bits(extended_config_type=(7, 0))
CONFIG = Bits(enabled=0)
NUM_PARENTS = Bits(remaining=(31, 24), returned=(7, 0))
PERMISSIONS = Bits(state_control=31, parent_control=30, rate_control=29)
NOTIFY = Bits(enable=0)

STATE_DISABLE, STATE_ENABLE, STATE_RESERVED, STATE_UNCHANGED = range(4)
DUTY_CYCLE, PHASE = 1, 2
STATES = {"DISABLE": 0, "ENABLE": 1, "UNCHANGED": 3}
EXTENDED_TYPE = {"NONE": 0, "DUTY_CYCLE": DUTY_CYCLE, "PHASE": PHASE, "OEM_FIRST": 0x80, "OEM_LAST": 0xFF}


class ProtocolAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32(bits=ATTRIBUTES)]


class ClockAttributes(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]


class ClockAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32(bits=CLOCK)]
    name: Annotated[str, char(16)]
    clock_enable_delay: Annotated[int, u32("microseconds, 0: none given", since=0x20000)]


class DescribeRates(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]
    rate_index: Annotated[int, u32("the first rate wanted")]


class DescribeRatesReply(Message, frozen=True):
    num_rates_flags: Annotated[int, u32("triplet: lowest, highest, step", bits=NUM_RATES)]
    rates: Annotated[tuple[int, ...], array("Q", "num_rates_flags[11:0]", "Hz, ascending")]


class RateSet(Message, frozen=True):
    flags: Annotated[int, u32(bits=RATE_SET_FLAGS)]
    clock_id: Annotated[int, u32(of="clock")]
    rate: Annotated[int, u64("Hz")]


class RateSetComplete(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]
    rate: Annotated[int, u64("Hz")]


class RateGet(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]


class RateGetReply(Message, frozen=True):
    rate: Annotated[int, u64("Hz")]


class ConfigSet(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]
    attributes: Annotated[
        int,
        u32(
            "state: 0 disable, 1 enable, 3 leave as is",
            bits=CONFIG_SET,
            parts={"state": STATES, "extended_config_type": EXTENDED_TYPE},
            older={0x30000: CONFIG_SET_OLD},
        ),
    ]
    extended_config_val: Annotated[int, u32("for the extended type", since=0x30000)]


class ClockNameGet(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]


class ClockNameGetReply(Message, frozen=True):
    flags: Annotated[int, u32("zero")]
    name: Annotated[str, char(64)]


class RateNotify(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]
    notify_enable: Annotated[int, u32(bits=NOTIFY)]


class RateChangeRequestedNotify(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]
    notify_enable: Annotated[int, u32(bits=NOTIFY)]


class ConfigGet(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]
    flags: Annotated[int, u32(bits=CONFIG_GET_FLAGS, parts={"extended_config_type": EXTENDED_TYPE})]


class ConfigGetReply(Message, frozen=True):
    attributes: Annotated[int, u32("zero")]
    config: Annotated[int, u32(bits=CONFIG)]
    extended_config_val: Annotated[int, u32("of the type asked for, 0 if none")]


class PossibleParentsGet(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]
    skip_parents: Annotated[int, u32("parents to leave out from the front")]


class PossibleParentsGetReply(Message, frozen=True):
    num_parents_flags: Annotated[int, u32(bits=NUM_PARENTS)]
    parents: Annotated[tuple[int, ...], array("I", "num_parents_flags[7:0]", "clock ids", of="clock")]


class ParentSet(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]
    parent_id: Annotated[int, u32("one of the possible parents", of="clock")]


class ParentGet(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]


class ParentGetReply(Message, frozen=True):
    parent_id: Annotated[int, u32(of="clock")]


class GetPermissions(Message, frozen=True):
    clock_id: Annotated[int, u32(of="clock")]


class GetPermissionsReply(Message, frozen=True):
    permissions: Annotated[int, u32(bits=PERMISSIONS)]


class RateChanged(Message, frozen=True):
    agent_id: Annotated[int, u32("who caused it")]
    clock_id: Annotated[int, u32(of="clock")]
    rate: Annotated[int, u64("Hz")]


class RateChangeRequested(Message, frozen=True):
    agent_id: Annotated[int, u32("who asked")]
    clock_id: Annotated[int, u32(of="clock")]
    rate: Annotated[int, u64("Hz")]


_UNKNOWN = {Status.NOT_FOUND: "unknown clock"}
_NOTIFY_ERRORS = {
    Status.NOT_FOUND: "unknown clock",
    Status.INVALID_PARAMETERS: "reserved bit set",
    Status.NOT_SUPPORTED: "clock has no notification",
}

PROTOCOL_ATTRIBUTES = Command(0x1, "PROTOCOL_ATTRIBUTES", Nothing, ProtocolAttributesReply, mandatory=True)
CLOCK_ATTRIBUTES = Command(
    0x3, "CLOCK_ATTRIBUTES", ClockAttributes, ClockAttributesReply, mandatory=True, errors=_UNKNOWN
)
CLOCK_DESCRIBE_RATES = Command(
    0x4,
    "CLOCK_DESCRIBE_RATES",
    DescribeRates,
    DescribeRatesReply,
    mandatory=True,
    errors={**_UNKNOWN, Status.OUT_OF_RANGE: "rate_index too big"},
)
CLOCK_RATE_SET = Command(
    0x5,
    "CLOCK_RATE_SET",
    RateSet,
    Nothing,
    mandatory=True,
    changes=True,
    delayed=RateSetComplete,
    errors={
        Status.NOT_FOUND: "unknown clock",
        Status.INVALID_PARAMETERS: "reserved flag bit or unusable rate",
        Status.BUSY: "too many asynchronous requests outstanding",
        Status.NOT_SUPPORTED: "async not available",
        Status.DENIED: "caller may not change the rate",
    },
)
CLOCK_RATE_GET = Command(0x6, "CLOCK_RATE_GET", RateGet, RateGetReply, mandatory=True, errors=_UNKNOWN)
CLOCK_CONFIG_SET = Command(
    0x7,
    "CLOCK_CONFIG_SET",
    ConfigSet,
    Nothing,
    mandatory=True,
    changes=True,
    errors={
        Status.NOT_FOUND: "unknown clock",
        Status.INVALID_PARAMETERS: "reserved bits or values",
        Status.NOT_SUPPORTED: "extended configuration not available",
        Status.DENIED: "caller may not change the state",
    },
)
CLOCK_NAME_GET = Command(
    0x8, "CLOCK_NAME_GET", ClockNameGet, ClockNameGetReply, since=0x20000, errors=_UNKNOWN
)
CLOCK_RATE_NOTIFY = Command(
    0x9, "CLOCK_RATE_NOTIFY", RateNotify, Nothing, changes=True, since=0x20000, errors=_NOTIFY_ERRORS
)
CLOCK_RATE_CHANGE_REQUESTED_NOTIFY = Command(
    0xA,
    "CLOCK_RATE_CHANGE_REQUESTED_NOTIFY",
    RateChangeRequestedNotify,
    Nothing,
    changes=True,
    since=0x20000,
    errors=_NOTIFY_ERRORS,
)
CLOCK_CONFIG_GET = Command(
    0xB,
    "CLOCK_CONFIG_GET",
    ConfigGet,
    ConfigGetReply,
    mandatory=True,
    since=0x30000,
    errors={
        Status.NOT_FOUND: "unknown clock",
        Status.INVALID_PARAMETERS: "reserved bits",
        Status.NOT_SUPPORTED: "extended configuration not available",
    },
    mandatory_confidence=Confidence.C,
)
CLOCK_POSSIBLE_PARENTS_GET = Command(
    0xC,
    "CLOCK_POSSIBLE_PARENTS_GET",
    PossibleParentsGet,
    PossibleParentsGetReply,
    since=0x30000,
    errors={Status.NOT_FOUND: "unknown clock", Status.NOT_SUPPORTED: "parent not selectable"},
)
CLOCK_PARENT_SET = Command(
    0xD,
    "CLOCK_PARENT_SET",
    ParentSet,
    Nothing,
    changes=True,
    since=0x30000,
    errors={
        Status.NOT_FOUND: "unknown clock",
        Status.INVALID_PARAMETERS: "not a possible parent",
        Status.NOT_SUPPORTED: "parent not selectable",
        Status.DENIED: "caller may not change the parent",
    },
)
CLOCK_PARENT_GET = Command(
    0xE,
    "CLOCK_PARENT_GET",
    ParentGet,
    ParentGetReply,
    since=0x30000,
    errors={Status.NOT_FOUND: "unknown clock", Status.NOT_SUPPORTED: "clock has no selectable parent"},
)
CLOCK_GET_PERMISSIONS = Command(
    0xF, "CLOCK_GET_PERMISSIONS", GetPermissions, GetPermissionsReply, since=0x30000, errors=_UNKNOWN
)
CLOCK_RATE_CHANGED = Notification(0x0, "CLOCK_RATE_CHANGED", RateChanged, "CLOCK_RATE_NOTIFY", since=0x20000)
CLOCK_RATE_CHANGE_REQUESTED = Notification(
    0x1,
    "CLOCK_RATE_CHANGE_REQUESTED",
    RateChangeRequested,
    "CLOCK_RATE_CHANGE_REQUESTED_NOTIFY",
    since=0x20000,
)

PROTOCOL = Protocol(
    0x14,
    "clock",
    "Clock management",
    versions=(0x10000, 0x20000, 0x30000),
    commands=(
        PROTOCOL_ATTRIBUTES,
        CLOCK_ATTRIBUTES,
        CLOCK_DESCRIBE_RATES,
        CLOCK_RATE_SET,
        CLOCK_RATE_GET,
        CLOCK_CONFIG_SET,
        CLOCK_NAME_GET,
        CLOCK_RATE_NOTIFY,
        CLOCK_RATE_CHANGE_REQUESTED_NOTIFY,
        CLOCK_CONFIG_GET,
        CLOCK_POSSIBLE_PARENTS_GET,
        CLOCK_PARENT_SET,
        CLOCK_PARENT_GET,
        CLOCK_GET_PERMISSIONS,
    ),
    notifications=(
        CLOCK_RATE_CHANGED,
        CLOCK_RATE_CHANGE_REQUESTED,
    ),
)
