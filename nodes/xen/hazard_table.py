"""The hazards of the driver by name: what a user sees, and what a strict Xen does instead.

The page CHECKS.md is made from this table. Those of a host tree are found by ``hazards.py``; the others
are told, and counted, when they happen.
"""

import msgspec

NEVER_TOLD = "not told: it is so every time"


class Known(msgspec.Struct, frozen=True):
    """One hazard. ``told``: where its name appears when strictness is off."""

    name: str
    seen: str
    strict: str
    told: str = "Xen's log, `trapline_xen_hazards_total`"


IN_A_TREE = "only to strict Xen's log"
WARNED = "a warning at boot"
KNOWN: tuple[Known, ...] = (
    Known(
        "dangling-shmem",
        "Xen's `shmem` leads to no node (P6): the posted code goes on with an uninitialised address; here "
        "the probe fails with -ENOENT",
        "the same",
    ),
    Known(
        "second-management-node",
        "a second node is probed too; it fails with -EEXIST and the registered mediator is left with no "
        "channel at all, before v10 with those of the second node (P12). A Dom0 with an agent panics",
        "the first node keeps its channels, the second is refused and the log says so",
    ),
    Known(
        "enxio-swallowed",
        "HARDWARE_ERROR to SET_DEVICE_PERMISSIONS is -ENXIO, which means 'not handled' to the domctl: the "
        "IOMMU alone decides, and the device may be assigned without its permission",
        "-ENXIO is returned, the IOMMU is not asked",
    ),
    Known(
        "wedged-channel",
        "EL3 came back from Xen's SMC and left FREE clear: nothing ever sets it, so every later command on "
        "the channel is -EBUSY without an SMC. A reset that was refused in this way even counts as success",
        "the command itself is -EBUSY, whatever x0 was: the domain stays dying and keeps its agent",
    ),
    Known(
        "permission-not-revoked",
        "a permission stays set until the agent is reset: when the IOMMU refuses the device after SCI "
        "allowed it, and when the device is deassigned",
        "the same",
    ),
    Known(
        "iomem-not-revoked",
        "Dom0 keeps its access to an agent's page after the domain that claimed the agent is gone",
        "the same",
        NEVER_TOLD,
    ),
    Known(
        "xen-shmem-unaligned",
        "the base of Xen's own page is not checked",
        "the node is not bound: -EINVAL, no mediator",
        IN_A_TREE,
    ),
    Known("duplicate-smc-id", "two channels with one doorbell are accepted", WARNED, IN_A_TREE),
    Known("duplicate-shmem", "two channels with one page are accepted", WARNED, IN_A_TREE),
    Known("shared-page", "two channels in one 4 KiB page are accepted", WARNED, IN_A_TREE),
    Known("overlapping-shmem", "two channels whose areas overlap are accepted", WARNED, IN_A_TREE),
    Known("smc-id-owner", "a doorbell that is not SiP-owned never reaches the mediator", WARNED, IN_A_TREE),
    Known("smc-id-not-fast", "a doorbell that is not a fast call is accepted", WARNED, IN_A_TREE),
    Known("shmem-compatible", "a page that is not `arm,scmi-shmem` is accepted", WARNED, IN_A_TREE),
    Known(
        "agent-id-unreachable",
        "an agent id above 254 is accepted, and nobody can claim it",
        WARNED,
        IN_A_TREE,
    ),
)
