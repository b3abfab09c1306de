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
from nodes.xen.binding import SECONDARY, SECONDARY_CELLS, SHMEM, Secondary
from nodes.xen.errno import Place


def judge(material: Material, tree: Tree, container: Node) -> Iterator[Finding]:
    """All that is wrong with the entries, one by one and with each other."""
    mismatch = _mismatch(tree, container)
    if mismatch is not None:
        yield mismatch
        return
    yield from refusals(material, tree)
    said = set()
    for hazard in hazards.hazards(tree, material.own, material.entries):
        case = hazard.rule, hazard.place.node.path, hazard.place.prop, hazard.place.entry
        if case in said:
            continue  # who clashes with one clashes with all that are like it
        said.add(case)
        spot = focused(tree, hazard.rule, hazard.place)
        also = () if hazard.other is None else (("the other one", focused(tree, hazard.rule, hazard.other)),)
        yield finding(hazard.rule, spot, hazard.reason, "", *also)


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


def _mismatch(tree: Tree, container: Node) -> Finding | None:
    """The list makes no sense in its declared width, and all of it does in the other."""
    cells = container.cells(SECONDARY) or []
    declared = binding.list_cells(container)
    written = {2: 3, 3: 2}.get(declared)
    if written is None or _sensible(tree, cells, declared) or not _sensible(tree, cells, written):
        return None
    absent = SECONDARY_CELLS not in container.properties
    says = f"{SECONDARY_CELLS} is absent, which means 3" if absent else f"{SECONDARY_CELLS} says {declared}"
    place = at(container, SECONDARY if absent else SECONDARY_CELLS)
    also = () if absent else (("the list", at(container, SECONDARY)),)
    fix = f"Write {SECONDARY_CELLS} = <{written}>;"
    return finding(
        "agents-cells-mismatch", place, f"the list has {written} cells an entry, {says}", fix, *also
    )


def _sensible(tree: Tree, cells: list[int], width: int) -> bool:
    """Whole entries, with a shared-memory node where the page should be."""
    if not cells or len(cells) % width:
        return False
    pages = [tree.by_phandle(cells[at + 1]) for at in range(0, len(cells), width)]
    return all(page is not None and page.compatible(SHMEM) for page in pages)
