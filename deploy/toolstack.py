"""What xl and libxl do: create, destroy, reboot, list, and ask a domain something. On either engine.

It speaks domctl and knows the order of operations; it does not know processes or sockets: an
``Engine`` carries its requests and starts what plays a domain.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from bus import frames
from bus.frames import DomainInfo, DomctlReply, Lifecycle
from deploy.dt.decision import decide
from deploy.errors import UserError
from deploy.topology import Guest, Topology, XenOptions
from deploy.xl.sci import SciType
from nodes.devicetree import TreeError
from nodes.firmware import console as el3
from nodes.guest import console
from nodes.guest.binding import Binding, bind
from nodes.guest.core import GuestConfig
from nodes.guest.load import WorkPlan
from nodes.xen.dom0 import tree_for_dom0

SCI_TYPE = {SciType.NONE: 0, SciType.SCMI_SMC: 1, SciType.MULTIAGENT: 2}
DOM0 = "dom0"


class ToolstackError(Exception):
    """A request that failed. ``definite``: it surely did not happen."""

    def __init__(self, text: str, definite: bool = True) -> None:
        super().__init__(text)
        self.definite = definite


class RefusedByFirmwareError(ToolstackError):
    """EL3 has no such thing; it changed nothing."""


class Engine(Protocol):
    """What the toolstack needs of an engine. Both calls raise ToolstackError if there is no answer."""

    on_lifecycle: Callable[[Lifecycle], None]

    def domctl(self, op: frames.Op) -> DomctlReply: ...

    def console(self, domid: int, body: bytes) -> bytes: ...

    def start_guest(self, info: DomainInfo, config: GuestConfig) -> None:
        """Start what plays the domain and wait until Xen has welcomed it."""
        ...

    def stop_guest(self, name: str) -> None:
        """End what plays the domain, if it still runs."""
        ...


class Work(msgspec.Struct, frozen=True):
    """How guests work on their own: not at all, or with a pause between calls.

    ``plans``: what single domains do instead, by name, each time they are started. ``record``: guests note
    for the history how each call ended.
    """

    run: bool = False
    think_ns: int = 0
    timeout_ns: int = 2_000_000_000
    plans: Mapping[str, WorkPlan] = {}
    record: bool = False


class Toolstack:
    """``guests`` are the known configurations by name; ``work`` is how a started guest behaves."""

    def __init__(self, engine: Engine, topology: Topology, work: Work, carried: bool = True) -> None:
        self._engine = engine
        self.topology = topology
        self.guests: dict[str, Guest] = {guest.name: guest for guest in topology.guests}
        self._work = work
        self._carried = carried

    def with_engine(self, engine: Engine) -> "Toolstack":
        """The same toolstack, its requests carried by another engine; what it knows of guests is shared."""
        other = Toolstack(engine, self.topology, self._work, self._carried)
        other.guests = self.guests
        return other

    # ---- starting -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the boot domains, then create every guest of the topology."""
        self.start_boot_domains()
        for guest in self.topology.guests:
            self.create(guest)

    def start_boot_domains(self) -> None:
        """Start what plays Dom0 and the boot domains: Xen built them already."""
        for info in self.list():
            if info.name in self.guests:
                continue
            binding = self._dom0_binding(info) if info.name == DOM0 else self.topology.bindings.get(info.name)
            self._start(info, binding)

    def _dom0_binding(self, info: DomainInfo) -> Binding | None:
        """Dom0 binds the first channel of the tree it was given; None when that cannot be used.

        Without a mediator it keeps its SCMI nodes, and each of its calls is answered -1.
        """
        scmi = info.agent_id is not None
        mediator = scmi or self._mediator_without_dom0()
        try:
            return bind(tree_for_dom0(self.topology.host, mediator, scmi, self.topology.profile))
        except TreeError:
            # The channel of a Dom0 with an agent was judged when the files were read. One without an agent
            # may keep nodes whose page Xen removed: its driver's probe fails, and it goes on.
            return None

    def _mediator_without_dom0(self) -> bool:
        """Whether Xen has a mediator that does not serve Dom0, as far as the tree can tell."""
        topology = self.topology
        try:
            told = decide(topology.host, XenOptions(topology.profile, topology.strict, topology.xen_cmdline))
        except UserError:
            return False  # Dom0's agent is wrong, yet Xen did not panic: EL3 refused its probe
        return told.mediator and not told.scmi

    def _start(self, info: DomainInfo, binding: Binding | None) -> None:
        agent = "none" if info.agent_id is None else str(info.agent_id)
        work = self._work
        plan = work.plans.get(info.name)
        config = GuestConfig(
            info.name,
            agent,
            binding,
            self._carried,
            work.run or plan is not None,
            work.think_ns,
            work.timeout_ns,
            plan,
            work.record,
        )
        self._engine.start_guest(info, config)

    def create(self, guest: Guest) -> DomainInfo:
        """xl create: the domain, its memory, its devices, then let it run. A failure undoes everything."""
        if any(info.name == guest.name for info in self.list()):
            raise ToolstackError(f"a domain named {guest.name!r} exists already; destroy it first")
        sci_type = SCI_TYPE[guest.sci.type]
        reply = self._do(frames.CreateDomain(guest.name, sci_type, guest.sci.agent_id, iommu=guest.iommu))
        domid = reply.domid
        try:
            for op in _resources(guest, domid):
                self._do(op)
            self._do(frames.UnpauseDomain(domid))
            info = self.find(guest.name)
            self._start(info, guest.binding)
        except ToolstackError:
            self._undo(guest.name, domid)
            raise
        self.guests[guest.name] = guest
        return info

    def _undo(self, name: str, domid: int) -> None:
        self._engine.stop_guest(name)
        try:
            self._do(frames.DestroyDomain(domid, "destroy"))
        except ToolstackError:
            return  # the first error is the one to tell; Xen's list shows what is left

    # ---- ending -------------------------------------------------------------------------------

    def destroy(self, name: str, reason: str = "destroy") -> None:
        """xl destroy: Xen resets the agent, then the domain is gone.

        If the firmware refuses the reset this raises, and the domain stays dying with its agent.
        """
        info = self.find(name)
        if info.domid == 0:
            raise ToolstackError("Dom0 is the control domain; use 'trapline down' to stop the platform")
        self._engine.stop_guest(info.name)
        try:
            self._do(frames.DestroyDomain(info.domid, reason))
        except ToolstackError as error:
            if error.definite and any((row.domid, row.state) == (info.domid, "dying") for row in self.list()):
                kept = f"{info.name} stays dying with its agent, destroying it again sends the reset again"
                raise ToolstackError(f"{error}; {kept}") from None
            raise

    def reboot(self, name: str) -> DomainInfo:
        """xl reboot: destroy and create again from the same configuration."""
        known = self.find(name).name
        guest = self.guests.get(known)
        if guest is None:
            raise ToolstackError(f"{known} was not created from an xl.cfg, so it cannot be created again")
        self.destroy(known, "reboot")
        return self.create(guest)

    # ---- asking -------------------------------------------------------------------------------

    def list(self) -> list[DomainInfo]:
        return list(self._do(frames.ListDomains()).domains)

    def find(self, name: str) -> DomainInfo:
        """The domain of that name, else of that number; raises ToolstackError naming those there are."""
        rows = self.list()
        for known in ({info.name: info for info in rows}, {str(info.domid): info for info in rows}):
            if name in known:
                return known[name]
        there = ", ".join(info.name for info in rows)
        raise ToolstackError(f"there is no domain {name!r}; there are {there}")

    def ask(self, name: str, request: console.Request) -> console.Answer:
        """Have a domain do something on its own behalf."""
        body = self._engine.console(self.find(name).domid, console.encode(request))
        return console.decode_answer(body)

    def ask_firmware(self, request: el3.Request) -> el3.Answer:
        """Ask EL3 something; raises RefusedByFirmwareError, or ToolstackError when there is no answer."""
        return told(self._engine.console(frames.EL3_DOMID, el3.encode_request(request)))

    def _do(self, op: frames.Op) -> DomctlReply:
        reply = self._engine.domctl(op)
        if reply.rc:
            raise ToolstackError(f"{_title(op)}: {reply.detail}")
        return reply


def told(body: bytes) -> el3.Answer:
    """EL3's answer; raises RefusedByFirmwareError."""
    answer = el3.decode_answer(body)
    if answer.error:
        raise RefusedByFirmwareError(f"EL3: {answer.error}")
    return answer


def _title(op: frames.Op) -> str:
    return str(msgspec.structs.asdict(op).get("name") or type(op).__struct_config__.tag)


def _resources(guest: Guest, domid: int) -> list[frames.Op]:
    """What libxl asks for between creating a domain and letting it run, in its order."""
    ops: list[frames.Op] = []
    for irq in guest.irqs:
        ops.append(frames.BindPtIrq(domid, irq, irq))
        ops.append(frames.IrqPermission(domid, irq, True))
    for part in guest.iomem:
        ops.append(frames.IomemPermission(domid, part.start_frame, part.frames, True))
        ops.append(frames.MemoryMapping(domid, part.guest_frame, part.start_frame, part.frames))
    ops.extend(frames.AssignDevice(domid, path) for path in guest.devices)
    return ops
