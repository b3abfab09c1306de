"""Dom0's tree and the account of it: what was kept, what was left out, and why.

The rule itself is ``nodes.xen.dom0.tree_for_dom0``; what it depends on is judged in ``decision``.
"""

from collections.abc import Iterator

import msgspec

from deploy.devicetree.emit import references
from deploy.dt.decision import Decision, decide
from deploy.topology import NEWEST, XenOptions
from nodes.devicetree import Node, Tree, TreeError
from nodes.xen import binding, dom0
from nodes.xen.dom0 import FIRMWARE_NODE, PASSTHROUGH

REFERENCES = (  # to what may be left out
    *("access-controllers", "clocks", "power-domains", "performance-domains", "resets", "thermal-sensors"),
    "shmem",
)


class Dom0Tree(msgspec.Struct, frozen=True):
    """Dom0's tree with its account; ``hazards`` are what Xen leaves in it and should not."""

    tree: Tree
    decision: Decision
    account: tuple[str, ...]
    hazards: tuple[str, ...]


def write_dom0(host: Tree, xen: XenOptions = NEWEST) -> Dom0Tree:
    """The tree that Dom0 would get, and what is to be said of it; raises UserError where Xen would panic."""
    decision = decide(host, xen)
    tree = dom0.tree_for_dom0(host, decision.mediator, decision.scmi, xen.profile)
    account = (_verdict(host, decision), *_differences(host, tree))
    return Dom0Tree(tree, decision, account, tuple(_hazards(host, tree, decision)))


def _verdict(host: Tree, decision: Decision) -> str:
    if not decision.mediator:
        return (
            f"Xen has no mediator: {decision.why}. Nothing of SCMI is taken from Dom0's tree, "
            "and every doorbell answers -1"
        )
    if not decision.scmi:
        return f"Dom0 has no SCMI: {decision.why}"
    who = "Dom0 has SCMI" if decision.agent_id is None else f"Dom0 is agent {decision.agent_id}"
    kept = [node.path for node in _scmi_nodes(host)]
    if FIRMWARE_NODE not in kept:
        return f"{who} ({decision.why}), but the host tree has no {FIRMWARE_NODE}"
    return f"{who} ({decision.why}): {_and(kept)} kept as they are"


def _scmi_nodes(host: Tree) -> Iterator[Node]:
    """/firmware/scmi and the pages outside Xen's container."""
    for node in host:
        inside = any(above.compatible(binding.CONTAINER) for above in host.ancestors(node))
        if not inside and (node.path == FIRMWARE_NODE or node.compatible(binding.SHMEM)):
            yield node


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _differences(host: Tree, tree: Tree) -> Iterator[str]:
    gone = [node for node in host if node.path not in tree]
    for top in (node for node in gone if node.path.rpartition("/")[0] not in {one.path for one in gone}):
        below = sum(node.path.startswith(f"{top.path}/") for node in gone)
        more = f" and {below} node{'s' if below > 1 else ''} below it" if below else ""
        yield f"left out: {top.path}{more}"
    disabled = [node.path for node in host if PASSTHROUGH in node.properties and node.path in tree]
    if disabled:
        yield f"disabled, as {PASSTHROUGH} marks them: {', '.join(disabled)}"


def _hazards(host: Tree, tree: Tree, decision: Decision) -> Iterator[str]:
    for prop in REFERENCES:
        dangling = [node.path for node in tree if _dangles(host, tree, node, prop)]
        if dangling:
            some = f"{len(dangling)} {prop} refer to nothing now, as Xen leaves them"
            yield f"{some}: {', '.join(dangling)}"
    if decision.agent_id is not None:
        yield from _wrong_pair(host, tree, decision.agent_id)


def _dangles(host: Tree, tree: Tree, node: Node, prop: str) -> bool:
    """Whether an item of ``prop`` had a provider in the host tree and has none here."""
    found = references(host, host[node.path], prop) or ()
    return any(target is not None and target.path not in tree for target, _ in found)


def _wrong_pair(host: Tree, tree: Tree, agent_id: int) -> Iterator[str]:
    """Dom0's doorbell works only if the tree that it sees has the pair of its agent."""
    own = next((entry for entry in binding.secondaries(host) if entry.agent_id == agent_id), None)
    node = tree.get(FIRMWARE_NODE)
    phandle = node.u32("shmem") if node else None
    page = None if phandle is None else tree.by_phandle(phandle)
    if own is None or node is None:
        return
    if node.u32("arm,smc-id") != own.func_id:
        yield (
            f"{node.place('arm,smc-id')}: {node.u32('arm,smc-id') or 0:#x} is not {own.func_id:#x}, the "
            f"doorbell of agent {agent_id}: Dom0's calls answer -1"
        )
    try:
        address = tree.reg(page)[0] if page else None
    except TreeError as error:
        yield str(error)
        return
    if address != own.shmem:
        seen = "no page" if address is None else f"the page {address:#x}"
        yield f"{node.place('shmem')}: {seen} is not {own.shmem:#x}, the page of agent {agent_id}"
