"""A channel as Xen sees it, and what every SCI mediator must offer.

Two mediators exist: the multi-agent one (``mediator.py``) and mainline's forwarder (``forwarder.py``).
Which one runs is a column of the profile.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from nodes.devicetree import Node, Tree
from nodes.xen.tasks import Lock, Task

DOMID_INVALID = 0x7FF4
DOMID_XEN = 0x7FF2
NONE, SCMI_SMC, SCMI_SMC_MA = 0, 1, 2  # XEN_DOMCTL_CONFIG_ARM_SCI_*

Say = Callable[[str, str], None]  # (level, text), or (name, text) of a hazard


class Channel:
    """(doorbell, page, agent), its owner and its lock. ``shmem`` is 0 where Xen does not know the page."""

    __slots__ = ("agent_id", "domain_id", "func_id", "key", "label", "lock", "shmem")

    def __init__(self, agent_id: int, func_id: int, shmem: int, lock: Lock | None = None) -> None:
        self.call_it(agent_id)
        self.func_id = func_id
        self.shmem = shmem
        self.domain_id = DOMID_INVALID
        self.lock = lock or Lock()

    def call_it(self, agent_id: int) -> None:
        """Whose it is: known beforehand, or said by the firmware."""
        self.agent_id = agent_id
        self.label = str(agent_id)
        self.key = (self.label,)  # of series that have an agent and nothing else


class Relinquished(StrEnum):
    """What became of an agent whose domain is gone."""

    RESET = "reset and free"
    MISSING = "free, not reset: the firmware does not implement it"
    SILENT = "free, the firmware is not told"


class Claim:
    """What a new domain gets: a channel or none, and the frames the hardware domain may hand out for it."""

    __slots__ = ("channel", "frames")

    def __init__(self, channel: Channel | None = None, *frames: int) -> None:
        self.channel = channel
        self.frames = frames


class Sci(Protocol):
    """A mediator. ``initialized``: registered, so that it is asked at all; ``channels`` are all it has.

    ``unprivileged`` is logged when a domain rings a doorbell that is not its own; empty for nothing.
    """

    initialized: bool
    channels: list[Channel]
    unprivileged: str

    def probe_all(self, tree: Tree) -> Task[None]:
        """Look for the node to bind; errors are logged and never stop the boot."""
        ...

    def dom0_config(self, tree: Tree) -> tuple[int, int]:
        """(arm_sci_type, arm_sci_agent_id) that Dom0 is created with."""
        ...

    def sanitise(self, arm_sci_type: int) -> None:
        """Raises EINVAL for a type that a domain cannot have."""
        ...

    def domain_init(self, domid: int, arm_sci_type: int, agent_id: int) -> Claim:
        """The last step of creating a domain; raises XenError."""
        ...

    def release(self, channel: Channel) -> None:
        """The channel may be claimed again."""
        ...

    def assign(self, domid: int, channel: Channel | None, tree: Tree, device: Node) -> Task[int]:
        """Have the firmware allow a device; gives how many permissions were set."""
        ...

    def relinquish(self, channel: Channel) -> Task[Relinquished]:
        """Have the firmware forget what a domain's agent holds."""
        ...
