"""The demonstration as data: what a guest tries that it must not, and what has to come of it.

Both engines play it: the real cluster in ``trapline demo``, the simulated one in ``trapline sim``.
"""

from collections.abc import Callable

import msgspec

from bus import smccc
from bus.fields import encode
from bus.frames import DomainInfo
from bus.scmi import base, clock, status
from bus.smccc import ExceptionClass
from deploy.topology import Topology
from nodes.guest import console

NO_ARGUMENTS = (0, 0, 0, 0, 0, 0, 0)
THINK_NS = 2_000_000


class Attempt(msgspec.Struct, frozen=True):
    """One forbidden thing: who tries it, how, and the answer that proves it was refused."""

    domain: str
    title: str
    request: console.Request
    expected: str
    why: str


class Verdict(msgspec.Struct, frozen=True):
    """What came of an attempt. ``refused``: as it had to be."""

    attempt: Attempt
    answer: str
    refused: bool


def attempts(topology: Topology, domains: list[DomainInfo]) -> list[Attempt]:
    """What the last guest of the platform tries; needs a second domain with a channel.

    What its firmware allows everybody is no attempt at anything.
    """
    guests = [info for info in domains if info.domid and info.smc_id is not None]
    if len(guests) < 2:
        return []
    me, other = guests[-1], guests[0]
    return [*_instructions(topology, me, other), *_messages(topology, me, other)]


def _instructions(topology: Topology, me: DomainInfo, other: DomainInfo) -> list[Attempt]:
    """Doorbells of others, and an SMC that is none."""
    xen = next(agent for agent in topology.platform.agent if agent.trusted)
    return [
        Attempt(
            me.name,
            f"rings {other.name}'s doorbell {other.smc_id:#x}",
            _smc(other.smc_id or 0),
            "x0 = -1",
            "the doorbell is not of its own channel; EL3 is not called",
        ),
        Attempt(
            me.name,
            f"rings Xen's doorbell {xen.smc_id:#x}",
            _smc(xen.smc_id),
            "x0 = -1",
            "the management channel belongs to Xen",
        ),
        Attempt(
            me.name,
            "SMC #1 instead of #0",
            console.RawTrap(ExceptionClass.SMC64.value, 1, (me.smc_id or 0, *NO_ARGUMENTS)),
            "undefined instruction",
            "not an SMC Calling Convention call",
        ),
    ]


def _messages(topology: Topology, me: DomainInfo, other: DomainInfo) -> list[Attempt]:
    """What the own channel carries, and EL3 must refuse."""
    firmware = topology.firmware
    found: list[Attempt] = []
    if not firmware.anyone_grants:
        found.append(
            Attempt(
                me.name,
                f"grants itself a device of {other.name}",
                _call(0x10, 0x9, encode(base.SetDevicePermissions(me.agent_id or 0, _device(topology), 1))),
                "DENIED",
                "only the trusted agent may change permissions",
            )
        )
    foreign = _foreign_clock(topology, other)
    if foreign is not None and not firmware.open_permissions:
        found.append(
            Attempt(
                me.name,
                f"sets the rate of clock {foreign}, granted to {other.name}",
                _call(0x14, 0x5, encode(clock.RateSet(0, foreign, _rate(topology, foreign)))),
                "DENIED",
                "the device behind the clock was not granted to its agent",
            )
        )
    return found


def _smc(function_id: int) -> console.Request:
    return console.RawTrap(ExceptionClass.SMC64.value, 0, (function_id, *NO_ARGUMENTS))


def _call(protocol_id: int, message_id: int, payload: bytes) -> console.Request:
    return console.Call(protocol_id, message_id, payload)


def _device(topology: Topology) -> int:
    devices = topology.platform.device
    return devices[0].id if devices else 0


def _foreign_clock(topology: Topology, other: DomainInfo) -> int | None:
    """A clock that the other domain's tree uses."""
    binding = topology.bindings.get(other.name)
    for guest in topology.guests:
        if guest.name == other.name:
            binding = guest.binding
    if binding is None:
        return None
    return next((one for consumer in binding.consumers for one in consumer.clocks), None)


def _rate(topology: Topology, clock_id: int) -> int:
    return next((one.rate for one in topology.platform.clock if one.id == clock_id), 0)


def judge(attempt: Attempt, answer: console.Answer) -> Verdict:
    """Compare what happened with what has to happen."""
    text = describe(answer)
    return Verdict(attempt, text, attempt.expected in text)


def describe(answer: console.Answer) -> str:
    """An answer in a few words: a status, x0, or the error."""
    if answer.code == "undef":
        return "undefined instruction"
    if answer.code:
        return f"{answer.code}: {answer.detail}"
    if answer.x and not answer.payload and answer.x[0]:
        return f"x0 = {smccc.signed(answer.x[0])}"
    return status.name(answer.status)


def try_all(wanted: list[Attempt], ask: Callable[[str, console.Request], console.Answer]) -> list[Verdict]:
    """Have every attempt made, in order."""
    return [judge(attempt, ask(attempt.domain, attempt.request)) for attempt in wanted]
