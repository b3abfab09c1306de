"""What Xen boots with."""

from collections.abc import Mapping

import msgspec

from nodes.devicetree import Tree
from nodes.xen.metering import MeterConfig
from nodes.xen.profile import DEFAULT, Profile


class Tuning(msgspec.Struct, frozen=True):
    """What an experiment sets; the defaults are a board's.

    ``metering``: limits per domain. ``patience_ns``: how long an SMC may stay unanswered by EL3 before it
    ends with an explicit error, 0 for ever. ``record``: cores tell notes. ``first_request``: Xen's own
    request numbers begin after it, so that a restarted Xen uses none again.
    """

    metering: MeterConfig = MeterConfig()
    patience_ns: int = 0
    record: bool = False
    first_request: int = 0


DEFAULTS = Tuning()


class XenEpoch(msgspec.Struct, frozen=True):
    """Which cluster Xen boots in, and what incarnations there were before it.

    ``firmware``: that of EL3, which it expects. ``domains``: the last of each name, under an earlier Xen.
    Xen's own is in its request numbers (``Tuning.first_request``).
    """

    cluster: bytes = b""
    firmware: int = 1
    domains: Mapping[str, int] = {}


class XenConfig(msgspec.Struct, frozen=True):
    """The host tree, the boot domains' partial trees by node name, the machine, the driver's version.

    ``carried``: pages travel in frames; otherwise they are shared memory and frames carry none.
    ``strict``: refuse what the driver does wrong (CHECKS.md, "Hazards") instead of doing the same.
    ``command_line`` is appended to what the host tree says. ``tuning``: what an experiment sets.
    ``epoch``: the cluster, and who was there before.
    """

    tree: Tree
    partials: Mapping[str, Tree] = {}
    acpi: bool = False
    smccc_version: int = 0x1_0001
    carried: bool = True
    profile: Profile = DEFAULT
    strict: bool = False
    command_line: str = ""
    tuning: Tuning = DEFAULTS
    epoch: XenEpoch = XenEpoch()
