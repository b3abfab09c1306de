"""A vendor's protocol for tests: a fan that can be asked for its speed, and says when it stops."""

from typing import Annotated, Any

import msgspec

from bus.fields import Bits, Message, u32
from bus.scmi.protocol import Command, Nothing, Notification, Protocol


class AttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32(bits=Bits(num_fans=(7, 0)))]


class SpeedSet(Message, frozen=True):
    fan_id: Annotated[int, u32(of="fan")]
    speed: Annotated[int, u32("turns a minute")]


class Stopped(Message, frozen=True):
    agent_id: Annotated[int, u32("0: the platform")]
    fan_id: Annotated[int, u32(of="fan")]


ATTRIBUTES = Command(0x1, "PROTOCOL_ATTRIBUTES", Nothing, AttributesReply, mandatory=True)
SPEED_SET = Command(0x3, "FAN_SPEED_SET", SpeedSet, Nothing, changes=True)
STOPPED = Notification(0x0, "FAN_STOPPED", Stopped, "FAN_SPEED_SET")
FAN = Protocol(0x81, "fan", "Fan", (0x10000,), (ATTRIBUTES, SPEED_SET), (STOPPED,))


def fan(**changes: Any) -> Protocol:
    """The fan with some of its table changed."""
    return msgspec.structs.replace(FAN, **changes)
