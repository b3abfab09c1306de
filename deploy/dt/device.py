"""One host device as a guest's tree describes it: what can be copied safely, and what people must add.

Copied are the register areas as CPU addresses, the references to SCMI resources (whose ids are global), and
plain values with a meaning of their own. A reference to anything else would lead out of the guest's tree, so
it becomes a remark.
"""

from collections.abc import Iterator

import msgspec

from bus.shmem import PAGE_BYTES
from deploy.devicetree.emit import spelled
from nodes.devicetree import Node, Tree, TreeError
from nodes.guest.binding import CHANNEL, CLOCK, PERF, POWER, RESET, SENSOR, VOLTAGE
from nodes.interrupts import GUEST_GIC

LABELS = {
    POWER: "scmi_pd",
    PERF: "scmi_perf",
    CLOCK: "scmi_clk",
    SENSOR: "scmi_sensor",
    RESET: "scmi_reset",
    VOLTAGE: "scmi_voltage",
}
# (property, the provider's cells property, its companion, protocols whose node may be the provider)
_SPECIFIERS = (
    ("clocks", "#clock-cells", "clock-names", (CLOCK, PERF)),
    ("power-domains", "#power-domain-cells", "power-domain-names", (POWER, PERF)),
    ("performance-domains", "#performance-domain-cells", "", (PERF,)),
    ("resets", "#reset-cells", "reset-names", (RESET,)),
    ("thermal-sensors", "#thermal-sensor-cells", "", (SENSOR,)),
)
_SUPPLY = "-supply"
_REGULATOR = ("regulator-name", "regulator-min-microvolt", "regulator-max-microvolt")
_PLAIN = (
    *("compatible", "model", "reg-names", "reg-io-width", "reg-shift", "clock-frequency", "bus-width"),
    *("max-frequency", "fifo-depth", "dma-coherent", "phy-mode", "label"),
)
_XENS = ("phandle", "linux,phandle", "access-controllers", "xen,passthrough", "status", "iommus", "reg")


class DeviceCopy(msgspec.Struct, frozen=True):
    """A device for a guest: source lines of its properties, in order; ``todo`` is what they lack.

    ``areas`` are (CPU address, bytes). ``protected``: the host tree puts it behind an IOMMU. ``providers``
    are what its lines refer to, as (protocol, the provider's cells property); ``regulators`` are voltage
    domains with the host's node, whose labels ``regulator`` gives.
    """

    name: str
    path: str
    lines: tuple[str, ...]
    todo: tuple[str, ...]
    areas: tuple[tuple[int, int], ...]
    protected: bool
    providers: tuple[tuple[int, str], ...] = ()
    regulators: tuple[tuple[int, tuple[str, ...]], ...] = ()

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
    providers: list[tuple[int, str]] = []
    for prop, cells, names, protocols in _SPECIFIERS:
        done |= {prop, names}
        if prop not in node.properties:
            continue
        wanted = _references(host, node, prop, cells, protocols)
        if wanted is None:
            todo.append(f"{prop}: they do not all lead to SCMI; give the guest what it needs of them")
            continue
        lines.append(f"{prop} = {', '.join(f'<&{LABELS[protocol]} {one}>' for protocol, one in wanted)};")
        providers += [(protocol, cells) for protocol, _ in wanted]
        if names in node.properties:
            lines.append(_line(names, node.properties[names]))
    supplies = dict(_supplies(host, node))
    lines += [f"{prop} = <&{regulator(domain)}>;" for prop, (domain, _) in supplies.items()]
    todo += _remarks(node, done | supplies.keys())
    name = node.name.partition("@")[0] + (f"@{areas[0][0]:x}" if areas else "")
    return DeviceCopy(
        name,
        node.path,
        tuple(lines),
        tuple(todo),
        tuple(areas),
        "iommus" in node.properties,
        tuple(dict.fromkeys(providers)),
        tuple(dict.fromkeys(supplies.values())),
    )


def regulator(domain: int) -> str:
    """The label of a voltage domain's regulator."""
    return f"scmi_reg{domain}"


def _supplies(host: Tree, node: Node) -> Iterator[tuple[str, tuple[int, tuple[str, ...]]]]:
    """The properties that lead to a regulator below an SCMI protocol node, each with the regulator."""
    for prop in node.properties:
        phandles = node.cells(prop) if prop.endswith(_SUPPLY) else None
        target = host.by_phandle(phandles[0]) if phandles and len(phandles) == 1 else None
        domain = target.u32("reg") if target is not None else None
        if target is None or domain is None:
            continue
        above = list(host.ancestors(target))
        if any(one.u32("reg") == VOLTAGE and _below_channel(host, one) for one in above):
            kept = [name for name in _REGULATOR if name in target.properties]
            yield prop, (domain, tuple(_line(name, target.properties[name]) for name in kept))


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


def _references(
    host: Tree, node: Node, prop: str, cells_name: str, protocols: tuple[int, ...]
) -> list[tuple[int, int]] | None:
    """What ``prop`` lists as (protocol, SCMI id), or None if any item leads elsewhere."""
    cells = node.cells(prop) or []
    if not cells or len(cells) % 2:
        return None
    found = []
    for phandle, wanted in zip(cells[::2], cells[1::2], strict=True):
        provider = host.by_phandle(phandle)
        protocol = provider.u32("reg") if provider is not None else None
        if provider is None or protocol not in protocols or provider.u32(cells_name) != 1:
            return None
        if not _below_channel(host, provider):
            return None
        found.append((protocol, wanted))
    return found


def _below_channel(host: Tree, node: Node) -> bool:
    """Whether ``node`` is a protocol of an SCMI channel."""
    above = host.parent(node)
    return above is not None and above.compatible(CHANNEL)


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
