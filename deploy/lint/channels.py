"""Xen's channel and the agents' channels, read leniently: what has a doorbell and a page at all is a channel.

Xen stops at the first mistake. The linter goes on, so that a page that is not aligned can still be found
to be somebody else's. Which mistakes there are is not decided here (``host.py`` asks Xen's rules).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from bus.shmem import PAGE_BYTES
from deploy.lint.platform import PlatformFile
from nodes.devicetree import Node, Tree, TreeError
from nodes.xen import binding
from nodes.xen.binding import Management, Secondary
from nodes.xen.errno import XenError
from nodes.xen.profile import Profile

ADDRESS_CELLS = ("#address-cells", "#size-cells")


def page(tree: Tree, phandle: int | None) -> tuple[Node, int, int] | TreeError | None:
    """The node that ``phandle`` refers to with its address and bytes; why it has none; None: no node."""
    target = None if phandle is None else tree.by_phandle(phandle)
    if target is None:
        return None
    try:
        return (target, *tree.reg(target))
    except TreeError as error:
        return error


def mended(tree: Tree) -> Tree:
    """The tree with an empty ``ranges`` wherever the container's addresses lack one on their way, and with
    the cells in which they are written.

    Said once, the mistake shall not hide what else is wrong.
    """
    container = tree.find_compatible(binding.CONTAINER)
    if container is None:
        return tree
    way = {node.path for node in (container, *tree.ancestors(container)) if node.path != "/"}
    width = written_address(container)
    if width is None and all("ranges" in tree[path].properties for path in way):
        return tree
    widths = {} if width is None else dict.fromkeys(ADDRESS_CELLS, width.to_bytes(4, "big"))

    def copy(node: Node) -> Node:
        if node.path != "/" and node.path not in way:
            return node
        properties = {"ranges": b""} | node.properties if node.path in way else node.properties
        if node.path == container.path:
            properties = properties | widths
        return msgspec.structs.replace(
            node, properties=properties, children=[copy(one) for one in node.children]
        )

    return Tree(copy(tree.root), tree.source)


def own(tree: Tree) -> Management | None:
    """Xen's channel: the first candidate that has a doorbell and a page."""
    for node in binding.candidates(tree):
        found = page(tree, node.u32("shmem"))
        func_id = node.u32("arm,smc-id")
        if isinstance(found, tuple) and func_id is not None:
            return Management(node.path, func_id, found[1], found[0].path)
    return None


def written_address(container: Node) -> int | None:
    """How many cells an address and a size have in the container's pages, if it declares another number."""
    declared = [container.u32(name) for name in ADDRESS_CELLS]
    found = [node.cells("reg") or [] for node in container.children if node.compatible(binding.SHMEM)]
    if found and declared == [1, 1]:
        # An address 0 and one that is no size: the high cells of 64 bits.
        return 2 if all(len(reg) == 4 and not reg[0] and not reg[2] and reg[1] for reg in found) else None
    if found and declared == [2, 2]:
        return 1 if all(len(reg) == 2 and all(reg) for reg in found) else None
    return None


def written_width(tree: Tree, container: Node) -> int | None:
    """The width in which the list makes sense, where it makes none in the declared one; else None."""
    cells = container.cells(binding.SECONDARY) or []
    declared = binding.list_cells(container)
    written = {2: 3, 3: 2}.get(declared)
    if written is None or _sensible(tree, cells, declared) or not _sensible(tree, cells, written):
        return None
    return written


def out_of_step(tree: Tree, container: Node) -> int | None:
    """The first cell that stands where a doorbell should be before a page, but does not; None: none does."""
    cells = container.cells(binding.SECONDARY) or []
    width = binding.list_cells(container)
    for at in range(0, len(cells), width):
        target = tree.by_phandle(cells[at + 1]) if at + 1 < len(cells) else None
        if target is None or not target.compatible(binding.SHMEM):
            return at
    return None


def _sensible(tree: Tree, cells: list[int], width: int) -> bool:
    """Whole entries, with a shared-memory node where the page should be."""
    if not cells or len(cells) % width:
        return False
    pages = [tree.by_phandle(cells[at + 1]) for at in range(0, len(cells), width)]
    return all(page is not None and page.compatible(binding.SHMEM) for page in pages)


def unaligned(found: Iterable[Secondary]) -> bool:
    """Whether one of them does not start at a page."""
    return any(entry.shmem % PAGE_BYTES for entry in found)


def doubtful(
    entry: Secondary, found: Iterable[Secondary], own: Management | None, platform: PlatformFile | None
) -> bool:
    """Whether ``entry`` itself is called wrong, so that what differs from it may well be right."""
    others: list[Secondary | Management] = [one for one in found if one.index != entry.index]
    others += [] if own is None else [own]
    if any(one.func_id == entry.func_id or one.shmem == entry.shmem for one in others):
        return True
    if platform is None:
        return False
    agent = platform.agent(entry.func_id)
    return agent is None or agent.shmem != entry.shmem or entry.agent_id not in (None, agent.id)


def entry_cells(tree: Tree, index: int | None) -> list[int]:
    """The cells of one entry of the list, in the declared width."""
    container = tree.find_compatible(binding.CONTAINER)
    if container is None or index is None:
        return []
    width = binding.list_cells(container)
    return (container.cells(binding.SECONDARY) or [])[index * width : (index + 1) * width]


def entries(tree: Tree, profile: Profile) -> Iterator[Secondary]:
    """Every entry of the list with a doorbell and a page, aligned or not; none of a list in another width."""
    container = tree.find_compatible(binding.CONTAINER)
    if container is not None and written_width(tree, container) is not None:
        return
    for entry in binding.entries(tree, profile):
        if isinstance(entry, Secondary):
            yield entry
        else:
            yield from _lenient(tree, entry)


def complete(tree: Tree, found: Sequence[Secondary], agents: Mapping[int, Secondary]) -> bool:
    """Whether every entry of the list could be read, and every agent's id is known."""
    listed = sum(not isinstance(one, XenError) or one.place is not None for one in binding.entries(tree))
    known = all(entry.agent_id is not None or entry in agents.values() for entry in found)
    return known and len(found) == listed > 0


def _lenient(tree: Tree, error: XenError) -> Iterator[Secondary]:
    index = error.place.entry if error.place else None
    cells = entry_cells(tree, index)
    found = page(tree, cells[1]) if len(cells) > 1 else None
    if index is not None and isinstance(found, tuple):
        agent_id = cells[2] if len(cells) == 3 else None
        yield Secondary(cells[0], found[1], agent_id, index, found[0].path, found[2])


def by_agent(found: Iterable[Secondary], platform: PlatformFile | None) -> dict[int, Secondary]:
    """The entries by agent id; the first of several with one id, as Xen's look-up does."""
    agents: dict[int, Secondary] = {}
    for entry in found:
        agent_id = entry.agent_id
        if agent_id is None and platform is not None:
            agent_id = platform.agent_of(entry.func_id)
        if agent_id is not None:
            agents.setdefault(agent_id, entry)
    return agents
