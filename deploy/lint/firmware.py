"""Judges the host tree against platform.toml: whether EL3 serves what the tree says, and whom it trusts."""

from collections.abc import Iterator

from bus.shmem import PAGE_BYTES
from deploy.lint.finding import Finding, Spot, at, finding
from deploy.lint.material import Material
from deploy.lint.platform import PlatformFile
from deploy.lint.refused import focused
from nodes.devicetree import Tree
from nodes.xen.binding import SECONDARY, Management, Secondary
from nodes.xen.errno import Place


def judge(material: Material) -> Iterator[Finding]:
    """All that the firmware and the tree say differently."""
    tree, platform = material.host, material.platform
    container = tree.find_compatible("xen,sci") if tree else None
    if tree is None or platform is None or container is None or material.profile.driver != "multiagent":
        return
    if material.own is not None and not material.own_disputed:
        yield from _xen(tree, platform, material.own)
        yield from _others(material, platform, material.own)
    rung = set() if material.own is None else {material.own.func_id}
    for entry in material.entries:
        if entry.func_id in rung:
            continue  # a doorbell given twice is a mistake of its own, and which entry is wrong unknown
        rung.add(entry.func_id)
        place = Place(container, SECONDARY, entry.index)
        yield from _entry(tree, platform, entry, place)


def _xen(tree: Tree, platform: PlatformFile, own: Management) -> Iterator[Finding]:
    node = tree[own.node]
    agent = platform.agent(own.func_id)
    if agent is None:
        yield _unserved("Xen", own.func_id, at(node, "arm,smc-id"), platform)
        return
    if agent.shmem != own.shmem:
        message = f"EL3 looks for Xen's messages at {agent.shmem:#x}, the tree says {own.shmem:#x}"
        there = ("the firmware's page", platform.spot(agent, "shmem"))
        yield finding("channel-not-served", at(node, "shmem"), message, "", there)
    if not agent.trusted:
        message = (
            f"Xen's doorbell {own.func_id:#x} is that of agent {agent.id} ({agent.name}), not a trusted one"
        )
        there = ("Xen's channel", at(node, "arm,smc-id"))
        yield finding("xen-not-trusted", platform.spot(agent, "trusted"), message, "", there)


def _unserved(who: str, func_id: int, spot: Spot, platform: PlatformFile, fix: str = "") -> Finding:
    doorbells = ", ".join(f"{one.smc_id:#x}" for one in platform.platform.agent)
    message = f"EL3 serves no doorbell {func_id:#x}, {who}'s (it serves {doorbells})"
    return finding("channel-not-served", spot, message, fix)


def _entry(tree: Tree, platform: PlatformFile, entry: Secondary, place: Place) -> Iterator[Finding]:
    agent = platform.agent(entry.func_id)
    who = f"entry {entry.index}" if entry.agent_id is None else f"agent {entry.agent_id}"
    if agent is None:
        known = [one for one in platform.platform.agent if one.id == entry.agent_id]
        fix = f"Write {known[0].smc_id:#x}, on which the firmware serves {who}." if known else ""
        yield _unserved(who, entry.func_id, focused(tree, "channel-not-served", place), platform, fix)
        return
    if agent.shmem != entry.shmem and agent.shmem != entry.shmem // PAGE_BYTES * PAGE_BYTES:
        message = f"EL3 looks for {who}'s messages at {agent.shmem:#x}, the tree says {entry.shmem:#x}"
        there = ("the firmware's page", platform.spot(agent, "shmem"))
        spot = focused(tree, "duplicate-shmem", place)  # the cell of the page
        yield finding("channel-not-served", spot, message, "", there)
    if entry.agent_id is None:
        return
    if agent.id != entry.agent_id:
        message = (
            f"the list calls the owner of {entry.func_id:#x} agent {entry.agent_id}, EL3 calls it {agent.id}"
        )
        there = ("the firmware's id", platform.spot(agent, "id"))
        yield finding("agent-id-mismatch", focused(tree, "agent-id-mismatch", place), message, "", there)
    elif entry.agent_id >= len(platform.platform.agent):
        message = f"agent {entry.agent_id}, but EL3 reports {len(platform.platform.agent)} agents"
        yield finding("agent-beyond-count", focused(tree, "agent-beyond-count", place), message)


def _others(material: Material, platform: PlatformFile, own: Management) -> Iterator[Finding]:
    listed = {entry.func_id for entry in material.entries}
    for agent in platform.platform.agent:
        if agent.smc_id == own.func_id:
            continue
        if agent.trusted:
            message = f"agent {agent.id} ({agent.name}) is trusted as well"
            yield finding("other-trusted", platform.spot(agent, "trusted"), message)
        if agent.smc_id not in listed and agent.id not in material.agents and material.entries:
            message = f"agent {agent.id} ({agent.name}, {agent.smc_id:#x}) is in no list"
            yield finding("agent-unlisted", platform.spot(agent, "smc_id"), message)
