"""A tree written out again, as source or as a blob; equal trees give equal bytes.

Values are written as bytes mean, not as they were spelled. A reference in a property that the devicetree
specification or Linux's bindings define as one is written as ``&label``, any other as a number. Memory
reservations of the original file are not part of a tree, so none are written.
"""

import re
from collections.abc import Iterator

import libfdt

from deploy.errors import UserError
from nodes.devicetree import Node, Tree

_DTS_NAME = re.compile(r"[a-zA-Z0-9,._+*#?@-]+")
_DTS_PATH = re.compile(r"/[a-zA-Z0-9,._+*#?@/-]*")
_DTB_NAME = re.compile(r"[!-.0-~]+")
# phandle lists: the property, and what its provider calls the number of cells that follow ("": none)
_REFERENCES = {
    "clocks": "#clock-cells",
    "assigned-clocks": "#clock-cells",
    "power-domains": "#power-domain-cells",
    "performance-domains": "#performance-domain-cells",
    "resets": "#reset-cells",
    "dmas": "#dma-cells",
    "iommus": "#iommu-cells",
    "mboxes": "#mbox-cells",
    "phys": "#phy-cells",
    "pwms": "#pwm-cells",
    "hwlocks": "#hwlock-cells",
    "mux-controls": "#mux-control-cells",
    "io-channels": "#io-channel-cells",
    "sound-dai": "#sound-dai-cells",
    "thermal-sensors": "#thermal-sensor-cells",
    "cooling-device": "#cooling-cells",
    "interrupts-extended": "#interrupt-cells",
    "access-controllers": "#access-controller-cells",
    "interrupt-parent": "",
    "memory-region": "",
    "shmem": "",
}
_GPIO = re.compile(r"(?:.*-)?(?<!nr-)gpios?")
_HOLES = (0, 0xFFFF_FFFF)  # an item of a list that is left out
_PRINTABLE = re.compile(rb"(?:[ -~]+\0)+")


def to_dts(tree: Tree) -> str:
    """Device tree source that compiles to the same nodes, properties and labels.

    Raises UserError for a name that source cannot spell.
    """
    return "\n".join(["/dts-v1/;", "", *_node_lines(tree, tree.root, "")]) + "\n"


def _node_lines(tree: Tree, node: Node, indent: str) -> Iterator[str]:
    name = _checked(node.name, node, _DTS_NAME) if indent else "/"
    labels = "".join(f"{label}: " for label in node.labels)
    # A label cannot stand before the root of a source.
    yield f"{indent}{labels if indent else ''}{name} {{"
    for prop, value in node.properties.items():
        text = _referring(tree, node, prop) or spelled(value)
        equals = f" = {text}" if text else ""
        yield f"{indent}\t{_checked(prop, node, _DTS_NAME)}{equals};"
    for child in node.children:
        yield from _node_lines(tree, child, indent + "\t")
    yield f"{indent}}};"


def references(tree: Tree, node: Node, prop: str) -> list[tuple[Node | None, list[int]]] | None:
    """The items of a list of references: the node meant and the cells for it; (None, cells) for a hole.

    None unless ``prop`` is known to hold references and all of it reads as such.
    """
    name = "#gpio-cells" if _GPIO.fullmatch(prop) else _REFERENCES.get(prop)
    cells = node.cells(prop)
    if name is None or not cells or 4 * len(cells) != len(node.properties[prop]):
        return None
    found: list[tuple[Node | None, list[int]]] = []
    at = 0
    while at < len(cells):
        if cells[at] in _HOLES:
            found.append((None, [cells[at]]))
            at += 1
            continue
        target = tree.by_phandle(cells[at])
        count = target.u32(name) if target and name else 0
        if target is None or count is None or at + 1 + count > len(cells):
            return None
        found.append((target, cells[at + 1 : at + 1 + count]))
        at += 1 + count
    return found


def _referring(tree: Tree, node: Node, prop: str) -> str:
    """The value with ``&label`` for each phandle; empty if it is no list of references."""
    found = references(tree, node, prop) or ()
    if not all(target is None or _can_be_referred_to(target) for target, _ in found):
        return ""
    items = ([*([_label(target)] if target else []), *map(hex, cells)] for target, cells in found)
    return ", ".join(f"<{' '.join(item)}>" for item in items)


def _can_be_referred_to(target: Node) -> bool:
    """Otherwise a compiler would number it anew, or could not read its path."""
    return target.u32("phandle") is not None and _DTS_PATH.fullmatch(target.path) is not None


def _label(target: Node) -> str:
    return f"&{target.labels[0]}" if target.labels and target.path != "/" else f"&{{{target.path}}}"


def spelled(value: bytes) -> str:
    """``value`` as the right side of a source's property: strings, cells or bytes; empty for no value."""
    if not value:
        return ""
    if _PRINTABLE.fullmatch(value):
        return ", ".join(f'"{_escaped(part)}"' for part in value.decode("ascii").split("\0")[:-1])
    if len(value) % 4 == 0:
        cells = (int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value), 4))
        return f"<{' '.join(map(hex, cells))}>"
    return f"[{value.hex(' ')}]"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _checked(name: str, node: Node, allowed: re.Pattern[str]) -> str:
    if not allowed.fullmatch(name):
        raise UserError(f"{node.place()}: the name {name!r} cannot be written; rename it")
    return name


def to_dtb(tree: Tree) -> bytes:
    """A flattened device tree, version 17, of the same nodes and properties; labels are not part of it.

    Raises UserError for a name that a blob cannot hold.
    """
    # libfdt grows its buffer a kilobyte at a time, copying all of it; the estimate makes that rare.
    writer = libfdt.FdtSw(4096 + sum(_size(node) for node in tree))
    writer.finish_reservemap()
    _write(writer, tree.root, "")
    image = writer.as_fdt()
    image.pack()
    return bytes(image.as_bytearray())


def _size(node: Node) -> int:
    properties = sum(20 + len(name) + len(value) for name, value in node.properties.items())
    return 16 + len(node.name) + properties


def _write(writer: libfdt.FdtSw, node: Node, name: str) -> None:
    writer.begin_node(name)
    for prop, value in node.properties.items():
        writer.property(_checked(prop, node, _DTB_NAME), value)
    for child in node.children:
        _write(writer, child, _checked(child.name, child, _DTB_NAME))
    writer.end_node()
