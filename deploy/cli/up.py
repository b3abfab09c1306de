"""``trapline up``: start a platform and keep it until told to stop."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.markup import escape

from deploy import control, timing
from deploy.cli.engine_options import Engine, engine_options
from deploy.cli.live import event_line
from deploy.cli.metrics_options import for_own_eyes, metrics_options, warn
from deploy.cli.observing import beside, observe_options, where_to_look
from deploy.cli.options import (
    firmware_option,
    json_option,
    meter_options,
    metering,
    platform_files,
    run_directory,
    topology_of,
    which_platform,
    xen_options,
)
from deploy.cli.output import console, say_error, say_json, who_is_who
from deploy.cli.size_options import Size, size_options
from deploy.cli.timing import as_data, show
from deploy.engines.local import Options
from deploy.errors import UserError
from deploy.logs import levels
from deploy.metrics.access import Access
from deploy.platform import Platform
from deploy.rundir import RunDirectory
from deploy.specs import NodeOptions
from deploy.summary import agent_rows
from deploy.toolstack import ToolstackError, Work
from deploy.topology import XenOptions, with_firmware
from deploy.tracing.describing import Describing
from nodes.xen.config import Tuning
from nodes.xen.profile import PROFILES

START_S = 60.0
START_DOMAIN_S = 0.5  # more for each domain, on a machine that is busy


@click.command()
@platform_files
@size_options
@xen_options
@firmware_option
@meter_options
@which_platform
@click.option("--tcp", is_flag=True, help="Link the nodes over tcp with CURVE instead of ipc.")
@click.option("--tcp-port", type=click.IntRange(1, 65535), help="The tcp port Xen listens on. Implies --tcp.")
@click.option("--mapped", is_flag=True, help="Share the pages between processes instead of sending them.")
@click.option("--idle", is_flag=True, help="Guests do nothing on their own.")
@click.option(
    "--pause-ms", default=10.0, show_default=True, help="What a working guest waits between two calls."
)
@click.option(
    "--log-level",
    multiple=True,
    metavar="[NODE=]LEVEL",
    help="What nodes log: debug, info, warning or error. Default: info. Repeatable.",
)
@click.option(
    "--detach", is_flag=True, help="Return once the platform is ready; it goes on in the background."
)
@click.option("--no-flight", is_flag=True, help="Record no calls; 'trapline trace' shows nothing then.")
@click.option(
    "--timing", "with_timing", is_flag=True, help="Print what Xen's probe costs, with 3 and with 2 cells."
)
@click.option(
    "--firmware-latency",
    default=timing.DEFAULT_LATENCY,
    show_default=True,
    metavar="NAME|US",
    help=f"For --timing: {', '.join(timing.LATENCIES)}, or microseconds per message.",
)
@engine_options
@metrics_options
@observe_options
@json_option
@click.pass_context
def up(
    ctx: click.Context,
    host_dt: tuple[Path, ...],
    platform_file: Path | None,
    xl: tuple[Path, ...],
    dom0less: tuple[str, ...],
    profile: str,
    strict: bool,
    xen_cmdline: str,
    firmware: str | None,
    meter: tuple[str, ...],
    meter_mode: str,
    name: str,
    run_dir: Path | None,
    tcp: bool,
    tcp_port: int | None,
    mapped: bool,
    idle: bool,
    pause_ms: float,
    log_level: tuple[str, ...],
    detach: bool,
    no_flight: bool,
    with_timing: bool,
    firmware_latency: str,
    observe: bool,
    observe_port: int | None,
    alerts: bool,
    engine: Engine,
    size: Size,
    metrics: Access,
    as_json: bool,
) -> None:
    """Start a platform and stay up.

    That is EL3, Xen, Dom0, the boot domains and the given guests. Without files: the automotive
    platform that comes with Trapline, or with --domains one of any size. Talk to it from another terminal
    with 'trapline status', 'xl', 'call' and 'trap'; Ctrl-C or 'trapline down' stops it.
    """
    run = run_directory(name, run_dir)
    if not 0 <= pause_ms <= 3_600_000:
        raise UserError(f"--pause-ms {pause_ms:g}: give 0 to 3600000")
    model = timing.latency(firmware_latency)
    xen = XenOptions(PROFILES[profile], strict, xen_cmdline)
    made = size.topology(xen, bool(host_dt or platform_file or xl or dom0less))
    topology = with_firmware(made or topology_of(host_dt, platform_file, xl, dom0less, xen), firmware)
    topology = msgspec.structs.replace(topology, tuning=Tuning(metering=metering(meter, meter_mode)))
    metrics = for_own_eyes(metrics, observe)
    node = NodeOptions(log_levels=levels(log_level), metrics=metrics)
    cost = timing.account(topology, model) if with_timing else None
    companion = beside(run, observe, observe_port, alerts, metrics)
    warn(metrics)
    if detach:
        _detach(run, START_S + START_DOMAIN_S * len(topology.guests))
        _warn(run)
        _tell(run, control.ask(run, control.Status()), cost, as_json)
        return
    options = Options(tcp_port or 0 if tcp or tcp_port else None, not mapped, node)
    options = size.options(options, engine.name)
    work = Work(not idle, int(pause_ms * 1e6))
    platform = engine.platform(topology, run, options, work, flight=not no_flight, companion=companion)
    Describing(platform).begin()
    if not _live(platform, cost, as_json):
        ctx.exit(1)


def _live(platform: Platform, cost: timing.Account | None, as_json: bool) -> bool:
    """From the start to the end; False when it failed."""
    platform.stop_on_signals()
    platform.start()
    try:
        _greet(platform, cost, as_json)
        _warn(platform.run_directory)
        _stay(platform, as_json)
    finally:
        platform.stop()
    if platform.failure:
        say_error(f"{platform.failure}; the platform was stopped")
        return False
    if not as_json:
        click.echo("stopped")
    return True


def _stay(platform: Platform, as_json: bool) -> None:
    """Keep it going until it is told to stop or fails; tell of every event."""
    out = console()
    platform.fresh_events()  # the start is told in other words
    while not platform.stopping and platform.failure is None:
        platform.pump(0.25)
        for event in platform.fresh_events():
            if not as_json:
                out.print(event_line(event))


def _tell(run: RunDirectory, status: dict[str, Any], cost: timing.Account | None, as_json: bool) -> None:
    """What is up in the background."""
    if as_json:
        say_json({**status, "timing": as_data(cost)} if cost else status)
        return
    click.echo(f"{status['platform']} is up in {status['run']}; stop it with '{run.stop_command}'")
    if cost:
        show(console(), cost)
    if status["observe"]:
        console().print(where_to_look(status["observe"]))


def _greet(platform: Platform, cost: timing.Account | None, as_json: bool) -> None:
    if as_json:
        _tell(platform.run_directory, platform.status(), cost, as_json)
        sys.stdout.flush()
        return
    out = console()
    out.print(
        f"[bold]{escape(platform.topology.name)}[/bold] is up in {escape(str(platform.run_directory.path))}\n"
    )
    out.print(who_is_who(agent_rows(platform.toolstack, platform.engine.stats())))
    if cost:
        show(out, cost)
    if platform.companion is not None:
        out.print("", where_to_look(platform.companion.urls()))
    out.print("\nCtrl-C stops it.")


def _warn(run: RunDirectory) -> None:
    """What went wrong while it started: such a platform works, but hardly as it was meant to."""
    for line in run.start_errors():
        say_error(line)


def _detach(run: RunDirectory, patience_s: float) -> None:
    """Run the same command without --detach in a session of its own; wait until it answers or ends."""
    words = [word for word in sys.argv[1:] if word not in ("--detach", "--json")]
    interrupted: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: interrupted.append(number))
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "deploy.entry", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            cwd=os.getcwd(),
        )
        deadline = time.monotonic() + patience_s
        while not _ready(run, child.pid):
            if child.poll() is not None:
                errors.seek(0)
                raise _why(child.returncode, errors.read().decode(errors="replace"))
            if interrupted or time.monotonic() > deadline:
                child.terminate()
                child.wait()
                if interrupted:
                    raise click.Abort
                raise ToolstackError(f"the platform was not ready within {patience_s:.0f} s")
            time.sleep(0.02)
        child.returncode = 0  # it goes on without us


def _ready(run: RunDirectory, pid: int) -> bool:
    """Whether that supervisor's platform is ready; another one may run there, or have been killed there."""
    cluster = run.read()
    return cluster is not None and cluster.pid == pid and (run.path / "ready").exists()


def _why(code: int, errors: str) -> Exception:
    """What the command in the background said last, as an error of this one."""
    lines = errors.strip().splitlines() or [f"the platform ended while starting, exit code {code}"]
    text = lines[-1].removeprefix("trapline: ")
    return UserError(text) if code == 2 else ToolstackError(text)
