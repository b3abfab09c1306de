"""What Xen boots with."""

from collections.abc import Mapping

import msgspec

from nodes.devicetree import Tree
from nodes.xen.profile import DEFAULT, Profile


class XenConfig(msgspec.Struct, frozen=True):
    """The host tree, the boot domains' partial trees by node name, the machine, the driver's version.

    ``carried``: pages travel in frames; otherwise they are shared memory and frames carry none.
    ``strict``: refuse what the driver does wrong (CHECKS.md, "Hazards") instead of doing the same.
    ``command_line`` is appended to what the host tree says.
    """

    tree: Tree
    partials: Mapping[str, Tree] = {}
    acpi: bool = False
    smccc_version: int = 0x1_0001
    carried: bool = True
    profile: Profile = DEFAULT
    strict: bool = False
    command_line: str = ""
