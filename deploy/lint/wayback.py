"""Judges the way back: whether what EL3 says unasked reaches the agent that it is said to.

A page for the message (P2A), an interrupt that announces it, and the interrupt at the end of a call: a
domain's own tree names them, Xen's configuration maps and routes them, platform.toml says which EL3 uses.
"""

from collections.abc import Iterator

import msgspec

from bus.shmem import PAGE_BYTES
from deploy.lint.dom0 import own_tree
from deploy.lint.domain import Mapping, Routed, mapped_as, reached
from deploy.lint.finding import Finding, Spot, at, finding
from deploy.lint.material import Material
from deploy.lint.routing import of_dom0
from nodes.devicetree import Node, Tree, TreeError
from nodes.firmware.platform import Agent
from nodes.guest.binding import COMPLETION, RECEIVE, Binding, WayBack, bind
from nodes.interrupts import FIRST_PPI, FIRST_SPI, SPIS
from nodes.xen.binding import SHMEM, Secondary
from nodes.xen.channel import NONE

INTERRUPTS, EXTENDED = "interrupts", "interrupts-extended"
KEYS = {RECEIVE: "p2a_interrupt", COMPLETION: "a2p_interrupt"}  # of [[agent]], by the name in the tree


class Party(msgspec.Struct, frozen=True):
    """A domain with a channel in its tree: what is mapped for it and routed to it.

    ``entry`` is its agent's in the list, ``agent`` the one that EL3 has; None where that is not certain.
    """

    name: str
    kind: str
    tree: Tree
    channel: Binding
    entry: Secondary | None
    agent: Agent | None
    mappings: tuple[Mapping, ...]
    interrupts: tuple[Routed, ...]

    @property
    def node(self) -> Node:
        return self.tree[self.channel.node]

    def offers(self, name: str) -> bool:
        """Whether EL3 raises the interrupt that trees call ``name``; taken for granted if that is unknown."""
        return self.agent is None or getattr(self.agent, KEYS[name]) is not None

    def line_spot(self) -> Spot:
        return at(self.node, EXTENDED if EXTENDED in self.node.properties else INTERRUPTS)

    def page_node(self) -> Node | None:
        """The node of the P2A page."""
        pages = self.node.cells("shmem") or []
        return self.tree.by_phandle(pages[1]) if len(pages) > 1 else None


def judge(material: Material) -> Iterator[Finding]:
    """All that keeps a message of EL3's from its agent."""
    yield from _platform(material)
    for party in _parties(material):
        yield from _offer(material, party)
        # What EL3 does not use needs no page and no route.
        if party.channel.p2a is not None and party.offers(RECEIVE):
            yield from _page(material, party, party.channel.p2a)
            yield from _line(material, party, RECEIVE, party.channel.p2a.interrupt)
        if party.channel.completion is not None and party.offers(COMPLETION):
            yield from _line(material, party, COMPLETION, party.channel.completion)


# ---- who is concerned -------------------------------------------------------------------------


def _parties(material: Material) -> Iterator[Party]:
    host = material.host
    if host is not None and material.dom0_agent is not None and material.profile.driver == "multiagent":
        tree = own_tree(material, host)
        mine = _party(material, tree, material.dom0_agent, certain=True)
        if mine is not None:
            has_lines = mine[0].p2a is not None or mine[0].completion is not None
            lines = tuple(of_dom0(material)) if has_lines else ()
            yield Party("Dom0", "Dom0", tree, *mine, tuple(_identity(tree)), lines)
    for domain in material.domains:
        if domain.tree is None or domain.sci_type in (None, NONE):
            continue
        certain = material.undisputed(domain) and domain.agent_given
        found = _party(material, domain.tree, domain.agent, certain=certain)
        if found is not None:
            kind = "boot domain" if domain.boot else "guest"
            yield Party(domain.name, kind, domain.tree, *found, domain.mappings, domain.interrupts)


def _party(
    material: Material, tree: Tree, agent_id: int | None, *, certain: bool
) -> tuple[Binding, Secondary | None, Agent | None] | None:
    try:
        channel = bind(tree)
    except TreeError:
        return None  # said already
    if channel is None:
        return None
    entry = material.agents.get(agent_id) if certain and agent_id is not None else None
    if entry is None or material.doubtful(entry) or entry.func_id != channel.func_id:
        return channel, None, None
    return channel, entry, material.platform.agent(entry.func_id) if material.platform else None


def _identity(tree: Tree) -> Iterator[Mapping]:
    """Dom0 sees the shared-memory nodes of its tree 1:1."""
    for node in tree:
        if not (node.compatible(SHMEM) and node.available()):
            continue
        try:
            address, size = tree.reg(node)
        except TreeError:
            continue
        frame = address // PAGE_BYTES
        yield Mapping(frame, frame, -(-size // PAGE_BYTES), at(node, "reg"))


# ---- the page ---------------------------------------------------------------------------------


def _page(material: Material, party: Party, way: WayBack) -> Iterator[Finding]:
    node = party.page_node()
    spot = at(node, "reg") if node else at(party.node, "shmem")
    found = reached(party.mappings, way.shmem)
    fix = _page_fix(party, way)
    if found is None:
        by = {"guest": "iomem maps", "boot domain": "xen,reg maps", "Dom0": "Xen maps for Dom0"}
        message = f"{party.name} expects its P2A page at {way.shmem:#x}, where {by[party.kind]} nothing"
        also = (("what is mapped", party.mappings[0].spot),) if party.mappings else ()
        yield finding("p2a-unmapped", spot, message, fix, *also)
        return
    machine, mapping = found
    place = mapping.spot if party.kind != "Dom0" else spot
    here = f"{party.name}'s P2A page at {way.shmem:#x} is {machine:#x} of the machine"
    there = (("its P2A page in its tree", spot),) if place != spot else ()
    owner = _channel_page(material, party.entry, machine)
    if owner:
        yield finding("p2a-on-channel-page", place, f"{here}: {owner} page for calls", fix, *there)
    elif party.agent is not None and party.agent.p2a_shmem not in (None, machine):
        whose = material.p2a_pages(party.entry).get(machine // PAGE_BYTES * PAGE_BYTES)
        that = f", {whose}," if whose else ""
        message = f"{here}{that} but EL3 writes to {party.agent.p2a_shmem:#x} for agent {party.agent.id}"
        assert material.platform is not None
        el3 = ("EL3's page", material.platform.spot(party.agent, "p2a_shmem"))
        yield finding("p2a-page", place, message, fix, el3, *there)


def _channel_page(material: Material, mine: Secondary | None, machine: int) -> str:
    """Whose page for calls the machine address is, or ""; of one's own page another part may be used."""
    if mine is not None and mine.shmem == machine:
        return "its own"
    frame = machine // PAGE_BYTES
    for agent_id, entry in material.agents.items():
        if entry is not mine and entry.shmem // PAGE_BYTES == frame and not material.doubtful(entry):
            return f"agent {agent_id}'s"
    return "Xen's" if material.own is not None and material.own.shmem // PAGE_BYTES == frame else ""


def _page_fix(party: Party, way: WayBack) -> str:
    """What to write, where EL3 says which page it is."""
    page = party.agent.p2a_shmem if party.agent else None
    if page is None or page % PAGE_BYTES != way.shmem % PAGE_BYTES:
        return ""
    if party.kind == "Dom0":
        return f"Put the second page of {party.channel.node} at {page:#x}, in a node compatible {SHMEM!r}."
    return mapped_as(party.kind == "boot domain", page, way.shmem)


# ---- interrupts -------------------------------------------------------------------------------


def _line(material: Material, party: Party, name: str, intid: int) -> Iterator[Finding]:
    """One interrupt of the channel: EL3's, and one that Xen routes to the domain."""
    offered = getattr(party.agent, KEYS[name], None)
    if offered not in (None, intid):
        message = f"{party.name} waits for interrupt {intid} ({name}), EL3 raises {offered} for it"
        assert material.platform is not None
        assert party.agent is not None
        el3 = ("EL3's interrupt", material.platform.spot(party.agent, KEYS[name]))
        fix = f"Write <{_cells(offered)}> for {name!r} in {party.line_spot().prop}"
        routed = party.kind != "guest" or offered in {one.intid for one in party.interrupts}
        fix += "." if routed else f", and {offered} in irqs."
        yield finding("interrupt-mismatch", party.line_spot(), message, fix, el3)
    elif intid not in SPIS:
        if offered is None:  # else it is platform.toml's mistake
            message = f"{party.name}'s {name} is interrupt {intid}, a PPI: Xen routes SPIs to domains only"
            yield finding("interrupt-not-spi", party.line_spot(), message)
    elif intid not in {one.intid for one in party.interrupts}:
        message = f"{party.name} waits for interrupt {intid} ({name}), which Xen does not route to it"
        also = (("what is routed", party.interrupts[0].spot),) if party.interrupts else ()
        yield finding("interrupt-not-routed", party.line_spot(), message, _route_fix(party, intid), *also)


def _cells(intid: int) -> str:
    """An interrupt as a tree spells it, level high."""
    return f"0 {intid - FIRST_SPI} 4" if intid in SPIS else f"1 {intid - FIRST_PPI} 4"


def _route_fix(party: Party, intid: int) -> str:
    if party.kind != "guest":
        return ""
    routed = [*(one.intid for one in party.interrupts), intid]
    return f"Write irqs = [ {', '.join(map(str, routed))} ]."


# ---- what EL3 offers --------------------------------------------------------------------------


def _offer(material: Material, party: Party) -> Iterator[Finding]:
    """What only one of the two knows of."""
    agent, channel = party.agent, party.channel
    if agent is None or material.platform is None:
        return
    who = f"agent {agent.id} ({agent.name})"
    el3 = ("the agent at EL3", material.platform.spot(agent, "id"))
    if channel.p2a is not None and agent.p2a_shmem is None:
        message = f"{party.name} has a P2A page and interrupt in its tree, {who} has none at EL3"
        fix = (
            f"Give {who} p2a_shmem and p2a_interrupt = {channel.p2a.interrupt}, or take the second page "
            f"and {RECEIVE!r} from {channel.node}."
        )
        yield finding("way-back-not-served", party.line_spot(), message, fix, el3)
    if channel.completion is not None and agent.a2p_interrupt is None:
        message = f"{party.name} waits for interrupt {channel.completion} after each call; EL3 raises none"
        fix = (
            f"Give {who} a2p_interrupt = {channel.completion}, or take {COMPLETION!r} from {channel.node}: "
            "then the guest polls."
        )
        yield finding("completion-not-raised", party.line_spot(), message, fix, el3)
    if channel.p2a is None and agent.p2a_shmem is not None:
        message = f"EL3 has a way back to {who}, and {party.name}'s tree does not"
        spot = material.platform.spot(agent, "p2a_shmem")
        yield finding("way-back-unused", spot, message, "", ("its channel", at(party.node)))


def _platform(material: Material) -> Iterator[Finding]:
    """What no tree could mend: a P2A page or an interrupt that no agent of the list can use."""
    if material.platform is None or material.profile.driver != "multiagent":
        return
    known = {one.shmem for one in material.platform.platform.agent}  # which platform.toml may not repeat
    for entry in material.entries:
        agent = material.platform.agent(entry.func_id)
        if agent is None or material.doubtful(entry):
            continue
        for key in KEYS.values():
            intid = getattr(agent, key)
            if intid is not None and intid not in SPIS:
                message = f"agent {agent.id}'s {key} is {intid}, a PPI: Xen routes SPIs to domains only"
                yield finding("interrupt-not-spi", material.platform.spot(agent, key), message)
        page = agent.p2a_shmem
        owner = "" if page is None or page in known else _channel_page(material, entry, page)
        if owner:
            message = f"agent {agent.id}'s P2A area at {page:#x} is within {owner} page for calls"
            yield finding("p2a-on-channel-page", material.platform.spot(agent, "p2a_shmem"), message)
