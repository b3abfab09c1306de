"""Dom0's tree and the account of it: what was kept, what was left out, and why.

The rule itself is ``nodes.xen.dom0.tree_for_dom0``; here is what it depends on, judged by the host tree
alone. Whether EL3 would answer Xen's probe a tree cannot tell: it is taken for granted.
"""

from collections.abc import Iterator

import msgspec

from deploy.errors import UserError
from nodes.devicetree import Node, Tree, TreeError
from nodes.xen import binding
from nodes.xen.binding import Controller, Secondary
from nodes.xen.dom0 import FIRMWARE_NODE, PASSTHROUGH, tree_for_dom0
from nodes.xen.errno import Errno, XenError


class Decision(msgspec.Struct, frozen=True):
    """What Xen makes of a host tree. ``agent_id`` None: Dom0's SCMI is off. ``why`` is for people."""

    mediator: bool
    agent_id: int | None
    why: str


class Dom0Tree(msgspec.Struct, frozen=True):
    """Dom0's tree with its account; ``hazards`` are what Xen leaves in it and should not."""

    tree: Tree
    decision: Decision
    account: tuple[str, ...]
    hazards: tuple[str, ...]


def decide(host: Tree) -> Decision:
    """Whether Xen has a mediator and Dom0 an agent; raises UserError where Xen would panic."""
    node = next(binding.candidates(host), None)
    if node is None:
        return Decision(
            False, None, f"no arm,scmi-smc node lies below a node compatible {binding.CONTAINER!r}"
        )
    try:
        binding.management(host, node)
        listed = _listed(host)
    except (XenError, TreeError) as error:
        return Decision(False, None, f"Xen's probe fails: {error}")
    agent_id, warning = binding.dom0_agent(host)
    if agent_id is None:
        return Decision(True, None, warning or f"the host tree has no {binding.DOM0_AGENT}")
    known = [entry.agent_id for entry in listed]
    if None not in known and agent_id not in known:
        container = host.find_compatible(binding.CONTAINER)
        place = container.place(binding.DOM0_AGENT) if container else host.source
        raise UserError(
            f"{place}: no channel has agent id {agent_id}: Xen panics, Error creating domain 0 "
            f"(rc = -{Errno.ENOENT.value}); choose one of {', '.join(map(str, known))}"
        )
    return Decision(True, agent_id, f"{binding.DOM0_AGENT} = <{agent_id}>")


def _listed(host: Tree) -> list[Secondary]:
    """The secondary agents; raises XenError for what is wrong with the list, a repeated id included."""
    listed = binding.secondaries(host)
    for at, entry in enumerate(listed):
        before = [one.agent_id for one in listed[:at] if one.agent_id is not None]
        refused = binding.taken(host, entry, before)
        if refused is not None:
            raise refused
    return listed


def write_dom0(host: Tree) -> Dom0Tree:
    """The tree that Dom0 would get, and what is to be said of it. Raises UserError where Xen would panic."""
    decision = decide(host)
    tree = tree_for_dom0(host, decision.mediator, decision.agent_id is not None)
    account = (_verdict(host, decision), *_differences(host, tree))
    return Dom0Tree(tree, decision, account, tuple(_hazards(host, tree, decision)))


def _verdict(host: Tree, decision: Decision) -> str:
    if not decision.mediator:
        return (
            f"Xen has no mediator: {decision.why}. Nothing of SCMI is taken from Dom0's tree, "
            "and every doorbell answers -1"
        )
    if decision.agent_id is None:
        return f"Dom0 has no SCMI: {decision.why}"
    kept = [node.path for node in _scmi_nodes(host)]
    if FIRMWARE_NODE not in kept:
        return f"Dom0 is agent {decision.agent_id} ({decision.why}), but the host tree has no {FIRMWARE_NODE}"
    return f"Dom0 is agent {decision.agent_id} ({decision.why}): {_and(kept)} kept as they are"


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
    dangling = [node.path for node in tree if _dangles(host, tree, node)]
    if dangling:
        some = f"{len(dangling)} access-controllers refer to nothing now, as Xen leaves them"
        yield f"{some}: {', '.join(dangling)}"
    if decision.mediator and decision.agent_id is not None:
        yield from _wrong_pair(host, tree, decision.agent_id)


def _dangles(host: Tree, tree: Tree, node: Node) -> bool:
    """Whether an item of ``access-controllers`` had a provider in the host tree and has none here."""
    before = host.get(node.path)
    return before is not None and any(
        isinstance(item, Controller) and item.provider.path not in tree
        for item in binding.controllers(host, before)
    )


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
