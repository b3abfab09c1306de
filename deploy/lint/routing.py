"""Judges whom Xen routes interrupts to: a line is one domain's, and xl asks for it once.

In the order in which the domains are built: Dom0 and the boot domains have the lines of all their
devices, a guest those of its ``irqs``. What a line is for is ``wayback``'s business.
"""

from collections.abc import Iterator

from deploy.lint import building
from deploy.lint.dom0 import own_tree
from deploy.lint.domain import Domain, Routed, routed
from deploy.lint.finding import Finding, Spot, finding
from deploy.lint.material import Material
from nodes.firmware.platform import Agent
from nodes.xen.binding import CHANNEL

Owner = tuple[str, Spot]


def judge(material: Material) -> Iterator[Finding]:
    """Every line that is routed already when a domain is to have it, or that belongs to another's agent."""
    foreign = list(_foreign(material))
    yield from foreign
    said = {one.spot for one in foreign}
    owners: dict[int, Owner] = {}
    for line in of_dom0(material):
        owners.setdefault(line.intid, ("Dom0", line.spot))
    for domain in material.domains:
        for line in domain.interrupts:
            if line.spot in said:
                continue
            owner = owners.get(line.intid)
            if owner is None:
                owners[line.intid] = (domain.name, line.spot)
            elif owner[0] != domain.name or not domain.boot:  # a boot domain's devices may share a line
                yield _taken(domain, line, owner)


def of_dom0(material: Material) -> Iterator[Routed]:
    """The lines of the enabled nodes in Dom0's own tree."""
    if material.host is None:
        return
    tree = own_tree(material, material.host)
    for node in tree:
        yield from routed(tree, node)


def _taken(domain: Domain, line: Routed, owner: Owner) -> Finding:
    (name, spot), intid = owner, line.intid
    whose = "twice" if name == domain.name else f"and to {name}"
    message = f"interrupt {intid} is routed to {domain.name} {whose} (-EBUSY){building.fate(domain)}"
    fix = f"Take {intid} from {domain.name} or from {name}."
    if name == domain.name:
        fix = f"Write {intid} once."
    elif name == "Dom0":
        fix = f"Add xen,passthrough; to {spot.node}, so that Dom0 does not get it; or take {intid} from irqs."
    return finding("interrupt-taken", line.spot, message, fix, ("routed here already", spot))


def _foreign(material: Material) -> Iterator[Finding]:
    """Lines by which EL3 calls the agent of another domain; only EL3 can tell whose they are."""
    called = _called(material)
    for domain in material.domains:
        mine = domain.agent is None or domain.agent in material.agents
        if not called or not mine or not material.undisputed(domain):
            continue
        rung = {node.u32("arm,smc-id") for node in domain.tree or () if node.compatible(CHANNEL)}
        for line in domain.interrupts:
            agent = called.get(line.intid)
            if agent is None or agent.id == domain.agent or agent.smc_id in rung:
                continue  # a domain that rings the agent's doorbell rather asks for the wrong agent
            message = (
                f"{domain.name} is given interrupt {line.intid}, by which EL3 calls agent {agent.id} "
                f"({agent.name})"
            )
            yield finding("foreign-interrupt", line.spot, message, f"Take {line.intid} from {domain.name}.")


def _called(material: Material) -> dict[int, Agent]:
    """The agents by the lines that EL3 raises for them, but those whose domain is in doubt."""
    if material.platform is None or material.profile.driver != "multiagent":
        return {}
    doubtful = {domain.agent for domain in material.domains if not material.undisputed(domain)}
    return {
        line: agent
        for agent in material.platform.platform.agent
        for line in (agent.p2a_interrupt, agent.a2p_interrupt)
        if line is not None and agent.id not in doubtful
    }
