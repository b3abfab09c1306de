"""What the judges look at: every file that was given, as far as it could be read.

``read`` never stops at a mistake: what it cannot use becomes a finding, and the judges get the rest.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from deploy import devicetree
from deploy.errors import UserError
from deploy.files import read_bytes
from deploy.lint import channels, domain
from deploy.lint.domain import Domain
from deploy.lint.finding import Finding, Spot, at, finding, told
from deploy.lint.platform import PlatformFile, read_platform
from deploy.xl.cfg import parse as parse_cfg
from nodes.devicetree import Tree
from nodes.xen import cmdline, dom0, dom0less
from nodes.xen.binding import CONTAINER, DOM0_AGENT, Management, Secondary
from nodes.xen.profile import DEFAULT, Profile

BYTES_MAX = 16 << 20


class Inputs(msgspec.Struct, frozen=True):
    """The files to read together: a host tree with what is merged over it, xl cfgs, partial trees by
    domain, platform.toml; and the version of the driver they are for."""

    host: tuple[Path, ...]
    xl: tuple[Path, ...] = ()
    dom0less: Mapping[str, Path] = {}
    platform: Path | None = None
    profile: Profile = DEFAULT


class Material(msgspec.Struct, frozen=True):
    """What was read. ``mended`` is the host tree with the ``ranges`` that its container lacks.

    ``own`` and ``entries`` are Xen's channel and the agents', read leniently; ``agents`` the entries by agent
    id: as listed or, in 2-cell form, as platform.toml tells. ``complete``: those are all there are.
    """

    inputs: Inputs
    host: Tree | None = None
    mended: Tree | None = None
    own: Management | None = None
    entries: tuple[Secondary, ...] = ()
    agents: Mapping[int, Secondary] = {}
    complete: bool = False
    domains: tuple[Domain, ...] = ()
    platform: PlatformFile | None = None
    found: tuple[Finding, ...] = ()

    @property
    def files(self) -> list[str]:
        """Every file that was given or that one of them names."""
        inputs = self.inputs
        trees = [domain.tree.source for domain in self.domains if domain.tree is not None]
        given = [*inputs.host, *inputs.xl, *inputs.dom0less.values(), inputs.platform]
        return list(dict.fromkeys([str(path) for path in given if path is not None] + trees))

    @property
    def profile(self) -> Profile:
        return self.inputs.profile

    @property
    def dom0_agent(self) -> int | None:
        """The agent that Dom0 is to have, from where this version of the driver takes it."""
        return None if self.host is None else dom0.agent(self.host, self.profile)[0]

    @property
    def dom0_spot(self) -> Spot | None:
        """Where that is written."""
        if self.host is None:
            return None
        if self.profile.dom0_agent == "command-line":
            chosen = self.host.get("/chosen")
            return at(chosen, cmdline.BOOTARGS) if chosen else None
        container = self.host.find_compatible(CONTAINER)
        return at(container, DOM0_AGENT) if container else None

    @property
    def own_disputed(self) -> bool:
        """Whether Xen's doorbell is given to an agent as well, and so says nothing about who Xen is."""
        return any(entry.func_id == self.own.func_id for entry in self.entries if self.own is not None)

    def undisputed(self, domain: Domain) -> bool:
        """Whether it is certain which agent the domain has; else what differs from it may be right."""
        others = [one.agent for one in self.domains if one is not domain] + [self.dom0_agent]
        return domain.sci_type is not None and (domain.agent is None or domain.agent not in others)

    def pages_of(self, entry: Secondary) -> list[int]:
        """The machine addresses of an agent's pages: for calls, and the P2A page if EL3 has one for it."""
        agent = self.platform.agent(entry.func_id) if self.platform else None
        p2a = agent.p2a_shmem if agent else None
        return [entry.shmem] if p2a is None else [entry.shmem, p2a]

    def p2a_pages(self, mine: Secondary | None) -> dict[int, str]:
        """The P2A pages of the listed agents other than ``mine``, by machine address, with whose they are."""
        if self.platform is None:
            return {}
        listed = {one.func_id for one in self.entries if one is not mine and not self.doubtful(one)}
        return {
            agent.p2a_shmem: f"agent {agent.id}'s P2A page"
            for agent in self.platform.platform.agent
            if agent.p2a_shmem is not None and agent.smc_id in listed
        }

    def doubtful(self, entry: Secondary) -> bool:
        """Whether an entry of the list is called wrong itself."""
        return channels.doubtful(entry, self.entries, self.own, self.platform)

    @property
    def xen_agent(self) -> int | None:
        """The id that Xen will discover, if platform.toml tells; None too if Xen's doorbell is another's."""
        if self.platform is None or self.own is None or self.own_disputed:
            return None
        return self.platform.agent_of(self.own.func_id)


def read(inputs: Inputs) -> Material:
    """Every file, with what was wrong in reading."""
    found: list[Finding] = []
    host = _tree(inputs.host, found)
    platform = read_platform(inputs.platform, found) if inputs.platform else None
    domains = [*_boot_domains(inputs, host, found), *_guests(inputs, found)]
    if host is None:
        return Material(inputs, None, domains=tuple(domains), platform=platform, found=tuple(found))
    mended = channels.mended(host)
    entries = tuple(channels.entries(mended, inputs.profile))
    agents = channels.by_agent(entries, platform)
    return Material(
        inputs,
        host,
        mended,
        channels.own(mended),
        entries,
        agents,
        channels.complete(mended, entries, agents),
        tuple(domains),
        platform,
        tuple(found),
    )


def _tree(paths: tuple[Path, ...], found: list[Finding]) -> Tree | None:
    for path in paths:
        if not _readable(path, found):
            return None
    try:
        return devicetree.load(paths)
    except UserError as error:
        found.append(told("syntax", str(error), str(paths[0])))
        return None


def _readable(path: Path, found: list[Finding]) -> bool:
    try:
        read_bytes(path, BYTES_MAX)
    except UserError as error:
        found.append(told("unreadable", str(error), str(path)))
        return False
    return True


def _guests(inputs: Inputs, found: list[Finding]) -> Iterator[Domain]:
    for path in inputs.xl:
        if not _readable(path, found):
            continue
        try:
            cfg = parse_cfg(path)
        except UserError as error:
            found.append(told("syntax", str(error), str(path)))
            continue
        tree = _tree((cfg.device_tree,), found) if cfg.device_tree else None
        yield domain.from_cfg(cfg, tree, inputs.profile, found)


def _boot_domains(inputs: Inputs, host: Tree | None, found: list[Finding]) -> Iterator[Domain]:
    nodes = dom0less.nodes(host) if host else []
    known = {node.name: node for node in nodes}
    for name, path in inputs.dom0less.items():
        if host is not None and name not in known:
            there = ", ".join(known) or "none"
            message = f"the host tree has no xen,domain node {name!r} below /chosen (there: {there})"
            found.append(finding("partial-unknown-domain", Spot(str(path)), message))
    for node in nodes:
        partial = inputs.dom0less.get(node.name) or _beside(inputs.host[0].parent, node.name)
        tree = _tree((partial,), found) if partial else None
        yield domain.from_node(node, tree, inputs.profile, found, named=partial is not None)


def _beside(folder: Path, name: str) -> Path | None:
    """The partial tree of a boot domain, where ``trapline up`` looks for it too."""
    return next((p for p in (folder / f"{name}.dts", folder / f"{name}.dtb") if p.is_file()), None)
