"""Fast channels: what a register that stands for one command is declared with, in each protocol that has any.

Which commands those are, the topic's own module says. That nobody maps the register is the model's choice;
how agents are told of it is ``protocols.fastchannel``'s business.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec

from nodes.firmware.platform.described import Described, says

Address = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Word = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
RateLimit = Annotated[int, msgspec.Meta(ge=0, le=0xF_FFFF)]
KINDS = ("perf_domain", "powercap_domain")  # the tables whose rows have fast channels


class FastChannel(Described, frozen=True):
    """A fast channel: the register that stands for one command, and its doorbell.

    It is described to agents, and that is all: the register is in memory that nobody maps.
    """

    message: Annotated[str, says("the command")]
    address: Annotated[Address, says("of the register; nothing in the model is there")]
    rate_limit_us: Annotated[RateLimit, says("least time between two uses, as told")] = 0
    doorbell: Annotated[Address | None, says("address of the doorbell register; absent: none")] = None
    doorbell_bits: Annotated[Literal[8, 16, 32, 64], says("its width")] = 32
    doorbell_set: Annotated[Word, says("bits that ring it")] = 1
    doorbell_preserve: Annotated[Word, says("bits to leave as they are")] = 0

    @property
    def register_bytes(self) -> int:
        """The size of its register: one word, or what the protocol says."""
        return 4

    @property
    def doorbell_bytes(self) -> int:
        """The size of its doorbell, if it has one."""
        return self.doorbell_bits // 8


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with them; no two registers share a byte, of whatever protocol they are."""
    taken: list[tuple[int, int, str]] = []
    for kind in KINDS:
        for at, domain in enumerate(getattr(platform, kind)):
            messages = [channel.message for channel in domain.fastchannel]
            for number, channel in enumerate(domain.fastchannel):
                place = f"{kind}[{at}].fastchannel[{number}]"
                if channel.message in messages[:number]:
                    yield f"{place}.message: {channel.message} has a channel already; give each message one"
                yield from _alignment_problems(place, channel)
                taken.append((channel.address, channel.address + channel.register_bytes, place))
    taken.sort()
    for (_, end, first), (start, _, second) in pairwise(taken):
        if start < end:
            yield f"{second}.address: {start:#x} is in the register of {first}; give each its own"


def _alignment_problems(place: str, channel: FastChannel) -> Iterator[str]:
    size = channel.register_bytes
    if channel.address % size:
        yield f"{place}.address: {channel.address:#x} is not {size}-byte aligned; use one that is"
    if channel.doorbell is not None and channel.doorbell % channel.doorbell_bytes:
        yield f"{place}.doorbell: {channel.doorbell:#x} is not aligned to its width; use one that is"
