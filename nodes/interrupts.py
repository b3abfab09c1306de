"""Interrupts as a device tree tells them: the GIC's numbers of what a node's ``interrupts`` lists.

Xen asks it for what to route, a guest for its SCMI channel's lines. It knows the GIC's cells and nothing
of routing. A tree that names no interrupt controller means the GIC, as the partial trees of guests do.
"""

from collections.abc import Iterator

import msgspec

from nodes.devicetree import Node, Tree, TreeError

SPI, PPI = 0, 1  # the first cell
FIRST_SPI, FIRST_PPI = 32, 16
SPIS = range(FIRST_SPI, 1020)
GUEST_GIC = 0xFDE8  # the phandle that Xen and libxl give a guest's interrupt controller
GIC_CELLS = (3, 4)  # kind, number, flags; GICv3 may have a fourth for a partition
NUMBERS_END = {SPI: 988, PPI: 16}


class Line(msgspec.Struct, frozen=True):
    """One entry of ``prop``: its interrupt ID in the GIC, or None with the reason why it has none."""

    prop: str
    intid: int | None
    reason: str = ""


def lines(tree: Tree, node: Node) -> list[Line]:
    """Every entry of ``interrupts-extended``, else of ``interrupts``; what is no line of the GIC has no ID.

    An entry that cannot be measured ends the list.
    """
    if "interrupts-extended" in node.properties:
        return list(_extended(tree, node))
    if "interrupts" not in node.properties:
        return []
    return list(_plain(tree, node))


def spis(tree: Tree, node: Node) -> list[int]:
    """The shared peripheral interrupts of a node, the only ones that Xen routes."""
    return [line.intid for line in lines(tree, node) if line.intid in SPIS and line.intid is not None]


def named(tree: Tree, node: Node, name: str) -> int | None:
    """The ID of the line that ``interrupt-names`` calls ``name``; None if it is not named.

    Raises TreeError when the name has no entry, or one that is no line of the GIC.
    """
    names = node.strings("interrupt-names")
    if name not in names:
        return None
    at = names.index(name)
    found = lines(tree, node)
    if at >= len(found):
        text = (
            f"{node.place('interrupt-names')}: {name!r} is number {at + 1}, the node has {len(found)} "
            "interrupts; give each name its entry"
        )
        raise TreeError(text, node, "interrupt-names")
    line = found[at]
    if line.intid is None:
        raise TreeError(f"{node.place(line.prop)}: {name!r}: {line.reason}", node, line.prop)
    return line.intid


def _plain(tree: Tree, node: Node) -> Iterator[Line]:
    controller = _controller(tree, node)
    yield from _entries("interrupts", node.cells("interrupts") or [], controller, _cells_of(controller))


def _extended(tree: Tree, node: Node) -> Iterator[Line]:
    prop = "interrupts-extended"
    cells = node.cells(prop) or []
    at = 0
    while at < len(cells):
        controller = tree.by_phandle(cells[at])
        count = _cells_of(controller)
        entry = cells[at + 1 : at + 1 + count]
        if controller is None or len(entry) < count or not count:
            yield Line(
                prop, None, "the entry is cut short, or refers to no interrupt controller; complete it"
            )
            return
        yield from _entries(prop, entry, controller, count)
        at += 1 + count


def _entries(prop: str, cells: list[int], controller: Node | None, count: int) -> Iterator[Line]:
    if count == 0 or len(cells) % count:
        yield Line(prop, None, f"{len(cells)} cells are no whole entries of {count}; complete the last one")
        return
    for at in range(0, len(cells), count):
        yield _line(prop, cells[at : at + count], controller)


def _line(prop: str, entry: list[int], controller: Node | None) -> Line:
    if controller is not None and not _is_gic(controller):
        return Line(prop, None, f"{controller.path} is not the GIC; use one of the GIC's lines")
    kind, number = entry[0], entry[1]
    if kind not in NUMBERS_END or number >= NUMBERS_END[kind]:
        told = "the first cell is 0 (SPI, numbers 0..987) or 1 (PPI, numbers 0..15)"
        return Line(prop, None, f"<{' '.join(map(str, entry))}> is no interrupt; {told}")
    return Line(prop, number + (FIRST_SPI if kind == SPI else FIRST_PPI))


def _controller(tree: Tree, node: Node) -> Node | None:
    """The node's interrupt parent; None where the tree has none, which stands for the GIC."""
    for one in (node, *tree.ancestors(node)):
        phandle = one.u32("interrupt-parent")
        if phandle is not None:
            return tree.by_phandle(phandle)
        if one is not node and "#interrupt-cells" in one.properties:
            return one
    return None


def _cells_of(controller: Node | None) -> int:
    if controller is None:
        return GIC_CELLS[0]
    return controller.u32("#interrupt-cells") or 0


def _is_gic(controller: Node) -> bool:
    """By its cells and its compatible; a bare controller node, as guests' trees have it, is taken for one."""
    if controller.u32("#interrupt-cells") not in GIC_CELLS:
        return False
    names = controller.strings("compatible")
    return not names or any("gic" in name for name in names)
