"""Versions of the Xen driver as a table of differences: what each posting does that the newest does not.

Code asks the profile for a fact, never for its name. The facts behind each column are in CHECKS.md.
"""

from typing import Literal

import msgspec

AgentIds = tuple[int, int]


class Profile(msgspec.Struct, frozen=True):
    """One version of the driver and of the toolstack that was posted with it.

    ``driver``: "multiagent", or "forwarder" for the one channel that mainline's scmi-smc forwards.
    ``sci_types``: the SCI types that xl and the boot domains' parser know. ``xl_agent_ids``,
    ``dom0less_agent_ids``: lowest and highest id that they accept; None where they know no agents.
    ``reset_flags``: the flags of BASE_RESET_AGENT_CONFIGURATION. ``checks_shmem_base``: whether S7 looks
    at a page's base. ``dom0_agent``: where Dom0's agent comes from. ``hides_container``: whether Dom0's
    tree goes without the xen,sci subtree. ``failed_probe_frees``: whether the failed probe of a second
    management node frees the shared channel list (P12). ``assign``: what becomes of an SCI result next to
    the IOMMU's: "gate" (a refusal stops there), "merge" (both run, a refusal wins), "none" (SCI is not
    asked). ``assigns_unprotected``: whether assigning a device that no IOMMU protects counts as done.
    ``metered``: what becomes of a trap that passes a limit. No posting has limits; "refuse" is x0 = -1, the
    only failure that the SMC transport knows, "wait" holds it back (METERING.md says when to prefer that).
    """

    name: str
    title: str
    driver: Literal["multiagent", "forwarder"] = "multiagent"
    sci_types: tuple[str, ...] = ("none", "scmi_smc", "scmi_smc_multiagent")
    xl_agent_ids: AgentIds | None = (0, 254)
    dom0less_agent_ids: AgentIds | None = (0, 254)
    reset_flags: int = 1
    checks_shmem_base: bool = True
    dom0_agent: Literal["property", "command-line", "none"] = "property"
    hides_container: bool = True
    failed_probe_frees: bool = True
    assign: Literal["gate", "merge", "none"] = "gate"
    assigns_unprotected: bool = True
    metered: Literal["refuse", "wait"] = "refuse"


V11 = Profile("v11", "the newest posting, April 2026; its driver is that of v10")
V9 = msgspec.structs.replace(
    V11,
    name="v9",
    title="end of January 2026: no base alignment check, agent id 0 refused by xl, 255 accepted",
    checks_shmem_base=False,
    xl_agent_ids=(1, 255),
    dom0less_agent_ids=(0, 255),
    failed_probe_frees=False,
)
V7 = msgspec.structs.replace(
    V9,
    name="v7",
    title="January 2026: resets keep permissions, Dom0's agent on Xen's command line, SCI beside the IOMMU",
    reset_flags=0,
    dom0_agent="command-line",
    hides_container=False,
    assign="merge",
)
FORWARDER = Profile(
    "forwarder",
    "mainline's scmi-smc: one channel, for Dom0 or, with scmi-smc-passthrough, for one guest",
    driver="forwarder",
    sci_types=("none", "scmi_smc"),
    xl_agent_ids=None,
    dom0less_agent_ids=None,
    dom0_agent="none",
    hides_container=False,
    assign="none",
    assigns_unprotected=False,
)
DEFAULT = V11
PROFILES = {profile.name: profile for profile in (V11, V9, V7, FORWARDER)}
