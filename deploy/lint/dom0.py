"""Judges what Dom0 gets: its agent, the channel in the host tree, pages it can see and should not."""

from collections.abc import Iterator

from bus.shmem import PAGE_BYTES
from deploy.lint.finding import Finding, Spot, at, finding
from deploy.lint.material import Material
from deploy.lint.refused import untranslatable
from nodes.devicetree import Node, Tree, TreeError
from nodes.guest.binding import Binding, bind
from nodes.xen import binding
from nodes.xen.binding import CONTAINER, DOM0_AGENT, SHMEM, Secondary
from nodes.xen.dom0 import tree_for_dom0, wants_scmi


def judge(material: Material) -> Iterator[Finding]:
    """All that is wrong between Dom0, its tree and its agent."""
    tree = material.host
    container = tree.find_compatible(CONTAINER) if tree else None
    if tree is None or container is None or material.profile.driver != "multiagent":
        return
    channel: Binding | None = None
    try:
        channel = bind(tree_for_dom0(tree, mediator=True, scmi=True))
    except TreeError as error:
        if error.node is not None and container.u32(DOM0_AGENT) is not None:
            yield from unusable(tree, error)
    if channel is not None:
        yield from _privileged(material, tree, channel)
    if material.profile.dom0_agent == "property":
        yield from _property(material, tree, container, channel)
    elif DOM0_AGENT in container.properties:
        message = f"the driver of {material.profile.name} does not read {DOM0_AGENT}"
        fix = "Give Dom0's agent on Xen's command line (dom0=sci-agent-id=N), or use a newer driver."
        yield finding("not-in-profile", at(container, DOM0_AGENT), message, fix)
    if material.dom0_agent is not None and material.dom0_spot is not None:
        yield from _agent(material, tree, container, channel)


def own_tree(material: Material, host: Tree) -> Tree:
    """The tree that Dom0 gets, if Xen's probe succeeds."""
    mediator = next(binding.candidates(host), None) is not None
    scmi = wants_scmi(host, material.profile)
    return tree_for_dom0(host, mediator, scmi, material.profile)


def unusable(tree: Tree, error: TreeError) -> Iterator[Finding]:
    """A node that Dom0 gets, and that has no usable address or channel."""
    assert error.node is not None
    if error.prop == "ranges":
        yield from untranslatable(tree, error)
        return
    message = str(error).removeprefix(f"{error.node.place(error.prop)}: ").partition("; ")[0]
    yield finding(
        "host-channel-unusable", at(error.node, error.prop), f"{error.node.path}: {error.prop}: {message}"
    )


def _privileged(material: Material, tree: Tree, channel: Binding) -> Iterator[Finding]:
    """Xen's channel must not be the one that Linux finds in the same tree."""
    own = material.own
    if own is not None:
        here, there = tree[own.node], at(tree[channel.node], "arm,smc-id")
        if own.func_id == channel.func_id:
            message = f"Xen's doorbell {own.func_id:#x} is also that of {channel.node}, which Dom0 rings"
            spot = at(here, "arm,smc-id")
            yield finding("host-channel-privileged", spot, message, "", (f"{channel.node}", there))
        elif own.shmem == channel.shmem:
            message = f"Xen's page {own.shmem:#x} is also that of {channel.node}, which Dom0 uses"
            yield finding(
                "host-channel-privileged", at(here, "shmem"), message, "", (f"{channel.node}", there)
            )
    agent = material.platform.agent(channel.func_id) if material.platform else None
    if agent is not None and agent.trusted and material.platform is not None:
        message = (
            f"the firmware trusts agent {agent.id} ({agent.name}), which is the channel of {channel.node}: "
            "Linux on bare metal and Dom0"
        )
        there = at(tree[channel.node], "arm,smc-id")
        spot = material.platform.spot(agent, "trusted")
        yield finding("host-channel-privileged", spot, message, "", ("its doorbell in the host tree", there))


def _property(material: Material, tree: Tree, container: Node, channel: Binding | None) -> Iterator[Finding]:
    agent_id, warning = binding.dom0_agent(tree)
    spot = at(container, DOM0_AGENT)
    if warning:
        message = warning.removeprefix(f"{container.place(DOM0_AGENT)}: ")
        yield finding("dom0-agent-invalid", spot, message)
    elif agent_id is None and channel is not None:
        message = f"{container.path} has no {DOM0_AGENT}, so Dom0 loses {channel.node}"
        yield finding("dom0-agent-missing", spot, message, *_who(material, tree, channel))


def _agent(material: Material, tree: Tree, container: Node, channel: Binding | None) -> Iterator[Finding]:
    agent_id, spot = material.dom0_agent, material.dom0_spot
    assert agent_id is not None
    assert spot is not None
    if agent_id == material.xen_agent:
        yield finding(
            "agent-is-xens", spot, f"Dom0 is to have agent {agent_id}, Xen's own: Xen panics (-EEXIST)"
        )
    entry = material.agents.get(agent_id)
    if entry is None:
        if material.complete:
            yield _unknown(material, spot, agent_id)
        return
    if channel is None:
        message = f"Dom0 is given agent {agent_id}, but the host tree has no enabled arm,scmi-smc node for it"
        yield finding("dom0-channel-absent", spot, message)
    else:
        yield from _pair(material, tree, agent_id, entry, channel)
    used = {*material.pages_of(entry)} | (set() if channel is None else {channel.shmem})
    yield from _exposed(material, tree, container, used)


def _who(material: Material, tree: Tree, channel: Binding) -> tuple[str, tuple[str, Spot]]:
    there = ("the channel that Dom0 loses", at(tree[channel.node]))
    for agent_id, entry in material.agents.items():
        if entry.func_id == channel.func_id:
            return f"Write {DOM0_AGENT} = <{agent_id}>; in the container.", there
    return "", there


def _unknown(material: Material, spot: Spot, agent_id: int) -> Finding:
    there = ", ".join(map(str, material.agents)) or "none"
    message = (
        f"agent {agent_id} is not in the list (there: {there}): Xen panics, Error creating domain 0 (-ENOENT)"
    )
    return finding("dom0-agent-unknown", spot, message)


def _pair(
    material: Material, tree: Tree, agent_id: int, entry: Secondary, channel: Binding
) -> Iterator[Finding]:
    node, spot = tree[channel.node], material.dom0_spot
    assert spot is not None
    if entry.func_id != channel.func_id:
        message = (
            f"{channel.node} rings {channel.func_id:#x}, but Dom0's agent {agent_id} has {entry.func_id:#x}: "
            "every call of Dom0's answers -1"
        )
        fix, _ = _who(material, tree, channel)
        yield finding("dom0-channel-mismatch", at(node, "arm,smc-id"), message, fix, ("Dom0's agent", spot))
    elif entry.shmem != channel.shmem:
        message = (
            f"{channel.node} writes to {channel.shmem:#x}, but the page of Dom0's agent {agent_id} is "
            f"{entry.shmem:#x}"
        )
        yield finding("dom0-channel-mismatch", at(node, "shmem"), message, "", ("Dom0's agent", spot))


def _exposed(material: Material, tree: Tree, container: Node, used: set[int]) -> Iterator[Finding]:
    """``used``: the addresses of the pages that Dom0 is to have."""
    owners = {entry.shmem // PAGE_BYTES: f"agent {one}'s page" for one, entry in material.agents.items()}
    if material.own is not None:
        owners[material.own.shmem // PAGE_BYTES] = "Xen's page"
    for address, whose in material.p2a_pages(None).items():
        owners.setdefault(address // PAGE_BYTES, whose)
    mine = {address // PAGE_BYTES for address in used}
    for node in tree:
        if not node.compatible(SHMEM) or any(above.compatible(CONTAINER) for above in tree.ancestors(node)):
            continue
        try:
            address, _ = tree.reg(node)
        except TreeError:
            continue
        owner = owners.get(address // PAGE_BYTES)
        if owner is not None and address // PAGE_BYTES not in mine:
            message = f"{node.path} is {owner}, and Dom0 gets it: it is outside {container.path}"
            yield finding("foreign-shmem-exposed", at(node), message)
