"""Performance domain management protocol, 0x13 (DEN0056)."""

from typing import Annotated

from bus.fields import Bits, Message, char, structures, u32, u64
from bus.scmi.fastchannel import RATE_LIMIT, DescribeFastchannelReply
from bus.scmi.protocol import Command, Nothing, Notification, Protocol
from bus.scmi.status import Status

LEVEL = Bits(transition_latency_us=(15, 0))
ATTRIBUTES = Bits(power_in_microwatts=17, power_in_milliwatts=16, num_domains=(15, 0))
DOMAIN = Bits(
    can_set_limits=31,
    can_set_level=30,
    limits_notify=29,
    level_notify=28,
    fastchannels=27,
    extended_name=26,
    level_indexing=25,
)
NUM_LEVELS = Bits(remaining=(31, 16), returned=(11, 0))
NOTIFY = Bits(enable=0)


class PerfLevel(Message, frozen=True):
    level: Annotated[int, u32("abstract, ascending")]
    power_cost: Annotated[int, u32("in the unit of PROTOCOL_ATTRIBUTES")]
    attributes: Annotated[int, u32("how long it takes to get there", bits=LEVEL)]
    indicative_frequency: Annotated[int, u32("kHz", since=0x40000)]
    level_index: Annotated[int, u32("its place in the list, from 0", since=0x40000)]


class ProtocolAttributesReply(Message, frozen=True):
    attributes: Annotated[
        int, u32("the unit of costs: milliwatts, from 3.0 on microwatts; else abstract", bits=ATTRIBUTES)
    ]
    statistics_address: Annotated[int, u64("0: no statistics region")]
    statistics_len: Annotated[int, u32("bytes")]


class DomainAttributes(Message, frozen=True):
    domain_id: Annotated[int, u32(of="perf_domain")]


class DomainAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32("what the caller may do, what the domain has", bits=DOMAIN)]
    rate_limit: Annotated[int, u32("microseconds between two requests, 0: none given", bits=RATE_LIMIT)]
    sustained_freq: Annotated[int, u32("kHz")]
    sustained_perf_level: Annotated[int, u32("the level of that frequency")]
    name: Annotated[str, char(16)]


class DescribeLevels(Message, frozen=True):
    domain_id: Annotated[int, u32(of="perf_domain")]
    level_index: Annotated[int, u32("the first level wanted")]


class DescribeLevelsReply(Message, frozen=True):
    num_levels: Annotated[int, u32("how many in this reply, how many after it", bits=NUM_LEVELS)]
    perf_levels: Annotated[
        tuple[PerfLevel, ...], structures(PerfLevel, "num_levels[11:0]", "ascending by level")
    ]


class LimitsSet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="perf_domain")]
    range_max: Annotated[
        int, u32("a level, or its index with level indexing; 0: unchanged (from 3.0 on, one source)")
    ]
    range_min: Annotated[
        int, u32("a level, or its index with level indexing; 0: unchanged (from 3.0 on, one source)")
    ]


class LimitsGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="perf_domain")]


class LimitsGetReply(Message, frozen=True):
    range_max: Annotated[int, u32("a level, or its index with level indexing")]
    range_min: Annotated[int, u32("a level, or its index with level indexing")]


class LevelSet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="perf_domain")]
    performance_level: Annotated[int, u32("a level, or its index with level indexing")]


class LevelGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="perf_domain")]


class LevelGetReply(Message, frozen=True):
    performance_level: Annotated[int, u32("a level, or its index with level indexing")]


class NotifyLimits(Message, frozen=True):
    domain_id: Annotated[int, u32(of="perf_domain")]
    notify_enable: Annotated[int, u32(bits=NOTIFY)]


class NotifyLevel(Message, frozen=True):
    domain_id: Annotated[int, u32(of="perf_domain")]
    notify_enable: Annotated[int, u32(bits=NOTIFY)]


class DescribeFastchannel(Message, frozen=True):
    domain_id: Annotated[int, u32(of="perf_domain")]
    message_id: Annotated[int, u32("the command that the channel stands for, 0x5 to 0x8")]


class DomainNameGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="perf_domain")]


class DomainNameGetReply(Message, frozen=True):
    flags: Annotated[int, u32("zero")]
    name: Annotated[str, char(64)]


class LimitsChanged(Message, frozen=True):
    agent_id: Annotated[int, u32("who caused it")]
    domain_id: Annotated[int, u32(of="perf_domain")]
    range_max: Annotated[int, u32("a level, or its index with level indexing")]
    range_min: Annotated[int, u32("a level, or its index with level indexing")]


class LevelChanged(Message, frozen=True):
    agent_id: Annotated[int, u32("who caused it")]
    domain_id: Annotated[int, u32(of="perf_domain")]
    performance_level: Annotated[int, u32("a level, or its index with level indexing")]


_UNKNOWN = {Status.NOT_FOUND: "unknown domain"}
_NOTIFY_ERRORS = {
    Status.NOT_FOUND: "unknown domain",
    Status.INVALID_PARAMETERS: "reserved bit set",
    Status.NOT_SUPPORTED: "domain has no notification",
}

PROTOCOL_ATTRIBUTES = Command(0x1, "PROTOCOL_ATTRIBUTES", Nothing, ProtocolAttributesReply, mandatory=True)
PERFORMANCE_DOMAIN_ATTRIBUTES = Command(
    0x3,
    "PERFORMANCE_DOMAIN_ATTRIBUTES",
    DomainAttributes,
    DomainAttributesReply,
    mandatory=True,
    errors=_UNKNOWN,
)
PERFORMANCE_DESCRIBE_LEVELS = Command(
    0x4,
    "PERFORMANCE_DESCRIBE_LEVELS",
    DescribeLevels,
    DescribeLevelsReply,
    mandatory=True,
    errors={
        Status.NOT_FOUND: "unknown domain",
        Status.OUT_OF_RANGE: "level_index too big (3.2)",
        Status.INVALID_PARAMETERS: "level_index too big (2.0)",
    },
)
PERFORMANCE_LIMITS_SET = Command(
    0x5,
    "PERFORMANCE_LIMITS_SET",
    LimitsSet,
    Nothing,
    mandatory=True,
    changes=True,
    errors={
        Status.NOT_FOUND: "unknown domain",
        Status.OUT_OF_RANGE: "limit outside the described levels; or both zero (3.x)",
        Status.INVALID_PARAMETERS: "minimum above maximum",
        Status.DENIED: "caller may not set limits",
    },
)
PERFORMANCE_LIMITS_GET = Command(
    0x6, "PERFORMANCE_LIMITS_GET", LimitsGet, LimitsGetReply, mandatory=True, errors=_UNKNOWN
)
PERFORMANCE_LEVEL_SET = Command(
    0x7,
    "PERFORMANCE_LEVEL_SET",
    LevelSet,
    Nothing,
    mandatory=True,
    changes=True,
    errors={
        Status.NOT_FOUND: "unknown domain",
        Status.OUT_OF_RANGE: "level not described or outside limits",
        Status.DENIED: "caller may not set the level",
    },
)
PERFORMANCE_LEVEL_GET = Command(
    0x8, "PERFORMANCE_LEVEL_GET", LevelGet, LevelGetReply, mandatory=True, errors=_UNKNOWN
)
PERFORMANCE_NOTIFY_LIMITS = Command(
    0x9, "PERFORMANCE_NOTIFY_LIMITS", NotifyLimits, Nothing, changes=True, errors=_NOTIFY_ERRORS
)
PERFORMANCE_NOTIFY_LEVEL = Command(
    0xA, "PERFORMANCE_NOTIFY_LEVEL", NotifyLevel, Nothing, changes=True, errors=_NOTIFY_ERRORS
)
PERFORMANCE_DESCRIBE_FASTCHANNEL = Command(
    0xB,
    "PERFORMANCE_DESCRIBE_FASTCHANNEL",
    DescribeFastchannel,
    DescribeFastchannelReply,
    since=0x20000,
    errors={
        Status.NOT_FOUND: "unknown domain or message",
        Status.NOT_SUPPORTED: "no fast channel for this pair",
    },
)
PERFORMANCE_DOMAIN_NAME_GET = Command(
    0xC, "PERFORMANCE_DOMAIN_NAME_GET", DomainNameGet, DomainNameGetReply, since=0x30000, errors=_UNKNOWN
)
PERFORMANCE_LIMITS_CHANGED = Notification(
    0x0, "PERFORMANCE_LIMITS_CHANGED", LimitsChanged, "PERFORMANCE_NOTIFY_LIMITS"
)
PERFORMANCE_LEVEL_CHANGED = Notification(
    0x1, "PERFORMANCE_LEVEL_CHANGED", LevelChanged, "PERFORMANCE_NOTIFY_LEVEL"
)

PROTOCOL = Protocol(
    0x13,
    "perf",
    "Performance domain management",
    versions=(0x10000, 0x20000, 0x30000, 0x40000),
    commands=(
        PROTOCOL_ATTRIBUTES,
        PERFORMANCE_DOMAIN_ATTRIBUTES,
        PERFORMANCE_DESCRIBE_LEVELS,
        PERFORMANCE_LIMITS_SET,
        PERFORMANCE_LIMITS_GET,
        PERFORMANCE_LEVEL_SET,
        PERFORMANCE_LEVEL_GET,
        PERFORMANCE_NOTIFY_LIMITS,
        PERFORMANCE_NOTIFY_LEVEL,
        PERFORMANCE_DESCRIBE_FASTCHANNEL,
        PERFORMANCE_DOMAIN_NAME_GET,
    ),
    notifications=(PERFORMANCE_LIMITS_CHANGED, PERFORMANCE_LEVEL_CHANGED),
)
