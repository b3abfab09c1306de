"""The facts in words: sections of paragraphs and tables, for a terminal to lay out."""

from collections.abc import Iterator

import msgspec

from deploy.explain import reasons
from deploy.explain.facts import Channel, Domain, Facts, Grant
from deploy.explain.rehearsal import Ring
from deploy.explain.subject import Subject, agent_title

Rows = tuple[tuple[str, ...], ...]


class Section(msgspec.Struct, frozen=True):
    """A heading with paragraphs, and below them a table: its columns, then its rows."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: Rows = ()


class Account(msgspec.Struct, frozen=True):
    """All there is to say of a subject."""

    title: str
    sections: tuple[Section, ...]


def account(facts: Facts, subject: Subject) -> Account:
    """The subject in words."""
    if subject.channel is not None:
        return _channel_account(facts, subject.channel, subject.kind == "agent")
    if subject.domain is not None:
        return _domain_account(facts, subject.domain)
    sections = (
        _channels(facts),
        _domains(facts),
        *_ways_back(facts),
        Section("Who is privileged, and why", tuple(reasons.privilege(facts))),
        Section("Who rings another's doorbell", tuple(reasons.refusal(facts))),
        Section("One host tree, bare metal and Dom0", tuple(reasons.one_tree(facts))),
        Section("What EL3 sees", tuple(reasons.firmware_view(facts))),
        *_warnings(facts),
    )
    return Account(f"{facts.platform}: who may ring what", sections)


def address(value: int | None) -> str:
    return "-" if value is None else f"{value:#x}"


# ---- the whole platform -----------------------------------------------------------------------


def _channels(facts: Facts) -> Section:
    rows = tuple(
        (
            f"{one.func_id:#x}",
            f"{one.page:#x}",
            agent_title(one) + (" trusted" if one.trusted else ""),
            one.owner or ("nobody" if one.listed else "nobody: not in the host tree"),
            address(one.guest_page),
        )
        for one in facts.channels
    )
    return Section("Channels", (), ("doorbell", "page", "agent", "may ring it", "guest address"), rows)


def _domains(facts: Facts) -> Section:
    rows = tuple(
        (one.name, one.kind, _agent_of(facts, one), _devices(one.grants) or "-") for one in facts.domains
    )
    return Section("Domains", (), ("domain", "kind", "agent", "devices granted"), rows)


def _agent_of(facts: Facts, domain: Domain) -> str:
    channel = facts.channel_of(domain.agent_id)
    if channel is not None:
        return agent_title(channel)
    return "not created" if domain.problem else "no SCMI"


def _devices(grants: tuple[Grant, ...]) -> str:
    return ", ".join(name for grant in grants for name in grant.names)


def _ways_back(facts: Facts) -> Iterator[Section]:
    """A row for each agent that EL3 can tell something unasked; nothing where there is none."""
    rows = tuple(
        (
            agent_title(one),
            f"{one.p2a.page:#x}",
            address(one.p2a.guest_page),
            reasons.line(one.p2a.interrupt),
            one.p2a.receiver or "nobody",
        )
        for one in facts.channels
        if one.p2a is not None
    )
    if rows:
        told = (
            "Notifications and delayed responses: EL3 writes them into a page of their own, and an interrupt "
            "announces them. The other agents get neither, as with Linux' SMC transport.",
        )
        columns = ("agent", "page", "guest address", "interrupt", "routed to")
        yield Section("The way back", told, columns, rows)


def _warnings(facts: Facts) -> Iterator[Section]:
    found = list(reasons.warnings(facts))
    if found:
        yield Section("Warnings", tuple(found))


# ---- one channel, or the agent behind it ------------------------------------------------------


def _channel_account(facts: Facts, channel: Channel, as_agent: bool) -> Account:
    pair = f"doorbell {channel.func_id:#x}, page {channel.page:#x}"
    title = f"Channel {channel.func_id:#x}: page {channel.page:#x}, agent {agent_title(channel)}"
    if as_agent:
        title = f"Agent {agent_title(channel)}: {pair}"
    owner = facts.domain(channel.owner)
    sections = [
        Section("Whose it is", tuple(reasons.ownership(facts, channel))),
        _ringers(facts, channel),
        Section("What it may do", tuple(reasons.powers(facts, channel))),
    ]
    if owner is not None and owner.grants:
        sections.append(_grants(owner))
    if channel.p2a is not None or channel.a2p is not None:
        sections.append(Section("The way back", tuple(reasons.way_back(channel))))
    sections.append(Section("What EL3 sees", tuple(reasons.firmware_view(facts, channel))))
    return Account(title, (*sections, *_warnings(facts)))


def _ringers(facts: Facts, channel: Channel) -> Section:
    rows = tuple(
        (ring.domain, _outcome(ring), reasons.ringing(facts, ring, channel))
        for ring in facts.rings_of(channel.func_id)
    )
    if channel.management and channel.owner:
        rows = (("Xen itself", "EL3 answers", "its management channel"), *rows)
    return Section("Who rings it", (), ("who", "outcome", "why"), rows)


def _outcome(ring: Ring) -> str:
    return "EL3 answers" if ring.forwarded and not ring.x0 else f"x0 = {ring.x0}"


def _grants(domain: Domain) -> Section:
    rows = tuple(
        (grant.path, grant.by, ", ".join(map(str, grant.device_ids)) or "-", ", ".join(grant.names) or "-")
        for grant in domain.grants
    )
    return Section("Devices granted", (), ("device", "assigned by", "SCMI id", "name at EL3"), rows)


# ---- one domain -------------------------------------------------------------------------------


def _domain_account(facts: Facts, domain: Domain) -> Account:
    channel = facts.channel_of(domain.agent_id)
    what = f"agent {agent_title(channel)}" if channel else _agent_of(facts, domain)
    sections = [Section("What it has", tuple(reasons.possession(facts, domain)))]
    rings = [ring for ring in facts.rings if ring.domain == domain.name]
    if rings:
        rows = tuple(_rung(facts, ring) for ring in rings)
        sections.append(Section("What it rings", (), ("doorbell", "whose", "outcome", "why"), rows))
    if domain.grants:
        sections.append(_grants(domain))
    return Account(f"Domain {domain.name}: {domain.kind}, {what}", (*sections, *_warnings(facts)))


def _rung(facts: Facts, ring: Ring) -> tuple[str, ...]:
    channel = next(one for one in facts.channels if one.func_id == ring.func_id)
    whose = "its own" if channel.owner == ring.domain else channel.owner or "nobody's"
    return f"{ring.func_id:#x}", whose, _outcome(ring), reasons.ringing(facts, ring, channel)
