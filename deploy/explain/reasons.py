"""Why it is so: the sentences of an account, each from the facts at hand.

What must be true of every platform is said only where this platform bears it out.
"""

from collections.abc import Iterator

from bus import smccc
from deploy.explain.facts import XEN, Channel, Domain, Facts
from deploy.explain.rehearsal import Ring
from deploy.explain.subject import agent_title
from nodes.interrupts import FIRST_SPI, SPIS

COMMANDS = "BASE_SET_DEVICE_PERMISSIONS and BASE_RESET_AGENT_CONFIGURATION"


def _pair(channel: Channel) -> str:
    return f"{channel.func_id:#x} with the page {channel.page:#x}"


# ---- privilege --------------------------------------------------------------------------------


def privilege(facts: Facts) -> Iterator[str]:
    """Whom EL3 trusts, and whether that is Xen."""
    if not facts.mediator:
        yield "Nobody: Xen has no mediator, so every doorbell answers -1 to every domain."
        return
    own = facts.management()
    if own is not None and own.trusted:
        yield (
            f"Xen. Its own channel, {_pair(own)}, leads to agent {agent_title(own)}, which EL3 trusts: "
            f"{COMMANDS} for other agents are carried out there, and DENIED to who is not trusted."
        )
        yield (
            "The privilege is EL3's word about the agent. No number is privileged in itself; what Xen adds "
            "is that no domain can ring this doorbell."
        )
    elif own is not None:
        yield (
            f"Not Xen: EL3 does not trust agent {agent_title(own)}, which Xen is. {COMMANDS} are DENIED, so "
            "devices are not granted and agents not reset."
        )
    for one in facts.channels:
        if one.trusted and not one.management:
            holder = one.owner or "whoever claims it"
            yield f"EL3 also trusts agent {agent_title(one)}: {holder} can change everybody's permissions."


def powers(facts: Facts, channel: Channel) -> Iterator[str]:
    """What the agent of one channel may do at EL3."""
    if channel.management or channel.trusted:
        yield from privilege(facts)
        return
    if not channel.served:
        yield "Nothing: EL3 has no agent on this doorbell."
        return
    everything = facts.default_permission == "allow"
    scope = "every resource" if everything else "the resources of the devices that Xen granted to it"
    yield (
        f"Ordinary protocols (clock, power, reset, ...) on {scope}. {COMMANDS} are DENIED to it: EL3 does "
        f"not trust agent {agent_title(channel)}."
    )


# ---- ringing ----------------------------------------------------------------------------------


def refusal(facts: Facts) -> Iterator[str]:
    """What happens to a domain that rings what is not its own, as the rehearsal showed."""
    refused = [ring for ring in facts.rings if not ring.forwarded]
    if not facts.rings:
        yield "No domain is there to ring."
        return
    tried = f"Tried for this picture: {len(facts.rings)} rings, every doorbell from every domain; "
    yield (
        "Xen traps every SMC and compares x0 with the one doorbell of the calling domain. Anything else "
        "answers x0 = -1 (SMCCC: unknown function); EL3 is not called, no other register changes."
    )
    yield f"{tried}refused {len(refused)}, forwarded {len(facts.rings) - len(refused)}."


def ringing(facts: Facts, ring: Ring, channel: Channel) -> str:
    """Why one ring ended as it did."""
    if ring.forwarded:
        return "its own doorbell" if not ring.x0 else "its own doorbell, but EL3 knows no such function"
    if not facts.mediator:
        return "Xen has no mediator"
    domain = facts.domain(ring.domain)
    own = facts.channel_of(domain.agent_id) if domain else None
    if own is None:
        return "it has no agent"
    if own.func_id == channel.func_id:
        return f"not SiP-owned (owner {smccc.owner(channel.func_id):d}): never routed to the mediator"
    if channel.management:
        return "Xen's own: no domain may"
    return f"its own is {own.func_id:#x}"


def firmware_view(facts: Facts, channel: Channel | None = None) -> Iterator[str]:
    """What arrives at EL3 and what it makes of it."""
    if channel is None:
        yield (
            "A doorbell in x0, and x1 to x7 as the domain left them. EL3 does not learn which domain rang: "
            "the doorbell leads to a channel, the channel to an agent and to the one page that is read. "
            "What the message may do depends on that agent alone."
        )
        return
    if not channel.served:
        yield f"Nothing it knows: no [[agent]] has smc_id {channel.func_id:#x}, so it answers -1."
        return
    yield (
        f"x0 = {channel.func_id:#x} means agent {agent_title(channel)} and the page {channel.page:#x}, "
        "whoever rang. A field in the message cannot make it another agent."
    )


# ---- whose ------------------------------------------------------------------------------------


def ownership(facts: Facts, channel: Channel) -> Iterator[str]:
    """Who has the channel, and where that is written."""
    if not channel.listed:
        yield "Nobody's: EL3 has this agent, but the host tree does not list it, so Xen does not know it."
        return
    if channel.management:
        yield f"Xen's management channel: {channel.listed}."
        return
    owner = facts.domain(channel.owner)
    if owner is None:
        yield f"Nobody's: no domain asks for agent {agent_title(channel)}. It is listed at {channel.listed}."
        return
    yield f"{owner.name}'s ({owner.kind}), which asks for the agent at {owner.source}."
    yield f"It is listed at {channel.listed}."
    yield from _page(owner, channel)


def _page(owner: Domain, channel: Channel) -> Iterator[str]:
    if channel.guest_page is None:
        yield f"The page {channel.page:#x} is not mapped into {owner.name}: EL3 never reads what it writes."
    elif channel.guest_page == channel.page:
        yield f"{owner.name} sees the page at its machine address {channel.page:#x} (mapped 1:1)."
    else:
        yield f"{owner.name} sees the machine's page {channel.page:#x} at {channel.guest_page:#x}."


def possession(facts: Facts, domain: Domain) -> Iterator[str]:
    """What a domain has, and what its own tree makes of that."""
    if domain.problem:
        yield f"Nothing, it is not created: {domain.problem}."
        return
    channel = facts.channel_of(domain.agent_id)
    if channel is None:
        asked = "it asks for no agent" if domain.wanted is None else "Xen has no mediator"
        yield f"No SCMI: {asked} ({domain.source}). Every doorbell answers -1."
        return
    yield f"Agent {agent_title(channel)}, as {domain.source} asks: {_pair(channel)}."
    yield from _page(domain, channel)
    yield from _tree(domain, channel)
    yield from way_back(channel)


def _tree(domain: Domain, channel: Channel) -> Iterator[str]:
    """Whether the domain's own device tree leads its driver to its channel."""
    if domain.tree_func_id is None:
        yield "Its own device tree has no arm,scmi-smc node, so its driver will not look for a channel."
    elif domain.tree_func_id != channel.func_id:
        yield (f"Its own device tree says {domain.tree_func_id:#x}, not its doorbell: its driver gets -1.")
    elif domain.tree_page != domain.guest_page:
        seen = "nowhere" if domain.guest_page is None else f"at {domain.guest_page:#x}"
        yield f"Its own device tree says the page is at {domain.tree_page:#x}; it is mapped {seen}."
    else:
        yield "Its own device tree tells its driver the same pair."


# ---- the way back -----------------------------------------------------------------------------


def line(intid: int) -> str:
    """An interrupt by its ID in the GIC, and as a device tree counts it."""
    return f"{intid} (SPI {intid - FIRST_SPI})" if intid in SPIS else f"{intid} (no SPI)"


def way_back(channel: Channel) -> Iterator[str]:
    """How EL3 tells the agent of a channel something unasked, and that an answer is ready; else nothing."""
    way, done, owner = channel.p2a, channel.a2p, channel.owner or "its owner"
    if way is not None:
        seen = "" if way.guest_page is None else f", which {owner} sees at {way.guest_page:#x}"
        yield (
            f"Unasked, EL3 writes into the page {way.page:#x}{seen}, and raises interrupt "
            f"{line(way.interrupt)}, {_routed(way.receiver)}."
        )
        if channel.owner and way.guest_page is None:
            yield f"The page is not mapped into {channel.owner}."
        if channel.owner and not way.expected:
            yield f"The device tree of {channel.owner} does not name this page and interrupt as its way back."
    if done is not None:
        yield (
            f"When an answer is ready EL3 raises interrupt {line(done.interrupt)} if the caller asks for it, "
            f"{_routed(done.receiver)}."
        )
        if channel.owner and not done.expected:
            yield f"The device tree of {channel.owner} does not name it: its driver polls."


def _routed(receiver: str) -> str:
    return f"which Xen routes to {receiver}" if receiver else "which Xen routes to nobody and drops"


def _misled(channel: Channel) -> Iterator[str]:
    """What of the way back goes elsewhere than to the owner."""
    title = agent_title(channel)
    for one in (channel.p2a, channel.a2p):
        if one is not None and one.receiver != channel.owner:
            where = f"{one.receiver or 'nobody'}, not to {channel.owner}"
            yield f"interrupt {line(one.interrupt)} of agent {title} is routed to {where}"
    if channel.p2a is not None and channel.p2a.guest_page is None:
        yield f"{channel.owner} has agent {title}, but its P2A page {channel.p2a.page:#x} is not mapped"


# ---- one tree ---------------------------------------------------------------------------------


def one_tree(facts: Facts) -> Iterator[str]:
    """Why bare metal and Dom0 may share the host tree with Xen; or why not here."""
    own = facts.management()
    dom0 = next((one for one in facts.domains if one.kind == "Dom0"), None)
    channel = facts.channel_of(dom0.agent_id) if dom0 else None
    if facts.host is None:
        yield "The host tree has no channel outside /chosen: on bare metal Linux would have no SCMI."
        return
    fid, page = facts.host
    if own is not None and own.func_id == fid:
        yield (
            f"They do not fit here: {fid:#x}, which bare metal uses, is Xen's own doorbell. Dom0 reads the "
            "same node and gets -1; give Xen a pair of its own."
        )
        return
    if channel is None:
        yield (
            f"Linux on bare metal uses {fid:#x} with the page {page:#x}. Dom0 has no SCMI here: with a "
            "mediator, Xen takes those nodes out of its tree."
        )
        return
    if channel.func_id != fid:
        yield (
            f"They do not fit here: bare metal and Dom0 read {fid:#x} in the tree, but Dom0's agent has "
            f"{channel.func_id:#x}, so Dom0 gets -1."
        )
        return
    yield (
        f"Linux on bare metal and Linux in Dom0 read the same nodes and use the same pair, {fid:#x} with "
        f"the page {page:#x}: Xen copies them to Dom0 unchanged, and neither Linux looks below /chosen/xen."
    )
    if own is not None:
        yield (
            f"Xen has a pair of its own, {own.func_id:#x} with {own.page:#x}. The pairs are independent "
            "channels, and EL3 ties privilege to the agent behind a channel. It would break with a "
            "firmware that has one privileged channel, fixed to the pair of the host "
            "tree: then Dom0, not Xen, would be privileged."
        )


def warnings(facts: Facts) -> Iterator[str]:
    """What went wrong in the rehearsal."""
    if facts.panic:
        yield f"Xen panics: {facts.panic}"
    yield from facts.log
    for one in facts.domains:
        if one.problem and not facts.panic:
            yield f"{one.name} cannot be created: {one.problem}"
    for channel in facts.channels:
        if channel.owner and channel.owner != XEN and channel.guest_page is None:
            title = agent_title(channel)
            yield f"{channel.owner} has agent {title}, but its page {channel.page:#x} is not mapped"
        if channel.owner and channel.owner != XEN and _listens(facts, channel):
            yield from _misled(channel)


def _listens(facts: Facts, channel: Channel) -> bool:
    """Whether the owner's tree has a way back: an agent without one misses nothing."""
    owner = facts.domain(channel.owner)
    return owner is not None and (owner.tree_p2a, owner.tree_a2p) != (None, None)
