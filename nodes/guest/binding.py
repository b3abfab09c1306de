"""What a guest's own device tree tells its SCMI driver: the doorbell, the page, the resources in use.

The guest knows nothing of agents or other channels: it sees an ordinary single-agent ``arm,scmi-smc``.
"""

import msgspec

from nodes.devicetree import Node, Tree, TreeError

CHANNEL = "arm,scmi-smc"
CLOCK, POWER, RESET = 0x14, 0x11, 0x16


class Consumer(msgspec.Struct, frozen=True):
    """A device that uses SCMI resources, by their ids."""

    path: str
    clocks: tuple[int, ...]
    power_domains: tuple[int, ...]
    reset_domains: tuple[int, ...]


class Binding(msgspec.Struct, frozen=True):
    """The channel, and the devices behind it. ``shmem`` is a guest physical address."""

    node: str
    func_id: int
    shmem: int
    hvc: bool
    consumers: tuple[Consumer, ...]


def bind(tree: Tree) -> Binding | None:
    """The first available ``arm,scmi-smc`` node's channel, or None when the tree has none.

    What is below /chosen is no device to an operating system: Xen's own channel is not seen there.
    Raises TreeError when the node is there but unusable.
    """
    node = next((one for one in tree if _is_channel(one)), None)
    if node is None:
        return None
    func_id = node.u32("arm,smc-id")
    phandle = node.u32("shmem")
    target = None if phandle is None else tree.by_phandle(phandle)
    if func_id is None:
        raise TreeError(
            f"{node.place('arm,smc-id')}: missing; give the doorbell's function id", node, "arm,smc-id"
        )
    if target is None:
        text = f"{node.place('shmem')}: refers to no node; point it at the shared-memory node"
        raise TreeError(text, node, "shmem")
    address, _ = tree.reg(target)
    psci = tree.get("/psci")
    hvc = psci is not None and psci.string("method") == "hvc"
    return Binding(node.path, func_id, address, hvc, tuple(_consumers(tree, node)))


def _is_channel(node: Node) -> bool:
    return node.compatible(CHANNEL) and node.available() and not node.path.startswith("/chosen/")


def _consumers(tree: Tree, scmi: Node) -> list[Consumer]:
    providers = {child.path: child.u32("reg") for child in scmi.children}
    found = []
    for node in tree:
        if not node.available():
            continue
        consumer = Consumer(
            node.path,
            tuple(_ids(tree, node, ("clocks", "#clock-cells"), providers, CLOCK)),
            tuple(_ids(tree, node, ("power-domains", "#power-domain-cells"), providers, POWER)),
            tuple(_ids(tree, node, ("resets", "#reset-cells"), providers, RESET)),
        )
        if consumer.clocks or consumer.power_domains or consumer.reset_domains:
            found.append(consumer)
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
