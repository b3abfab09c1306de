"""Mainline's single-agent mediator (scmi-smc.c): one doorbell, forwarded for one domain.

Without ``scmi-smc-passthrough`` that domain is the hardware domain; with it, the one guest that asks for
SCMI. It knows no agents, sends no message of its own, and takes no lock around a call.
"""

from bus.shmem import PAGE_BYTES, Memory
from nodes.devicetree import Node, Tree, TreeError
from nodes.xen import binding, cmdline
from nodes.xen.channel import DOMID_INVALID, NONE, SCMI_SMC, Channel, Claim, Relinquished, Say
from nodes.xen.config import XenConfig
from nodes.xen.errno import Errno, Place, XenError, refusal
from nodes.xen.tasks import Lock, Task

HARDWARE_DOMAIN = 0
AGENT = 0  # what its one channel is called where a number is wanted; Xen knows none


class Unlocked(Lock):
    """The lock of a channel that has none: always free."""

    __slots__ = ()

    @property
    def held(self) -> bool:
        return False

    @held.setter
    def held(self, _value: bool) -> None:
        """Nothing is held."""


class Forwarder:
    """``channels`` is the one channel, once bound."""

    unprivileged = "SCMI-SMC: Unprivileged access attempt"

    def __init__(self, config: XenConfig, _memory: Memory, *, log: Say, hazard: Say) -> None:
        self._config = config
        self._passthrough = cmdline.parse(cmdline.command_line(config.tree, config.command_line)).passthrough
        self._log = log
        self.initialized = False
        self.channels: list[Channel] = []

    def probe_all(self, tree: Tree) -> Task[None]:
        """Bind the first enabled arm,scmi-smc node; a second one finds a mediator registered already."""
        for node in binding.smc_nodes(tree):
            if self.initialized:
                self._log("error", f"{node.place()}: SCMI: mediator already registered (-EEXIST)")
                return
            try:
                self._probe(tree, node)
            except XenError as error:
                self._log("error", f"{node.place()}: SCMI-SMC not initialised: {error}")
                return
        yield from ()

    def _probe(self, tree: Tree, node: Node) -> None:
        for problem in binding.machine_problems(self._config.acpi, self._config.smccc_version):
            raise problem
        func_id = node.u32("arm,smc-id")
        if func_id is None:
            raise refusal("P4", Errno.ENOENT, Place(node, "arm,smc-id"), "missing or shorter than one cell")
        self.channels = [Channel(AGENT, func_id, _page(tree, node), Unlocked())]
        self.initialized = True
        whose = "a guest's" if self._passthrough else "Dom0's"
        self._log("info", f"Using SCMI with SMC ID {func_id:#x}: it is {whose}")

    def dom0_config(self, _tree: Tree) -> tuple[int, int]:
        """Dom0 asks for nothing: it is given SCMI, or not, for being the hardware domain."""
        return NONE, 0

    def sanitise(self, arm_sci_type: int) -> None:
        """EINVAL for another type than none and single-agent; who is not registered is not asked."""
        if self.initialized and arm_sci_type not in (NONE, SCMI_SMC):
            raise XenError(Errno.EINVAL, f"arm_sci type {arm_sci_type} is not built into this Xen")

    def domain_init(self, domid: int, arm_sci_type: int, _agent_id: int) -> Claim:
        """The channel for whom it is meant; EINVAL for a guest without passthrough, EEXIST for a second."""
        if not self.initialized:
            return Claim()
        (channel,) = self.channels
        hardware = domid == HARDWARE_DOMAIN
        if not self._passthrough and not hardware:
            if arm_sci_type == SCMI_SMC:
                reason = "SCMI is Dom0's; boot Xen with scmi-smc-passthrough to give it to a guest"
                raise XenError(Errno.EINVAL, reason)
            return Claim()
        if self._passthrough and hardware:
            return Claim(None, *((channel.shmem // PAGE_BYTES,) if channel.shmem else ()))
        if self._passthrough and arm_sci_type == NONE:
            return Claim()
        if channel.domain_id != DOMID_INVALID:
            raise XenError(Errno.EEXIST, f"the SCMI channel belongs to domain {channel.domain_id}")
        channel.domain_id = domid
        return Claim(channel)

    def release(self, channel: Channel) -> None:
        channel.domain_id = DOMID_INVALID

    def assign(self, _domid: int, _channel: Channel | None, _tree: Tree, _device: Node) -> Task[int]:
        """There is no such callback."""
        yield from ()
        return 0

    def relinquish(self, _channel: Channel) -> Task[Relinquished]:
        """There is no such callback."""
        yield from ()
        return Relinquished.SILENT


def _page(tree: Tree, node: Node) -> int:
    """The address of the node's page, 0 where it cannot be told: the driver does not look at it."""
    phandle = node.u32("shmem")
    target = None if phandle is None else tree.by_phandle(phandle)
    try:
        return tree.reg(target)[0] if target else 0
    except TreeError:
        return 0
