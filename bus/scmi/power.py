"""Power domain management protocol, 0x11 (DEN0056)."""

from typing import Annotated

from bus.fields import Bits, Message, char, u32, u64
from bus.scmi.protocol import Command, Nothing, Notification, Protocol
from bus.scmi.status import Status

ON = 0x0000_0000
OFF = 0x4000_0000
STATES = {"ON": ON, "OFF": OFF}

ATTRIBUTES = Bits(num_domains=(15, 0))
DOMAIN = Bits(state_change_notify=31, async_set=30, sync_set=29, change_requested_notify=28, extended_name=27)
SET_FLAGS = Bits(async_set=0)
STATE = Bits(context_lost=30, state_id=(27, 0))
NOTIFY = Bits(enable=0)


class ProtocolAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32(bits=ATTRIBUTES)]
    statistics_address: Annotated[int, u64("0: no statistics region")]
    statistics_len: Annotated[int, u32("bytes")]


class DomainAttributes(Message, frozen=True):
    domain_id: Annotated[int, u32(of="power_domain")]


class DomainAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32(bits=DOMAIN)]
    name: Annotated[str, char(16)]


class StateSet(Message, frozen=True):
    flags: Annotated[int, u32(bits=SET_FLAGS)]
    domain_id: Annotated[int, u32(of="power_domain")]
    power_state: Annotated[int, u32("the state wanted", bits=STATE, values=STATES)]


class StateGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="power_domain")]


class StateGetReply(Message, frozen=True):
    power_state: Annotated[int, u32("the real state, not a vote", bits=STATE, values=STATES)]


class StateNotify(Message, frozen=True):
    domain_id: Annotated[int, u32(of="power_domain")]
    notify_enable: Annotated[int, u32(bits=NOTIFY)]


class StateChangeRequestedNotify(Message, frozen=True):
    domain_id: Annotated[int, u32(of="power_domain")]
    notify_enable: Annotated[int, u32(bits=NOTIFY)]


class DomainNameGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="power_domain")]


class DomainNameGetReply(Message, frozen=True):
    flags: Annotated[int, u32("zero")]
    name: Annotated[str, char(64)]


class StateChanged(Message, frozen=True):
    agent_id: Annotated[int, u32("who caused it")]
    domain_id: Annotated[int, u32(of="power_domain")]
    power_state: Annotated[int, u32(bits=STATE, values=STATES)]


class StateChangeRequested(Message, frozen=True):
    agent_id: Annotated[int, u32("who asked")]
    domain_id: Annotated[int, u32(of="power_domain")]
    power_state: Annotated[int, u32(bits=STATE, values=STATES)]


_UNKNOWN = {Status.NOT_FOUND: "unknown domain"}
_NOTIFY_ERRORS = {
    Status.NOT_FOUND: "unknown domain",
    Status.INVALID_PARAMETERS: "reserved bit set",
    Status.NOT_SUPPORTED: "domain has no notification",
}

PROTOCOL_ATTRIBUTES = Command(0x1, "PROTOCOL_ATTRIBUTES", Nothing, ProtocolAttributesReply, mandatory=True)
POWER_DOMAIN_ATTRIBUTES = Command(
    0x3, "POWER_DOMAIN_ATTRIBUTES", DomainAttributes, DomainAttributesReply, mandatory=True, errors=_UNKNOWN
)
POWER_STATE_SET = Command(
    0x4,
    "POWER_STATE_SET",
    StateSet,
    Nothing,
    mandatory=True,
    changes=True,
    errors={
        Status.NOT_FOUND: "unknown domain",
        Status.INVALID_PARAMETERS: "reserved flag bit or state that the domain does not have",
        Status.NOT_SUPPORTED: "requested mode or state not available to this caller",
        Status.DENIED: "caller may not set this domain",
        Status.BUSY: "previous request still in progress",
    },
)
POWER_STATE_GET = Command(0x5, "POWER_STATE_GET", StateGet, StateGetReply, mandatory=True, errors=_UNKNOWN)
POWER_STATE_NOTIFY = Command(
    0x6, "POWER_STATE_NOTIFY", StateNotify, Nothing, changes=True, errors=_NOTIFY_ERRORS
)
POWER_STATE_CHANGE_REQUESTED_NOTIFY = Command(
    0x7,
    "POWER_STATE_CHANGE_REQUESTED_NOTIFY",
    StateChangeRequestedNotify,
    Nothing,
    changes=True,
    since=0x20000,
    errors=_NOTIFY_ERRORS,
)
POWER_DOMAIN_NAME_GET = Command(
    0x8, "POWER_DOMAIN_NAME_GET", DomainNameGet, DomainNameGetReply, since=0x30000, errors=_UNKNOWN
)
POWER_STATE_CHANGED = Notification(0x0, "POWER_STATE_CHANGED", StateChanged, "POWER_STATE_NOTIFY")
POWER_STATE_CHANGE_REQUESTED = Notification(
    0x1,
    "POWER_STATE_CHANGE_REQUESTED",
    StateChangeRequested,
    "POWER_STATE_CHANGE_REQUESTED_NOTIFY",
    since=0x20000,
)

PROTOCOL = Protocol(
    0x11,
    "power",
    "Power domain management",
    versions=(0x20000, 0x30000, 0x30001),
    commands=(
        PROTOCOL_ATTRIBUTES,
        POWER_DOMAIN_ATTRIBUTES,
        POWER_STATE_SET,
        POWER_STATE_GET,
        POWER_STATE_NOTIFY,
        POWER_STATE_CHANGE_REQUESTED_NOTIFY,
        POWER_DOMAIN_NAME_GET,
    ),
    notifications=(
        POWER_STATE_CHANGED,
        POWER_STATE_CHANGE_REQUESTED,
    ),
)
