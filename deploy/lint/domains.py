"""Judges domains: which agent each asks for, which pages it is given, and whether its own tree agrees."""

from collections.abc import Iterator, Mapping

from bus.shmem import PAGE_BYTES
from deploy.lint.domain import Domain, mapped_as, reached
from deploy.lint.finding import Finding, Spot, at, finding
from deploy.lint.material import Material
from deploy.lint.refused import untranslatable
from deploy.topology import RESERVED
from nodes.devicetree import Node, Tree, TreeError
from nodes.guest.binding import Binding, bind
from nodes.xen.binding import CHANNEL, CONTAINER, DOM0_AGENT, SECONDARY, Secondary
from nodes.xen.channel import NONE, SCMI_SMC


def judge(material: Material) -> Iterator[Finding]:
    """All that is wrong with each domain, and between domains."""
    yield from _between(material)
    for domain in material.domains:
        if material.host is None or material.profile.driver != "multiagent":
            continue
        if domain.sci_type == SCMI_SMC:
            message = f"{domain.name} asks for scmi_smc, which is not built into this Xen (-EINVAL)"
            yield finding("sci-type-refused", type_spot(material, domain), message)
        if domain.agent is not None:
            yield from _agent(material, material.host, domain)
        sure = material.undisputed(domain)
        own = list(_tree(material, domain, sure))
        yield from own
        if sure:
            yield from _pages(material, domain, {one.spot: one.fix for one in own})


def type_spot(material: Material, domain: Domain) -> Spot:
    """Where a domain says which SCI type it wants."""
    node = material.host.get(domain.spot.node) if material.host and domain.boot else None
    return at(node, "xen,sci_type") if node else domain.agent_spot


def _between(material: Material) -> Iterator[Finding]:
    names: dict[str, tuple[str, Spot | None]] = {"dom0": ("Dom0's", None)}
    names |= {name: (f"taken by {whose}", None) for name, whose in RESERVED.items()}
    owners: dict[int, tuple[str, Spot]] = {}
    if material.dom0_agent is not None and material.dom0_spot is not None:
        owners[material.dom0_agent] = ("Dom0", material.dom0_spot)
    for domain in material.domains:
        taken = names.setdefault(domain.name, ("taken already", domain.spot))
        if taken[1] is not domain.spot:
            also = (("the other one", taken[1]),) if taken[1] else ()
            message = f"the name {domain.name!r} is {taken[0]}"
            yield finding("domain-name-taken", domain.spot, message, "", *also)
        if domain.agent is None:
            continue
        owner, spot = owners.setdefault(domain.agent, (domain.name, domain.agent_spot))
        if spot is not domain.agent_spot:
            message = f"{domain.name} asks for agent {domain.agent}, which is {owner}'s"
            fix = _meant(material, domain.agent)
            yield finding("agent-in-two-domains", domain.agent_spot, message, fix, (f"{owner}'s", spot))


def _meant(material: Material, agent_id: int) -> str:
    """A fix: whose tree, of those who ask for ``agent_id``, has the doorbell of an agent nobody asks for."""
    asked = {domain.agent for domain in material.domains} | {material.dom0_agent}
    for domain in material.domains:
        if domain.agent != agent_id or domain.tree is None:
            continue
        rung = {node.u32("arm,smc-id") for node in domain.tree if node.compatible(CHANNEL)}
        for other, entry in material.agents.items():
            if entry.func_id in rung and other not in asked:
                return f"Give {domain.name} agent {other}, whose doorbell {entry.func_id:#x} its tree has."
    return ""


def _agent(material: Material, host: Tree, domain: Domain) -> Iterator[Finding]:
    agent_id = domain.agent_id
    misplaced = any(SECONDARY in node.properties or DOM0_AGENT in node.properties for node in host)
    if host.find_compatible(CONTAINER) is None and not misplaced:
        message = (
            f"{domain.name} asks for agent {agent_id}, but the host tree has no node compatible {CONTAINER!r}"
        )
        yield finding("domain-without-mediator", domain.agent_spot, message)
    if agent_id == material.xen_agent:
        message = f"{domain.name} asks for agent {agent_id}, which is Xen's own (-EEXIST)"
        yield finding("agent-is-xens", domain.agent_spot, message)
    elif material.complete and agent_id not in material.agents:
        there = ", ".join(map(str, material.agents))
        message = f"{domain.name} asks for agent {agent_id}; listed are {there} (-ENOENT)"
        yield finding("agent-unknown", domain.agent_spot, message, _meant(material, agent_id))


def _pages(material: Material, domain: Domain, fixes: Mapping[Spot, str]) -> Iterator[Finding]:
    """No domain may be given a page of somebody else's channel; ``fixes`` say what to write instead."""
    mine = material.agents.get(domain.agent_id) if domain.agent is not None else None
    if mine is None and domain.agent is not None:
        return  # its agent is unknown, and so is its page
    pages = {
        entry.shmem: f"agent {one}'s"
        for one, entry in material.agents.items()
        if entry is not mine and not material.doubtful(entry)
    }
    if material.own is not None:
        pages[material.own.shmem] = "Xen's own"
    pages = {**material.p2a_pages(mine), **pages}
    own = [] if mine is None else material.pages_of(mine)
    for mapping in domain.mappings:
        for address, owner in pages.items():
            shared = address // PAGE_BYTES in {one // PAGE_BYTES for one in own}
            if mapping.holds(address) and not shared:
                message = f"{domain.name} is given the page {address:#x}, which is {owner}"
                mapped = " and ".join(f"{one:#x} (frame {one >> 12:x})" for one in own)
                fix = f"Map {mapped} and nothing else." if own else ""
                yield finding("foreign-page", mapping.spot, message, fixes.get(mapping.spot, fix))


def _tree(material: Material, domain: Domain, sure: bool) -> Iterator[Finding]:
    entry = material.agents.get(domain.agent_id) if domain.agent is not None and sure else None
    if entry is not None and material.doubtful(entry):
        entry = None
    if domain.tree is None:
        if domain.agent is not None and not domain.tree_named:
            message = f"{domain.name} has agent {domain.agent} and no tree"
            if domain.boot:
                message += f" ({domain.name}.dts is not beside the host tree, and --dom0less names none)"
            yield finding("guest-tree-missing", domain.spot, message)
        return
    try:
        channel = bind(domain.tree)
    except TreeError as error:
        yield from _unusable(domain.tree, error)
        return
    if channel is None:
        if domain.agent is not None:
            message = f"{domain.name} has agent {domain.agent}, and no arm,scmi-smc node in its tree"
            yield finding(
                "guest-channel-missing", at(domain.tree.root), message, "", ("its agent", domain.agent_spot)
            )
        return
    node = domain.tree[channel.node]
    if domain.sci_type == NONE:
        message = f"{domain.name} has {channel.node} in its tree, but no agent"
        yield finding("guest-channel-unused", at(node), message, "", ("the domain", domain.spot))
    elif not node.path.startswith("/passthrough/"):
        yield finding(
            "guest-outside-passthrough", at(node), f"{node.path} is not copied into {domain.name}'s tree"
        )
    if domain.agent is not None and domain.agent_given:
        yield from _channel(domain, domain.tree, node, channel, entry)


def _unusable(tree: Tree, error: TreeError) -> Iterator[Finding]:
    assert error.node is not None
    if error.prop == "ranges":
        yield from untranslatable(tree, error)
        return
    text = str(error).removeprefix(f"{error.node.place(error.prop)}: ")
    message = f"{error.node.path}: {error.prop}: {text.partition('; ')[0]}"
    yield finding("guest-channel-unusable", at(error.node, error.prop), message)


def _channel(
    domain: Domain, tree: Tree, node: Node, channel: Binding, entry: Secondary | None
) -> Iterator[Finding]:
    """The doorbell and the page in the domain's tree against those of its agent."""
    where = ("the agent it has", domain.agent_spot)
    if entry is not None and channel.func_id != entry.func_id:
        message = (
            f"{domain.name} rings {channel.func_id:#x}, but its agent {domain.agent_id} has "
            f"{entry.func_id:#x}: every call answers -1"
        )
        fix = f"Write arm,smc-id = <{entry.func_id:#x}>;"
        yield finding("guest-smc-id", at(node, "arm,smc-id"), message, fix, where)
    page = tree.by_phandle(node.u32("shmem") or 0)
    spot = at(page, "reg") if page else at(node, "shmem")
    found = reached(domain.mappings, channel.shmem)
    if found is None:
        how = "xen,reg" if domain.boot else "iomem"
        message = f"{domain.name} expects its page at {channel.shmem:#x}, where {how} maps nothing"
        fix = _mapping_fix(domain, entry, channel)
        yield finding("guest-shmem-unmapped", spot, message, fix, *_first_mapping(domain))
    elif entry is not None and found[0] != entry.shmem and not entry.shmem % PAGE_BYTES:
        machine, mapping = found
        message = (
            f"{domain.name}'s page at {channel.shmem:#x} is {machine:#x} of the machine, but its agent "
            f"{domain.agent_id} has {entry.shmem:#x}"
        )
        fix = _mapping_fix(domain, entry, channel)
        yield finding("guest-shmem", mapping.spot, message, fix, ("its page in its tree", spot))


def _first_mapping(domain: Domain) -> tuple[tuple[str, Spot], ...]:
    return (("what is mapped", domain.mappings[0].spot),) if domain.mappings else ()


def _mapping_fix(domain: Domain, entry: Secondary | None, channel: Binding) -> str:
    if entry is None:
        return ""
    return mapped_as(domain.boot, entry.shmem, channel.shmem)
