"""EL3's resources, derived from a host tree alone: for trees that come without a ``platform.toml``.

Agents and channels are those the tree names; devices and resources are those that its nodes refer to,
each resource in the devices that use it. A tree whose devices list no access-controllers has nothing to
grant: there everything is allowed. What a tree cannot tell is a plain default:

* names, and that nothing takes time or has a parent; resources are off where they can be;
* a clock's RATES, the first at boot; a voltage domain's LEVELS, LEVEL_UV at boot;
* a performance domain's operating points, OPPS, which drive no clock and no voltage domain;
* a sensor that always reads TEMPERATURE, with TRIP_POINTS for each agent. What it measures is not known,
  but it is a thermal zone that names it.

Powercap domains, pins and System power are in no tree and are not derived.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from bus.shmem import PAGE_BYTES
from deploy.errors import UserError
from nodes.devicetree import Node, Tree, TreeError
from nodes.firmware.platform import (
    Agent,
    Clock,
    Constant,
    Device,
    LevelRange,
    Opp,
    PerfDomain,
    Platform,
    PlatformError,
    PowerDomain,
    ResetDomain,
    Sensor,
    VoltageDomain,
    check,
)
from nodes.firmware.platform.kinds import DEVICE_KEYS
from nodes.guest.binding import Binding, Consumer, bind
from nodes.limits import AGENT_ID_MAX
from nodes.xen import binding
from nodes.xen.errno import XenError
from nodes.xen.profile import DEFAULT, Profile

RATES = (25_000_000, 50_000_000, 100_000_000, 200_000_000)
LEVELS = LevelRange(600_000, 3_300_000, 12_500)
LEVEL_UV = 900_000
OPPS = (
    Opp(1, power_cost=250, frequency_khz=500_000),
    Opp(2, power_cost=600, frequency_khz=1_000_000),
    Opp(3, power_cost=1_200, frequency_khz=1_500_000),
)
TEMPERATURE = Constant(40_000)  # in thousandths of a degree
TRIP_POINTS = 2
# Fields of Consumer and Device, and what makes the resource of that number.
MAKERS: dict[str, Callable[[int], Any]] = {
    "clocks": lambda one: Clock(one, f"clock{one}", RATES, RATES[0]),
    "power_domains": lambda one: PowerDomain(one, f"power{one}"),
    "reset_domains": lambda one: ResetDomain(one, f"reset{one}"),
    "perf_domains": lambda one: PerfDomain(one, f"perf{one}", OPPS),
    "voltage_domains": lambda one: VoltageDomain(one, f"voltage{one}", LEVELS, LEVEL_UV),
    "sensors": lambda one: Sensor(
        one, f"sensor{one}", TEMPERATURE, type="celsius", unit_exponent=-3, trip_points=TRIP_POINTS
    ),
}


def derive_platform(tree: Tree, profile: Profile = DEFAULT) -> Platform:
    """The smallest platform that serves the tree; raises UserError if the tree has no usable channels."""
    try:
        single = profile.driver == "forwarder"
        platform = _for_one_agent(tree) if single else _for_agents(tree, profile)
        check(platform)
    except (XenError, TreeError) as error:  # which name the place themselves
        raise UserError(f"{error}; correct the tree, or give --platform") from None
    except PlatformError as error:
        raise UserError(f"{tree.source}: {error}; correct the tree, or give --platform") from None
    return platform


def _for_agents(tree: Tree, profile: Profile) -> Platform:
    management = next(binding.candidates(tree), None)
    if management is None:
        raise UserError(
            f"{tree.source}: no arm,scmi-smc node below a node compatible 'xen,sci'; add "
            "/chosen/xen/xen_scmi_config, or give --platform for a tree without Xen's channel"
        )
    own = binding.management(tree, management)
    return _platform(tree, _agents(own, binding.secondaries(tree, profile)), management.path)


def _for_one_agent(tree: Tree) -> Platform:
    """EL3 as mainline's Xen knows it: the tree's own channel, whoever rings."""
    own = bind(tree)
    if own is None:
        raise UserError(f"{tree.source}: no enabled arm,scmi-smc node; add one, or give --platform")
    return _platform(tree, (Agent(0, "agent0", own.func_id, own.shmem),), own.node)


def _agents(own: binding.Management, secondaries: list[binding.Secondary]) -> tuple[Agent, ...]:
    taken = {entry.agent_id for entry in secondaries}
    free = (number for number in range(AGENT_ID_MAX + 1) if number not in taken)
    xen_id = next(number for number in free if number)
    agents = [Agent(xen_id, "xen", own.func_id, own.shmem, trusted=True)]
    for entry in secondaries:
        agent_id = next(free) if entry.agent_id is None else entry.agent_id
        agents.append(Agent(agent_id, f"agent{agent_id}", entry.func_id, entry.shmem))
    return tuple(agents)


def _platform(tree: Tree, agents: tuple[Agent, ...], provider: str) -> Platform:
    found = bind(tree)
    taken = {agent.shmem // PAGE_BYTES for agent in agents}
    agents = tuple(_with_way_back(agent, found, taken) for agent in agents)
    consumers = {one.path: one for one in found.consumers} if found else {}
    devices: dict[int, Device] = {}
    for node in tree:
        for device_id in binding.device_ids(tree, node, provider):
            devices.setdefault(device_id, _device(device_id, node, consumers.get(node.path)))
    made = {DEVICE_KEYS[used]: _made(used, consumers.values()) for used in MAKERS}
    platform = Platform(
        name=(tree.root.string("model") or "derived")[:63],
        agent=agents,
        default_permission="deny" if devices else "allow",
        device=tuple(devices[one] for one in sorted(devices)),
    )
    return msgspec.structs.replace(platform, **made)


def _made(used: str, consumers: Iterable[Consumer]) -> tuple[Any, ...]:
    """The resources that anybody uses, by number."""
    return tuple(MAKERS[used](one) for one in sorted({one for by in consumers for one in getattr(by, used)}))


def _with_way_back(agent: Agent, host: Binding | None, taken: set[int]) -> Agent:
    """The agent of the tree's own channel with the interrupts and the P2A page that the tree gives it.

    A page that is none, or one of the frames ``taken`` for calls, EL3 would not use; check tells of it.
    """
    if host is None or host.func_id != agent.smc_id:
        return agent
    agent = msgspec.structs.replace(agent, a2p_interrupt=host.completion)
    if host.p2a is None or host.p2a.shmem % PAGE_BYTES or host.p2a.shmem // PAGE_BYTES in taken:
        return agent
    return msgspec.structs.replace(agent, p2a_shmem=host.p2a.shmem, p2a_interrupt=host.p2a.interrupt)


def _device(device_id: int, node: Node, consumer: Consumer | None) -> Device:
    used = {key: tuple(sorted(set(getattr(consumer, key, ())))) for key in MAKERS}
    return msgspec.structs.replace(Device(device_id, f"{device_id}:{node.name}"[:63]), **used)
