"""Reset domain management protocol, 0x16 (DEN0056)."""

from typing import Annotated

from bus.fields import Bits, Message, char, u32
from bus.scmi.protocol import Command, Nothing, Notification, Protocol
from bus.scmi.status import Status

LATENCY_UNKNOWN = 0xFFFF_FFFF
COLD_RESET = 0

ATTRIBUTES = Bits(num_domains=(15, 0))
DOMAIN = Bits(async_reset=31, reset_notify=30, extended_name=29)
FLAGS = Bits(async_reset=2, explicit_assert=1, autonomous=0)
STATE = Bits(implementation_defined=31, reset_id=(30, 0))
NOTIFY = Bits(enable=0)


class ProtocolAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32(bits=ATTRIBUTES)]


class DomainAttributes(Message, frozen=True):
    domain_id: Annotated[int, u32(of="reset_domain")]


class DomainAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32(bits=DOMAIN)]
    latency: Annotated[int, u32("microseconds", values={"unknown": LATENCY_UNKNOWN})]
    name: Annotated[str, char(16)]


class Reset(Message, frozen=True):
    domain_id: Annotated[int, u32(of="reset_domain")]
    flags: Annotated[int, u32(bits=FLAGS)]
    reset_state: Annotated[int, u32("0: cold reset", bits=STATE)]


class ResetComplete(Message, frozen=True):
    domain_id: Annotated[int, u32(of="reset_domain")]


class ResetNotify(Message, frozen=True):
    domain_id: Annotated[int, u32(of="reset_domain")]
    notify_enable: Annotated[int, u32(bits=NOTIFY)]


class DomainNameGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="reset_domain")]


class DomainNameGetReply(Message, frozen=True):
    flags: Annotated[int, u32("zero")]
    name: Annotated[str, char(64)]


class ResetIssued(Message, frozen=True):
    agent_id: Annotated[int, u32("who caused it")]
    domain_id: Annotated[int, u32(of="reset_domain")]
    reset_state: Annotated[int, u32(bits=STATE)]


_UNKNOWN = {Status.NOT_FOUND: "unknown domain"}

PROTOCOL_ATTRIBUTES = Command(0x1, "PROTOCOL_ATTRIBUTES", Nothing, ProtocolAttributesReply, mandatory=True)
RESET_DOMAIN_ATTRIBUTES = Command(
    0x3, "RESET_DOMAIN_ATTRIBUTES", DomainAttributes, DomainAttributesReply, mandatory=True, errors=_UNKNOWN
)
RESET = Command(
    0x4,
    "RESET",
    Reset,
    Nothing,
    mandatory=True,
    changes=True,
    delayed=ResetComplete,
    errors={
        Status.NOT_FOUND: "unknown domain",
        Status.INVALID_PARAMETERS: "reserved flag bit, unknown state, or async without autonomous",
        Status.NOT_SUPPORTED: "requested mode not available on this domain",
        Status.GENERIC_ERROR: "failed, for example domain shared with another agent",
        Status.DENIED: "caller may not reset this domain",
    },
    repeatable=False,
)
RESET_NOTIFY = Command(
    0x5,
    "RESET_NOTIFY",
    ResetNotify,
    Nothing,
    changes=True,
    errors={
        Status.NOT_FOUND: "unknown domain",
        Status.INVALID_PARAMETERS: "reserved bit set",
        Status.NOT_SUPPORTED: "domain has no notification",
    },
)
RESET_DOMAIN_NAME_GET = Command(
    0x6, "RESET_DOMAIN_NAME_GET", DomainNameGet, DomainNameGetReply, since=0x30000, errors=_UNKNOWN
)
RESET_ISSUED = Notification(0x0, "RESET_ISSUED", ResetIssued, "RESET_NOTIFY")

PROTOCOL = Protocol(
    0x16,
    "reset",
    "Reset domain management",
    versions=(0x10000, 0x30000, 0x30001),
    commands=(
        PROTOCOL_ATTRIBUTES,
        RESET_DOMAIN_ATTRIBUTES,
        RESET,
        RESET_NOTIFY,
        RESET_DOMAIN_NAME_GET,
    ),
    notifications=(RESET_ISSUED,),
)
