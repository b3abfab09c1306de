"""What Dom0 gets from the host tree: its devices and its own device tree."""

import msgspec

from nodes.devicetree import Node, Tree
from nodes.interrupts import spis
from nodes.xen import binding, cmdline
from nodes.xen.binding import CONTAINER, SHMEM
from nodes.xen.profile import DEFAULT, Profile

FIRMWARE_NODE = "/firmware/scmi"
PASSTHROUGH = "xen,passthrough"


def agent(tree: Tree, profile: Profile, further: str = "") -> tuple[int | None, str | None]:
    """Dom0's agent id, from where the profile says, or None for "SCMI off"; and a warning about the property.

    ``further`` is what Xen's command line says beside the tree's.
    """
    if profile.dom0_agent == "property":
        return binding.dom0_agent(tree)
    if profile.dom0_agent == "command-line":
        return cmdline.parse(cmdline.command_line(tree, further)).dom0_agent, None
    return None, None


def wants_scmi(tree: Tree, profile: Profile, further: str = "") -> bool:
    """Whether Dom0 is to have SCMI, if there is a mediator."""
    if profile.driver == "forwarder":
        return not cmdline.parse(cmdline.command_line(tree, further)).passthrough
    return agent(tree, profile, further)[0] is not None


def devices(tree: Tree) -> list[Node]:
    """The nodes Dom0 owns that SCI or an IOMMU cares for: enabled, not marked for passthrough.

    The mark counts for the node that has it: what is below stays Dom0's.
    """
    return [
        node
        for node in tree
        if ("access-controllers" in node.properties or "iommus" in node.properties)
        and node.available()
        and PASSTHROUGH not in node.properties
    ]


def tree_for_dom0(tree: Tree, mediator: bool, scmi: bool, profile: Profile = DEFAULT) -> Tree:
    """The tree Dom0 would get: the xen,sci container gone with its subtree, but in old profiles.

    With an initialised mediator and Dom0's SCMI off, every arm,scmi-shmem node and /firmware/scmi
    go as well; otherwise both stay as they are, byte for byte. A device marked for passthrough is
    kept as disabled.
    """

    def kept(node: Node) -> bool:
        if profile.hides_container and node.compatible(CONTAINER):
            return False
        if not mediator or scmi:
            return True
        return not node.compatible(SHMEM) and node.path != FIRMWARE_NODE

    def copy(node: Node) -> Node:
        children = [copy(child) for child in node.children if kept(child)]
        properties = node.properties
        if PASSTHROUGH in properties:
            properties = {name: value for name, value in properties.items() if name != PASSTHROUGH}
            properties["status"] = b"disabled\0"
        return msgspec.structs.replace(node, children=children, properties=properties)

    return Tree(copy(tree.root), tree.source)


def identity_mapped(tree: Tree) -> list[tuple[int, int]]:
    """(address, bytes) of the shared-memory nodes that Dom0 sees 1:1, as ordinary device mapping does."""
    return [tree.reg(node) for node in tree if node.compatible(SHMEM) and node.available()]


def interrupts(tree: Tree) -> list[int]:
    """The lines of the enabled nodes in Dom0's own tree, which its builder routes to it as any device's."""
    return [irq for node in tree if node.available() for irq in spis(tree, node)]
