"""DESCRIBE_FASTCHANNEL, the same in every protocol that has fast channels.

Whoever writes to a register that is described here finds nobody: the model has no such memory.
"""

from collections.abc import Iterable

from bus.scmi.fastchannel import FASTCHANNEL, RATE_LIMIT, DescribeFastchannelReply
from bus.scmi.protocol import Protocol
from bus.scmi.status import Status
from nodes.firmware.platform.fastchannels import FastChannel


def describe(
    protocol: Protocol, version: int, message_id: int, prefix: str, channels: Iterable[FastChannel]
) -> DescribeFastchannelReply | Status:
    """Where the register of ``message_id`` is; ``prefix`` is what its name has before the channel's."""
    command = protocol.command(message_id)
    if command is None or command.since > version:
        return Status.NOT_FOUND
    for channel in channels:
        if command.name == prefix + channel.message:
            return _described(channel)
    return Status.NOT_SUPPORTED


def _described(channel: FastChannel) -> DescribeFastchannelReply:
    rate_limit = RATE_LIMIT.pack(microseconds=channel.rate_limit_us)
    register = channel.address, channel.register_bytes
    if channel.doorbell is None:
        return DescribeFastchannelReply(0, rate_limit, *register, 0, 0, 0)
    width = channel.doorbell_bytes.bit_length() - 1
    bits = FASTCHANNEL.pack(doorbell_supported=1, doorbell_width_log2_bytes=width)
    doorbell = channel.doorbell, channel.doorbell_set, channel.doorbell_preserve
    return DescribeFastchannelReply(bits, rate_limit, *register, *doorbell)
