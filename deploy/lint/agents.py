"""Judges the list of secondary agents: what Xen refuses in it, and what it accepts and should not.

``nodes.xen.binding`` and ``nodes.xen.hazards`` find; this module gives names and exact places. The one
judgement of its own is whether the list was written in another width than is declared.
"""

from collections.abc import Iterator

from deploy.lint import channels
from deploy.lint.finding import Finding, at, finding
from deploy.lint.material import Material
from deploy.lint.refused import focused, refused
from nodes.devicetree import Node, Tree
from nodes.xen import binding, hazards
from nodes.xen.binding import SECONDARY, SECONDARY_CELLS, Secondary
from nodes.xen.errno import Place
from nodes.xen.hazards import Hazard


def judge(material: Material, tree: Tree, container: Node) -> Iterator[Finding]:
    """All that is wrong with the entries, one by one and with each other."""
    written = channels.written_width(tree, container)
    if written is not None:
        yield _mismatch(container, written)
        return
    yield from refusals(material, tree)
    said = set()
    for hazard in hazards.hazards(tree, material.own, material.entries):
        case = hazard.rule, hazard.place.node.path, hazard.place.prop, hazard.place.entry
        if case in said:
            continue  # who clashes with one clashes with all that are like it
        said.add(case)
        if hazard.rule == "overlapping-shmem" and channels.unaligned(material.entries):
            continue  # whole pages may not overlap
        spot = focused(tree, hazard.rule, hazard.place)
        also = () if hazard.other is None else (("the other one", focused(tree, hazard.rule, hazard.other)),)
        fix = _served(material, hazard) if hazard.rule == "duplicate-smc-id" else ""
        yield finding(hazard.rule, spot, hazard.reason, fix, *also)


def _served(material: Material, hazard: Hazard) -> str:
    """The doorbell that the firmware has for the agent whose entry repeats another's."""
    if material.platform is None or hazard.place.prop != SECONDARY:
        return ""
    entry = next((one for one in material.entries if one.index == hazard.place.entry), None)
    for agent in material.platform.platform.agent:
        if entry is not None and agent.id == entry.agent_id and agent.smc_id != entry.func_id:
            return f"Write {agent.smc_id:#x}, the doorbell on which the firmware serves agent {agent.id}."
    return ""


def refusals(material: Material, tree: Tree) -> Iterator[Finding]:
    """What Xen refuses: it stops at the first, here all of them."""
    seen: dict[int, Secondary] = {}
    for entry in binding.entries(tree, material.profile):
        if not isinstance(entry, Secondary):
            cells = channels.entry_cells(tree, entry.place.entry if entry.place else None)
            yield from refused(tree, entry, cells[1] if len(cells) > 1 else None)
            continue
        if entry.agent_id is None:
            continue
        yield from _taken(material, tree, entry, seen)
        seen.setdefault(entry.agent_id, entry)


def _taken(material: Material, tree: Tree, entry: Secondary, seen: dict[int, Secondary]) -> Iterator[Finding]:
    clash = binding.taken(tree, entry, [*seen, *([] if (xen := material.xen_agent) is None else [xen])])
    if clash is None or clash.place is None or entry.agent_id is None:
        return
    if entry.agent_id == xen:
        assert material.platform is not None
        assert material.own is not None
        agent = material.platform.agent(material.own.func_id)
        also = (
            (("the firmware's agent of Xen's doorbell", material.platform.spot(agent, "id")),)
            if agent
            else ()
        )
        message = f"agent {xen} is the one that Xen discovers for its own channel ({material.own.func_id:#x})"
        yield finding("agent-is-xens", focused(tree, "agent-is-xens", clash.place), message, "", *also)
        return
    first = Place(clash.place.node, SECONDARY, seen[entry.agent_id].index)
    rule = "duplicate-agent-id"
    message = f"agent {entry.agent_id} is listed already, with the doorbell {seen[entry.agent_id].func_id:#x}"
    yield finding(
        rule, focused(tree, rule, clash.place), message, "", ("listed here", focused(tree, rule, first))
    )


def _mismatch(container: Node, written: int) -> Finding:
    declared = binding.list_cells(container)
    absent = SECONDARY_CELLS not in container.properties
    says = f"{SECONDARY_CELLS} is absent, which means 3" if absent else f"{SECONDARY_CELLS} says {declared}"
    place = at(container, SECONDARY if absent else SECONDARY_CELLS)
    also = () if absent else (("the list", at(container, SECONDARY)),)
    fix = f"Write {SECONDARY_CELLS} = <{written}>;"
    return finding(
        "agents-cells-mismatch", place, f"the list has {written} cells an entry, {says}", fix, *also
    )
