"""Files to one validated description of a platform: host tree, EL3's resources, boot domains, guests.

It reads and checks; it starts nothing. Every mistake in a file is one UserError that names the place.
"""

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import msgspec

from bus.shmem import PrivateMemory
from deploy import assembly, devicetree, platform_toml
from deploy.derive import derive_platform
from deploy.devicetree.limits import FILE_BYTES_MAX
from deploy.errors import UserError
from deploy.files import read_bytes, read_text
from deploy.xl.cfg import DomainConfig
from deploy.xl.cfg import parse as parse_cfg
from deploy.xl.sci import ArmSci, IomemRange, SciType, parse_arm_sci, parse_iomem, parse_irq
from nodes.devicetree import Tree, TreeError
from nodes.firmware.platform import Platform, PlatformError, check
from nodes.firmware.profile import DEFAULT as STRICT_FIRMWARE
from nodes.firmware.profile import FirmwareProfile, chosen
from nodes.guest.binding import Binding, bind
from nodes.limits import DOMAIN_FRAMES
from nodes.xen import binding, dom0, dom0less
from nodes.xen.config import DEFAULTS, Tuning
from nodes.xen.dom0 import tree_for_dom0
from nodes.xen.errno import XenError
from nodes.xen.profile import DEFAULT, Profile

DEFAULT_PLATFORM = "automotive"
PLATFORM_BYTES_MAX = 4 << 20
NAME_CHARACTERS_MAX = 64  # of frames.Name
NAME_BYTES_MAX = 128  # it becomes part of file names
RESERVED = {"xen": "Xen's own process", "firmware": "EL3's process", "supervisor": "the supervisor"}
PATH_CHARACTERS_MAX = 1024  # of frames.Text

_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


class Guest(msgspec.Struct, frozen=True):
    """A guest as its xl.cfg describes it, ready for the toolstack. ``binding`` None: no SCMI in its tree.

    ``iommu``: it is created with the use of the IOMMU, as assigning a device needs. ``irqs`` are SPIs.
    """

    name: str
    source: str
    sci: ArmSci
    iomem: tuple[IomemRange, ...]
    devices: tuple[str, ...]
    binding: Binding | None
    on_poweroff: str = "destroy"
    on_reboot: str = "restart"
    on_crash: str = "destroy"
    iommu: bool = False
    irqs: tuple[int, ...] = ()


class Topology(msgspec.Struct, frozen=True):
    """All that a platform is started from. ``bindings`` are the boot domains', by node name.

    ``profile`` is the version of Xen's driver, ``strict`` refuses what that driver does wrong, and
    ``xen_cmdline`` is appended to Xen's command line. ``firmware`` is the kind of EL3.
    ``tuning`` is what an experiment sets.
    """

    name: str
    host: Tree
    platform: Platform
    partials: Mapping[str, Tree]
    bindings: Mapping[str, Binding | None]
    guests: tuple[Guest, ...]
    profile: Profile = DEFAULT
    strict: bool = False
    xen_cmdline: str = ""
    firmware: FirmwareProfile = STRICT_FIRMWARE
    tuning: Tuning = DEFAULTS


class XenOptions(msgspec.Struct, frozen=True):
    """Which Xen to boot; the fields are those of Topology."""

    profile: Profile = DEFAULT
    strict: bool = False
    xen_cmdline: str = ""


NEWEST = XenOptions()


def shipped(name: str = DEFAULT_PLATFORM) -> Path:
    """The folder of a platform that comes with Trapline."""
    return Path(str(resources.files("deploy"))) / "platforms" / name


def load_shipped(name: str = DEFAULT_PLATFORM, xen: XenOptions = NEWEST) -> Topology:
    """A platform that comes with Trapline: its tree, its boot domains, all its guests."""
    folder = shipped(name)
    guests = sorted(folder.glob("*.cfg"))
    return load([folder / "host.dts"], folder / "platform.toml", guests, {}, xen)


def load(
    host_dt: Sequence[Path],
    platform: Path | None,
    xl: Sequence[Path],
    dom0less_trees: Mapping[str, Path],
    xen: XenOptions = NEWEST,
) -> Topology:
    """Read and check everything; raises UserError for the first mistake found.

    Without ``platform`` EL3's agents and resources are derived from the host tree. A boot domain's
    partial tree is ``dom0less_trees[NAME]``, or NAME.dts / NAME.dtb beside the host tree.
    """
    host = devicetree.load(host_dt)
    described = read_platform(platform) if platform else derive_platform(host, xen.profile)
    _check_mediator(host, xen.profile)
    partials = _partials(host, host_dt[0].parent, dom0less_trees)
    for node in dom0less.nodes(host):
        try:
            dom0less.parse(node, partials.get(node.name), xen.profile)
        except XenError as error:
            raise UserError(str(error)) from None
        if node.name in RESERVED:
            raise UserError(f"{node.place()}: {node.name!r} is {RESERVED[node.name]}; rename the domain")
    guests = tuple(read_guest(path, xen.profile) for path in xl)
    taken = {node.name: "a boot domain" for node in dom0less.nodes(host)} | {"dom0": "Dom0"}
    if dom0.wants_scmi(host, xen.profile, xen.xen_cmdline):
        _bind(tree_for_dom0(host, mediator=True, scmi=True, profile=xen.profile))
    for guest in guests:
        if guest.name in taken:
            raise UserError(f"{guest.source}: name: {guest.name!r} is {taken[guest.name]}; choose another")
        taken[guest.name] = guest.source
    bindings = {name: _bind(tree) for name, tree in partials.items()}
    return Topology(
        described.name,
        host,
        described,
        partials,
        bindings,
        guests,
        xen.profile,
        xen.strict,
        xen.xen_cmdline,
        firmware_profile(described.profile),
    )


def firmware_profile(text: str) -> FirmwareProfile:
    """The firmware that NAME or NAME+OPTION... means; raises UserError saying what there is."""
    try:
        return chosen(text)
    except ValueError as error:
        raise UserError(f"{error}; choose one of them") from None


def with_firmware(topology: Topology, text: str | None) -> Topology:
    """The same platform with the firmware that was asked for; None: with the one its file names."""
    if text is None:
        return topology
    return msgspec.structs.replace(topology, firmware=firmware_profile(text))


def _check_mediator(host: Tree, profile: Profile) -> None:
    """Xen would boot without SCMI if its channel is wrong; who starts it here wants to know why."""
    if profile.driver != "multiagent":
        return
    mistakes = []
    for node in binding.candidates(host):
        try:
            binding.management(host, node)
            binding.secondaries(host, profile)
        except (XenError, TreeError) as error:
            mistakes.append(str(error))
        else:
            return
    if mistakes:
        raise UserError(mistakes[0])


def read_platform(path: Path) -> Platform:
    """The platform.toml at ``path``; raises UserError naming the key."""
    text = read_text(path, PLATFORM_BYTES_MAX)
    try:
        platform = platform_toml.decode(text)
        check(platform)
        check_plug_ins(platform)
    except (msgspec.DecodeError, PlatformError) as error:
        raise UserError(f"{path}{with_line(str(error))}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return platform


def check_plug_ins(platform: Platform) -> None:
    """Raise UserError or PlatformError if a protocol's plug-in is not there or lacks what is named."""
    if platform.vendor_protocol:
        assembly.firmware(platform, PrivateMemory())  # only they can say what resources they have


def with_line(complaint: str) -> str:
    """A complaint of the TOML parser, with the line in front, as every other error has it."""
    found = _AT_LINE.search(complaint)
    return f":{found[1]}: {complaint[: found.start()]}" if found else f": {complaint}"


def _partials(host: Tree, folder: Path, given: Mapping[str, Path]) -> dict[str, Tree]:
    boot_domains = [node.name for node in dom0less.nodes(host)]
    found: dict[str, Tree] = {}
    for name, path in given.items():
        if name not in boot_domains:
            known = ", ".join(boot_domains) or "none"
            raise UserError(
                f"--dom0less {name}={path}: the host tree has no xen,domain node {name!r} under /chosen "
                f"(there: {known}); correct the name"
            )
        found[name] = devicetree.load([path])
    for name in boot_domains:
        beside = next((p for p in (folder / f"{name}.dts", folder / f"{name}.dtb") if p.is_file()), None)
        if name not in found and beside is not None:
            found[name] = devicetree.load([beside])
    return found


def _bind(tree: Tree) -> Binding | None:
    try:
        return bind(tree)
    except TreeError as error:
        raise UserError(str(error)) from None


def read_guest(path: Path, profile: Profile = DEFAULT) -> Guest:
    """The guest that an xl.cfg describes, with its own device tree; raises UserError."""
    cfg = parse_cfg(path)
    check_name(cfg)
    _check_paths(cfg)
    tree = _guest_tree(cfg)
    return Guest(
        cfg.name,
        cfg.source,
        _arm_sci(cfg, profile),
        tuple(_iomem(cfg, text) for text in cfg.iomem),
        cfg.dtdev,
        _bind(tree) if tree else None,
        cfg.on_poweroff,
        cfg.on_reboot,
        cfg.on_crash,
        cfg.iommu(),
        tuple(_irq(cfg, text) for text in cfg.irqs),
    )


def _guest_tree(cfg: DomainConfig) -> Tree | None:
    if cfg.device_tree is None:
        return None
    try:
        read_bytes(cfg.device_tree, FILE_BYTES_MAX)
    except UserError as error:
        raise UserError(f"{cfg.place('device_tree')}: {error}") from None
    return devicetree.load([cfg.device_tree])


def check_name(cfg: DomainConfig) -> None:
    """Raises UserError for a name that a frame to Xen has no room for, or that no process could have."""
    if cfg.name in RESERVED:
        raise UserError(f"{cfg.place('name')}: {cfg.name!r} is {RESERVED[cfg.name]}; choose another")
    odd = next((one for one in cfg.name if one == "/" or not one.isprintable()), None)
    if odd is not None:
        raise UserError(f"{cfg.place('name')}: {odd!r} in it; a name has printable characters other than '/'")
    if len(cfg.name.encode()) > NAME_BYTES_MAX:
        raise UserError(
            f"{cfg.place('name')}: {len(cfg.name.encode())} bytes, the limit is {NAME_BYTES_MAX}; shorten it"
        )
    if len(cfg.name) > NAME_CHARACTERS_MAX:
        raise UserError(
            f"{cfg.place('name')}: {len(cfg.name)} characters, the limit is {NAME_CHARACTERS_MAX}; shorten it"
        )


def _check_paths(cfg: DomainConfig) -> None:
    longest = max(map(len, cfg.dtdev), default=0)
    if longest > PATH_CHARACTERS_MAX:
        raise UserError(
            f"{cfg.place('dtdev')}: a path of {longest} characters, the limit is {PATH_CHARACTERS_MAX}; "
            "correct it"
        )


def _arm_sci(cfg: DomainConfig, profile: Profile) -> ArmSci:
    if cfg.arm_sci is None:
        return ArmSci(SciType.NONE, 0)
    try:
        return parse_arm_sci(cfg.arm_sci, profile)
    except ValueError as error:
        raise UserError(f"{cfg.place('arm_sci')}: {str(error).removeprefix('arm_sci: ')}") from None


def _irq(cfg: DomainConfig, text: str) -> int:
    try:
        return parse_irq(text)
    except ValueError as error:
        raise UserError(f"{cfg.place('irqs')}: {str(error).removeprefix('irqs: ')}") from None


def _iomem(cfg: DomainConfig, text: str) -> IomemRange:
    try:
        found = parse_iomem(text)
    except ValueError as error:
        raise UserError(f"{cfg.place('iomem')}: {str(error).removeprefix('iomem: ')}") from None
    if found.frames > DOMAIN_FRAMES:
        raise UserError(
            f"{cfg.place('iomem')}: {text!r} asks for {found.frames} frames, {DOMAIN_FRAMES} are the limit; "
            "both numbers are hexadecimal"
        )
    return found
