"""A firmware core on the bench: SMCs in, what the page says back. No links, no time."""

import struct
from collections.abc import Iterable
from typing import Any

import msgspec

from bus import frames, shmem
from bus.fields import Message, decode, encode
from bus.links import XEN
from bus.scmi import BY_KEY, header
from bus.scmi.status import Status
from nodes.contract import Boot, Received, Send
from nodes.firmware.core import FirmwareCore
from nodes.firmware.ledger import Entry
from nodes.firmware.platform import (
    Agent,
    Clock,
    Device,
    Platform,
    PowerDomain,
    RateRange,
    ResetDomain,
    check,
)
from nodes.firmware.profile import DEFAULT, FirmwareProfile

DOM0, MANAGER, TWO, THREE = 0, 1, 2, 3
FID = {DOM0: 0x8200_0002, MANAGER: 0x8200_0003, TWO: 0x8200_0004, THREE: 0x8200_0005}
SHMEM = {DOM0: 0x47FF_0000, MANAGER: 0x47FF_1000, TWO: 0x47FF_2000, THREE: 0x47FF_3000}
LADDER_RATES = tuple(range(1000, 31_000, 1000))

PLATFORM = Platform(
    name="bench",
    vendor="Bench",
    sub_vendor="unit",
    implementation_version=0x1234,
    agent=tuple(
        Agent(one, name, FID[one], SHMEM[one], trusted=one == MANAGER)
        for one, name in ((DOM0, "dom0"), (MANAGER, "xen"), (TWO, "two"), (THREE, "three"))
    ),
    clock=(
        Clock(0, "public", (1000,), 1000, enabled=True),
        Clock(5, "i2c", (1000, 2000, 4000), 1000),
        Clock(6, "gpu", RateRange(100, 1050, 100), 100, parents=(0, 5), enable_delay_us=7),
        Clock(7, "a-clock-with-a-very-long-name", LADDER_RATES, 1000),
        Clock(8, "family", (1000,), 1000, parents=tuple(range(100, 130))),
        *(Clock(one, f"parent{one}", (1000,), 1000) for one in range(100, 130)),
    ),
    power_domain=(PowerDomain(1, "bus", "on"), PowerDomain(2, "gpu"), PowerDomain(3, "public", "on")),
    reset_domain=(ResetDomain(1, "i2c", 10), ResetDomain(2, "gpu")),
    device=(
        Device(5, "i2c", clocks=(5,), power_domains=(1,), reset_domains=(1,)),
        Device(6, "gpu", clocks=(6,), power_domains=(2,), reset_domains=(2,)),
        Device(7, "i2c-dma", clocks=(5,)),
        Device(8, "lists", clocks=(7, 8)),
    ),
)
check(PLATFORM)


class Reply(msgspec.Struct, frozen=True):
    """A message's answer: its status, the bytes after it, and the table it can be read with."""

    status: Status
    payload: bytes
    table: type[Message] | None

    @property
    def body(self) -> Any:
        assert self.status is Status.SUCCESS, self.status
        assert self.table is not None
        return decode(self.table, self.payload)


def things(entries: Iterable[Entry]) -> dict[str, int]:
    """What an agent holds, as ``thing -> value``."""
    return {entry.thing: entry.value for entry in entries}


class Bench:
    """``carried`` False: the page is shared memory, frames carry registers only."""

    def __init__(
        self,
        platform: Platform = PLATFORM,
        *,
        carried: bool = True,
        profile: FirmwareProfile = DEFAULT,
        memory: shmem.Memory | None = None,
        record: bool = False,
    ) -> None:
        self.memory = memory or shmem.PrivateMemory()
        self.core = FirmwareCore(platform, self.memory, XEN, profile, carried=carried, record=record)
        self.carried = carried
        self._request = 0
        self.now_ns = 0
        self.raised: list[Any] = []
        (hello,) = self.core.step(Boot(), 0)
        assert isinstance(hello, Send)
        assert isinstance(hello.frame, frames.Hello)

    def next_request(self) -> int:
        """Xen's number of what it asks next."""
        self._request += 1
        return self._request

    def smc(
        self, fid: int, page: bytes = b"", address: int = 0, arguments: tuple[int, ...] = (0,) * 7
    ) -> tuple[tuple[int, ...], bytes]:
        """One SMC; gives x0..x3 and the page that came back."""
        self._request += 1
        self.now_ns += 1
        frame = frames.Smc(1, self._request, 77, (fid, *arguments), address)  # type: ignore[arg-type]
        effect, *rest = self.core.step(Received(XEN, frame, page), self.now_ns)
        self.raised.extend(rest)
        assert isinstance(effect, Send)
        assert effect.peer == XEN
        assert isinstance(effect.frame, frames.SmcReturn)
        assert (effect.frame.request, effect.frame.cause) == (self._request, 77)
        return effect.frame.x, effect.page

    def ring(self, agent: int, page: bytes) -> bytes:
        """A doorbell with this page on the agent's own channel; gives the page as left behind."""
        if self.carried:
            x, answer = self.smc(FID[agent], page, SHMEM[agent])
        else:
            shared = self.memory.map(SHMEM[agent])
            shared[: len(page)] = page
            x, answer = self.smc(FID[agent])
            assert answer == b""
            answer = bytes(shared)
        assert x[0] == 0
        return answer

    def raw(self, agent: int, head: int, payload: bytes = b"") -> tuple[Status, bytes]:
        """Any message; gives the status and what follows it. The header must come back bit for bit."""
        page = self.ring(agent, shmem.request(head, payload))
        assert shmem.status_of(page) == shmem.FREE
        answered, body = shmem.read_message(page)
        assert answered == head
        return Status(struct.unpack_from("<i", body)[0]), body[4:]

    def call(self, agent: int, protocol: str, name: str, request: Message | None = None) -> Reply:
        """A command by name, its request from the table (encoded as the newest version)."""
        table = BY_KEY[protocol]
        command = table.command(name)
        assert command is not None
        payload = encode(request) if request else b""
        status, body = self.raw(agent, header.pack(table.id, command.id, token=9), payload)
        return Reply(status, body, command.reply)

    def counted(self, name: str) -> dict[tuple[str, ...], int]:
        """The counter's series that have counted anything."""
        return {labels: count for labels, count in self.core.meters.counter(name).items() if count}

    def held(self, agent: int) -> dict[str, int]:
        """What an agent holds, as ``thing -> value``."""
        return things(self.core.ledger(agent))

    def status(self, agent: int, protocol: str, name: str, request: Message | None = None) -> Status:
        return self.call(agent, protocol, name, request).status
