"""The multi-agent mediator: channels, their owners, and what Xen says on its own.

Procedures are coroutines (``tasks.py``) in the driver's order, under the driver's locks. It never
looks at a guest's page and does not know how frames travel.
"""

from collections.abc import Iterator

from bus import fields
from bus.scmi import base
from bus.shmem import FREE, PAGE_BYTES, PAYLOAD_AT, STATUS_AT, Buffer, Memory, status_of
from nodes.devicetree import Node, Tree
from nodes.xen import binding, dom0, transfer
from nodes.xen.channel import DOMID_INVALID, DOMID_XEN, NONE, SCMI_SMC_MA, Channel, Claim, Relinquished, Say
from nodes.xen.config import XenConfig
from nodes.xen.errno import Errno, XenError
from nodes.xen.hazards import hazards
from nodes.xen.tasks import Acquire, Exchange, Release, Task

HARDWARE_DOMAIN = 0
ALLOW = base.PERMISSION_FLAGS.pack(allow=1)
HAZARDOUS = {"P6": "dangling-shmem"}  # rules that the posted driver gets wrong, and the hazard's name


class Mediator:
    """``initialized`` after a successful probe; ``channels`` in list order, Xen's own first.

    ``log`` takes (level, text), ``hazard`` (name, text) when the driver's behaviour is a trap.
    """

    unprivileged = ""

    def __init__(self, config: XenConfig, memory: Memory, *, log: Say, hazard: Say) -> None:
        self._config = config
        self._profile = config.profile
        self._memory = memory
        self._log = log
        self._hazard = hazard
        self.initialized = False
        self.channels: list[Channel] = []
        self.hypervisor: Channel | None = None
        self.node = ""
        self._replaced_by = ""

    # ---- probe --------------------------------------------------------------------------------

    def probe_all(self, tree: Tree) -> Task[None]:
        """What sci_init does: probe candidates until one fails; errors never stop the boot."""
        for node in binding.candidates(tree):
            if self.initialized and self._config.strict:
                self._log("error", f"{node.place()}: only one SCI controller is supported, {self.node} is it")
                return
            try:
                yield from self._probe(tree, node)
            except XenError as error:
                self._log("error", f"{node.place()}: SCI SCMI SMC multi-agent not initialised: {error}")
                if error.rule in HAZARDOUS:
                    self._hazard(HAZARDOUS[error.rule], str(error))
                if self.initialized:
                    self._lost(node)
                return

    def _probe(self, tree: Tree, node: Node) -> Task[None]:
        """One probe. Each begins the shared list anew, also that of a second node (P12)."""
        frees = True
        self.channels, self.hypervisor = [], None
        try:
            yield from self._bind(tree, node)
            if self.initialized:
                frees = self._profile.failed_probe_frees
                raise XenError(Errno.EEXIST, "another mediator is registered", "P12")
        except XenError:
            if frees:
                self.channels, self.hypervisor = [], None
            raise
        self.initialized = True

    def _lost(self, node: Node) -> None:
        """A second probe failed: what it leaves is what the registered mediator works with."""
        self._replaced_by = f"; driver hazard second-management-node: the list is what {node.path} left"
        agents = ", ".join(channel.label for channel in self.channels) or "none"
        self._hazard(
            "second-management-node",
            f"{node.place()}: its failed probe replaced the channel list of the registered mediator; "
            f"agents left: {agents}",
        )

    def _bind(self, tree: Tree, node: Node) -> Task[None]:
        own = binding.management(tree, node, self._config.acpi, self._config.smccc_version)
        if self._config.strict:
            self._refuse_hazards(tree, own)
        channel = Channel(binding.UNKNOWN_AGENT, own.func_id, own.shmem)
        channel.domain_id = DOMID_XEN
        self.channels, self.hypervisor, self.node = [channel], channel, own.node
        self._map(channel)
        found = yield from self._discover(channel)
        channel.call_it(found.agent_id)
        reply = yield from self._command(channel, 0x1, b"", base.ProtocolAttributesReply)
        bits = base.ATTRIBUTES.unpack(reply.attributes)
        for entry in binding.entries(tree, self._profile):
            if isinstance(entry, XenError):
                raise entry
            yield from self._add(tree, entry)
        self._log(
            "info",
            f"SCI SCMI SMC multi-agent: Xen is agent {channel.agent_id} ({found.name}), "
            f"{bits['num_agents']} agents in the firmware, {len(self.channels) - 1} secondary channels",
        )

    def _refuse_hazards(self, tree: Tree, own: binding.Management) -> None:
        """Strict: warn of every hazard of the tree; EINVAL for one that lies in the node to be bound."""
        entries = binding.entries(tree, self._profile)
        secondaries = [entry for entry in entries if isinstance(entry, binding.Secondary)]
        refused = ""
        for hazard in hazards(tree, own, secondaries):
            self._log("warning", str(hazard))
            if hazard.refused and hazard.place.node.path == own.node:
                refused = refused or hazard.rule
        if refused:
            raise XenError(Errno.EINVAL, f"strict: refused for {refused}")

    def _add(self, tree: Tree, entry: binding.Secondary) -> Task[None]:
        refused = binding.taken(tree, entry, [channel.agent_id for channel in self.channels])
        if refused is not None:
            raise refused
        agent_id = binding.UNKNOWN_AGENT if entry.agent_id is None else entry.agent_id
        channel = Channel(agent_id, entry.func_id, entry.shmem)
        self.channels.append(channel)
        if entry.agent_id is None:
            self._map(channel)
            found = yield from self._discover(channel)  # S10
            channel.call_it(found.agent_id)

    def _map(self, channel: Channel) -> None:
        """Mapping a channel writes FREE over the whole status word, so it clears ERROR."""
        page = self._memory.map(channel.shmem)
        page[STATUS_AT : STATUS_AT + 4] = FREE.to_bytes(4, "little")

    # ---- Xen as an agent ----------------------------------------------------------------------

    def _discover(self, channel: Channel) -> Task[base.DiscoverAgentReply]:
        request = fields.encode(base.DiscoverAgent(base.SELF))
        return (yield from self._command(channel, 0x7, request, base.DiscoverAgentReply))

    def _command(
        self, channel: Channel, message_id: int, payload: bytes, reply: type[fields.M]
    ) -> Task[fields.M]:
        """One exchange under the channel's lock; gives the decoded reply or raises XenError."""
        size = fields.layout(reply).size
        yield Acquire(channel.lock)
        try:
            page: Buffer = self._memory.map(channel.shmem)
            transfer.put(page, base.PROTOCOL.id, message_id, payload)
            x0 = yield Exchange(channel.func_id, channel.shmem, page, PAYLOAD_AT + len(payload))
            if self.initialized and not status_of(page) & FREE:
                self._wedged(channel)
            transfer.check_doorbell(x0)
            content = transfer.get(page, size)
            if len(content) < size:
                self._short(channel, len(content), size)
            answer = fields.decode(reply, content.ljust(size, b"\0"))
        except XenError:
            yield Release(channel.lock)
            raise
        yield Release(channel.lock)
        return answer

    def _short(self, channel: Channel, got: int, size: int) -> None:
        """The driver goes on with what its stack held; here that is zero."""
        text = f"{got} bytes after the status, {size} expected: the rest counts as 0"
        self._log("warning", f"the response to the SMC {channel.func_id:#x} is short: {text}")

    def _wedged(self, channel: Channel) -> None:
        """The SMC came back and FREE is still clear: nothing will ever set it. Strict: EBUSY at once."""
        text = f"the SMC {channel.func_id:#x} left the channel busy: it stays so for every later command"
        self._hazard("wedged-channel", text)
        if self._config.strict:
            raise XenError(Errno.EBUSY, f"the channel is wedged: {text}")

    def _management(self, message_id: int, request: fields.Message) -> Task[None]:
        if self.hypervisor is None:
            raise XenError(Errno.EINVAL, "there is no management channel")
        yield from self._command(self.hypervisor, message_id, fields.encode(request), _Status)

    # ---- domains ------------------------------------------------------------------------------

    def dom0_config(self, tree: Tree) -> tuple[int, int]:
        """The multi-agent type with Dom0's agent, from where the profile says; warns of a bad one."""
        agent_id, warning = dom0.agent(tree, self._profile, self._config.command_line)
        if warning:
            self._log("warning", warning)
        return (NONE, 0) if agent_id is None else (SCMI_SMC_MA, agent_id)

    def sanitise(self, arm_sci_type: int) -> None:
        """EINVAL for another type than none and multi-agent; who is not registered is not asked."""
        if self.initialized and arm_sci_type not in (NONE, SCMI_SMC_MA):
            raise XenError(Errno.EINVAL, f"arm_sci type {arm_sci_type} is not built into this Xen")

    def domain_init(self, domid: int, arm_sci_type: int, agent_id: int) -> Claim:
        """Claim the agent; Dom0 may then hand its page out, for ever. ENOENT, EEXIST as ``claim``."""
        if not self.initialized or arm_sci_type == NONE:
            return Claim()
        channel = self.claim(domid, agent_id)
        return Claim(channel) if domid == HARDWARE_DOMAIN else Claim(channel, channel.shmem // PAGE_BYTES)

    def claim(self, domid: int, agent_id: int) -> Channel:
        """Give an agent's channel to a domain; raises ENOENT for an unknown agent, EEXIST for a taken one."""
        channel = next((one for one in self.channels if one.agent_id == agent_id), None)
        if channel is None:
            raise XenError(Errno.ENOENT, f"no channel has agent id {agent_id}{self._replaced_by}")
        if channel.domain_id != DOMID_INVALID:
            owner = "Xen" if channel.domain_id == DOMID_XEN else f"domain {channel.domain_id}"
            raise XenError(Errno.EEXIST, f"agent {agent_id} belongs to {owner}")
        channel.domain_id = domid
        return channel

    def release(self, channel: Channel) -> None:
        """The agent may be claimed again; nothing is said to the firmware."""
        channel.domain_id = DOMID_INVALID

    def assign(self, domid: int, channel: Channel | None, tree: Tree, device: Node) -> Task[int]:
        """sci_assign_dt_device: allow each listed device id, gives their number; the first refusal is raised.

        Raises ESRCH when the domain died, and so lost its agent, while this waited for the channel.
        """
        if channel is None:
            return 0
        allowed = 0
        ids: Iterator[int] = binding.device_ids(tree, device, self.node)
        for device_id in ids:
            yield Acquire(channel.lock)
            try:
                if channel.domain_id != domid:
                    raise XenError(
                        Errno.ESRCH, f"domain {domid} is gone, agent {channel.agent_id} is not its"
                    )
                request = base.SetDevicePermissions(channel.agent_id, device_id, ALLOW)
                yield from self._management(0x9, request)
            except XenError:
                yield Release(channel.lock)
                raise
            yield Release(channel.lock)
            allowed += 1
        return allowed

    def relinquish(self, channel: Channel) -> Task[Relinquished]:
        """RESET_AGENT_CONFIGURATION; that the firmware lacks it (-EOPNOTSUPP) counts as success."""
        request = base.ResetAgentConfiguration(channel.agent_id, self._profile.reset_flags)
        try:
            yield from self._management(0xB, request)
        except XenError as error:
            if error.errno is not Errno.EOPNOTSUPP:
                raise
            return Relinquished.MISSING
        return Relinquished.RESET


class _Status(fields.Message, frozen=True):
    """A response of the status word alone."""
