"""What Xen reads from the host device tree: the management node, the agents list, Dom0's agent.

Every exit of the driver's probe is a rule with a number (P1 to P12, S1 to S10; CHECKS.md lists them).
``*_problems`` and ``entries`` find them all, for the linter; ``management`` and ``secondaries`` stop at
the first, as the driver does. What the driver does not check is in ``hazards.py``. Pure judgement of a
tree: no message is sent here (``mediator.py`` does that), nothing is kept.
"""

from collections.abc import Collection, Iterator

import msgspec

from bus.shmem import PAGE_BYTES
from nodes.devicetree import Node, Tree, TreeError
from nodes.limits import AGENT_ID_MAX
from nodes.xen.errno import Errno, Place, XenError, refusal
from nodes.xen.profile import DEFAULT, Profile

CONTAINER = "xen,sci"
CHANNEL = "arm,scmi-smc"
SHMEM = "arm,scmi-shmem"
SECONDARY = "scmi-secondary-agents"
SECONDARY_CELLS = "#scmi-secondary-agents-cells"
DOM0_AGENT = "xen,dom0-sci-agent-id"
UNKNOWN_AGENT = 0xFFFF_FFFF


class Management(msgspec.Struct, frozen=True):
    """Xen's own channel: the node that was bound, its doorbell, its page and the page's node."""

    node: str
    func_id: int
    shmem: int
    shmem_node: str


class Secondary(msgspec.Struct, frozen=True):
    """One entry of the list, the ``index``-th; ``agent_id`` is None in 2-cell form, to be discovered.

    ``shmem`` and ``bytes`` are the whole area as the tree gives it; Xen uses one page of it.
    """

    func_id: int
    shmem: int
    agent_id: int | None
    index: int
    shmem_node: str
    bytes: int


def smc_nodes(tree: Tree) -> Iterator[Node]:
    """The nodes that the generic layer probes, in tree order: class, status, and not for passthrough."""
    for node in tree:
        if node.compatible(CHANNEL) and node.available() and "xen,passthrough" not in node.properties:
            yield node


def candidates(tree: Tree) -> Iterator[Node]:
    """Those of them that the multi-agent driver does not skip (P1), in tree order."""
    for node in smc_nodes(tree):
        if any(above.compatible(CONTAINER) for above in tree.ancestors(node)):
            yield node


def machine_problems(acpi: bool, smccc_version: int) -> Iterator[XenError]:
    """P2 and P3: what the machine must be like."""
    if acpi:
        text = "SCI SCMI SMC multi-agent needs a device tree, Xen booted with ACPI"
        yield XenError(Errno.EINVAL, text, "P2")
    if smccc_version < 0x1_0001:
        yield XenError(Errno.ENOSYS, "SMCCC 1.1 or newer is needed", "P3")


def management_problems(tree: Tree, node: Node) -> Iterator[XenError]:
    """P4 to P7: all that is wrong with the candidate ``node``, in the order of the driver's checks."""
    if node.u32("arm,smc-id") is None:
        yield refusal("P4", Errno.ENOENT, Place(node, "arm,smc-id"), "missing or shorter than one cell")
    try:
        _, (_, size) = _shmem(tree, node)
    except XenError as error:
        yield error
        return
    if size % PAGE_BYTES:
        reason = f"size {size:#x} is not a multiple of {PAGE_BYTES}"
        yield refusal("P7", Errno.EINVAL, Place(node, "shmem"), reason)


def management(tree: Tree, node: Node, acpi: bool = False, smccc_version: int = 0x1_0001) -> Management:
    """Judge the candidate ``node`` (P2 to P7); raises XenError with the driver's errno."""
    for problem in (*machine_problems(acpi, smccc_version), *management_problems(tree, node)):
        raise problem
    target, (address, _) = _shmem(tree, node)
    return Management(node.path, node.u32("arm,smc-id") or 0, address, target.path)


def _shmem(tree: Tree, node: Node) -> tuple[Node, tuple[int, int]]:
    """The node that ``shmem`` refers to, its address and size; P5 and P6, all negatives collapsed."""
    phandle = node.u32("shmem")
    if phandle is None:
        raise refusal("P5", Errno.ENOENT, Place(node, "shmem"), "missing")
    target = tree.by_phandle(phandle)
    if target is None:
        reason = (
            f"no node has phandle {phandle:#x} "
            "(driver hazard: the posted code goes on with an uninitialised address)"
        )
        raise refusal("P6", Errno.ENOENT, Place(node, "shmem"), reason)
    try:
        return target, tree.reg(target)
    except TreeError as error:
        raise refusal("P5", Errno.ENOENT, Place(node, "shmem"), str(error)) from None


def list_cells(node: Node) -> int:
    """Cells per entry of the list; what is absent or too short is 3."""
    width = node.u32(SECONDARY_CELLS)
    return 3 if width is None else width


def entries(tree: Tree, profile: Profile = DEFAULT) -> Iterator[Secondary | XenError]:
    """The secondary agents in list order, each as read or as what is wrong with it (S1 to S7)."""
    node = tree.find_compatible(CONTAINER)
    if node is None:
        yield XenError(Errno.ENOENT, f"no node is compatible {CONTAINER!r}", "S1")
        return
    width = list_cells(node)
    if width not in (2, 3):
        reason = f"{width} is neither 2 nor 3"
        yield refusal("S2", Errno.EINVAL, Place(node, SECONDARY_CELLS), reason)
        return
    raw = node.properties.get(SECONDARY)
    if raw is None:
        yield refusal("S3", Errno.EINVAL, Place(node, SECONDARY), "missing")
        return
    if not raw or len(raw) % (4 * width):
        reason = f"{len(raw)} bytes are not whole entries of {width} cells"
        yield refusal("S4", Errno.EINVAL, Place(node, SECONDARY), reason)
        return
    cells = node.cells(SECONDARY) or []
    for index, at in enumerate(range(0, len(cells), width)):
        yield _entry(tree, node, index, cells[at : at + width], profile)


def _entry(tree: Tree, node: Node, index: int, cells: list[int], profile: Profile) -> Secondary | XenError:
    func_id, phandle = cells[:2]
    target = tree.by_phandle(phandle)
    where = f"entry {func_id:#x}"
    if target is None:
        reason = f"{where}: no node has phandle {phandle:#x}"
        return refusal("S5", Errno.EINVAL, Place(node, SECONDARY, index), reason)
    try:
        address, size = tree.reg(target)
    except TreeError as error:
        return refusal("S6", Errno.EINVAL, Place(node, SECONDARY, index), f"{where}: {error}")
    if (profile.checks_shmem_base and address % PAGE_BYTES) or size % PAGE_BYTES:
        reason = f"{where}: shmem {address:#x} size {size:#x} is not made of whole pages"
        return refusal("S7", Errno.EINVAL, Place(node, SECONDARY, index), reason)
    agent_id = cells[2] if len(cells) == 3 else None
    return Secondary(func_id, address, agent_id, index, target.path, size)


def secondaries(tree: Tree, profile: Profile = DEFAULT) -> list[Secondary]:
    """The secondary agents in list order (S1 to S7); raises XenError for the first that is wrong."""
    found = []
    for entry in entries(tree, profile):
        if isinstance(entry, XenError):
            raise entry
        found.append(entry)
    return found


def taken(tree: Tree, entry: Secondary, agent_ids: Collection[int]) -> XenError | None:
    """S8: whether the agent of ``entry`` is one of ``agent_ids``, those of the channels before it.

    In 2-cell form the agent is not known yet, and the driver compares what it does not know.
    """
    agent_id = UNKNOWN_AGENT if entry.agent_id is None else entry.agent_id
    if agent_id not in agent_ids:
        return None
    reason = f"agent id {agent_id} of {entry.func_id:#x} is in use already"
    node = tree.find_compatible(CONTAINER)
    if node is None:
        return XenError(Errno.EEXIST, reason, "S8")
    return refusal("S8", Errno.EEXIST, Place(node, SECONDARY, entry.index), reason)


def dom0_agent(tree: Tree) -> tuple[int | None, str | None]:
    """Dom0's agent id, or None for "SCMI off", and a warning if the property is unusable."""
    node = tree.find_compatible(CONTAINER)
    value = node.u32(DOM0_AGENT) if node else None
    if node is None or value is None:
        return None, None
    if value > AGENT_ID_MAX:
        return None, f"{node.place(DOM0_AGENT)}: Invalid agent id {value}, SCMI disabled for Dom0"
    return value, None


class Controller(msgspec.Struct, frozen=True):
    """One item of ``access-controllers``; ``device_id`` is None when the provider takes no cells."""

    provider: Node
    device_id: int | None


def controllers(tree: Tree, device: Node) -> Iterator[Controller | XenError]:
    """The items of ``access-controllers`` in order; an XenError for the one at which the walk ends early."""
    cells = device.cells("access-controllers") or []
    at = 0
    index = 0
    while at < len(cells):
        target = tree.by_phandle(cells[at])
        if target is None:
            reason = f"no node has phandle {cells[at]:#x}"
            yield refusal("A1", Errno.ENOENT, Place(device, "access-controllers", index), reason)
            return
        count = target.u32("#access-controller-cells")
        if count is None:
            reason = f"{target.path} has no #access-controller-cells"
            yield refusal("A2", Errno.EINVAL, Place(device, "access-controllers", index), reason)
            return
        if at + 1 + count > len(cells):
            reason = f"{len(cells) - at - 1} cells follow {target.path}, which takes {count}"
            yield refusal("A3", Errno.EINVAL, Place(device, "access-controllers", index), reason)
            return
        yield Controller(target, cells[at + 1] if count else None)
        at += 1 + count
        index += 1


def device_ids(tree: Tree, device: Node, provider: str) -> Iterator[int]:
    """The SCMI device ids that ``device`` lists at the bound node ``provider``.

    The walk ends silently at the first entry that does not parse, as the driver's does.
    """
    for item in controllers(tree, device):
        if isinstance(item, Controller) and item.provider.path == provider:
            yield item.device_id or 0
