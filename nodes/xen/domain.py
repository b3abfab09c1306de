"""A domain and its life cycle, as a table.

What a domain *is* to Xen: an id, a state, perhaps an agent's channel, a stage-2 mapping. How it
comes and goes is in ``hypervisor.py``.
"""

from enum import StrEnum

from bus.frames import DomainInfo
from bus.shmem import PAGE_BYTES
from nodes.limits import DOMAIN_FRAMES
from nodes.window import Window
from nodes.xen.channel import Channel
from nodes.xen.errno import Errno, XenError
from nodes.xen.metering import Allowance

NOT_YET = -1  # no request number


class State(StrEnum):
    CREATED = "created"  # exists, paused: resources are being given to it
    RUNNING = "running"
    SHUTDOWN = "shutdown"  # ended itself (PSCI), waits for the toolstack
    DYING = "dying"  # destruction under way, or refused by the firmware
    DEAD = "dead"


# event -> {state before: state after}; anything else is -EINVAL
TRANSITIONS: dict[str, dict[State, State]] = {
    "unpause": {State.CREATED: State.RUNNING, State.RUNNING: State.RUNNING},
    "shutdown": {State.RUNNING: State.SHUTDOWN},
    "kill": {
        State.CREATED: State.DYING,
        State.RUNNING: State.DYING,
        State.SHUTDOWN: State.DYING,
        State.DYING: State.DYING,  # a repeated destroy resumes where it stopped
    },
    "destroy": {State.DYING: State.DEAD, State.CREATED: State.DEAD},
}


class Domain:
    """``link`` is the identity its process must connect with; ``channel`` is None without SCMI.

    ``doorbell`` is the function id that is forwarded for it, None if none can be; ``iommu``: it has one.
    ``hello`` is the number of its link's last Hello, ``numbers`` are those of its traps. ``allowance``: what
    metering leaves it, None if it is not metered.
    """

    def __init__(self, domid: int, name: str, link: bytes, incarnation: int, aarch32: bool) -> None:
        self.domid = domid
        self.name = name
        self.link = link
        self.incarnation = incarnation
        self.aarch32 = aarch32
        self.state = State.CREATED
        self.link_up = False
        self.hello = NOT_YET
        self.numbers = Window()
        self.allowance: Allowance | None = None
        self.iommu = False
        self.channel: Channel | None = None
        self.doorbell: int | None = None
        self.devices: list[str] = []
        self.iomem: set[int] = set()
        self.stage2: dict[int, int] = {}
        self._seen_at: dict[int, int] = {}  # machine frame -> the guest frame it was mapped at last
        self.reason = "destroy"
        self.forwarded = (name, "doorbell", "forwarded")

    def apply(self, event: str) -> None:
        """Move along the table; raises EINVAL when the event does not fit the state."""
        after = TRANSITIONS[event].get(self.state)
        if after is None:
            raise XenError(Errno.EINVAL, f"domain {self.name} is {self.state}, it cannot {event}")
        self.state = after

    def machine_address(self, guest_address: int) -> int:
        """Stage 2: the machine address of a guest physical one, 0 where nothing is mapped."""
        frame = self.stage2.get(guest_address // PAGE_BYTES)
        return 0 if frame is None else frame * PAGE_BYTES + guest_address % PAGE_BYTES

    def guest_address(self, machine_address: int) -> int:
        """Where the domain sees a machine address, 0 where it does not."""
        frame = machine_address // PAGE_BYTES
        guest = self._seen_at.get(frame)
        if guest is None or self.stage2.get(guest) != frame:
            return 0
        return guest * PAGE_BYTES + machine_address % PAGE_BYTES

    def map(self, guest: int, machine: int, count: int) -> None:
        """Map ``count`` machine frames, which it may access from now on; ENOMEM if it would have too many."""
        check_frames(self.name, len(self.stage2) + count)
        for at in range(count):
            self.iomem.add(machine + at)
            self.stage2[guest + at] = machine + at
            self._seen_at[machine + at] = guest + at

    def info(self) -> DomainInfo:
        channel = self.channel
        return DomainInfo(
            self.domid,
            self.name,
            self.state.value,
            self.incarnation,
            channel.agent_id if channel else None,
            channel.func_id if channel else None,
            (channel.shmem or None) if channel else None,
            tuple(self.devices),
            self.link,
            tuple(_runs(self.stage2)),
        )


def check_frames(name: str, count: int) -> None:
    """Raises ENOMEM when the domain ``name`` is to have, or to be allowed, more frames than there are."""
    if count > DOMAIN_FRAMES:
        raise XenError(Errno.ENOMEM, f"{count} frames for {name}, {DOMAIN_FRAMES} are the limit")


def _runs(stage2: dict[int, int]) -> list[tuple[int, int, int]]:
    """(guest frame, machine frame, frames) of each stretch that is contiguous on both sides."""
    found: list[tuple[int, int, int]] = []
    for guest, machine in sorted(stage2.items()):
        if found and (guest - found[-1][0], machine - found[-1][1]) == (found[-1][2], found[-1][2]):
            found[-1] = (*found[-1][:2], found[-1][2] + 1)
        else:
            found.append((guest, machine, 1))
    return found
