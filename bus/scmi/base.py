"""Base protocol, 0x10 (DEN0056): discovery, permissions, agent reset."""

from typing import Annotated

from bus.fields import Bits, Message, array, char, u32
from bus.scmi.protocol import Command, Confidence, Nothing, Notification, Protocol
from bus.scmi.status import Status

PLATFORM = 0
SELF = 0xFFFF_FFFF

ATTRIBUTES = Bits(num_agents=(15, 8), num_protocols=(7, 0))
NOTIFY = Bits(enable=0)
COMMAND_ID = Bits(protocol_id=(7, 0))
PERMISSION_FLAGS = Bits(allow=0)
RESET_FLAGS = Bits(also_reset_permissions=0)
ERROR_STATUS = Bits(fatal=31, command_count=(9, 0))


class ProtocolAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32("how many agents (0: no discovery) and protocols", bits=ATTRIBUTES)]


class DiscoverVendorReply(Message, frozen=True):
    vendor_identifier: Annotated[str, char(16)]


class DiscoverSubVendorReply(Message, frozen=True):
    sub_vendor_identifier: Annotated[str, char(16)]


class DiscoverImplementationVersionReply(Message, frozen=True):
    implementation_version: Annotated[int, u32("of the vendor's choice")]


class DiscoverListProtocols(Message, frozen=True):
    skip: Annotated[int, u32("entries to leave out from the front")]


class DiscoverListProtocolsReply(Message, frozen=True):
    num_protocols: Annotated[int, u32("entries in this reply")]
    protocols: Annotated[tuple[int, ...], array("B", "num_protocols", "ascending, Base is not listed", pad=4)]


class DiscoverAgent(Message, frozen=True):
    agent_id: Annotated[int, u32("whom to describe", values={"platform": PLATFORM, "self": SELF})]


class DiscoverAgentReply(Message, frozen=True):
    agent_id: Annotated[int, u32("the agent described", since=0x20000)]
    name: Annotated[str, char(16)]


class NotifyErrors(Message, frozen=True):
    notify_enable: Annotated[int, u32(bits=NOTIFY)]


class SetDevicePermissions(Message, frozen=True):
    agent_id: Annotated[int, u32("whose permission")]
    device_id: Annotated[int, u32("a platform-defined group of resources")]
    flags: Annotated[int, u32(bits=PERMISSION_FLAGS)]


class SetProtocolPermissions(Message, frozen=True):
    agent_id: Annotated[int, u32("whose permission")]
    device_id: Annotated[int, u32("a platform-defined group of resources")]
    command_id: Annotated[int, u32("the protocol concerned", bits=COMMAND_ID)]
    flags: Annotated[int, u32(bits=PERMISSION_FLAGS)]


class ResetAgentConfiguration(Message, frozen=True):
    agent_id: Annotated[int, u32("whose configuration is dropped")]
    flags: Annotated[int, u32(bits=RESET_FLAGS)]


class ErrorEvent(Message, frozen=True):
    agent_id: Annotated[int, u32("who caused it")]
    error_status: Annotated[int, u32(bits=ERROR_STATUS)]
    msg_reports: Annotated[
        tuple[int, ...], array("Q", "error_status[9:0]", "message header low, status high; order uncertain")
    ]


_PERMISSION_ERRORS = {
    Status.NOT_FOUND: "unknown agent or device",
    Status.INVALID_PARAMETERS: "reserved flag bit set",
    Status.NOT_SUPPORTED: "command not implemented",
    Status.DENIED: "caller may not change this agent's permissions",
}

PROTOCOL_ATTRIBUTES = Command(0x1, "PROTOCOL_ATTRIBUTES", Nothing, ProtocolAttributesReply, mandatory=True)
BASE_DISCOVER_VENDOR = Command(0x3, "BASE_DISCOVER_VENDOR", Nothing, DiscoverVendorReply, mandatory=True)
BASE_DISCOVER_SUB_VENDOR = Command(0x4, "BASE_DISCOVER_SUB_VENDOR", Nothing, DiscoverSubVendorReply)
BASE_DISCOVER_IMPLEMENTATION_VERSION = Command(
    0x5, "BASE_DISCOVER_IMPLEMENTATION_VERSION", Nothing, DiscoverImplementationVersionReply, mandatory=True
)
BASE_DISCOVER_LIST_PROTOCOLS = Command(
    0x6,
    "BASE_DISCOVER_LIST_PROTOCOLS",
    DiscoverListProtocols,
    DiscoverListProtocolsReply,
    mandatory=True,
    errors={Status.INVALID_PARAMETERS: "skip beyond the number of visible protocols"},
)
BASE_DISCOVER_AGENT = Command(
    0x7,
    "BASE_DISCOVER_AGENT",
    DiscoverAgent,
    DiscoverAgentReply,
    errors={Status.NOT_FOUND: "agent id above num_agents"},
)
BASE_NOTIFY_ERRORS = Command(
    0x8,
    "BASE_NOTIFY_ERRORS",
    NotifyErrors,
    Nothing,
    changes=True,
    errors={Status.INVALID_PARAMETERS: "reserved bit set"},
)
BASE_SET_DEVICE_PERMISSIONS = Command(
    0x9,
    "BASE_SET_DEVICE_PERMISSIONS",
    SetDevicePermissions,
    Nothing,
    changes=True,
    since=0x20000,
    errors=_PERMISSION_ERRORS,
)
BASE_SET_PROTOCOL_PERMISSIONS = Command(
    0xA,
    "BASE_SET_PROTOCOL_PERMISSIONS",
    SetProtocolPermissions,
    Nothing,
    changes=True,
    since=0x20000,
    errors={**_PERMISSION_ERRORS, Status.NOT_FOUND: "unknown agent, device or protocol"},
)
BASE_RESET_AGENT_CONFIGURATION = Command(
    0xB,
    "BASE_RESET_AGENT_CONFIGURATION",
    ResetAgentConfiguration,
    Nothing,
    changes=True,
    since=0x20000,
    errors={
        Status.NOT_FOUND: "unknown agent",
        Status.INVALID_PARAMETERS: "reserved flag bit set",
        Status.NOT_SUPPORTED: "command not implemented",
        Status.DENIED: "caller may not reset this agent",
    },
)
BASE_ERROR_EVENT = Notification(
    0x0, "BASE_ERROR_EVENT", ErrorEvent, "BASE_NOTIFY_ERRORS", confidence=Confidence.B
)

PROTOCOL = Protocol(
    0x10,
    "base",
    "Base",
    versions=(0x10000, 0x20000, 0x20001),
    commands=(
        PROTOCOL_ATTRIBUTES,
        BASE_DISCOVER_VENDOR,
        BASE_DISCOVER_SUB_VENDOR,
        BASE_DISCOVER_IMPLEMENTATION_VERSION,
        BASE_DISCOVER_LIST_PROTOCOLS,
        BASE_DISCOVER_AGENT,
        BASE_NOTIFY_ERRORS,
        BASE_SET_DEVICE_PERMISSIONS,
        BASE_SET_PROTOCOL_PERMISSIONS,
        BASE_RESET_AGENT_CONFIGURATION,
    ),
    notifications=(BASE_ERROR_EVENT,),
)
