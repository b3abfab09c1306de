"""What the driver accepts and should not: the hazards of a host tree, by name.

The driver never looks at these (CHECKS.md lists them as "not checked"). The linter reports them all; a
strict Xen warns of them at boot, and refuses to bind where ``refused`` says so. Pure judgement of a tree.
"""

from collections.abc import Iterator, Sequence

import msgspec

from bus import smccc
from bus.shmem import PAGE_BYTES
from nodes.devicetree import Tree
from nodes.limits import AGENT_ID_MAX
from nodes.xen import binding
from nodes.xen.binding import Management, Secondary
from nodes.xen.errno import Place

SMC_ID = "arm,smc-id"
COMPARED = AGENT_ID_MAX + 2  # channels compared with each other: Xen's and all that a domain could claim


class Hazard(msgspec.Struct, frozen=True):
    """One finding; ``refused`` by a strict Xen. ``other``: the place it clashes with."""

    rule: str
    place: Place
    reason: str
    refused: bool = False
    other: Place | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.reason} ({self.rule})"


class _Channel(msgspec.Struct, frozen=True):
    """A channel with the place where it is written, for comparing each with each."""

    title: str
    func_id: int
    shmem: int
    shmem_node: str
    bytes: int
    place: Place


def hazards(tree: Tree, own: Management | None, secondaries: Sequence[Secondary]) -> Iterator[Hazard]:
    """Every hazard of the channels that the tree describes; ``own`` is Xen's, if it could be read."""
    channels = list(_channels(tree, own, secondaries))
    if own is not None:
        yield from _management(tree, own)
    for at, channel in enumerate(channels):
        yield from _doorbell(channel)
        yield from _page(tree, channel)
        if at < COMPARED:
            for other in channels[:at]:
                yield from _clash(channel, other)
    for entry in secondaries:
        yield from _agent(tree, entry)


def _channels(tree: Tree, own: Management | None, secondaries: Sequence[Secondary]) -> Iterator[_Channel]:
    if own is not None:
        node = tree[own.node]
        yield _Channel("Xen", own.func_id, own.shmem, own.shmem_node, PAGE_BYTES, Place(node, SMC_ID))
    container = tree.find_compatible(binding.CONTAINER)
    if container is None:
        return
    for one in secondaries:
        title = f"entry {one.index}" if one.agent_id is None else f"agent {one.agent_id}"
        place = Place(container, binding.SECONDARY, one.index)
        yield _Channel(title, one.func_id, one.shmem, one.shmem_node, one.bytes, place)


def _management(tree: Tree, own: Management) -> Iterator[Hazard]:
    node = tree[own.node]
    if own.shmem % PAGE_BYTES:
        reason = f"the page's base {own.shmem:#x} is not a multiple of {PAGE_BYTES}"
        yield Hazard("xen-shmem-unaligned", Place(node, "shmem"), reason, refused=True)
    for other in binding.candidates(tree):
        if other.path != own.node:
            reason = f"a second node binds beside {own.node}; the driver frees every channel over it"
            yield Hazard("second-management-node", Place(other, "compatible"), reason, refused=True)


def _doorbell(channel: _Channel) -> Iterator[Hazard]:
    fid = channel.func_id
    if smccc.owner(fid) != smccc.Owner.SIP:
        reason = (
            f"{fid:#x} of {channel.title} is owned by {smccc.owner(fid)}, not by SiP (2): "
            "Xen never routes it to the mediator"
        )
        yield Hazard("smc-id-owner", channel.place, reason)
    if not smccc.is_fast(fid):
        reason = f"{fid:#x} of {channel.title} is not a fast call (bit 31): firmware may not answer it"
        yield Hazard("smc-id-not-fast", channel.place, reason)


def _page(tree: Tree, channel: _Channel) -> Iterator[Hazard]:
    page = tree[channel.shmem_node]
    if not page.compatible(binding.SHMEM):
        reason = f"{page.path}, the page of {channel.title}, is not compatible {binding.SHMEM!r}"
        yield Hazard("shmem-compatible", Place(page, "compatible"), reason)


def _clash(channel: _Channel, other: _Channel) -> Iterator[Hazard]:
    if channel.func_id == other.func_id:
        reason = f"{channel.title} has the doorbell {channel.func_id:#x} of {other.title}"
        yield Hazard("duplicate-smc-id", channel.place, reason, other=other.place)
    if channel.shmem == other.shmem:
        reason = f"{channel.title} has the page {channel.shmem:#x} of {other.title}"
        yield Hazard("duplicate-shmem", channel.place, reason, other=other.place)
    elif channel.shmem // PAGE_BYTES == other.shmem // PAGE_BYTES:
        reason = (
            f"{channel.title} ({channel.shmem:#x}) and {other.title} ({other.shmem:#x}) "
            f"share the page {channel.shmem // PAGE_BYTES * PAGE_BYTES:#x}"
        )
        yield Hazard("shared-page", channel.place, reason, other=other.place)
    elif channel.shmem < other.shmem + other.bytes and other.shmem < channel.shmem + channel.bytes:
        reason = (
            f"{channel.title} ({channel.shmem:#x}, {channel.bytes:#x} bytes) overlaps "
            f"{other.title} ({other.shmem:#x}, {other.bytes:#x} bytes)"
        )
        yield Hazard("overlapping-shmem", channel.place, reason, other=other.place)


def _agent(tree: Tree, entry: Secondary) -> Iterator[Hazard]:
    container = tree.find_compatible(binding.CONTAINER)
    if container is not None and entry.agent_id is not None and entry.agent_id > AGENT_ID_MAX:
        reason = f"agent id {entry.agent_id} can be claimed by no domain: ids end at {AGENT_ID_MAX}"
        yield Hazard("agent-id-unreachable", Place(container, binding.SECONDARY, entry.index), reason)
