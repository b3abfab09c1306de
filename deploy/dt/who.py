"""Whose tree is wanted: a guest of an xl.cfg, a boot domain of the host tree, or somebody new.

A guest's own device tree is not read: it is what is about to be written.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from deploy import devicetree
from deploy.dt.guest import Kind
from deploy.errors import UserError
from deploy.xl.cfg import DomainConfig
from deploy.xl.cfg import parse as parse_cfg
from deploy.xl.sci import SciType, parse_arm_sci
from nodes.devicetree import Node, Tree
from nodes.xen import dom0less
from nodes.xen.channel import SCMI_SMC_MA
from nodes.xen.errno import XenError


class Known(msgspec.Struct, frozen=True):
    """A domain as the files describe it; ``agent_id`` None: they give it none. ``devices`` are host paths."""

    name: str
    kind: Kind
    source: str
    agent_id: int | None
    devices: tuple[str, ...]


def known_domains(
    host: Tree, folder: Path, xl: Sequence[Path], partials: Mapping[str, Path]
) -> dict[str, Known]:
    """Every domain that could be named. Boot domains' partial trees are in ``partials`` or in ``folder``."""
    found = {}
    for node in dom0less.nodes(host):
        path = partials.get(node.name) or _beside(folder, node.name)
        found[node.name] = _boot_domain(node, devicetree.load([path]) if path else None)
    for path in xl:
        guest = _guest(parse_cfg(path))
        if guest.name in found:
            raise UserError(f"{path}: name: {guest.name!r} is in {found[guest.name].source} already")
        found[guest.name] = guest
    return found


def _beside(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.dts", folder / f"{name}.dtb") if path.is_file()), None)


def _boot_domain(node: Node, partial: Tree | None) -> Known:
    try:
        sci_type, agent_id = dom0less.sci_config(node)
    except XenError as error:
        raise UserError(str(error)) from None
    paths = (inner.string("xen,path") for inner in dom0less.passed(partial))
    agent = agent_id if sci_type == SCMI_SMC_MA else None
    return Known(node.name, "dom0less", node.place(), agent, tuple(path for path in paths if path))


def _guest(cfg: DomainConfig) -> Known:
    agent = None
    if cfg.arm_sci is not None:
        try:
            sci = parse_arm_sci(cfg.arm_sci)
        except UserError as error:
            raise UserError(f"{cfg.place('arm_sci')}: {str(error).removeprefix('arm_sci: ')}") from None
        agent = sci.agent_id if sci.type is SciType.MULTIAGENT else None
    return Known(cfg.name, "xl", cfg.source, agent, cfg.dtdev)


def asked(name: str, domains: Mapping[str, Known], agent_id: int | None) -> Known:
    """The domain ``name``, a new one if ``agent_id`` is given; raises UserError listing those there are."""
    known = domains.get(name)
    if known is None and agent_id is None:
        there = ", ".join(domains) or "none"
        raise UserError(
            f"{name}: neither a guest nor a boot domain (there: {there}); correct the name, or "
            "give --agent N for a new guest"
        )
    if known is None:
        return Known(name, "xl", "", agent_id, ())
    if known.agent_id is None and agent_id is None:
        raise UserError(f"{known.source}: {name} asks for no agent; give --agent N, or have it ask for one")
    if agent_id is not None and known.agent_id not in (None, agent_id):
        raise UserError(
            f"--agent {agent_id}: {known.source} has {name} ask for agent {known.agent_id}; leave "
            "--agent out, or change it there"
        )
    return msgspec.structs.replace(known, agent_id=agent_id if known.agent_id is None else known.agent_id)
