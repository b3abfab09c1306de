"""``trapline dt``: device trees written out, Dom0's and a guest's."""

import sys
from pathlib import Path

import click
import msgspec

from deploy import devicetree
from deploy.cli.options import FILE, F, platform_files, xen_options
from deploy.derive import derive_platform
from deploy.devicetree.emit import to_dtb, to_dts
from deploy.devicetree.source import Sources
from deploy.dt.advice import advice
from deploy.dt.dom0 import write_dom0
from deploy.dt.guest import ADDRESS, Kind, in_ram, offered, plan
from deploy.dt.template import guest_source
from deploy.dt.who import asked, known_domains
from deploy.errors import UserError
from deploy.topology import XenOptions, read_platform, shipped
from nodes.devicetree import Tree
from nodes.firmware.platform import Platform
from nodes.xen.profile import PROFILES


class _Files(msgspec.Struct, frozen=True):
    """What the file options name; the automotive platform's files where they name nothing."""

    host: Tree
    folder: Path
    platform_file: Path | None
    xl: tuple[Path, ...]
    partials: dict[str, Path]

    def platform(self) -> Platform:
        return read_platform(self.platform_file) if self.platform_file else derive_platform(self.host)


def _files(
    host_dt: tuple[Path, ...], platform_file: Path | None, xl: tuple[Path, ...], dom0less: tuple[str, ...]
) -> _Files:
    folder = shipped()
    if not host_dt:
        platform_file = platform_file or folder / "platform.toml"
        xl = xl or tuple(sorted(folder.glob("*.cfg")))
        host_dt = (folder / "host.dts",)
    pairs = dict(pair.partition("=")[::2] for pair in dom0less)
    if not all(name and file for name, file in pairs.items()):
        raise UserError(f"--dom0less {' '.join(dom0less)}: give NAME=FILE, such as domU1=domU1.dts")
    partials = {name: Path(file) for name, file in pairs.items()}
    return _Files(devicetree.load(host_dt), host_dt[0].parent, platform_file, xl, partials)


def output_options(command: F) -> F:
    """-o and --format."""
    command = click.option(
        "--format",
        "form",
        type=click.Choice(["dts", "dtb"]),
        help="Source or blob. Default: what FILE's name says, else dts.",
    )(command)
    return click.option(
        "-o", "--output", type=FILE, metavar="FILE", help="Write to FILE. Default: standard output."
    )(command)


@click.group()
def dt() -> None:
    """Write device trees: what Dom0 would get, what a guest needs."""


@dt.command()
@platform_files
@xen_options
@output_options
def dom0(
    host_dt: tuple[Path, ...],
    platform_file: Path | None,
    xl: tuple[Path, ...],
    dom0less: tuple[str, ...],
    profile: str,
    strict: bool,
    xen_cmdline: str,
    output: Path | None,
    form: str | None,
) -> None:
    """Write the tree that Dom0 would get from the host tree.

    \b
    Rewritten as Xen does it:
      - the node compatible "xen,sci" is left out, with all below it;
      - /firmware/scmi and the arm,scmi-shmem nodes stay, byte for byte;
        they are left out if Xen has a mediator and Dom0 no SCMI;
      - devices marked xen,passthrough are disabled.
    Not rewritten, though Xen does: memory, cpus, the interrupt controller,
    timer and PSCI nodes, the hypervisor node, bootargs and modules under
    /chosen.

    What was decided, and why, goes to standard error. Only the host tree matters here; the other
    file options are accepted, so that one command line fits all.
    """
    files = _files(host_dt, platform_file, xl, dom0less)
    written = write_dom0(files.host, XenOptions(PROFILES[profile], strict, xen_cmdline))
    _write(written.tree, to_dts(written.tree), output, form)
    for line in written.account:
        _say(line)
    for line in written.hazards:
        _say(f"hazard: {line}")


@dt.command()
@click.argument("name")
@click.option("--address", default=hex(ADDRESS), show_default=True, help="The page's guest address.")
@click.option("--agent", type=click.IntRange(0), metavar="N", help="The agent of a new guest.")
@click.option(
    "--for",
    "kind",
    type=click.Choice(["xl", "dom0less"]),
    help="Who builds the guest. Default: dom0less for a boot domain of the host tree, else xl.",
)
@click.option("--device", multiple=True, metavar="PATH", help="One more host device for it. Repeatable.")
@click.option("--way-back", is_flag=True, help="With the agent's P2A page and interrupts.")
@platform_files
@output_options
def guest(
    name: str,
    address: str,
    agent: int | None,
    kind: Kind | None,
    device: tuple[str, ...],
    way_back: bool,
    host_dt: tuple[Path, ...],
    platform_file: Path | None,
    xl: tuple[Path, ...],
    dom0less: tuple[str, ...],
    output: Path | None,
    form: str | None,
) -> None:
    """Write a partial tree for the guest NAME, with the channel of its agent.

    \b
    trapline dt guest ivi -o ivi.dts
    trapline dt guest cluster --address 0x30000000 -o cluster.dts
    trapline dt guest tuner --agent 4 --device /soc/i2c@e6510000 -o tuner.dts

    NAME is a guest of the xl.cfgs, a boot domain of the host tree, or somebody new with --agent. The
    configuration that goes with the tree is printed on standard error. The guest's own tree is not
    read, so it need not exist yet. Registers of its devices and what they use of SCMI are copied, each
    with the provider that it needs; what cannot be copied is a TODO in the source.

    --way-back adds what platform.toml has for the agent: a second page in shmem, at the guest address
    after the first, with the interrupt "p2a" that says that a message is in it, and "a2p", the end of a
    call, if EL3 raises it. "p2a" is Trapline's own: the kernel's binding of arm,scmi-smc knows the one
    interrupt "a2p", so dt-validate objects to the name, and Linux, whose SMC transport has no receive
    channel, makes no use of it. Without the option the tree keeps the binding, and the guest polls and is
    told nothing unasked.
    """
    files = _files(host_dt, platform_file, xl, dom0less)
    known = asked(name, known_domains(files.host, files.folder, files.xl, files.partials), agent)
    who = (name, kind or known.kind, known.agent_id or 0)
    platform = files.platform()
    paths = (*known.devices, *device)
    made = plan(files.host, platform, who, _address(address), paths, way_back=way_back)
    source = guest_source(made)
    _write(_parsed(source, output), source, output, form)
    if in_ram(made.address):
        _say(f"note: {made.address:#x} is in a guest's RAM bank; keep the guest's memory below it")
    for copy in made.devices:
        for remark in copy.todo:
            _say(f"todo: {copy.path}: {remark}")
    click.echo("\n".join(advice(made, output, offered=offered(platform, made.channel))), err=True)


def _address(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise UserError(f"--address {text}: not a number; give for example {ADDRESS:#x}") from None


def _parsed(source: str, output: Path | None) -> Tree:
    """The tree that the source means: whatever is written was read first, by the loader."""
    sources = Sources(None)
    sources.add(output or Path("guest.dts"), source)
    return Tree(sources.finish(), str(output or ""))


def _write(tree: Tree, source: str, output: Path | None, form: str | None) -> None:
    form = form or ("dtb" if output is not None and output.suffix == ".dtb" else "dts")
    content = to_dtb(tree) if form == "dtb" else source.encode()
    if output is None:
        if form == "dtb" and sys.stdout.isatty():
            raise UserError("--format dtb: a blob is not for a terminal; give -o FILE, or redirect it")
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}; check the path") from None


def _say(text: str) -> None:
    click.echo(f"trapline: {text}", err=True)
