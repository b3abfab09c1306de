"""The agents, their channels, and the devices that are granted to them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any

import msgspec

from bus import smccc
from bus.shmem import PAGE_BYTES
from nodes.firmware.platform.described import Described, Id, Name, repeated, says, unknown
from nodes.firmware.platform.kinds import DEVICE_KEYS

Address = Annotated[int, msgspec.Meta(ge=0, le=2**52 - 1)]
IntId = Annotated[int, msgspec.Meta(ge=16, le=1019)]


class Agent(Described, frozen=True):
    """An SCMI agent and its channel. Without a way back, `p2a_shmem` and `p2a_interrupt`, it gets neither
    notifications nor delayed responses, as with Linux' SMC transport.
    """

    id: Annotated[Id, says("its number in messages, Xen's tree and xl.cfg")]
    name: Annotated[Name, says("as BASE_DISCOVER_AGENT tells it, 15 characters at most")]
    smc_id: Annotated[Id, says("the function id of its doorbell")]
    shmem: Annotated[Address, says("the machine address of its page")]
    trusted: Annotated[
        bool, says("it may grant devices and reset other agents, and has every device at boot")
    ] = False
    p2a_shmem: Annotated[Address | None, says("the page of what is sent to it unasked")] = None
    p2a_interrupt: Annotated[IntId | None, says("the interrupt (GIC INTID) that tells of it")] = None
    a2p_interrupt: Annotated[
        IntId | None, says("is raised when an answer is ready, for an agent that asks for it")
    ] = None
    protocols: Annotated[
        tuple[str, ...] | None, says("those that it may use at all, beside base; absent: every one")
    ] = None


class Device(Described, frozen=True):
    """A group of resources that is granted as a whole (BASE_SET_DEVICE_PERMISSIONS)."""

    id: Annotated[Id, says("its number in permission commands and `access-controllers`")]
    name: Annotated[Name, says("for people")]
    clocks: Annotated[tuple[Id, ...], says("ids of its clocks")] = ()
    power_domains: Annotated[tuple[Id, ...], says("ids of its power domains")] = ()
    reset_domains: Annotated[tuple[Id, ...], says("ids of its reset domains")] = ()
    perf_domains: Annotated[tuple[Id, ...], says("ids of its performance domains")] = ()
    sensors: Annotated[tuple[Id, ...], says("ids of its sensors")] = ()
    voltage_domains: Annotated[tuple[Id, ...], says("ids of its voltage domains")] = ()
    powercap_domains: Annotated[tuple[Id, ...], says("ids of its power capping domains")] = ()
    pins: Annotated[tuple[Id, ...], says("ids of its pins")] = ()
    pin_groups: Annotated[tuple[Id, ...], says("ids of its groups of pins")] = ()
    pin_functions: Annotated[tuple[Id, ...], says("ids of its functions of pins")] = ()
    vendor_resources: Annotated[
        Mapping[str, tuple[Id, ...]], says("resources of plug-ins' protocols, by kind")
    ] = {}


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with channels and devices."""
    yield from _channel_problems(platform)
    known: Mapping[str, set[int]] = {
        kind: {row.id for row in getattr(platform, kind)} for kind in DEVICE_KEYS.values()
    }
    for at, device in enumerate(platform.device):
        for key, kind in DEVICE_KEYS.items():
            yield from unknown(f"device[{at}].{key}", getattr(device, key), kind, known[kind])
        if device.vendor_resources and not platform.vendor_protocol:
            yield f"device[{at}].vendor_resources: there is no [[vendor_protocol]]; add it, or leave them out"


def _channel_problems(platform: Any) -> Iterator[str]:
    agents: tuple[Agent, ...] = platform.agent
    yield from repeated("agent", "smc_id", [hex(agent.smc_id) for agent in agents])
    pages = [hex(agent.shmem) for agent in agents]
    yield from repeated("agent", "shmem", pages)
    for at, agent in enumerate(agents):
        yield from _page_problems(f"agent[{at}].shmem", agent.shmem, platform.area_bytes)
        if not smccc.is_fast(agent.smc_id):
            yield f"agent[{at}].smc_id: {agent.smc_id:#x} is not a fast call; set bit 31"
        yield from _p2a_problems(at, agent, platform)
    yield from _overlaps(agents, platform.area_bytes)
    lines: dict[int, str] = {}
    for at, agent in enumerate(agents):
        for key in ("p2a_interrupt", "a2p_interrupt"):
            line = getattr(agent, key)
            if line in lines:
                yield f"agent[{at}].{key}: {line} is that of {lines[line]}; give each line one use"
            elif line is not None:
                lines[line] = f"agent[{at}].{key}"


def _overlaps(agents: Sequence[Agent], area_bytes: int) -> Iterator[str]:
    """Two areas of which neither begins where the other does may still have bytes in common."""
    areas = [(agent.shmem, f"agent[{at}].shmem") for at, agent in enumerate(agents)]
    areas += [
        (one.p2a_shmem, f"agent[{at}].p2a_shmem")
        for at, one in enumerate(agents)
        if one.p2a_shmem is not None
    ]
    for (low, first), (high, second) in pairwise(sorted(areas)):
        both_a2p = first.endswith("].shmem") and second.endswith("].shmem")
        if low == high and not both_a2p:
            yield f"{second}: {high:#x} is the page of another channel; give each its own"
        elif low < high < low + area_bytes:
            yield f"{second}: {high:#x} is in the area of {first}; give each a page of its own"


def _page_problems(place: str, address: int, area_bytes: int) -> Iterator[str]:
    if address % 8:
        yield f"{place}: {address:#x} is not 8-byte aligned; use the start of a page"
    if address % PAGE_BYTES + area_bytes > PAGE_BYTES:
        yield f"{place}: the area at {address:#x} crosses a page; use the start of a page"


def _p2a_problems(at: int, agent: Agent, platform: Any) -> Iterator[str]:
    if (agent.p2a_shmem is None) != (agent.p2a_interrupt is None):
        there, missing = ("p2a_shmem", "p2a_interrupt")
        if agent.p2a_shmem is None:
            there, missing = missing, there
        yield f"agent[{at}].{there}: there is no {missing}; the way back needs a page and an interrupt"
    if agent.p2a_shmem is not None:
        yield from _page_problems(f"agent[{at}].p2a_shmem", agent.p2a_shmem, platform.area_bytes)
