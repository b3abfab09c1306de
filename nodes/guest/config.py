"""A guest's configuration: what its core is made of, as data that an engine can hand to a process."""

import msgspec

from nodes.guest.binding import Binding
from nodes.guest.load import WorkPlan
from nodes.limits import CALL_TIMEOUT_NS


class GuestConfig(msgspec.Struct, frozen=True):
    """Who the guest is and how it behaves. ``binding`` None: its tree has no SCMI node.

    ``carried``: the page travels behind the trap. ``agent`` is the label of its metrics. ``work``: it carries
    out ``plan``, or without one a Linux-like life with ``think_ns`` between calls. ``record``: it notes how
    each call ended.
    """

    name: str
    agent: str
    binding: Binding | None
    carried: bool = True
    work: bool = False
    think_ns: int = 0
    timeout_ns: int = CALL_TIMEOUT_NS
    plan: WorkPlan | None = None
    record: bool = False
