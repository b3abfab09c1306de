"""Judges references that lead nowhere: those of SCMI nodes and of the devices that use them.

A real board refers to much by number that only its bootloader or its operating system fills in. So only
properties whose form is certain are followed, and only where SCMI is concerned.
"""

from collections.abc import Iterator

from deploy.lint.finding import Finding, at, finding
from deploy.lint.material import Material
from nodes.devicetree import Node, Tree
from nodes.interrupts import GUEST_GIC
from nodes.xen.binding import CONTAINER

SPECIFIERS = {
    "clocks": "#clock-cells",
    "power-domains": "#power-domain-cells",
    "resets": "#reset-cells",
}


def judge(material: Material) -> Iterator[Finding]:
    """Dangling references of the host tree, if Xen's SCMI is configured in it, and of the domains' trees."""
    if material.host is not None and material.host.find_compatible(CONTAINER) is not None:
        yield from _dangling(material.host, material)
    for domain in material.domains:
        if domain.tree is not None:
            yield from _dangling(domain.tree, material)


def _dangling(tree: Tree, material: Material) -> Iterator[Finding]:
    bound = material.own.node if material.own is not None else ""
    for node in tree:
        phandle = node.u32("shmem") if "shmem" in node.properties and _is_scmi(node) else None
        said = any(above.compatible(CONTAINER) for above in tree.ancestors(node)) or node.path == bound
        if phandle is not None and tree.by_phandle(phandle) is None and not said:
            yield _finding(node, "shmem", phandle)
        for prop, cells in SPECIFIERS.items():
            if prop in node.properties and node.available():
                yield from _list(tree, node, prop, cells)


def _is_scmi(node: Node) -> bool:
    return any(name.startswith("arm,scmi") for name in node.strings("compatible"))


def _list(tree: Tree, node: Node, prop: str, count: str) -> Iterator[Finding]:
    cells = node.cells(prop) or []
    at_cell = 0
    while at_cell < len(cells):
        phandle = cells[at_cell]
        target = tree.by_phandle(phandle)
        if target is None and phandle not in (0, 0xFFFF_FFFF, GUEST_GIC):
            yield _finding(node, prop, phandle)
            return
        width = target.u32(count) if target else 0
        if width is None:
            return
        at_cell += 1 + width


def _finding(node: Node, prop: str, phandle: int) -> Finding:
    return finding(
        "dangling-phandle", at(node, prop), f"{node.path}: {prop}: no node has phandle {phandle:#x}"
    )
