"""The platform as facts: channels, domains, grants, who rang what with which answer.

Joined from the host tree, platform.toml, the guests' files, and a rehearsal. Addresses are in bytes; a
"page" is a machine address, a "guest page" the same page as its domain sees it. It words nothing.
"""

from collections.abc import Iterator

import msgspec

from bus.frames import DomainInfo
from bus.shmem import PAGE_BYTES
from deploy.explain.rehearsal import Rehearsal, Ring, rehearse
from deploy.toolstack import DOM0
from deploy.topology import Topology
from deploy.xl.sci import SciType
from nodes.devicetree import Tree, TreeError
from nodes.firmware.platform import Agent
from nodes.guest.binding import Binding, bind
from nodes.xen import binding, dom0, dom0less
from nodes.xen.channel import SCMI_SMC_MA
from nodes.xen.errno import XenError
from nodes.xen.profile import Profile

XEN = "Xen"


class WayBack(msgspec.Struct, frozen=True):
    """How EL3 tells an agent something unasked: the P2A page, the interrupt (GIC ID) that announces it.

    ``guest_page``: where the owner sees the page; ``receiver``: to whom Xen routes the interrupt, "" for
    nobody; ``expected``: the owner's tree names both, as far as the page is mapped at all.
    """

    page: int
    guest_page: int | None
    interrupt: int
    receiver: str
    expected: bool


class Completion(msgspec.Struct, frozen=True):
    """The interrupt that EL3 raises when an answer is ready, if the caller asks for it; as in WayBack."""

    interrupt: int
    receiver: str
    expected: bool


class Channel(msgspec.Struct, frozen=True):
    """(doorbell, page, agent). ``agent_id`` None: neither the tree nor EL3 tells.

    ``listed``: where the host tree has it; "" if only EL3 knows it. ``served``: EL3 has an agent on this
    doorbell. ``owner``: the domain that claimed it, "Xen", or "" for nobody. ``trusted`` is EL3's word.
    ``p2a``, ``a2p``: the way back and the interrupt at the end of a call, None where EL3 has none.
    """

    func_id: int
    page: int
    agent_id: int | None
    name: str
    listed: str
    management: bool
    served: bool
    trusted: bool
    owner: str
    guest_page: int | None
    p2a: WayBack | None = None
    a2p: Completion | None = None


class Grant(msgspec.Struct, frozen=True):
    """A device whose SCMI resources a domain may change. ``by``: "dtdev", "xen,path" or "Dom0's own".

    ``device_ids`` are those that its access-controllers list at the bound node; none: nothing was granted.
    """

    path: str
    by: str
    device_ids: tuple[int, ...]
    names: tuple[str, ...]


class Domain(msgspec.Struct, frozen=True):
    """A domain. ``wanted``: the agent it asks for. ``problem``: why it is not there.

    ``tree_func_id``, ``tree_page``: the doorbell and the guest address that its own tree tells it.
    ``tree_p2a``, ``tree_a2p``: (guest address, interrupt) of its way back and its completion interrupt there.
    """

    name: str
    kind: str
    source: str
    wanted: int | None
    agent_id: int | None
    func_id: int | None
    guest_page: int | None
    tree_func_id: int | None
    tree_page: int | None
    grants: tuple[Grant, ...]
    problem: str
    tree_p2a: tuple[int, int] | None = None
    tree_a2p: int | None = None


class Facts(msgspec.Struct, frozen=True):
    """The whole picture. ``host`` is the pair (doorbell, page) under /firmware, which bare metal uses.

    ``mediator``: the bound node's path, "" without a mediator. ``log`` are Xen's warnings.
    """

    platform: str
    source: str
    mediator: str
    default_permission: str
    channels: tuple[Channel, ...]
    domains: tuple[Domain, ...]
    rings: tuple[Ring, ...]
    host: tuple[int, int] | None
    log: tuple[str, ...]
    panic: str

    def rings_of(self, func_id: int) -> tuple[Ring, ...]:
        return tuple(one for one in self.rings if one.func_id == func_id)

    def channel_of(self, agent_id: int | None) -> Channel | None:
        """The channel of an agent that a domain has; None for no agent."""
        return next((one for one in self.channels if one.agent_id == agent_id is not None), None)

    def management(self) -> Channel | None:
        return next((one for one in self.channels if one.management), None)

    def domain(self, name: str) -> Domain | None:
        return next((one for one in self.domains if one.name == name), None)


def gather(topology: Topology) -> Facts:
    """Everything about the platform, after one rehearsal of it."""
    bare = list(_channels(topology))
    played = rehearse(topology, [one.func_id for one in bare])
    management = next(binding.candidates(topology.host), None)
    provider = management.path if management and played.initialized else ""
    domains = tuple(_domains(topology, played, provider))
    channels = tuple(_owned(one, played, domains) for one in bare)
    return Facts(
        topology.name,
        topology.host.source,
        provider,
        topology.platform.default_permission,
        channels,
        domains,
        played.rings,
        _host_pair(topology.host),
        played.log,
        played.panic,
    )


# ---- channels ---------------------------------------------------------------------------------


def _channels(topology: Topology) -> Iterator[Channel]:
    """Xen's own first, then the list in order, then what only EL3 knows; owners are not known yet."""
    host = topology.host
    agents = {agent.smc_id: agent for agent in topology.platform.agent}
    seen = set()
    node = next(binding.candidates(host), None)
    try:
        if node is not None:
            own = binding.management(host, node)
            seen.add(own.func_id)
            mine = _channel((own.func_id, own.shmem), None, node.place(), agents)
            yield msgspec.structs.replace(mine, management=True)
            container = host.find_compatible(binding.CONTAINER)
            place = container.place(binding.SECONDARY) if container else ""
            for entry in binding.secondaries(host, topology.profile):
                seen.add(entry.func_id)
                where = f"{place}: entry {entry.index}"
                yield _channel((entry.func_id, entry.shmem), entry.agent_id, where, agents)
    except (XenError, TreeError):
        pass  # the rehearsal tells what Xen says of it
    for agent in topology.platform.agent:
        if agent.smc_id not in seen:
            yield _channel((agent.smc_id, agent.shmem), agent.id, "", agents)


def _channel(pair: tuple[int, int], agent_id: int | None, listed: str, agents: dict[int, Agent]) -> Channel:
    """``pair`` is (doorbell, page); EL3's ``agents`` by their doorbell tell the rest."""
    agent = agents.get(pair[0])
    found = agent.id if agent_id is None and agent else agent_id
    if agent is None:
        return Channel(*pair, found, "", listed, False, False, False, "", None)
    p2a = a2p = None
    if agent.p2a_shmem is not None and agent.p2a_interrupt is not None:
        p2a = WayBack(agent.p2a_shmem, None, agent.p2a_interrupt, "", False)
    if agent.a2p_interrupt is not None:
        a2p = Completion(agent.a2p_interrupt, "", False)
    return Channel(*pair, found, agent.name, listed, False, True, agent.trusted, "", None, p2a, a2p)


def _owned(channel: Channel, played: Rehearsal, domains: tuple[Domain, ...]) -> Channel:
    mine = (channel.func_id, channel.agent_id)
    owner = next((one for one in domains if (one.func_id, one.agent_id) == mine), None)
    if channel.management:
        owner = None
        channel = msgspec.structs.replace(channel, owner=XEN if played.initialized else "")
    elif owner is not None:
        channel = msgspec.structs.replace(channel, owner=owner.name, guest_page=owner.guest_page)
    return msgspec.structs.replace(
        channel,
        p2a=channel.p2a and _way_back(channel.p2a, played, owner),
        a2p=channel.a2p and _completion(channel.a2p, played, owner),
    )


def _way_back(way: WayBack, played: Rehearsal, owner: Domain | None) -> WayBack:
    info = next((one for one in played.domains if owner and one.name == owner.name), None)
    page = _seen(info, way.page) if info else None
    named = owner.tree_p2a if owner else None
    expected = named is not None and page in (None, named[0]) and named[1] == way.interrupt
    return WayBack(way.page, page, way.interrupt, played.routes.get(way.interrupt, ""), expected)


def _completion(line: Completion, played: Rehearsal, owner: Domain | None) -> Completion:
    expected = owner is not None and owner.tree_a2p == line.interrupt
    return Completion(line.interrupt, played.routes.get(line.interrupt, ""), expected)


def _host_pair(host: Tree) -> tuple[int, int] | None:
    """What Linux on bare metal binds: the first channel outside /chosen."""
    try:
        found = bind(host)
    except TreeError:
        return None
    return (found.func_id, found.shmem) if found else None


# ---- domains ----------------------------------------------------------------------------------


def _domains(topology: Topology, played: Rehearsal, provider: str) -> Iterator[Domain]:
    rows = {info.name: info for info in played.domains}
    host = topology.host
    profile = topology.profile
    wanted, _ = dom0.agent(host, profile, topology.xen_cmdline)
    info = rows.get(DOM0)
    scmi = info is not None and info.agent_id is not None
    tree = _bound(dom0.tree_for_dom0(host, bool(provider), scmi, profile))
    place = _dom0_place(host, profile) if wanted is not None else host.source
    yield _domain(topology, (DOM0, "Dom0", place, wanted, tree), info, played.panic, provider)
    for node in dom0less.nodes(host):
        sci_type, agent_id = dom0less.sci_config(node, profile)
        asked = agent_id if sci_type == SCMI_SMC_MA else None
        told = (node.name, "boot domain", node.place(), asked, topology.bindings.get(node.name))
        yield _domain(topology, told, rows.get(node.name), played.panic, provider)
    for guest in topology.guests:
        asked = guest.sci.agent_id if guest.sci.type is SciType.MULTIAGENT else None
        problem = played.panic or played.refused.get(guest.name, "")
        told = (guest.name, "guest", guest.source, asked, guest.binding)
        yield _domain(topology, told, rows.get(guest.name), problem, provider)


def _dom0_place(host: Tree, profile: Profile) -> str:
    """Where it is written which agent Dom0 gets."""
    container = host.find_compatible(binding.CONTAINER)
    if profile.dom0_agent == "property" and container is not None:
        return container.place(binding.DOM0_AGENT)
    return "Xen's command line"


def _bound(tree: Tree) -> Binding | None:
    try:
        return bind(tree)
    except TreeError:
        return None


def _domain(
    topology: Topology,
    told: tuple[str, str, str, int | None, Binding | None],
    info: DomainInfo | None,
    problem: str,
    provider: str,
) -> Domain:
    name, kind, source, wanted, tree = told
    by = {"Dom0": "Dom0's own", "boot domain": "xen,path", "guest": "dtdev"}[kind]
    paths = info.devices if info and info.agent_id is not None else ()
    return Domain(
        name,
        kind,
        source,
        wanted,
        info.agent_id if info else None,
        info.smc_id if info else None,
        _seen(info, info.shmem) if info else None,
        tree.func_id if tree else None,
        tree.shmem if tree else None,
        tuple(_grant(topology, path, by, provider) for path in paths),
        problem,
        (tree.p2a.shmem, tree.p2a.interrupt) if tree and tree.p2a else None,
        tree.completion if tree else None,
    )


def _seen(info: DomainInfo, page: int | None) -> int | None:
    """Where the domain sees a page of the machine; None if it is not mapped, or if there is none."""
    if page is None:
        return None
    wanted = page // PAGE_BYTES
    for guest, machine, count in info.mapped:
        if machine <= wanted < machine + count:
            return (guest + wanted - machine) * PAGE_BYTES + page % PAGE_BYTES
    return None


def _grant(topology: Topology, path: str, by: str, provider: str) -> Grant:
    names = {device.id: device.name for device in topology.platform.device}
    node = topology.host.get(path)
    ids = tuple(binding.device_ids(topology.host, node, provider)) if node and provider else ()
    return Grant(path, by, ids, tuple(names.get(one, str(one)) for one in ids))
