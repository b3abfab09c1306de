"""The multi-agent mediator: channels, their owners, and what Xen says on its own.

Procedures are coroutines (``tasks.py``) in the driver's order, under the driver's locks. It never
looks at a guest's page and does not know how frames travel.
"""

from collections.abc import Callable, Iterator

from bus import fields
from bus.scmi import base
from bus.shmem import FREE, PAYLOAD_AT, STATUS_AT, Buffer, Memory
from nodes.devicetree import Node, Tree
from nodes.xen import binding, transfer
from nodes.xen.errno import Errno, XenError
from nodes.xen.tasks import Acquire, Exchange, Lock, Release, Task

DOMID_INVALID = 0x7FF4
DOMID_XEN = 0x7FF2
RESET_PERMISSIONS = base.RESET_FLAGS.pack(also_reset_permissions=1)
ALLOW = base.PERMISSION_FLAGS.pack(allow=1)


class Channel:
    """(doorbell, page, agent), its owner and its lock."""

    __slots__ = ("agent_id", "domain_id", "func_id", "label", "lock", "shmem")

    def __init__(self, agent_id: int, func_id: int, shmem: int) -> None:
        self.agent_id = agent_id
        self.label = str(agent_id)
        self.func_id = func_id
        self.shmem = shmem
        self.domain_id = DOMID_INVALID
        self.lock = Lock()


class Mediator:
    """``initialized`` after a successful probe; ``channels`` in list order, Xen's own first."""

    def __init__(self, memory: Memory, log: Callable[[str, str], None]) -> None:
        self._memory = memory
        self._log = log
        self.initialized = False
        self.channels: list[Channel] = []
        self.hypervisor: Channel | None = None
        self.node = ""

    # ---- probe --------------------------------------------------------------------------------

    def probe_all(self, tree: Tree, acpi: bool, smccc_version: int) -> Task[None]:
        """What sci_init does: probe every candidate until one binds; errors never stop the boot."""
        for node in binding.candidates(tree):
            if self.initialized:
                self._log("error", f"{node.place()}: only one SCI controller is supported (-EOPNOTSUPP)")
                return
            try:
                yield from self._probe(tree, node, acpi, smccc_version)
            except XenError as error:
                self.channels, self.hypervisor = [], None
                self._log("error", f"{node.place()}: SCI SCMI SMC multi-agent not initialised: {error}")
                return

    def _probe(self, tree: Tree, node: Node, acpi: bool, smccc_version: int) -> Task[None]:
        own = binding.management(tree, node, acpi, smccc_version)
        channel = Channel(binding.UNKNOWN_AGENT, own.func_id, own.shmem)
        channel.domain_id = DOMID_XEN
        self.channels, self.hypervisor = [channel], channel
        self._map(channel)
        found = yield from self._discover(channel)
        channel.agent_id, channel.label = found.agent_id, str(found.agent_id)
        reply = yield from self._command(channel, 0x1, b"", base.ProtocolAttributesReply)
        bits = base.ATTRIBUTES.unpack(reply.attributes)
        for entry in binding.secondaries(tree):
            yield from self._add(tree, entry)
        self.node = own.node
        self.initialized = True
        self._log(
            "info",
            f"SCI SCMI SMC multi-agent: Xen is agent {channel.agent_id} ({found.name}), "
            f"{bits['num_agents']} agents in the firmware, {len(self.channels) - 1} secondary channels",
        )

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
            channel.agent_id, channel.label = found.agent_id, str(found.agent_id)

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
            transfer.check_doorbell(x0)
            answer = fields.decode(reply, transfer.get(page, size))
        except XenError:
            yield Release(channel.lock)
            raise
        yield Release(channel.lock)
        return answer

    def _management(self, message_id: int, request: fields.Message) -> Task[None]:
        if self.hypervisor is None:
            raise XenError(Errno.EINVAL, "there is no management channel")
        yield from self._command(self.hypervisor, message_id, fields.encode(request), _Status)

    # ---- domains ------------------------------------------------------------------------------

    def claim(self, domid: int, agent_id: int) -> Channel:
        """Give an agent's channel to a domain; raises ENOENT for an unknown agent, EEXIST for a taken one."""
        channel = next((one for one in self.channels if one.agent_id == agent_id), None)
        if channel is None:
            raise XenError(Errno.ENOENT, f"no channel has agent id {agent_id}")
        if channel.domain_id != DOMID_INVALID:
            owner = "Xen" if channel.domain_id == DOMID_XEN else f"domain {channel.domain_id}"
            raise XenError(Errno.EEXIST, f"agent {agent_id} belongs to {owner}")
        channel.domain_id = domid
        return channel

    def release(self, channel: Channel) -> None:
        """The agent may be claimed again; nothing is said to the firmware."""
        channel.domain_id = DOMID_INVALID

    def assign(self, domid: int, channel: Channel | None, tree: Tree, device: Node) -> Task[None]:
        """sci_assign_dt_device: allow each listed device id; the first refusal is raised.

        Raises ESRCH when the domain died, and so lost its agent, while this waited for the channel.
        """
        if channel is None:
            return
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

    def relinquish(self, channel: Channel) -> Task[bool]:
        """RESET_AGENT_CONFIGURATION; False when the firmware lacks it (-EOPNOTSUPP counts as success)."""
        request = base.ResetAgentConfiguration(channel.agent_id, RESET_PERMISSIONS)
        try:
            yield from self._management(0xB, request)
        except XenError as error:
            if error.errno is not Errno.EOPNOTSUPP:
                raise
            return False
        return True


class _Status(fields.Message, frozen=True):
    """A response of the status word alone."""
