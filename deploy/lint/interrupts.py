"""Judges interrupts: whose each line is, and whether what a guest's channel waits for reaches it."""

from collections.abc import Iterator

from deploy.lint.domain import Domain
from deploy.lint.finding import Finding, Spot, at, finding
from deploy.lint.material import Material
from nodes.devicetree import Tree, TreeError
from nodes.guest.binding import COMPLETION, RECEIVE, Binding, bind
from nodes.interrupts import spis
from nodes.xen.dom0 import tree_for_dom0


def judge(material: Material) -> Iterator[Finding]:
    """All that is wrong with the lines of domains, and with the way back to them."""
    yield from _taken(material)
    for domain in material.domains:
        if domain.tree is None or domain.agent is None:
            continue
        try:
            channel = bind(domain.tree)
        except TreeError:
            continue  # that is told of the tree itself
        if channel is not None:
            yield from _unrouted(domain, domain.tree, channel)
            yield from _unmapped(domain, domain.tree, channel)


def _taken(material: Material) -> Iterator[Finding]:
    """A line has one domain; Dom0 has those of the nodes it owns, whether a driver wants them or not."""
    owners = _lines_of_dom0(material)
    for domain in material.domains:
        for line, spot in domain.lines:
            owner, there = owners.setdefault(line, (domain.name, spot))
            if owner != domain.name:
                message = f"interrupt {line} goes to {domain.name}, but it is routed to {owner} (-EBUSY)"
                yield finding("interrupt-taken", spot, message, "", (f"{owner}'s", there))


def _lines_of_dom0(material: Material) -> dict[int, tuple[str, Spot]]:
    if material.host is None:
        return {}
    scmi = material.dom0_agent is not None
    tree = tree_for_dom0(material.host, mediator=True, scmi=scmi, profile=material.profile)
    found: dict[int, tuple[str, Spot]] = {}
    for node in tree:
        if node.available():
            for line in spis(tree, node):
                found.setdefault(line, ("Dom0", at(node, "interrupts")))
    return found


def _unrouted(domain: Domain, tree: Tree, channel: Binding) -> Iterator[Finding]:
    given = {line for line, _ in domain.lines}
    node = tree[channel.node]
    waits = {
        COMPLETION: (channel.completion, "every call would time out"),
        RECEIVE: (
            channel.p2a.interrupt if channel.p2a else None,
            "nothing that the platform says would arrive",
        ),
    }
    for name, (line, follows) in waits.items():
        if line is not None and line not in given:
            message = (
                f"{domain.name} waits for interrupt {line} ({name!r}), which nobody routes to it: {follows}"
            )
            lines = ", ".join(map(str, sorted({*given, line})))
            yield finding(
                "interrupt-not-routed", at(node, "interrupts"), message, f"Write irqs = [ {lines} ]."
            )


def _unmapped(domain: Domain, tree: Tree, channel: Binding) -> Iterator[Finding]:
    if channel.p2a is None:
        return
    address = channel.p2a.shmem
    reached = [one.machine_address(address) for one in domain.mappings]
    if all(machine is None for machine in reached):
        how = "xen,reg" if domain.boot else "iomem"
        message = f"{domain.name} expects its P2A page at {address:#x}, where {how} maps nothing"
        yield finding("p2a-unmapped", at(tree[channel.node], "shmem"), message)
