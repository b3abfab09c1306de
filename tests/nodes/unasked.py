"""What EL3 says unasked, on the bench: time passes, and what came for each agent is read from its page."""

from typing import Any

import msgspec

from bus import frames, shmem
from bus.fields import Message, decode, encode
from bus.links import XEN
from bus.scmi import PROTOCOLS, base, header
from bus.scmi.header import MessageType
from bus.scmi.status import Status
from nodes.contract import Received, Send, Tick
from nodes.firmware.platform import Agent, Platform, check
from tests.nodes.el3 import DOM0, FID, MANAGER, SHMEM, THREE, TWO, Bench

BY_ID = {one.id: one for one in PROTOCOLS}
LINE = {TWO: 42, THREE: 43}


class Told(msgspec.Struct, frozen=True):
    """A notification or delayed response as it came. ``body`` None: a delayed response that failed."""

    agent: int
    name: str
    body: Any
    status: Status = Status.SUCCESS
    bytes: int = 0


def platform(**tables: Any) -> Platform:
    """Agents 2 and 3 can be told things, 0 and 1 cannot; all may use everything but what ``tables`` say."""
    agents = tuple(
        Agent(
            one,
            name,
            FID[one],
            SHMEM[one],
            trusted=one == MANAGER,
            p2a_shmem=0x4800_0000 + one * 0x1000 if one in LINE else None,
            p2a_interrupt=LINE.get(one),
        )
        for one, name in ((DOM0, "dom0"), (MANAGER, "xen"), (TWO, "two"), (THREE, "three"))
    )
    made = Platform(**{"name": "bench", "agent": agents, "default_permission": "allow"} | tables)
    check(made)
    return made


def wait(bench: Bench, us: int) -> list[Told]:
    """Let ``us`` microseconds pass, with a Tick whenever the core wants one; what was said meanwhile."""
    end = bench.now_ns + us * 1000
    said = told(bench)
    while (due := bench.core.deadline_ns()) is not None and due <= end:
        bench.now_ns = max(due, bench.now_ns)
        bench.raised.extend(bench.core.step(Tick(), bench.now_ns))
        said.extend(told(bench))
    bench.now_ns = end
    return said


def told(bench: Bench) -> list[Told]:
    """What was said since the last time; every agent gives its page back until nothing waits."""
    said = []
    while bench.raised:
        effects, bench.raised = bench.raised, []
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.frame, frames.Interrupt):
                raised = effect.frame
                said.append(_read(bench, effect))
                done = frames.EndOfInterrupt(1, raised.request, 0, raised.intid, raised.page)
                bench.raised.extend(bench.core.step(Received(XEN, done, shmem.IDLE), bench.now_ns))
    return said


def _read(bench: Bench, effect: Send) -> Told:
    agent = next(one for one, line in LINE.items() if line == effect.frame.intid)
    assert shmem.status_of(effect.page) == 0
    head, payload = shmem.read_message(effect.page)
    table = BY_ID[header.protocol_id(head)]
    version = bench.core.machine.spoken(agent, table.id)
    message_id = header.message_id(head)
    if header.message_type(head) == MessageType.NOTIFICATION:
        row = next(row for row in table.notifications if row.id == message_id)
        return Told(agent, row.name, decode(row.payload, payload, version), bytes=len(payload))
    assert header.message_type(head) == MessageType.DELAYED_RESPONSE
    command = table.command(message_id)
    assert command is not None
    cls: type[Message] | None = command.delayed_at(version)
    assert cls is not None
    status = Status(int.from_bytes(payload[:4], "little", signed=True))
    body = decode(cls, payload[4:], version) if status is Status.SUCCESS else None
    return Told(agent, command.name, body, status, len(payload))


def negotiate(bench: Bench, agent: int, key: str, version: int) -> None:
    """From here on ``agent`` speaks that version."""
    table = next(one for one in PROTOCOLS if one.key == key)
    payload = version.to_bytes(4, "little")
    assert bench.raw(agent, header.pack(table.id, 0x10), payload)[0] is Status.SUCCESS


def answer(bench: Bench, agent: int, key: str, name: str, request: Message | None = None) -> Any:
    """A command at the version that the agent speaks: the reply's body, or the status that is not SUCCESS."""

    table = next(one for one in PROTOCOLS if one.key == key)
    command = table.command(name)
    assert command is not None
    version = bench.core.machine.spoken(agent, table.id)
    payload = encode(request, version) if request else b""
    status, body = bench.raw(agent, header.pack(table.id, command.id, token=9), payload)
    return decode(command.reply_at(version), body, version) if status is Status.SUCCESS else status


def reset(bench: Bench, agent: int) -> None:
    """What Xen sends when the agent's domain is gone."""
    request = base.ResetAgentConfiguration(agent, 1)
    assert bench.status(MANAGER, "base", "BASE_RESET_AGENT_CONFIGURATION", request) is Status.SUCCESS
