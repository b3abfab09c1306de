"""Planned faults that cores carry out, as the console requests that begin and end them: on both engines.

EL3 misbehaves, a guest is hostile. Names become agents here; nothing else is decided.
"""

from collections.abc import Iterable
from typing import Final, cast

from deploy.experiments.describing.plan import Planned
from deploy.topology import Topology
from nodes.firmware.misbehaving import ACTIONS, Behave, Misbehave
from nodes.guest import console
from nodes.guest.blows import Kind
from nodes.limits import FOREIGN_DOORBELLS, STORM_TRAPS
from nodes.xen import binding

EL3_KINDS: Final = tuple(f"el3.{action}" for action in ACTIONS)
GUEST_KINDS: Final = (
    "guest.spurious_doorbell", "guest.oversize", "guest.undersize", "guest.error_preset", "guest.header_flip",
    "guest.rewrite_page", "guest.foreign_flood", "guest.junk_frames", "guest.trap_storm",
)  # fmt: skip


def agents_of(topology: Topology, names: Iterable[str]) -> tuple[int, ...]:
    """The agents of domains, by what their configurations and trees say; who has none is left out."""
    by_smc_id = {agent.smc_id: agent.id for agent in topology.platform.agent}
    bindings = {guest.name: guest.binding for guest in topology.guests} | dict(topology.bindings)
    found = {
        name: by_smc_id[one.func_id] for name, one in bindings.items() if one and one.func_id in by_smc_id
    }
    dom0, _ = binding.dom0_agent(topology.host)
    if dom0 is not None:
        found["dom0"] = dom0
    return tuple(found[name] for name in names if name in found)


def misbehave(fault: Planned, topology: Topology) -> Misbehave:
    """What EL3 is told when a fault of its own begins. Without a domain it concerns every guest."""
    return Misbehave(
        fault.number,
        fault.kind.removeprefix("el3."),
        agents_of(topology, fault.where),
        fault.messages,
        fault.likelihood,
        fault.count,
        fault.delay_ns,
        fault.seed,
    )


def behave(fault: Planned) -> Behave:
    """... and when it ends; the answer says how often it was applied."""
    return Behave(fault.number)


def hostile(fault: Planned, name: str, topology: Topology, run: bool) -> console.Hostile:
    """What a guest is told when it is to be hostile, and when to stop."""
    own = agents_of(topology, (name,))
    foreign = (agent.smc_id for agent in topology.platform.agent if agent.id not in own)
    return console.Hostile(
        cast("Kind", fault.kind.removeprefix("guest.")),
        run,
        fault.rate,
        fault.likelihood,
        fault.seed,
        tuple(foreign)[:FOREIGN_DOORBELLS],
        STORM_TRAPS,
    )
