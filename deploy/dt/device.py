"""One host device as a guest's tree describes it: what can be copied safely, and what people must add.

Copied are the register areas as CPU addresses, the references to SCMI clocks, power domains and resets
(whose ids are global), and plain values with a meaning of their own. A reference to anything else would
lead out of the guest's tree, so it becomes a remark.
"""

from collections.abc import Iterator

import msgspec

from bus.shmem import PAGE_BYTES
from deploy.devicetree.emit import spelled
from nodes.devicetree import Node, Tree, TreeError
from nodes.guest.binding import CHANNEL, CLOCK, POWER, RESET
from nodes.interrupts import GUEST_GIC

LABELS = {POWER: "scmi_pd", CLOCK: "scmi_clk", RESET: "scmi_reset"}
_SPECIFIERS = (
    ("clocks", "#clock-cells", "clock-names", CLOCK),
    ("power-domains", "#power-domain-cells", "power-domain-names", POWER),
    ("resets", "#reset-cells", "reset-names", RESET),
)
_PLAIN = (
    *("compatible", "model", "reg-names", "reg-io-width", "reg-shift", "clock-frequency", "bus-width"),
    *("max-frequency", "fifo-depth", "dma-coherent", "phy-mode", "label"),
)
_XENS = ("phandle", "linux,phandle", "access-controllers", "xen,passthrough", "status", "iommus", "reg")


class DeviceCopy(msgspec.Struct, frozen=True):
    """A device for a guest: source lines of its properties, in order; ``todo`` is what they lack.

    ``areas`` are (CPU address, bytes). ``protected``: the host tree puts it behind an IOMMU.
    """

    name: str
    path: str
    lines: tuple[str, ...]
    todo: tuple[str, ...]
    areas: tuple[tuple[int, int], ...]
    protected: bool

    def pages(self) -> list[tuple[int, int]]:
        """The areas rounded outward to whole pages."""
        found = []
        for address, size in self.areas:
            first = address // PAGE_BYTES * PAGE_BYTES
            found.append((first, -(-(address + size) // PAGE_BYTES) * PAGE_BYTES - first))
        return found


def copy_device(host: Tree, node: Node) -> DeviceCopy:
    """``node`` of the host as a node below the guest's /passthrough, two cells per address and size."""
    areas, todo = _areas(host, node)
    lines = [_line(name, node.properties[name]) for name in _PLAIN[:1] if name in node.properties]
    if areas:
        lines.append(f"reg = {', '.join(f'<{two_cells(at)} {two_cells(size)}>' for at, size in areas)};")
    lines += [_line(name, node.properties[name]) for name in _PLAIN[1:] if name in node.properties]
    done = {*_PLAIN, *_XENS}
    for prop, cells, names, protocol in _SPECIFIERS:
        done |= {prop, names}
        if prop not in node.properties:
            continue
        wanted = _references(host, node, prop, cells, protocol)
        if wanted is None:
            todo.append(f"{prop}: they do not all lead to SCMI; give the guest what it needs of them")
            continue
        lines.append(f"{prop} = {', '.join(f'<&{LABELS[protocol]} {one}>' for one in wanted)};")
        if names in node.properties:
            lines.append(_line(names, node.properties[names]))
    todo += _remarks(node, done)
    name = node.name.partition("@")[0] + (f"@{areas[0][0]:x}" if areas else "")
    return DeviceCopy(name, node.path, tuple(lines), tuple(todo), tuple(areas), "iommus" in node.properties)


def two_cells(value: int) -> str:
    return f"{value >> 32:#x} {value & 0xFFFF_FFFF:#x}"


def _line(name: str, value: bytes) -> str:
    text = spelled(value)
    return f"{name} = {text};" if text else f"{name};"


def _areas(host: Tree, node: Node) -> tuple[list[tuple[int, int]], list[str]]:
    bus = host.parent(node)
    cells = node.cells("reg")
    if bus is None or not cells:
        return [], []
    counts = bus.u32("#address-cells"), bus.u32("#size-cells")
    width = (2 if counts[0] is None else counts[0]) + (1 if counts[1] is None else counts[1])
    try:
        found = [host.reg(node, at) for at in range(len(cells) // width if width else 0)]
    except TreeError:
        found = []
    if not found or not all(size for _, size in found):
        return [], [
            f"reg: it has no address that the CPU sees; it belongs below a device of the bus {bus.path}"
        ]
    return found, []


def _references(host: Tree, node: Node, prop: str, cells_name: str, protocol: int) -> list[int] | None:
    """The SCMI ids that ``prop`` lists, or None if any item leads elsewhere."""
    cells = node.cells(prop) or []
    if not cells or len(cells) % 2:
        return None
    found = []
    for phandle, wanted in zip(cells[::2], cells[1::2], strict=True):
        provider = host.by_phandle(phandle)
        if provider is None or provider.u32(cells_name) != 1 or provider.u32("reg") != protocol:
            return None
        above = host.parent(provider)
        if above is None or not above.compatible(CHANNEL):
            return None
        found.append(wanted)
    return found


def _remarks(node: Node, done: set[str]) -> Iterator[str]:
    left = [name for name in node.properties if name not in done]
    interrupts = [name for name in left if name.startswith("interrupt")]
    if interrupts:
        yield (
            f"{', '.join(interrupts)}: add interrupts with interrupt-parent = <{GUEST_GIC:#x}>, the guest's "
            "GIC, and let Xen route them (irqs = [ ... ] in an xl.cfg)"
        )
    others = [name for name in left if name not in interrupts]
    if others:
        yield f"not copied: {', '.join(others)}"
    if node.children:
        yield f"not copied: the nodes below it ({', '.join(child.name for child in node.children)})"
