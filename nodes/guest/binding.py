"""What a guest's own device tree tells its SCMI driver: the doorbell, the pages, the resources in use.

The guest knows nothing of agents or other channels: it sees an ordinary single-agent ``arm,scmi-smc``.
The completion interrupt "a2p" is as Linux' binding has it. A second page in ``shmem`` with a "p2a"
interrupt, the way back for what the platform says unasked, is Trapline's own: Linux' SMC transport has
no receive channel, and a node without them is an agent as Linux' is.
"""

import msgspec

from bus.scmi import clock, perf, power, reset, sensor, voltage
from nodes.devicetree import Node, Tree, TreeError
from nodes.interrupts import named

CHANNEL = "arm,scmi-smc"
POWER, PERF, CLOCK = power.PROTOCOL.id, perf.PROTOCOL.id, clock.PROTOCOL.id
SENSOR, RESET, VOLTAGE = sensor.PROTOCOL.id, reset.PROTOCOL.id, voltage.PROTOCOL.id
# (property, the provider's cells property, protocol, field of Consumer): where a device names what it uses
REFERENCES = (
    ("clocks", "#clock-cells", CLOCK, "clocks"),
    ("power-domains", "#power-domain-cells", POWER, "power_domains"),
    ("resets", "#reset-cells", RESET, "reset_domains"),
    ("power-domains", "#power-domain-cells", PERF, "perf_domains"),
    ("clocks", "#clock-cells", PERF, "perf_domains"),  # as the binding had it first
    ("performance-domains", "#performance-domain-cells", PERF, "perf_domains"),
    ("thermal-sensors", "#thermal-sensor-cells", SENSOR, "sensors"),
)
COMPLETION, RECEIVE = "a2p", "p2a"  # in interrupt-names


class Consumer(msgspec.Struct, frozen=True):
    """A device that uses SCMI resources, by their ids."""

    path: str
    clocks: tuple[int, ...] = ()
    power_domains: tuple[int, ...] = ()
    reset_domains: tuple[int, ...] = ()
    perf_domains: tuple[int, ...] = ()
    sensors: tuple[int, ...] = ()
    voltage_domains: tuple[int, ...] = ()


class WayBack(msgspec.Struct, frozen=True):
    """The P2A page's guest physical address, and the interrupt that says that a message is in it."""

    shmem: int
    interrupt: int


class Binding(msgspec.Struct, frozen=True):
    """The channel, and the devices behind it. ``shmem`` is a guest physical address.

    ``completion`` is the interrupt at the end of a call, None for polling; ``p2a`` None: no way back.
    """

    node: str
    func_id: int
    shmem: int
    hvc: bool
    consumers: tuple[Consumer, ...]
    completion: int | None = None
    p2a: WayBack | None = None


def bind(tree: Tree) -> Binding | None:
    """The first available ``arm,scmi-smc`` node's channel, or None when the tree has none.

    What is below /chosen is no device to an operating system: Xen's own channel is not seen there.
    Raises TreeError when the node is there but unusable.
    """
    node = next((one for one in tree if _is_channel(one)), None)
    if node is None:
        return None
    func_id = node.u32("arm,smc-id")
    if func_id is None:
        raise TreeError(
            f"{node.place('arm,smc-id')}: missing; give the doorbell's function id", node, "arm,smc-id"
        )
    pages = node.cells("shmem") or []
    address = _page(tree, node, pages[0] if pages else None)
    completion = named(tree, node, COMPLETION)
    way_back = _way_back(tree, node, pages, (address, completion))
    psci = tree.get("/psci")
    hvc = psci is not None and psci.string("method") == "hvc"
    consumers = tuple(_consumers(tree, node))
    return Binding(node.path, func_id, address, hvc, consumers, completion, way_back)


def _page(tree: Tree, node: Node, phandle: int | None) -> int:
    target = None if phandle is None else tree.by_phandle(phandle)
    if target is None:
        text = f"{node.place('shmem')}: refers to no node; point it at the shared-memory node"
        raise TreeError(text, node, "shmem")
    return tree.reg(target)[0]


def _way_back(tree: Tree, node: Node, pages: list[int], taken: tuple[int, int | None]) -> WayBack | None:
    """The P2A page and interrupt; ``taken`` are the page and the completion interrupt of the calls."""
    interrupt = named(tree, node, RECEIVE)
    if interrupt is None:
        return None
    if len(pages) < 2:
        text = f"{node.place('shmem')}: the {RECEIVE!r} interrupt needs a second page; add the P2A page"
        raise TreeError(text, node, "shmem")
    way_back = WayBack(_page(tree, node, pages[1]), interrupt)
    if way_back.shmem == taken[0]:
        text = f"{node.place('shmem')}: both pages are at {taken[0]:#x}; give the P2A page a place of its own"
        raise TreeError(text, node, "shmem")
    if interrupt == taken[1]:
        text = f"{node.place('interrupts')}: {COMPLETION!r} and {RECEIVE!r} are one line; use two"
        raise TreeError(text, node, "interrupts")
    return way_back


def _is_channel(node: Node) -> bool:
    return node.compatible(CHANNEL) and node.available() and not node.path.startswith("/chosen/")


def _consumers(tree: Tree, scmi: Node) -> list[Consumer]:
    providers = {child.path: child.u32("reg") for child in scmi.children}
    found = []
    for node in tree:
        if not node.available():
            continue
        used: dict[str, list[int]] = {"voltage_domains": _supplies(tree, node, providers)}
        for name, cells, protocol, field in REFERENCES:
            used.setdefault(field, []).extend(_ids(tree, node, (name, cells), providers, protocol))
        if any(used.values()):
            found.append(Consumer(node.path, **{field: tuple(ids) for field, ids in used.items()}))
    return found


def _supplies(tree: Tree, node: Node, providers: dict[str, int | None]) -> list[int]:
    """The voltage domains behind a node's NAME-supply properties, regulators below protocol@17."""
    above = tuple(f"{path}/" for path, protocol in providers.items() if protocol == VOLTAGE)
    found = []
    for name in node.properties:
        phandles = node.cells(name) if above and name.endswith("-supply") else None
        regulator = tree.by_phandle(phandles[0]) if phandles else None
        domain = regulator.u32("reg") if regulator and regulator.path.startswith(above) else None
        if domain is not None:
            found.append(domain)
    return found


def _ids(
    tree: Tree, node: Node, names: tuple[str, str], providers: dict[str, int | None], protocol: int
) -> list[int]:
    """The first argument of each reference that leads to the agent's provider of ``protocol``."""
    cells = node.cells(names[0]) or []
    found = []
    at = 0
    while at < len(cells):
        target = tree.by_phandle(cells[at])
        count = target.u32(names[1]) if target else None
        if target is None or count is None:
            break
        if providers.get(target.path) == protocol and count and at + 1 < len(cells):
            found.append(cells[at + 1])
        at += 1 + count
    return found
