"""Domains and what may be done to them: creation, devices, memory, destruction.

Each procedure is a coroutine in the order Xen executes it. It holds the state that survives one
event; scheduling, frames and links are in ``core.py``.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from bus import frames
from bus.shmem import PAGE_BYTES, Memory
from nodes.devicetree import Tree, TreeError
from nodes.limits import DOMAINS
from nodes.xen import cmdline, dom0, dom0less
from nodes.xen.channel import Channel, Relinquished, Say, Sci
from nodes.xen.config import XenConfig
from nodes.xen.devices import Devices
from nodes.xen.domain import Domain, State, check_frames
from nodes.xen.errno import Errno, XenError
from nodes.xen.forwarder import Forwarder
from nodes.xen.interrupts import Routes
from nodes.xen.iommu import Iommu
from nodes.xen.mediator import Mediator
from nodes.xen.metering import allowance
from nodes.xen.tasks import Acquire, Release, Task

DOM0 = 0
SIP_OWNED = 2
DRIVERS: Final[Mapping[str, type[Mediator] | type[Forwarder]]] = {
    "multiagent": Mediator,
    "forwarder": Forwarder,
}


class Panic(Exception):  # noqa: N818 - Xen's own word
    """Xen cannot go on: the boot ends here."""


class Reports(msgspec.Struct, frozen=True):
    """Who hears what: ``log`` (level, text), ``hazard`` (name, text), ``tell`` (domain, event, detail) of
    a life-cycle event, ``count_reset`` (agent id, reason)."""

    log: Say
    tell: Callable[[Domain, str, str], None]
    count_reset: Callable[[int, str], None]
    hazard: Say


class Hypervisor:
    """``domains`` by id; ``by_link`` finds the domain that a link proves its sender to be.

    ``identities`` gives a fresh, unguessable link identity for every incarnation of a domain;
    ``incarnations`` counts them by name, from where an earlier Xen of the same cluster was.
    """

    def __init__(
        self, config: XenConfig, memory: Memory, identities: Iterator[bytes], reports: Reports
    ) -> None:
        self.config = config
        log, hazard = reports.log, reports.hazard
        self._line = cmdline.parse(cmdline.command_line(config.tree, config.command_line))
        self.sci: Sci = DRIVERS[config.profile.driver](config, memory, log=log, hazard=hazard)
        iommu = Iommu(self._line.iommu, config.profile.assigns_unprotected)
        self.devices = Devices(config, self.sci, iommu, log=log, hazard=hazard)
        self.routes = Routes()
        self.domains: dict[int, Domain] = {}
        self.by_link: dict[bytes, Domain] = {}
        self._identities = identities
        self._log = log
        self._tell = reports.tell
        self._count_reset = reports.count_reset
        self._next_domid = DOM0
        self.incarnations: dict[str, int] = dict(config.epoch.domains)

    # ---- boot ---------------------------------------------------------------------------------

    def boot(self) -> Task[None]:
        """Probe the mediator, build Dom0, build the boot domains; raises Panic where Xen panics."""
        config = self.config
        for warning in self._line.warnings:
            self._log("warning", warning)
        yield from self.sci.probe_all(config.tree)
        yield from self._build_dom0()
        for node in dom0less.nodes(config.tree):
            try:
                described = dom0less.parse(node, config.partials.get(node.name), config.profile)
                yield from self._build_dom0less(described)
            except XenError as error:
                raise Panic(f"Error creating domain {node.name}: {error}") from None

    def _build_dom0(self) -> Task[None]:
        tree = self.config.tree
        try:
            domain = self.create(frames.CreateDomain("dom0", *self.sci.dom0_config(tree), iommu=True))
            yield from self.devices.for_dom0(domain, dom0.devices(tree))
            tree = self._dom0_tree(domain)
            self.routes.build(domain, dom0.interrupts(tree))
            for address, size in _dom0_shmem(tree):
                domain.map(address // PAGE_BYTES, address // PAGE_BYTES, -(-size // PAGE_BYTES))
        except XenError as error:
            raise Panic(f"Error creating domain 0 (rc = {-error.errno}): {error}") from None
        self._run(domain)

    def _dom0_tree(self, domain: Domain) -> Tree:
        config = self.config
        scmi = domain.channel is not None
        return dom0.tree_for_dom0(config.tree, self.sci.initialized, scmi, config.profile)

    def _build_dom0less(self, described: dom0less.Dom0less) -> Task[None]:
        kind, agent_id = described.arm_sci_type, described.arm_sci_agent_id
        domain = self.create(
            frames.CreateDomain(described.name, kind, agent_id, iommu=bool(described.devices))
        )
        for guest, machine, count in described.mappings:
            domain.map(guest, machine, count)
        self.routes.build(domain, described.interrupts)
        for path in described.devices:
            yield from self.devices.for_boot_domain(domain, path, path in described.forced)
        self._run(domain)

    def _run(self, domain: Domain) -> None:
        domain.apply("unpause")
        self._tell(domain, "running", "")

    # ---- hypercalls ---------------------------------------------------------------------------

    def do(self, op: frames.Op) -> Task[int]:
        """Carry out one domctl; gives the domid concerned or raises XenError."""
        if isinstance(op, frames.CreateDomain):
            return self.create(op).domid
        if isinstance(op, frames.DestroyDomain):
            yield from self.destroy(op.domid, op.reason)
        elif isinstance(op, frames.UnpauseDomain):
            self._run(self._domain(op.domid))
        elif isinstance(op, frames.AssignDevice):
            yield from self.devices.assign(self._domain(op.domid), op.path)
        elif isinstance(op, frames.TestAssignDevice):
            self.devices.test(self._domain(op.domid), op.path)
        elif isinstance(op, frames.DeassignDevice):
            self.devices.deassign(self._domain(op.domid), op.path)
        elif isinstance(op, frames.IomemPermission):
            self._iomem_permission(op)
        elif isinstance(op, frames.MemoryMapping):
            self._memory_mapping(op)
        elif isinstance(op, frames.IrqPermission):
            self.routes.permit(self._domain(op.domid), op.irq, op.allow)
        elif isinstance(op, frames.BindPtIrq):
            self.routes.bind(self._domain(op.domid), op.irq, op.virq)
        return getattr(op, "domid", DOM0)

    def _domain(self, domid: int) -> Domain:
        domain = self.domains.get(domid)
        if domain is None:
            raise XenError(Errno.ESRCH, f"there is no domain {domid}")
        return domain

    def create(self, op: frames.CreateDomain) -> Domain:
        """XEN_DOMCTL_createdomain: sanitise, then claim the agent last. No SCMI message is sent."""
        self.sci.sanitise(op.arm_sci_type)
        if len(self.domains) >= DOMAINS:
            raise XenError(Errno.ENOMEM, f"{DOMAINS} domains exist already")
        incarnation = self.incarnations.get(op.name, 0) + 1
        domain = Domain(self._next_domid, op.name, next(self._identities), incarnation, op.aarch32)
        domain.allowance = allowance(self.config.tuning.metering, op.name)
        domain.iommu = op.iommu and self.devices.iommu.enabled
        claim = self.sci.domain_init(domain.domid, op.arm_sci_type, op.arm_sci_agent_id)
        self.domains.get(DOM0, domain).iomem.update(claim.frames)
        if claim.channel is not None:
            domain.channel = claim.channel
            domain.doorbell = _reachable_doorbell(claim.channel, domain.aarch32)
        self._next_domid += 1
        self.incarnations[op.name] = incarnation
        self.domains[domain.domid] = domain
        self.by_link[domain.link] = domain
        agent = f"agent {domain.channel.agent_id}" if domain.channel else "no SCMI"
        self._tell(domain, "created", agent)
        return domain

    def _iomem_permission(self, op: frames.IomemPermission) -> None:
        domain = self._domain(op.domid)
        check_frames(domain.name, op.frames)
        wanted = range(op.first_frame, op.first_frame + op.frames)
        self._check_access(wanted)
        for frame in wanted:
            if op.allow:
                domain.iomem.add(frame)
            else:
                domain.iomem.discard(frame)

    def _check_access(self, wanted: range) -> None:
        """The caller must have access itself: Dom0 has it to a channel's page only once that was claimed."""
        caller = self.domains[DOM0]
        reserved = {channel.shmem // PAGE_BYTES for channel in self.sci.channels} - caller.iomem
        for frame in wanted:
            if frame in reserved:
                raise XenError(Errno.EPERM, f"Dom0 has no access to frame {frame:#x} itself")

    def _memory_mapping(self, op: frames.MemoryMapping) -> None:
        domain = self._domain(op.domid)
        check_frames(domain.name, op.frames)
        self._check_access(range(op.first_frame, op.first_frame + op.frames))
        for at in range(op.frames):
            if op.first_frame + at not in domain.iomem:
                raise XenError(Errno.EPERM, f"{domain.name} has no access to frame {op.first_frame + at:#x}")
        domain.map(op.first_guest_frame, op.first_frame, op.frames)

    def destroy(self, domid: int, reason: str) -> Task[None]:
        """domain_kill and what follows: RESET_AGENT_CONFIGURATION, then the agent is free again.

        If the firmware refuses the reset the error is raised, the domain stays dying and keeps its
        agent; a repeated destroy sends the reset again.
        """
        domain = self._domain(domid)
        if domid == DOM0:
            raise XenError(Errno.EPERM, "Dom0 is the control domain")
        domain.apply("kill")
        domain.reason = reason
        self._tell(domain, "dying", reason)
        self.devices.iommu.release(domain)
        if domain.channel is not None:
            yield from self._relinquish(domain, domain.channel)
        if domain.state is State.DYING:
            domain.apply("destroy")
            self._forget(domain)

    def _relinquish(self, domain: Domain, channel: Channel) -> Task[None]:
        # A vCPU inside an SMC cannot be descheduled: the call under way ends first. The lock is kept, so
        # that a second destroy does not reset the agent again, for whoever owns it by then.
        yield Acquire(channel.lock)
        try:
            if domain.channel is channel:
                yield from self._reset_agent(domain, channel)
        except XenError:
            yield Release(channel.lock)
            raise
        yield Release(channel.lock)

    def _reset_agent(self, domain: Domain, channel: Channel) -> Task[None]:
        try:
            done = yield from self.sci.relinquish(channel)
        except XenError as error:
            self._tell(domain, "refused", f"reset of agent {channel.agent_id}: {error}")
            raise
        if done is Relinquished.RESET:
            self._count_reset(channel.agent_id, domain.reason)
        domain.channel = domain.doorbell = None
        self.sci.release(channel)
        self._tell(domain, "reset", f"agent {channel.agent_id} {done}")

    def _forget(self, domain: Domain) -> None:
        self.domains.pop(domain.domid, None)
        self.by_link.pop(domain.link, None)
        self.routes.release(domain)
        self._tell(domain, "dead", domain.reason)

    def shut_down(self, domain: Domain, reason: str) -> None:
        """The domain ended itself (PSCI); destroying it is the toolstack's decision."""
        domain.apply("shutdown")
        domain.reason = reason
        self._tell(domain, "shutdown", reason)


def _dom0_shmem(tree: Tree) -> list[tuple[int, int]]:
    try:
        return dom0.identity_mapped(tree)
    except TreeError as error:
        raise Panic(f"Error building Dom0's memory map: {error}") from None


def _reachable_doorbell(channel: Channel, aarch32: bool) -> int | None:
    """The function id to forward: only SiP-owned ones reach the mediator, 64-bit ones only from AArch64."""
    if channel.func_id >> 24 & 0x3F != SIP_OWNED:
        return None
    return None if aarch32 and channel.func_id >> 30 & 1 else channel.func_id
