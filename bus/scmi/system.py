"""System power management protocol, 0x12 (DEN0056)."""

from typing import Annotated

from bus.fields import Bits, Message, u32
from bus.scmi.protocol import Command, Nothing, Notification, Protocol
from bus.scmi.status import Status

ATTRIBUTES = Bits()
SET_MESSAGE_ATTRIBUTES = Bits(warm_reset=31, suspend=30)
SET_FLAGS = Bits(graceful=0)
NOTIFY = Bits(enable=0)
NOTIFIER_FLAGS = Bits(graceful=0)
SYSTEM_STATE = {
    "SHUTDOWN": 0x0,
    "COLD_RESET": 0x1,
    "WARM_RESET": 0x2,
    "POWER_UP": 0x3,
    "SUSPEND": 0x4,
    "VENDOR_FIRST": 0x80000000,
}


class ProtocolAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32("zero", bits=ATTRIBUTES)]


class StateSet(Message, frozen=True):
    flags: Annotated[int, u32("graceful: others are asked first; else at once", bits=SET_FLAGS)]
    system_state: Annotated[int, u32("0x80000000 and above are the vendor's", values=SYSTEM_STATE)]


class StateGetReply(Message, frozen=True):
    system_state: Annotated[int, u32("0x80000000 and above are the vendor's", values=SYSTEM_STATE)]


class StateNotify(Message, frozen=True):
    notify_enable: Annotated[int, u32(bits=NOTIFY)]


class StateNotifier(Message, frozen=True):
    agent_id: Annotated[int, u32("who caused it")]
    flags: Annotated[int, u32(bits=NOTIFIER_FLAGS)]
    system_state: Annotated[int, u32("0x80000000 and above are the vendor's", values=SYSTEM_STATE)]
    timeout_ms: Annotated[
        int,
        u32("milliseconds until the forced transition; 0xFFFFFFFF: none (not cross-checked)", since=0x20000),
    ]


PROTOCOL_ATTRIBUTES = Command(0x1, "PROTOCOL_ATTRIBUTES", Nothing, ProtocolAttributesReply, mandatory=True)
SYSTEM_POWER_STATE_SET = Command(
    0x3,
    "SYSTEM_POWER_STATE_SET",
    StateSet,
    Nothing,
    mandatory=True,
    changes=True,
    errors={
        Status.INVALID_PARAMETERS: "reserved flag bit or reserved state",
        Status.NOT_SUPPORTED: "state not available to this caller",
        Status.DENIED: "not permitted now or to this caller",
    },
    repeatable=False,
)
SYSTEM_POWER_STATE_GET = Command(
    0x4,
    "SYSTEM_POWER_STATE_GET",
    Nothing,
    StateGetReply,
    errors={Status.NOT_SUPPORTED: "caller may not query"},
)
SYSTEM_POWER_STATE_NOTIFY = Command(
    0x5,
    "SYSTEM_POWER_STATE_NOTIFY",
    StateNotify,
    Nothing,
    changes=True,
    errors={Status.INVALID_PARAMETERS: "reserved bit set", Status.NOT_SUPPORTED: "no notifications"},
)
SYSTEM_POWER_STATE_NOTIFIER = Notification(
    0x0, "SYSTEM_POWER_STATE_NOTIFIER", StateNotifier, "SYSTEM_POWER_STATE_NOTIFY"
)

PROTOCOL = Protocol(
    0x12,
    "system",
    "System power management",
    versions=(0x10000, 0x20000, 0x20001),
    commands=(PROTOCOL_ATTRIBUTES, SYSTEM_POWER_STATE_SET, SYSTEM_POWER_STATE_GET, SYSTEM_POWER_STATE_NOTIFY),
    notifications=(SYSTEM_POWER_STATE_NOTIFIER,),
)
