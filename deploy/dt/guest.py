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
from nodes.guest.binding import CLOCK, COMPLETION, POWER, RECEIVE, RESET, VOLTAGE
from nodes.interrupts import SPIS
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


class WayBack(msgspec.Struct, frozen=True):
    """The P2A page, ``shmem`` on the machine and ``address`` in the guest; interrupts by their ID in the GIC.

    ``completion`` None: EL3 raises none at the end of a call.
    """

    shmem: int
    address: int
    interrupt: int
    completion: int | None

    def interrupts(self) -> dict[str, int]:
        """The interrupts by their names in the tree."""
        found = {RECEIVE: self.interrupt}
        return found if self.completion is None else found | {COMPLETION: self.completion}


class Plan(msgspec.Struct, frozen=True):
    """All that the template needs. ``address``: of the page, in the guest. ``way_back`` None: there is none.

    ``protocols``: (id, the cells properties that its node has), by ascending ids; ``regulators``: voltage
    domains with their nodes' lines.
    """

    name: str
    kind: Kind
    channel: Channel
    address: int
    protocols: tuple[tuple[int, tuple[str, ...]], ...]
    devices: tuple[DeviceCopy, ...]
    regulators: tuple[tuple[int, tuple[str, ...]], ...] = ()
    way_back: WayBack | None = None


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
    host: Tree,
    platform: Platform,
    who: tuple[str, Kind, int],
    address: int,
    devices: Sequence[str],
    *,
    way_back: bool = False,
) -> Plan:
    """What the guest ``who`` (name, kind, agent id) gets; ``devices`` are host paths. Raises UserError.

    ``way_back``: with the P2A page, which follows the page at ``address``, and its interrupt.
    """
    name, kind, agent_id = who
    channel = channel_of(host, platform, agent_id)
    copies = _distinct(_copy(host, path) for path in dict.fromkeys(devices))
    check_address(address, copies)
    back = _way_back(platform, channel, address + PAGE_BYTES) if way_back else None
    if back is not None:
        check_address(back.address, copies, f"--address {address:#x}: the P2A page, which follows it,")
    regulators = tuple(
        sorted({domain: lines for copy in copies for domain, lines in copy.regulators}.items())
    )
    protocols = tuple(sorted(_protocols(platform, copies).items()))
    return Plan(name, kind, channel, address, protocols, copies, regulators, back)


def offered(platform: Platform, channel: Channel) -> bool:
    """Whether EL3 has a way back to the channel's agent."""
    return any(one.smc_id == channel.func_id and one.p2a_shmem is not None for one in platform.agent)


def _way_back(platform: Platform, channel: Channel, address: int) -> WayBack:
    """EL3's way back to the agent; raises UserError if there is none, or none that Xen can pass on."""
    who = f"agent {channel.agent_id} ({channel.name})"
    agent = next((one for one in platform.agent if one.smc_id == channel.func_id), None)
    if agent is None or agent.p2a_shmem is None or agent.p2a_interrupt is None:
        raise UserError(
            f"--way-back: EL3 has none to {who}; give its [[agent]] in platform.toml p2a_shmem and "
            "p2a_interrupt, or leave --way-back out"
        )
    if agent.p2a_shmem % PAGE_BYTES:
        raise UserError(
            f"--way-back: p2a_shmem {agent.p2a_shmem:#x} of {who} is not the start of a page, and Xen maps "
            "whole ones; give it a page in platform.toml"
        )
    back = WayBack(agent.p2a_shmem, address, agent.p2a_interrupt, agent.a2p_interrupt)
    for name, intid in back.interrupts().items():
        if intid not in SPIS:
            raise UserError(
                f"--way-back: {name}_interrupt {intid} of {who} is no SPI, the only interrupts that Xen "
                f"routes to a guest; give {SPIS[0]}..{SPIS[-1]} in platform.toml"
            )
    return back


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


def _protocols(platform: Platform, copies: Sequence[DeviceCopy]) -> dict[int, tuple[str, ...]]:
    """The protocols that the tree needs, with the cells properties of their nodes; Base needs no node.

    Clocks, power domains and resets have one if EL3 has any of them, so that a device can be added by hand;
    the others if a device refers to them.
    """
    found: dict[int, tuple[str, ...]] = {
        protocol: (cells,)
        for protocol, cells, served in (
            (POWER, "#power-domain-cells", platform.power_domain),
            (CLOCK, "#clock-cells", platform.clock),
            (RESET, "#reset-cells", platform.reset_domain),
        )
        if served
    }
    for protocol, cells in (pair for copy in copies for pair in copy.providers):
        found[protocol] = tuple(dict.fromkeys((*found.get(protocol, ()), cells)))
    if any(copy.regulators for copy in copies):
        found[VOLTAGE] = ()
    return found


def check_address(address: int, devices: Sequence[DeviceCopy], named: str = "") -> None:
    """Raise UserError if the page, ``named`` in the error, cannot be at ``address`` in the guest."""
    where = named or f"--address {address:#x}"
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
