"""The plan of a guest's partial tree: whose agent, which page at which address, which devices.

It judges what is asked for and says no in one sentence; how the plan is spelled is ``template``'s part.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from bus.shmem import PAGE_BYTES
from deploy.dt.device import DeviceCopy, copy_device
from deploy.errors import UserError
from nodes.devicetree import Tree, TreeError
from nodes.firmware.platform import Platform
from nodes.guest.binding import CLOCK, POWER, RESET
from nodes.xen import binding
from nodes.xen.errno import XenError

Kind = Literal["xl", "dom0less"]
ADDRESS = 0x2200_1000
ADDRESS_BITS = 64
# Where Xen's own devices are in a guest on Arm: nothing may be mapped over them.
GUEST_LAYOUT = (
    ("the virtio-mmio area", 0x0200_0000, 0x10_0000),
    ("the virtual GIC", 0x0300_1000, 0x101_F000),
    ("the virtual UART", 0x2200_0000, 0x1000),
    ("the grant table and magic pages", 0x3800_0000, 0x0200_0000),
)
RAM_BANKS = ((0x4000_0000, 0xC000_0000), (0x2_0000_0000, 0xFE_0000_0000))


class Channel(msgspec.Struct, frozen=True):
    """A secondary agent's channel with the name that EL3 gives the agent."""

    agent_id: int
    name: str
    func_id: int
    shmem: int


class Plan(msgspec.Struct, frozen=True):
    """All that the template needs. ``address``: of the page, in the guest. ``protocols``: ids, ascending."""

    name: str
    kind: Kind
    channel: Channel
    address: int
    protocols: tuple[int, ...]
    devices: tuple[DeviceCopy, ...]


def channels(host: Tree, platform: Platform) -> list[Channel]:
    """The secondary agents of the host tree; in 2-cell form an agent is the one EL3 has on that doorbell."""
    known = {agent.smc_id: agent for agent in platform.agent}
    found = []
    try:
        for entry in binding.secondaries(host):
            agent = known.get(entry.func_id)
            agent_id = entry.agent_id if entry.agent_id is not None else agent.id if agent else None
            if agent_id is not None:
                name = agent.name if agent else f"agent{agent_id}"
                found.append(Channel(agent_id, name, entry.func_id, entry.shmem))
    except (XenError, TreeError) as error:
        raise UserError(str(error)) from None
    return found


def channel_of(host: Tree, platform: Platform, agent_id: int) -> Channel:
    """The channel of ``agent_id``, if a guest can have it; raises UserError listing the agents there are."""
    found = channels(host, platform)
    dom0 = binding.dom0_agent(host)[0]
    free = ", ".join(f"{one.agent_id} ({one.name})" for one in found if one.agent_id != dom0) or "none"
    own = next((one for one in found if one.agent_id == agent_id), None)
    if own is None:
        trusted = any(one.id == agent_id and one.trusted for one in platform.agent)
        what = "is Xen's own" if trusted else "is not in scmi-secondary-agents"
        raise UserError(f"agent {agent_id}: {what} ({host.source}); a guest can have one of: {free}")
    if agent_id == dom0:
        raise UserError(
            f"agent {agent_id}: is Dom0's, as {binding.DOM0_AGENT} says ({host.source}); "
            f"a guest can have one of: {free}"
        )
    return own


def plan(
    host: Tree, platform: Platform, who: tuple[str, Kind, int], address: int, devices: Sequence[str]
) -> Plan:
    """What the guest ``who`` (name, kind, agent id) gets; ``devices`` are host paths. Raises UserError."""
    name, kind, agent_id = who
    channel = channel_of(host, platform, agent_id)
    copies = _distinct(_copy(host, path) for path in dict.fromkeys(devices))
    check_address(address, copies)
    return Plan(name, kind, channel, address, tuple(_protocols(platform)), copies)


def _copy(host: Tree, path: str) -> DeviceCopy:
    node = host.get(path)
    if node is None or path == "/":
        raise UserError(f"device {path}: the host tree ({host.source}) has no such device; check the path")
    return copy_device(host, node)


def _distinct(copies: Iterator[DeviceCopy]) -> tuple[DeviceCopy, ...]:
    """Devices of different buses may share a name, the nodes below /passthrough may not."""
    found: dict[str, DeviceCopy] = {}
    for copy in copies:
        base, at, unit = copy.name.partition("@")
        number = 1
        while copy.name in found:
            number += 1
            copy = msgspec.structs.replace(copy, name=f"{base}-{number}{at}{unit}")  # noqa: PLW2901
        found[copy.name] = copy
    return tuple(found.values())


def _protocols(platform: Platform) -> Iterator[int]:
    """The protocols with anything behind them; Base needs no node."""
    if platform.power_domain:
        yield POWER
    if platform.clock:
        yield CLOCK
    if platform.reset_domain:
        yield RESET


def check_address(address: int, devices: Sequence[DeviceCopy]) -> None:
    """Raise UserError if the page cannot be at ``address`` in the guest."""
    where = f"--address {address:#x}"
    if address % PAGE_BYTES:
        near = address // PAGE_BYTES * PAGE_BYTES
        raise UserError(f"{where}: not the start of a page; Xen maps whole ones, give {near:#x} or another")
    if not 0 < address <= (1 << ADDRESS_BITS) - PAGE_BYTES:
        raise UserError(
            f"{where}: not a page within {ADDRESS_BITS}-bit addresses; give for example {ADDRESS:#x}"
        )
    taken = [(title, at, size) for title, at, size in GUEST_LAYOUT]
    taken += [(copy.path, at, size) for copy in devices for at, size in copy.pages()]
    for title, at, size in taken:
        if at < address + PAGE_BYTES and address < at + size:
            raise UserError(
                f"{where}: overlaps {title} at {at:#x}..{at + size - 1:#x}; choose a page that is free"
            )


def in_ram(address: int) -> bool:
    """Whether the address lies where Xen puts guest memory, if the guest has that much."""
    return any(at <= address < at + size for at, size in RAM_BANKS)
