"""What Xen's probe costs at boot, channel by channel, in 3-cell and in 2-cell form.

The real Xen and EL3 cores run the probe on virtual time: every message is really sent and answered, and
the firmware takes as long for each as a latency profile says. Links take no time of their own.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec

from bus import frames
from deploy.engines.simulated import SimulatedEngine
from deploy.engines.worlds import Times
from deploy.errors import UserError
from deploy.toolstack import Toolstack, ToolstackError, Work
from deploy.topology import Topology
from nodes.devicetree import Node, Tree
from nodes.firmware.platform import Agent
from nodes.xen import binding

XEN_AGENT = "Xen"
LATENCY_US_MAX = 60_000_000


class Latency(msgspec.Struct, frozen=True):
    """How long EL3 takes for one message, the SMC there and back included. A model, not a measurement."""

    name: str
    message_ns: int
    title: str


LATENCIES = {
    one.name: one
    for one in (
        Latency("el3", 10_000, "EL3 answers by itself"),
        Latency("mailbox", 150_000, "EL3 hands each message to a system control processor and waits for it"),
        Latency("slow", 5_000_000, "a firmware that reads a slow bus for each message"),
    )
}
DEFAULT_LATENCY = "el3"


class Cost(msgspec.Struct, frozen=True):
    """Messages on one channel during the probe, and how long Xen was in EL3 for them (virtual time)."""

    calls: int = 0
    ns: int = 0


class ChannelCost(msgspec.Struct, frozen=True):
    """One channel in both forms; ``agent_id`` is None where the firmware has no agent for it."""

    owner: str
    agent_id: int | None
    smc_id: int
    three_cells: Cost
    two_cells: Cost


class Account(msgspec.Struct, frozen=True):
    """The whole probe. ``cells`` is the form the tree is written in."""

    latency: Latency
    cells: int
    channels: tuple[ChannelCost, ...]

    def total(self, cells: int) -> Cost:
        """All channels together, in one of the two forms."""
        costs = [one.three_cells if cells == 3 else one.two_cells for one in self.channels]
        return Cost(sum(one.calls for one in costs), sum(one.ns for one in costs))


def latency(text: str) -> Latency:
    """A profile by name, or a number of microseconds per message; raises UserError."""
    if text in LATENCIES:
        return LATENCIES[text]
    try:
        microseconds = float(text)
    except ValueError:
        microseconds = -1
    if not 0 <= microseconds <= LATENCY_US_MAX:
        names = ", ".join(LATENCIES)
        raise UserError(
            f"--firmware-latency {text}: give {names}, or microseconds per message (0 to {LATENCY_US_MAX})"
        )
    return Latency(f"{microseconds:g} us", int(microseconds * 1000), "as given")


def account(topology: Topology, model: Latency) -> Account:
    """Probe the platform twice, once per form; raises UserError for a tree without a list of agents."""
    container = topology.host.find_compatible(binding.CONTAINER)
    if container is None:
        raise UserError(
            f"{topology.host.source}: no node is compatible 'xen,sci', so Xen probes nothing; "
            "leave --timing out, or add /chosen/xen/xen_scmi_config"
        )
    agents = topology.platform.agent
    costs = {cells: _probe(_rewritten(topology, container, cells), model) for cells in (3, 2)}
    return Account(model, binding.list_cells(container), tuple(_rows(topology.host, agents, costs)))


def _rows(tree: Tree, agents: Sequence[Agent], costs: dict[int, dict[int, Cost]]) -> Iterator[ChannelCost]:
    by_smc_id = {agent.smc_id: agent for agent in agents}
    own = next(iter(binding.candidates(tree)), None)
    smc_ids = [own.u32("arm,smc-id") or 0] if own else []
    smc_ids += [entry.func_id for entry in binding.secondaries(tree)]
    for at, smc_id in enumerate(smc_ids):
        agent = by_smc_id.get(smc_id)
        owner = XEN_AGENT if not at else agent.name if agent else "?"
        three, two = (costs[cells].get(smc_id, Cost()) for cells in (3, 2))
        yield ChannelCost(owner, agent.id if agent else None, smc_id, three, two)


def _rewritten(topology: Topology, container: Node, cells: int) -> Topology:
    """The same platform with its list of agents in the other form, if it has to be another."""
    if binding.list_cells(container) == cells:
        return topology
    by_smc_id = {agent.smc_id: agent.id for agent in topology.platform.agent}
    value = b""
    for entry in binding.secondaries(topology.host, topology.profile):
        page = topology.host[entry.shmem_node]
        phandle = page.u32("phandle") or page.u32("linux,phandle") or 0
        words = [entry.func_id, phandle]
        if cells == 3:
            words.append(by_smc_id.get(entry.func_id, binding.UNKNOWN_AGENT))
        value += b"".join(word.to_bytes(4, "big") for word in words)
    properties = {
        **container.properties,
        binding.SECONDARY: value,
        binding.SECONDARY_CELLS: cells.to_bytes(4, "big"),
    }
    changed = msgspec.structs.replace(container, properties=properties)
    host = Tree(_with(topology.host.root, changed), topology.host.source)
    return msgspec.structs.replace(topology, host=host)


def _with(node: Node, changed: Node) -> Node:
    """The tree below ``node`` with the node at ``changed``'s path replaced."""
    if node.path == changed.path:
        return changed
    if not changed.path.startswith(node.path.rstrip("/") + "/"):
        return node
    return msgspec.structs.replace(node, children=[_with(child, changed) for child in node.children])


def _probe(topology: Topology, model: Latency) -> dict[int, Cost]:
    """What the probe costs per doorbell. Messages after it (device permissions) do not count."""
    times = Times(hop_ns=0, jitter_ns=0, el3_ns=model.message_ns)
    engine = SimulatedEngine(topology, 0, lambda *_: None, times)
    sci = engine.xen.hypervisor.sci
    costs: dict[int, Cost] = {}
    rung: dict[int, tuple[int, int]] = {}

    def observe(_receiver: bytes, envelope: bytes) -> None:
        frame = frames.decode(envelope)
        if isinstance(frame, frames.Smc) and not sci.initialized:
            rung[frame.request] = (frame.x[0], engine.now_ns)
        elif isinstance(frame, frames.SmcReturn) and frame.request in rung:
            smc_id, since_ns = rung.pop(frame.request)
            before = costs.get(smc_id, Cost())
            costs[smc_id] = Cost(before.calls + 1, before.ns + engine.now_ns - since_ns)

    engine.observe(observe)
    with suppress(ToolstackError):  # a panic that follows does not change what the probe cost
        Toolstack(engine, topology, Work()).list()
    return costs
