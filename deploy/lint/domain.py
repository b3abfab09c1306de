"""A domain as the linter sees it, whoever builds it: what it asks for, what is mapped, its own tree.

Both an xl.cfg and an ``xen,domain`` node with its partial tree become a ``Domain``. What cannot be read
becomes a finding; whether the rest is right is ``domains.py``'s business.
"""

import re
from collections.abc import Iterator

import msgspec

from deploy.dt.device import two_cells
from deploy.errors import UserError
from deploy.lint.finding import Finding, Spot, at, finding, in_cfg, placed
from deploy.topology import RESERVED, check_name
from deploy.xl.cfg import DomainConfig
from deploy.xl.sci import SciType, parse_arm_sci, parse_iomem, parse_irq
from nodes.devicetree import Node, Tree
from nodes.interrupts import SPIS, lines
from nodes.xen import dom0less
from nodes.xen.channel import SCMI_SMC_MA
from nodes.xen.errno import XenError
from nodes.xen.profile import Profile

KEYS = ("type", "agent_id")


class Mapping(msgspec.Struct, frozen=True):
    """``frames`` machine pages of 4 KiB from ``machine``, at the guest's frame ``guest``."""

    guest: int
    machine: int
    frames: int
    spot: Spot

    def machine_address(self, address: int) -> int | None:
        """Where the guest's ``address`` is in the machine, or None when it is elsewhere."""
        offset = address - (self.guest << 12)
        return (self.machine << 12) + offset if 0 <= offset < self.frames << 12 else None

    def holds(self, address: int) -> bool:
        """Whether the machine page of ``address`` is mapped."""
        return self.machine <= address >> 12 < self.machine + self.frames


def reached(mappings: tuple[Mapping, ...], address: int) -> tuple[int, Mapping] | None:
    """The machine address behind a guest's, and what maps it: the last of several, as later ones replace."""
    for mapping in reversed(mappings):
        machine = mapping.machine_address(address)
        if machine is not None:
            return machine, mapping
    return None


class Given(msgspec.Struct, frozen=True):
    """A device of the host tree that a domain is given; ``forced``: it may do without an IOMMU."""

    path: str
    spot: Spot
    forced: bool = False


class Routed(msgspec.Struct, frozen=True):
    """An interrupt that a domain's configuration has Xen route to it, by its ID in the GIC."""

    intid: int
    spot: Spot


class Domain(msgspec.Struct, frozen=True):
    """``sci_type`` as in Xen's domain config (0 none, 1 single agent, 2 multi-agent); None: not readable.

    ``agent_given``: the configuration says which agent, it is not the parser's 0. ``spot``: the domain;
    ``agent_spot``: where its agent is chosen; ``without_iommu``: where it is created without the use
    of one; ``tree_named``: it has a tree, be it one that cannot be read.
    """

    name: str
    boot: bool
    spot: Spot
    agent_spot: Spot
    sci_type: int | None
    agent_id: int
    agent_given: bool
    mappings: tuple[Mapping, ...]
    devices: tuple[Given, ...]
    without_iommu: Spot | None
    tree: Tree | None
    tree_named: bool
    interrupts: tuple[Routed, ...] = ()

    @property
    def agent(self) -> int | None:
        """The agent it asks the multi-agent driver for."""
        return self.agent_id if self.sci_type == SCMI_SMC_MA else None


def from_cfg(cfg: DomainConfig, tree: Tree | None, profile: Profile, found: list[Finding]) -> Domain:
    """The domain of an xl.cfg."""
    found += _name(cfg)
    spot = in_cfg(cfg, "arm_sci")
    sci_type: int | None = 0
    agent_id = 0
    if cfg.arm_sci is not None:
        found += _surprises(cfg, cfg.arm_sci, profile)
        try:
            sci = parse_arm_sci(cfg.arm_sci, profile)
            sci_type, agent_id = dom0less.SCI_TYPES[sci.type], sci.agent_id
        except UserError as error:
            message, _, fix = str(error).removeprefix("arm_sci: ").partition("; ")
            found.append(finding("sci-config", spot, message, fix))
            sci_type = None
    return Domain(
        cfg.name,
        False,
        in_cfg(cfg, "name"),
        spot,
        sci_type,
        agent_id,
        re.search(r"(?:^|,)agent_id=", cfg.arm_sci or "") is not None,
        tuple(_iomem(cfg, found)),
        tuple(Given(path, in_cfg(cfg, "dtdev", path)) for path in cfg.dtdev),
        None if cfg.iommu() else in_cfg(cfg, "passthrough"),
        tree,
        cfg.device_tree is not None,
        tuple(_irqs(cfg, found)),
    )


def _name(cfg: DomainConfig) -> Iterator[Finding]:
    try:
        check_name(cfg)
    except UserError as error:
        if cfg.name not in RESERVED:  # that one is taken, as another domain's may be
            message, _, fix = str(error).removeprefix(f"{cfg.place('name')}: ").rpartition("; ")
            yield finding("domain-name-unusable", in_cfg(cfg, "name"), f"name: {message}", fix)


def _iomem(cfg: DomainConfig, found: list[Finding]) -> Iterator[Mapping]:
    for text in cfg.iomem:
        spot = in_cfg(cfg, "iomem", text)
        try:
            one = parse_iomem(text)
        except UserError as error:
            message, _, fix = str(error).removeprefix("iomem: ").partition("; ")
            found.append(finding("sci-config", spot, message, fix))
            continue
        yield Mapping(one.guest_frame, one.start_frame, one.frames, spot)


def _irqs(cfg: DomainConfig, found: list[Finding]) -> Iterator[Routed]:
    for text in cfg.irqs:
        spot = in_cfg(cfg, "irqs", text)
        try:
            yield Routed(parse_irq(text), spot)
        except UserError as error:
            message, _, fix = str(error).removeprefix("irqs: ").partition("; ")
            found.append(finding("interrupt-not-spi", spot, message, fix))


def _surprises(cfg: DomainConfig, text: str, profile: Profile) -> Iterator[Finding]:
    """What xl makes of ``arm_sci`` that its author did not mean."""
    keys = KEYS if profile.xl_agent_ids is not None else KEYS[:1]
    seen: dict[str, str] = {}
    misspelt = False
    for item in filter(None, text.split(",")):
        spot = in_cfg(cfg, "arm_sci", item)
        key, equals, value = item.partition("=")
        if not equals or key not in keys:
            message, fix = _ignored(key, item, keys)
            misspelt = misspelt or fix.startswith("write agent_id")
            yield finding("arm-sci-ignored", spot, message, fix)
            continue
        if key in seen:
            message = f"{key} is given twice: {value!r} wins over {seen[key]!r}"
            yield finding("arm-sci-ignored", spot, message, f"give {key} once")
        seen[key] = value
        if key == "agent_id" and (odd := re.fullmatch(r"(\d+)(\D.*)", value)):
            message = f"{odd[2]!r} after the number is ignored: agent {odd[1]} is asked for"
            yield finding("arm-sci-ignored", spot, message, f"write agent_id={odd[1]}")
    if (
        seen.get("type", "").lower() == SciType.MULTIAGENT
        and keys == KEYS
        and "agent_id" not in seen
        and not misspelt
    ):
        message = f"no agent_id, so {cfg.name!r} asks for agent 0"
        yield finding("arm-sci-agent-default", in_cfg(cfg, "arm_sci"), message)


def _ignored(key: str, item: str, keys: tuple[str, ...]) -> tuple[str, str]:
    meant = re.sub(r"[\s-]+", "_", key.strip().lower())
    for known in keys:
        if key.strip() == known:
            return (
                f"{item!r} is ignored: there is a space around the key",
                f"write {known}= without the space",
            )
        if meant in (known, known.replace("_", ""), "agent" if known == "agent_id" else known):
            return f"{item!r} is ignored: the key is spelled {known}", f"write {known}=..."
    return f"{item!r} is ignored: this xl knows {' and '.join(keys)}", ""


def from_node(
    node: Node, partial: Tree | None, profile: Profile, found: list[Finding], *, named: bool
) -> Domain:
    """The boot domain of an ``xen,domain`` node; ``named``: there is a file for its partial tree."""
    sci_type: int | None = None
    agent_id = 0
    try:
        sci_type, agent_id = dom0less.sci_config(node, profile)
    except XenError as error:
        prop = "xen,sci_type" if "xen,sci_type" in error.text.split(": ") else "xen,sci-agent-id"
        message = str(error).rsplit(f"{prop}: ", 1)[-1]
        found.append(finding("sci-config", at(node, prop), message))
    mappings: list[Mapping] = []
    devices: list[Given] = []
    for inner in dom0less.passed(partial):
        mappings += _mappings(inner, found)
        path = inner.string(dom0less.PATH)
        if path is not None:
            devices.append(Given(path, at(inner, dom0less.PATH), dom0less.FORCE in inner.properties))
    return Domain(
        node.name,
        True,
        at(node),
        at(node, "xen,sci-agent-id"),
        sci_type,
        agent_id,
        True,
        tuple(mappings),
        tuple(devices),
        None,
        partial,
        named,
        tuple(one for inner in dom0less.passed(partial) for one in routed(partial, inner)),
    )


def routed(tree: Tree | None, node: Node) -> Iterator[Routed]:
    """The interrupts of a node that a domain's builder routes to it: an enabled one's, SPIs only."""
    if tree is None or not node.available():
        return
    for line in lines(tree, node):
        if line.intid is not None and line.intid in SPIS:
            yield Routed(line.intid, at(node, line.prop))


def mapped_as(boot: bool, machine: int, guest: int) -> str:
    """What to write so that a domain sees the page at ``machine`` at its own address ``guest``."""
    if boot:
        words = f"{two_cells(machine)} 0x0 0x1000 {two_cells(guest)}"
        return f"Write xen,reg = <{words}>;"
    return f'Write "{machine >> 12:x},1@{guest >> 12:x}" in iomem.'


def _mappings(node: Node, found: list[Finding]) -> list[Mapping]:
    spot = at(node, "xen,reg")
    try:
        return [Mapping(*one, spot) for one in dom0less.mappings_of(node)]
    except XenError as error:
        message = placed(str(error), spot.file)[1].rsplit("xen,reg: ", 1)[-1]
        fix = "Use whole pages: base and size multiples of 0x1000." if "aligned" in message else ""
        found.append(finding("sci-config", spot, message, fix))
        return []
