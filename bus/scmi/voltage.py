"""Voltage domain management protocol, 0x17 (DEN0056)."""

from typing import Annotated

from bus.fields import Bits, Message, array, char, i32, u32
from bus.scmi.protocol import Command, Nothing, Protocol, Variant
from bus.scmi.status import Status

ATTRIBUTES = Bits(num_domains=(15, 0))
DOMAIN = Bits(async_level_set=31, extended_name=30)
NUM_LEVELS = Bits(remaining=(31, 16), triplet=12, returned=(11, 0))
CONFIG_BITS = Bits(implementation_defined=3, mode_id=(2, 0))
LEVEL_SET_FLAGS = Bits(async_set=0)
CONFIG = {"ARCH_OFF": 0x0, "ARCH_ON": 0x7}


class ProtocolAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32(bits=ATTRIBUTES)]


class DomainAttributes(Message, frozen=True):
    domain_id: Annotated[int, u32(of="voltage_domain")]


class DomainAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32(bits=DOMAIN)]
    name: Annotated[str, char(16)]


class DescribeLevels(Message, frozen=True):
    domain_id: Annotated[int, u32(of="voltage_domain")]
    level_index: Annotated[int, u32("the first level wanted")]


class DescribeLevelsReply(Message, frozen=True):
    num_levels_flags: Annotated[int, u32("how many in this reply, how many after it", bits=NUM_LEVELS)]
    voltage: Annotated[
        tuple[int, ...],
        array("i", "num_levels_flags[11:0]", "microvolts, ascending; triplet: lowest, highest, step"),
    ]


class ConfigSet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="voltage_domain")]
    config: Annotated[
        int, u32("mode 7 is on, 0 is off, unless implementation defined", bits=CONFIG_BITS, values=CONFIG)
    ]


class ConfigGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="voltage_domain")]


class ConfigGetReply(Message, frozen=True):
    config: Annotated[
        int, u32("mode 7 is on, 0 is off, unless implementation defined", bits=CONFIG_BITS, values=CONFIG)
    ]


class LevelSet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="voltage_domain")]
    flags: Annotated[int, u32(bits=LEVEL_SET_FLAGS)]
    voltage_level: Annotated[int, i32("microvolts")]


class LevelSetComplete(Message, frozen=True):
    domain_id: Annotated[int, u32(of="voltage_domain")]
    voltage_level: Annotated[int, i32("microvolts")]


class LevelGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="voltage_domain")]


class LevelGetReply(Message, frozen=True):
    voltage_level: Annotated[int, i32("microvolts")]


class DomainNameGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="voltage_domain")]


class DomainNameGetReply(Message, frozen=True):
    flags: Annotated[int, u32("zero")]
    name: Annotated[str, char(64)]


_UNKNOWN = {Status.NOT_FOUND: "unknown domain"}

PROTOCOL_ATTRIBUTES = Command(0x1, "PROTOCOL_ATTRIBUTES", Nothing, ProtocolAttributesReply, mandatory=True)
VOLTAGE_DOMAIN_ATTRIBUTES = Command(
    0x3, "VOLTAGE_DOMAIN_ATTRIBUTES", DomainAttributes, DomainAttributesReply, mandatory=True, errors=_UNKNOWN
)
VOLTAGE_DESCRIBE_LEVELS = Command(
    0x4,
    "VOLTAGE_DESCRIBE_LEVELS",
    DescribeLevels,
    DescribeLevelsReply,
    mandatory=True,
    errors={Status.NOT_FOUND: "unknown domain", Status.OUT_OF_RANGE: "level_index too big"},
)
VOLTAGE_CONFIG_SET = Command(
    0x5,
    "VOLTAGE_CONFIG_SET",
    ConfigSet,
    Nothing,
    mandatory=True,
    changes=True,
    errors={
        Status.NOT_FOUND: "unknown domain",
        Status.INVALID_PARAMETERS: "reserved bits or unknown mode",
        Status.DENIED: "caller may not change it",
    },
)
VOLTAGE_CONFIG_GET = Command(
    0x6, "VOLTAGE_CONFIG_GET", ConfigGet, ConfigGetReply, mandatory=True, errors=_UNKNOWN
)
VOLTAGE_LEVEL_SET = Command(
    0x7,
    "VOLTAGE_LEVEL_SET",
    LevelSet,
    Nothing,
    mandatory=True,
    changes=True,
    delayed=LevelSetComplete,
    errors={
        Status.NOT_FOUND: "unknown domain",
        Status.INVALID_PARAMETERS: "reserved bits or unusable level",
        Status.NOT_SUPPORTED: "async not available",
        Status.DENIED: "caller may not change it",
    },
    older={0x20000: Variant(delayed=Nothing)},
)
VOLTAGE_LEVEL_GET = Command(
    0x8, "VOLTAGE_LEVEL_GET", LevelGet, LevelGetReply, mandatory=True, errors=_UNKNOWN
)
VOLTAGE_DOMAIN_NAME_GET = Command(
    0x9, "VOLTAGE_DOMAIN_NAME_GET", DomainNameGet, DomainNameGetReply, since=0x20000, errors=_UNKNOWN
)

PROTOCOL = Protocol(
    0x17,
    "voltage",
    "Voltage domain management",
    versions=(0x10000, 0x20000, 0x20001),
    commands=(
        PROTOCOL_ATTRIBUTES,
        VOLTAGE_DOMAIN_ATTRIBUTES,
        VOLTAGE_DESCRIBE_LEVELS,
        VOLTAGE_CONFIG_SET,
        VOLTAGE_CONFIG_GET,
        VOLTAGE_LEVEL_SET,
        VOLTAGE_LEVEL_GET,
        VOLTAGE_DOMAIN_NAME_GET,
    ),
)
