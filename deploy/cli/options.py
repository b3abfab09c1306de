"""Options that several commands share: which platform, which files, how it is linked."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from deploy.errors import UserError
from deploy.rundir import RunDirectory, default_path
from deploy.topology import NEWEST, Topology, XenOptions, load, load_shipped, shipped
from nodes.firmware.profile import DEFAULT as STRICT_FIRMWARE
from nodes.firmware.profile import PROFILES as FIRMWARES
from nodes.xen.metering import Limit, MeterConfig
from nodes.xen.profile import DEFAULT, PROFILES

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(path_type=Path)
METER_MODES = {
    "enforce": MeterConfig("enforce"),
    "observe": MeterConfig("observe"),
    "wait": MeterConfig("enforce", answer="wait"),
}
RATE_MAX = 1_000_000_000
BURST_MAX = 1_000_000


class Number(click.FloatRange):
    """A number within a range: neither "nan" nor "inf", which pass every range that is open."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found: float = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return found


def which_platform(command: F) -> F:
    """--name and --run-dir."""
    command = click.option(
        "--run-dir",
        type=FILE,
        metavar="DIR",
        help="Where the platform keeps its sockets; a new folder of your own. Also $TRAPLINE_RUN_DIR.",
    )(command)
    return click.option(
        "--name", default="default", show_default=True, help="Which platform, if several run."
    )(command)


def run_directory(name: str, run_dir: Path | None) -> RunDirectory:
    """The run directory that --name and --run-dir mean."""
    if not name or "/" in name or name in (".", ".."):
        raise UserError(f"--name {name!r}: a name is one word without '/'; choose another")
    return RunDirectory((run_dir or default_path(name)).absolute())


def firmware_option(command: F) -> F:
    """--firmware."""
    return click.option(
        "--firmware",
        metavar="NAME[+OPTION]",
        help=f"The firmware that EL3 plays: {', '.join(FIRMWARES)}. Default: what the platform file says, "
        f"else {STRICT_FIRMWARE.name}.",
    )(command)


def xen_options(command: F) -> F:
    """--profile, --strict, --xen-cmdline."""
    for option in (
        click.option(
            "--xen-cmdline",
            default="",
            metavar="TEXT",
            help="Appended to Xen's command line, as 'scmi-smc-passthrough'.",
        ),
        click.option("--strict", is_flag=True, help="Refuse what Xen's driver does wrong, and say why."),
        click.option(
            "--profile",
            type=click.Choice(tuple(PROFILES)),
            default=DEFAULT.name,
            show_default=True,
            help="The version of Xen's driver.",
        ),
    ):
        command = option(command)
    return command


def meter_options(command: F) -> F:
    """--meter, --meter-mode."""
    for option in (
        click.option(
            "--meter-mode",
            type=click.Choice(tuple(METER_MODES)),
            default="enforce",
            show_default=True,
            help="What becomes of calls beyond --meter: counted only, refused, or held back.",
        ),
        click.option(
            "--meter",
            multiple=True,
            metavar="DOMAIN=RATE[/BURST]",
            help="Let Xen forward so many calls per second of a domain, in bursts of 16. DOMAIN may be "
            "'guests' for all but dom0. Repeatable.",
        ),
    ):
        command = option(command)
    return command


def metering(rows: tuple[str, ...], mode: str) -> MeterConfig:
    """What --meter and --meter-mode mean; UserError for what is no limit."""
    limits = dict(_limit(row) for row in rows)
    return msgspec.structs.replace(METER_MODES[mode], limits=limits) if limits else MeterConfig()


def _limit(row: str) -> tuple[str, Limit]:
    domain, _, amount = row.rpartition("=")
    rate, slash, burst = amount.partition("/")
    try:
        limit = Limit(float(rate), int(burst) if slash else Limit().burst)
    except ValueError:
        limit = Limit()
    if not domain or not 0 < limit.rate <= RATE_MAX or not 1 <= limit.burst <= BURST_MAX:
        raise UserError(
            f"--meter {row}: give DOMAIN=RATE[/BURST], such as ivi=2000/16: calls per second, at most "
            f"{RATE_MAX}, and at once, at most {BURST_MAX}"
        )
    return domain, limit


def platform_files(command: F) -> F:
    """--host-dt, --platform, --xl, --dom0less."""
    for option in (
        click.option(
            "--dom0less",
            multiple=True,
            metavar="NAME=FILE",
            help="Partial tree of the boot domain NAME. Default: NAME.dts or NAME.dtb beside the host tree.",
        ),
        click.option(
            "--xl", multiple=True, type=FILE, metavar="FILE.cfg", help="A guest to create. Repeatable."
        ),
        click.option(
            "--platform",
            "platform_file",
            type=FILE,
            metavar="FILE.toml",
            help="What EL3 owns. Default: derived from the host tree.",
        ),
        click.option(
            "--host-dt",
            multiple=True,
            type=FILE,
            metavar="FILE.dts|FILE.dtb",
            help="Host device tree; further ones are overlays or fragments merged over it, in order.",
        ),
    ):
        command = option(command)
    return command


def topology_of(
    host_dt: tuple[Path, ...],
    platform_file: Path | None,
    xl: tuple[Path, ...],
    dom0less: tuple[str, ...],
    xen: XenOptions = NEWEST,
) -> Topology:
    """What the file options describe; without any, the automotive platform that comes with Trapline."""
    if not host_dt and platform_file is None and not xl and not dom0less:
        return load_shipped(xen=xen)
    if not host_dt:
        folder = shipped()
        host_dt = (folder / "host.dts",)
        platform_file = platform_file or folder / "platform.toml"
    return load(host_dt, platform_file, xl, named(dom0less), xen)


def named(pairs: tuple[str, ...]) -> dict[str, Path]:
    """The files that --dom0less names, by domain."""
    found = {}
    for pair in pairs:
        name, equals, file = pair.partition("=")
        if not (name and equals and file):
            raise UserError(f"--dom0less {pair}: give NAME=FILE, such as domU1=domU1.dts")
        found[name] = Path(file)
    return found


def json_option(command: F) -> F:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")(command)
