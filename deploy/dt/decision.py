"""Whether Xen has a mediator and Dom0 SCMI, judged by the host tree and Xen's command line alone.

Whether EL3 would answer Xen's probe a tree cannot tell: it is taken for granted. The rules are those of
``nodes.xen``; here is only their order.
"""

import msgspec

from deploy.errors import UserError
from deploy.topology import NEWEST, XenOptions
from nodes.devicetree import Tree, TreeError
from nodes.xen import binding, dom0
from nodes.xen.binding import Secondary
from nodes.xen.errno import Errno, XenError
from nodes.xen.hazards import hazards
from nodes.xen.profile import Profile

COMMAND_LINE = "Xen's command line"


class Decision(msgspec.Struct, frozen=True):
    """What Xen makes of a host tree; ``scmi``: Dom0 has SCMI. ``why`` is for people.

    ``agent_id`` None: no agent is Dom0's, or the driver knows none.
    """

    mediator: bool
    scmi: bool
    agent_id: int | None
    why: str


def decide(host: Tree, xen: XenOptions = NEWEST) -> Decision:
    """What Xen would do; raises UserError where it would panic, as then there is no Dom0."""
    if xen.profile.driver == "forwarder":
        return _decide_forwarder(host, xen)
    node = next(binding.candidates(host), None)
    if node is None:
        return _without(f"no arm,scmi-smc node lies below a node compatible {binding.CONTAINER!r}")
    try:
        own = binding.management(host, node)
        listed = _listed(host, xen.profile)
    except (XenError, TreeError) as error:
        return _without(f"Xen's probe fails: {error}")
    refused = (one for one in hazards(host, own, listed) if one.refused and one.place.node.path == own.node)
    hazard = next(refused, None)
    if xen.strict and hazard is not None:
        return _without(f"a strict Xen refuses it: {hazard}")
    return _decide_agent(host, xen, [entry.agent_id for entry in listed])


def _without(why: str) -> Decision:
    return Decision(False, False, None, why)


def _listed(host: Tree, profile: Profile) -> list[Secondary]:
    """The secondary agents; raises XenError for what is wrong with the list, a repeated id included."""
    listed = binding.secondaries(host, profile)
    for at, entry in enumerate(listed):
        before = [one.agent_id for one in listed[:at] if one.agent_id is not None]
        refused = binding.taken(host, entry, before)
        if refused is not None:
            raise refused
    return listed


def _decide_agent(host: Tree, xen: XenOptions, known: list[int | None]) -> Decision:
    """Dom0's agent, which must be one of those ``known``; None among them is still to be discovered."""
    agent_id, warning = dom0.agent(host, xen.profile, xen.xen_cmdline)
    container = host.find_compatible(binding.CONTAINER)
    by_property = xen.profile.dom0_agent == "property" and container is not None
    if agent_id is None:
        silent = (
            f"the host tree has no {binding.DOM0_AGENT}" if by_property else f"{COMMAND_LINE} names no agent"
        )
        return Decision(True, False, None, warning or silent)
    if None not in known and agent_id not in known:
        place = container.place(binding.DOM0_AGENT) if by_property and container else COMMAND_LINE
        raise UserError(
            f"{place}: no channel has agent id {agent_id}: Xen panics, Error creating domain 0 "
            f"(rc = -{Errno.ENOENT.value}); choose one of {', '.join(map(str, known))}"
        )
    told = f"{binding.DOM0_AGENT} = <{agent_id}>" if by_property else f"as {COMMAND_LINE} says"
    return Decision(True, True, agent_id, told)


def _decide_forwarder(host: Tree, xen: XenOptions) -> Decision:
    """Mainline's driver binds the first channel anywhere, and it is Dom0's or a guest's."""
    node = next(binding.smc_nodes(host), None)
    if node is None:
        return _without("the host tree has no arm,scmi-smc node")
    func_id = node.u32("arm,smc-id")
    if func_id is None:
        return _without(f"{node.place('arm,smc-id')}: missing")
    if dom0.wants_scmi(host, xen.profile, xen.xen_cmdline):
        return Decision(True, True, None, f"Xen forwards {func_id:#x} of {node.path} for it")
    return Decision(True, False, None, f"scmi-smc-passthrough gives {func_id:#x} to a guest")
