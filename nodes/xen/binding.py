"""What Xen reads from the host device tree: the management node, the agents list, Dom0's agent.

Every exit of the driver's probe has its number beside it (P1 to P12, S1 to S10; CHECKS.md lists
them). Pure judgement of a tree: no message is sent here (``mediator.py`` does that), nothing is kept.
"""

from collections.abc import Iterator

import msgspec

from bus.shmem import PAGE_BYTES
from nodes.devicetree import Node, Tree, TreeError
from nodes.limits import AGENT_ID_MAX
from nodes.xen.errno import Errno, XenError

CONTAINER = "xen,sci"
CHANNEL = "arm,scmi-smc"
SHMEM = "arm,scmi-shmem"
SECONDARY = "scmi-secondary-agents"
SECONDARY_CELLS = "#scmi-secondary-agents-cells"
DOM0_AGENT = "xen,dom0-sci-agent-id"
UNKNOWN_AGENT = 0xFFFF_FFFF


class Management(msgspec.Struct, frozen=True):
    """Xen's own channel: the node that was bound, its doorbell, its page."""

    node: str
    func_id: int
    shmem: int


class Secondary(msgspec.Struct, frozen=True):
    """One entry of the list; ``agent_id`` is None in 2-cell form, to be discovered."""

    func_id: int
    shmem: int
    agent_id: int | None


def candidates(tree: Tree) -> Iterator[Node]:
    """The nodes that the generic layer probes, in tree order: P1 and the class/status filter."""
    for node in tree:
        if not node.compatible(CHANNEL) or not node.available() or "xen,passthrough" in node.properties:
            continue
        if any(above.compatible(CONTAINER) for above in tree.ancestors(node)):
            yield node


def management(tree: Tree, node: Node, acpi: bool = False, smccc_version: int = 0x1_0001) -> Management:
    """Judge the candidate ``node`` (P2 to P7); raises XenError with the driver's errno."""
    if acpi:
        raise XenError(
            Errno.EINVAL, "SCI SCMI SMC multi-agent needs a device tree, Xen booted with ACPI"
        )  # P2
    if smccc_version < 0x1_0001:
        raise XenError(Errno.ENOSYS, "SMCCC 1.1 or newer is needed")  # P3
    func_id = node.u32("arm,smc-id")
    if func_id is None:
        raise XenError(Errno.ENOENT, f"{node.place('arm,smc-id')}: missing or shorter than one cell")  # P4
    try:
        address, size = _shmem(tree, node)
    except XenError as error:
        raise XenError(Errno.ENOENT, error.text) from None  # P5, P6: all negatives collapse
    if size % PAGE_BYTES:
        raise XenError(
            Errno.EINVAL, f"{node.place('shmem')}: size {size:#x} is not a multiple of {PAGE_BYTES}"
        )  # P7
    return Management(node.path, func_id, address)


def _shmem(tree: Tree, node: Node) -> tuple[int, int]:
    phandle = node.u32("shmem")
    if phandle is None:
        raise XenError(Errno.ENOENT, f"{node.place('shmem')}: missing")
    target = tree.by_phandle(phandle)
    if target is None:
        raise XenError(
            Errno.ENOENT,
            f"{node.place('shmem')}: no node has phandle {phandle:#x} "
            "(driver hazard: the posted code goes on with an uninitialised address)",
        )
    try:
        return tree.reg(target)
    except TreeError as error:
        raise XenError(Errno.EINVAL, str(error)) from None


def secondaries(tree: Tree) -> list[Secondary]:
    """The secondary agents in list order (S1 to S8, as far as the tree alone decides); raises XenError."""
    node = tree.find_compatible(CONTAINER)
    if node is None:
        raise XenError(Errno.ENOENT, f"no node is compatible {CONTAINER!r}")  # S1
    width = node.u32(SECONDARY_CELLS)
    if width is None:
        width = 3
    if width not in (2, 3):
        raise XenError(Errno.EINVAL, f"{node.place(SECONDARY_CELLS)}: {width} is neither 2 nor 3")  # S2
    raw = node.properties.get(SECONDARY)
    if raw is None:
        raise XenError(Errno.EINVAL, f"{node.place(SECONDARY)}: missing")  # S3
    if not raw or len(raw) % (4 * width):
        raise XenError(
            Errno.EINVAL, f"{node.place(SECONDARY)}: {len(raw)} bytes are not whole entries of {width} cells"
        )  # S4
    cells = node.cells(SECONDARY) or []
    return [_secondary(tree, node, cells[at : at + width]) for at in range(0, len(cells), width)]


def _secondary(tree: Tree, node: Node, entry: list[int]) -> Secondary:
    func_id, phandle = entry[:2]
    target = tree.by_phandle(phandle)
    where = f"{node.place(SECONDARY)}: entry {func_id:#x}"
    if target is None:
        raise XenError(Errno.EINVAL, f"{where}: no node has phandle {phandle:#x}")  # S5
    try:
        address, size = tree.reg(target)
    except TreeError as error:
        raise XenError(Errno.EINVAL, f"{where}: {error}") from None  # S6
    if address % PAGE_BYTES or size % PAGE_BYTES:
        raise XenError(
            Errno.EINVAL, f"{where}: shmem {address:#x} size {size:#x} is not made of whole pages"
        )  # S7
    return Secondary(func_id, address, entry[2] if len(entry) == 3 else None)


def dom0_agent(tree: Tree) -> tuple[int | None, str | None]:
    """Dom0's agent id, or None for "SCMI off", and a warning if the property is unusable."""
    node = tree.find_compatible(CONTAINER)
    value = node.u32(DOM0_AGENT) if node else None
    if node is None or value is None:
        return None, None
    if value > AGENT_ID_MAX:
        return None, f"{node.place(DOM0_AGENT)}: Invalid agent id {value}, SCMI disabled for Dom0"
    return value, None


def device_ids(tree: Tree, device: Node, provider: str) -> Iterator[int]:
    """The SCMI device ids that ``device`` lists at the bound node ``provider``.

    The walk ends silently at the first entry that does not parse, as the driver's does.
    """
    cells = device.cells("access-controllers") or []
    at = 0
    while at < len(cells):
        target = tree.by_phandle(cells[at])
        count = target.u32("#access-controller-cells") if target else None
        if target is None or count is None or at + 1 + count > len(cells):
            return
        if target.path == provider:
            yield cells[at + 1] if count else 0
        at += 1 + count
