"""Judges the host tree's container and Xen's own channel; ``agents.py`` has the list of agents."""

from collections.abc import Iterator

from deploy.lint import agents, channels
from deploy.lint.finding import Finding, at, finding
from deploy.lint.material import Material
from deploy.lint.refused import refused
from deploy.lint.rules import RULE_OF_XEN
from nodes.devicetree import Node, Tree
from nodes.xen import binding
from nodes.xen.binding import CHANNEL, CONTAINER, DOM0_AGENT, SECONDARY, SHMEM


def judge(material: Material) -> Iterator[Finding]:
    """All that is wrong with the channels of the host tree."""
    tree = material.host
    if tree is None or material.profile.driver != "multiagent":
        return
    container = tree.find_compatible(CONTAINER)
    if container is None:
        yield from _without_container(tree)
        return
    for other in tree:
        if other.compatible(CONTAINER) and other.path != container.path:
            message = f"Xen reads {container.path} and ignores this one"
            yield finding("second-container", at(other), message, "", ("the one in use", at(container)))
    mended = material.mended or tree
    width = channels.written_address(container)
    if width is not None:
        yield _address_cells(container, width)
    if mended is not tree:
        # What lacks ranges would be all there is to say; so it is said, and then taken as given.
        refusals = (*_management(tree, container), *agents.refusals(material, tree))
        yield from (one for one in refusals if one.rule == "missing-ranges")
    yield from _management(mended, container)
    yield from agents.judge(material, mended, container)


def _address_cells(container: Node, width: int) -> Finding:
    """Xen reads the pages in the declared cells, and gets other pages."""
    name = channels.ADDRESS_CELLS[0]
    pages = [node for node in container.children if node.compatible(SHMEM)]
    message = (
        f"{container.path} declares {container.u32(name)}, but every reg in it has {width} for the address "
        f"and {width} for the size"
    )
    fix = f"Write {name} = <{width}>; and {channels.ADDRESS_CELLS[1]} = <{width}>;"
    return finding("reg-cells-mismatch", at(container, name), message, fix, ("a page", at(pages[0], "reg")))


def _without_container(tree: Tree) -> Iterator[Finding]:
    for node in tree:
        mine = next((prop for prop in (SECONDARY, DOM0_AGENT) if prop in node.properties), None)
        if mine is not None:
            message = f"{node.path} has {mine}, but it is not compatible {CONTAINER!r}"
            yield finding(RULE_OF_XEN["S1"], at(node, "compatible"), message)
            return
    message = f"no node is compatible {CONTAINER!r}: Xen's multi-agent driver has nothing to do here"
    yield finding("no-xen-sci", at(tree.root), message)


def _management(tree: Tree, container: Node) -> Iterator[Finding]:
    found = next(binding.candidates(tree), None)
    if found is None:
        yield _no_management(tree, container)
        return
    for problem in binding.management_problems(tree, found):
        yield from refused(tree, problem, found.u32("shmem"))


def _no_management(tree: Tree, container: Node) -> Finding:
    for node in tree:
        if not node.compatible(CHANNEL) or not node.path.startswith(container.path + "/"):
            continue
        if "xen,passthrough" in node.properties:
            message = f"{node.path} is marked for passthrough, so Xen skips it"
            return finding(
                "no-management-node", at(node, "xen,passthrough"), message, "Remove xen,passthrough."
            )
        message = f"{node.path} has status {node.string('status')!r}, so Xen skips it"
        return finding("no-management-node", at(node, "status"), message, 'Enable it: status = "okay";')
    message = f"{container.path} has no {CHANNEL} node below it: Xen has no channel of its own"
    return finding("no-management-node", at(container), message)
