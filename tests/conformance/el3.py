"""EL3 as a scenario plays it: records every SMC, answers as a plain firmware would unless told otherwise.

Pages are taken apart and put together with ``struct`` alone: a second opinion on the layout, not the
project's own codec.
"""

import struct
from collections.abc import Callable

import msgspec

from bus import frames
from tests.conformance.rig import VERSION, Got, Port

AREA = struct.Struct("<IIQIII")  # reserved, channel status, implementation defined, flags, length, header
FREE, ERROR = 1, 2
NOT_SUPPORTED = 2**64 - 1
INVALID_PARAMETER = 2**64 - 3
SELF = 0xFFFF_FFFF

PROTOCOL_ATTRIBUTES, DISCOVER_AGENT = 0x4001, 0x4007
SET_DEVICE_PERMISSIONS, RESET_AGENT_CONFIGURATION = 0x4009, 0x400B

XEN_FID = 0x8200_0003
AGENTS = {0x8200_0002: 0, XEN_FID: 1, 0x8200_0004: 2, 0x8200_0005: 3, 0x8200_0006: 4}
REGISTERS = (0, 0x1111, 0x2222, 0x3333)  # what a guest's call gets back: x0..x3


class Smc(msgspec.Struct, frozen=True):
    """One SMC as EL3 saw it; ``fid`` is w0, ``header`` and ``words`` are the message in its page."""

    fid: int
    x: tuple[int, ...]
    address: int
    page: bytes
    status: int
    header: int
    words: tuple[int, ...]
    frame: frames.Smc


class Answer(msgspec.Struct, frozen=True):
    x: tuple[int, int, int, int]
    page: bytes = b""


Script = Callable[[Smc], Answer]


def area(status: int, header: int, payload: bytes, length: int | None = None) -> bytes:
    """A page's beginning; ``length`` overrides the true one."""
    return AREA.pack(0, status, 0, 0, 4 + len(payload) if length is None else length, header) + payload


def reply(code: int, *words: int, name: str = "") -> Script:
    """x0 = 0 and a well-formed SCMI response: the status and what follows it."""

    def script(smc: Smc) -> Answer:
        payload = struct.pack(f"<i{len(words)}I", code, *words)
        payload += name.encode().ljust(16, b"\0") if name else b""
        return Answer((0, *smc.x[1:4]), area(FREE, smc.header, payload))

    return script


def refused(x0: int) -> Script:
    """The SMC itself fails, the page stays as the agent left it."""
    return lambda smc: Answer((x0, *smc.x[1:4]), smc.page)


def content(make: Callable[[Smc], bytes]) -> Script:
    """x0 = 0 and a page of the scenario's own making."""
    return lambda smc: Answer((0, *smc.x[1:4]), make(smc))


class El3:
    """``smcs`` is all that came; ``on[header]`` scripts a message of Xen, ``guest_calls`` everything else.

    While ``holding`` nothing is answered: ``release`` answers what was held, in order.
    """

    def __init__(self, port: Port, agents: dict[int, int] | None = None) -> None:
        self.port = port
        self.agents = AGENTS if agents is None else agents
        self.smcs: list[Smc] = []
        self.held: list[Smc] = []
        self.holding = False
        self.on: dict[int, Script] = {}
        self.guest_calls: Script = lambda smc: Answer(
            REGISTERS, area(FREE, smc.header, b"\0\0\0\0") if smc.page else b""
        )
        port.on_message = self._message

    def _message(self, got: Got) -> None:
        if not isinstance(got.frame, frames.Smc):
            self.port.inbox.append(got)
            return
        smc = _seen(got)
        self.smcs.append(smc)
        if self.holding:
            self.held.append(smc)
        else:
            self.answer(smc)

    def answer(self, smc: Smc) -> None:
        answer = self._script(smc)(smc)
        frame = frames.SmcReturn(VERSION, smc.frame.request, smc.frame.cause, answer.x)
        self.port.send(frame, answer.page)

    def release(self, count: int | None = None) -> None:
        """Answer the first ``count`` held SMCs, or all and whatever comes after."""
        if count is None:
            self.holding = False
        for _ in range(len(self.held) if count is None else count):
            self.answer(self.held.pop(0))

    def _script(self, smc: Smc) -> Script:
        if smc.fid not in self.agents:
            return refused(NOT_SUPPORTED)
        if smc.header in self.on:
            return self.on[smc.header]
        if smc.header == DISCOVER_AGENT:
            return reply(0, self.agents[smc.fid], name=f"agent{self.agents[smc.fid]}")
        if smc.header == PROTOCOL_ATTRIBUTES:
            return reply(0, len(self.agents) << 8 | 3)
        if smc.fid == XEN_FID:
            return reply(0)
        return self.guest_calls

    def messages(self, header: int) -> list[Smc]:
        return [smc for smc in self.smcs if smc.header == header]

    def settled(self) -> list[Smc]:
        """All SMCs that Xen has sent up to now: none is still on its way after a Hello was welcomed."""
        self.port.hello("firmware")
        return self.smcs


def _seen(got: Got) -> Smc:
    frame, page = got.frame, got.page
    status = header = 0
    words: tuple[int, ...] = ()
    if len(page) >= AREA.size:
        _, status, _, _, length, header = AREA.unpack_from(page)
        body = page[AREA.size : AREA.size + length - 4]
        words = struct.unpack(f"<{len(body) // 4}I", body[: len(body) // 4 * 4])
    return Smc(frame.x[0] & 0xFFFF_FFFF, frame.x, frame.page, page, status, header, words, frame)
