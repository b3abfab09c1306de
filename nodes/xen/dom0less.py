"""Domains that Xen builds at boot from ``xen,domain`` nodes and their partial trees."""

import msgspec

from bus.shmem import PAGE_BYTES
from nodes.devicetree import Node, Tree
from nodes.interrupts import spis
from nodes.xen.channel import NONE, SCMI_SMC, SCMI_SMC_MA
from nodes.xen.errno import Errno, XenError
from nodes.xen.profile import DEFAULT, Profile

REG, PATH = "xen,reg", "xen,path"
FORCE = "xen,force-assign-without-iommu"
SCI_TYPES = {"none": NONE, "scmi_smc": SCMI_SMC, "scmi_smc_multiagent": SCMI_SMC_MA}


class Dom0less(msgspec.Struct, frozen=True):
    """One boot domain: ``mappings`` are (guest frame, machine frame, frames), ``devices`` host paths.

    ``forced`` are those of the devices that may be assigned without an IOMMU, ``interrupts`` the lines
    of all that is passed.
    """

    name: str
    arm_sci_type: int
    arm_sci_agent_id: int
    devices: tuple[str, ...]
    mappings: tuple[tuple[int, int, int], ...]
    forced: tuple[str, ...] = ()
    interrupts: tuple[int, ...] = ()


def nodes(tree: Tree) -> list[Node]:
    """The ``xen,domain`` nodes below /chosen, in tree order."""
    chosen = tree.get("/chosen")
    return [node for node in chosen.children if node.compatible("xen,domain")] if chosen else []


def parse(node: Node, partial: Tree | None, profile: Profile = DEFAULT) -> Dom0less:
    """One boot domain from its node and its partial tree; raises XenError EINVAL as the builder does."""
    sci_type, agent_id = sci_config(node, profile)
    devices: list[str] = []
    forced: list[str] = []
    mappings: list[tuple[int, int, int]] = []
    interrupts: list[int] = []
    for inner in passed(partial):
        mappings.extend(mappings_of(inner))
        interrupts.extend(spis(partial, inner) if partial and inner.available() else ())
        path = inner.string(PATH)
        if path is not None:
            devices.append(path)
            if FORCE in inner.properties:
                forced.append(path)
    return Dom0less(
        node.name,
        sci_type,
        agent_id,
        tuple(devices),
        tuple(mappings),
        tuple(forced),
        tuple(dict.fromkeys(interrupts)),
    )


def passed(partial: Tree | None) -> list[Node]:
    """The nodes of a partial tree that the builder looks at: /passthrough and all below it."""
    return [one for one in partial or () if f"{one.path}/".startswith("/passthrough/")]


def sci_config(node: Node, profile: Profile = DEFAULT) -> tuple[int, int]:
    """(arm_sci_type, arm_sci_agent_id) of a ``xen,domain`` node."""
    text = node.string("xen,sci_type")
    if text is None:
        return NONE, 0
    if text not in profile.sci_types:
        known = ", ".join(map(repr, profile.sci_types))
        reason = f"{text!r} is not one of {known}, which profile {profile.name} knows"
        raise XenError(Errno.EINVAL, f"{node.place('xen,sci_type')}: {reason}")
    sci_type = SCI_TYPES[text]
    if sci_type != SCMI_SMC_MA or profile.dom0less_agent_ids is None:
        return sci_type, 0
    agent_id = node.u32("xen,sci-agent-id")
    low, high = profile.dom0less_agent_ids
    if agent_id is None or not low <= agent_id <= high:
        reason = "missing" if agent_id is None else f"{agent_id} is not an agent id ({low}..{high})"
        raise XenError(Errno.EINVAL, f"{node.place('xen,sci-agent-id')}: {reason}")
    return sci_type, agent_id


def mappings_of(node: Node) -> list[tuple[int, int, int]]:
    """``xen,reg`` entries <host size guest>, two cells each, in whole pages.

    Raises XenError EINVAL, also where it stands without ``xen,path`` and unforced, or is missing beside it.
    """
    _check_pair(node)
    cells = node.cells(REG) or []
    if len(cells) % 6:
        raise XenError(Errno.EINVAL, f"{node.place(REG)}: entries are <host size guest>, 2 cells each")
    found = []
    for at in range(0, len(cells), 6):
        host, size, guest = ((cells[i] << 32 | cells[i + 1]) for i in (at, at + 2, at + 4))
        if host % PAGE_BYTES or size % PAGE_BYTES or guest % PAGE_BYTES:
            raise XenError(
                Errno.EINVAL, f"{node.place(REG)}: {host:#x} {size:#x} {guest:#x} not page-aligned"
            )
        found.append((guest // PAGE_BYTES, host // PAGE_BYTES, size // PAGE_BYTES))
    return found


def _check_pair(node: Node) -> None:
    """The builder wants both properties, or the force to do without a device."""
    if PATH in node.properties and REG not in node.properties:
        reason = "missing beside xen,path; add what is to be mapped, or an empty xen,reg"
    elif REG in node.properties and PATH not in node.properties and FORCE not in node.properties:
        reason = f"names no device; add xen,path, or {FORCE} where there is none"
    else:
        return
    raise XenError(Errno.EINVAL, f"{node.place(REG)}: {reason}")
