"""From a refusal of Xen's to a finding: its name, the place where it can be mended, the remedy.

``nodes.xen.binding`` decides what is refused; nothing is decided here.
"""

from collections.abc import Iterator

from bus.shmem import PAGE_BYTES
from deploy.lint import channels
from deploy.lint.finding import Finding, Spot, at, at_place, finding
from deploy.lint.rules import RULE_OF_XEN
from nodes.devicetree import Tree, TreeError
from nodes.xen import binding
from nodes.xen.binding import CONTAINER, SECONDARY
from nodes.xen.errno import Place, XenError

FOCUS = {  # which cell of an entry a rule is about; others are about the whole entry
    "duplicate-smc-id": 0,
    "smc-id-owner": 0,
    "smc-id-not-fast": 0,
    "channel-not-served": 0,
    "dangling-phandle": 1,
    "shmem-unusable": 1,
    "shmem-unaligned": 1,
    "duplicate-shmem": 1,
    "shared-page": 1,
    "overlapping-shmem": 1,
    "duplicate-agent-id": 2,
    "agent-is-xens": 2,
    "agent-id-unreachable": 2,
    "agent-id-mismatch": 2,
    "agent-beyond-count": 2,
}


def focused(tree: Tree, rule: str, place: Place) -> Spot:
    """The place, and within an entry of the list the cell that ``rule`` is about."""
    container = tree.find_compatible(CONTAINER)
    if place.entry is None or place.prop != SECONDARY or container is None:
        return at_place(place)
    width = binding.list_cells(container)
    first = place.entry * width
    cells = (first + FOCUS[rule], 1) if FOCUS.get(rule, width) < width else (first, width)
    return at(place.node, place.prop, entry=place.entry, cells=cells)


def refused(tree: Tree, problem: XenError, phandle: int | None) -> Iterator[Finding]:
    """What Xen refuses, where it can be mended: not at the reference, but at what it meets."""
    assert problem.place is not None
    rule = RULE_OF_XEN[problem.rule]
    page = channels.page(tree, phandle)
    if rule == "shmem-unusable" and isinstance(page, TreeError) and page.node is not None:
        yield from untranslatable(tree, page, problem)
        return
    spot = focused(tree, rule, problem.place)
    if rule == "agents-length":
        yield finding(rule, *_out_of_step(tree, problem, spot))
        return
    if rule == "shmem-unaligned" and isinstance(page, tuple):
        node, address, size = page
        reason = f"the page at {address:#x}, {size:#x} bytes, {_how_unaligned(address, size)}"
        yield finding(rule, at(node, "reg"), reason, _aligned(address, size), ("used here", spot))
    else:
        yield finding(rule, spot, problem.reason)


def _out_of_step(tree: Tree, problem: XenError, spot: Spot) -> tuple[Spot, str, str]:
    """Where a list that has no whole entries begins not to make sense."""
    container = tree.find_compatible(CONTAINER)
    cells = [] if container is None else container.cells(SECONDARY) or []
    if container is None or not cells:
        return spot, problem.reason, ""
    width = binding.list_cells(container)
    wrong = channels.out_of_step(tree, container)
    if wrong is None:
        count = len(cells) % width
        message = f"the last entry has {count} of {width} cells"
        return at(container, SECONDARY, cells=(len(cells) - count, count)), message, "Complete the entry."
    if not wrong:
        return spot, problem.reason, ""
    message = f"{problem.reason}: from entry {wrong // width} on, no page follows a doorbell"
    place = at(container, SECONDARY, cells=(wrong, 1))
    return place, message, f"Complete the entry at or before this place: {width} cells each."


def untranslatable(tree: Tree, error: TreeError, problem: XenError | None = None) -> Iterator[Finding]:
    """An address that does not reach the CPU: at every node that is in the way."""
    assert error.node is not None
    node, prop = error.node, error.prop
    also = () if problem is None or problem.place is None else (("needed here", at_place(problem.place)),)
    if prop == "ranges" and prop not in node.properties:
        for bus in (node, *tree.ancestors(node)):
            if bus.path != "/" and prop not in bus.properties:
                message = f"{bus.path} has no 'ranges': no address below it is one of the CPU's"
                yield finding("missing-ranges", at(bus), message, f"Add 'ranges;' to {bus.path}.", *also)
        return
    text = str(error).removeprefix(f"{node.place(prop)}: ")
    message, _, fix = text.partition("; ")
    yield finding("shmem-unusable", at(node, prop), f"{node.path}: {prop}: {message}", fix, *also)


def _how_unaligned(address: int, size: int) -> str:
    wrong = ["does not start at a 4 KiB page"] if address % PAGE_BYTES else []
    wrong += ["is not whole 4 KiB pages"] if size % PAGE_BYTES else []
    return " and ".join(wrong)


def _aligned(address: int, size: int) -> str:
    wrong = [name for name, value in (("base", address), ("size", size)) if value % PAGE_BYTES]
    return f"Make the {' and the '.join(wrong)} a multiple of 0x1000; the firmware must use the same page."
