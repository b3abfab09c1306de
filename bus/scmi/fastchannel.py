"""Fast channels as DESCRIBE_FASTCHANNEL tells of them, in the protocols that have any (DEN0056).

A fast channel is a bare register that stands for one command. Which commands, and how wide the register is,
each protocol says.
"""

from typing import Annotated

from bus.fields import Bits, Message, u32, u64

RATE_LIMIT = Bits(microseconds=(19, 0))
FASTCHANNEL = Bits(doorbell_width_log2_bytes=(2, 1), doorbell_supported=0)


class DescribeFastchannelReply(Message, frozen=True):
    attributes: Annotated[int, u32("width: bytes, as a power of two", bits=FASTCHANNEL)]
    rate_limit: Annotated[int, u32("microseconds between two requests, 0: none given", bits=RATE_LIMIT)]
    chan_addr: Annotated[int, u64("physical address of the register")]
    chan_size: Annotated[int, u32("bytes")]
    doorbell_addr: Annotated[int, u64("0: no doorbell")]
    doorbell_set_mask: Annotated[int, u64("bits to set in the doorbell register")]
    doorbell_preserve_mask: Annotated[int, u64("bits to leave as they are")]
