"""``trapline demo``: the whole story once, on real processes, in about fifteen seconds."""

import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from deploy import unasked
from deploy.cli.live import screen
from deploy.cli.observing import meant, observe_options
from deploy.cli.observing_runs import Seeing
from deploy.cli.options import firmware_option, json_option, platform_files, topology_of
from deploy.cli.output import console, count, say_error, say_json, table, who_is_who
from deploy.cli.status import work_table
from deploy.engines.local import Options
from deploy.errors import UserError
from deploy.holdings import Holdings, holdings
from deploy.platform import Event, Platform
from deploy.rundir import RunDirectory, default_path
from deploy.scenario import THINK_NS, Verdict, attempts, try_all
from deploy.summary import AgentRow, agent_rows
from deploy.toolstack import Toolstack, Work
from deploy.top.model import RATE_S
from deploy.top.rates import Rates
from deploy.topology import Guest, with_firmware
from deploy.tracing.describing import Describing
from deploy.unasked import Said

REFRESH_S = 0.25


class Result(msgspec.Struct):
    """What the demonstration showed; ``problems`` is empty if all of it was as it has to be."""

    rows: list[AgentRow]
    verdicts: list[Verdict]
    said: list[Said]
    freed: Holdings | None
    account: dict[str, int]
    events: list[Any]
    problems: list[str]
    left_behind: list[str]


@click.command()
@platform_files
@firmware_option
@click.option("--seconds", default=10.0, show_default=True, help="How long the guests work.")
@click.option("--tcp", is_flag=True, help="Link the nodes over tcp with CURVE instead of ipc.")
@click.option("--mapped", is_flag=True, help="Share the pages between processes instead of sending them.")
@observe_options
@json_option
@click.pass_context
def demo(
    ctx: click.Context,
    host_dt: tuple[Path, ...],
    platform_file: Path | None,
    xl: tuple[Path, ...],
    dom0less: tuple[str, ...],
    firmware: str | None,
    seconds: float,
    tcp: bool,
    mapped: bool,
    observe: bool,
    observe_port: int | None,
    alerts: bool,
    as_json: bool,
) -> None:
    """Play the whole story once, on real processes.

    Boots a platform, lets its guests work, destroys one, tries what is forbidden, and accounts for it all.
    Runs on the automotive platform that comes with Trapline, or on the files you give. Exit code 0 if
    everything was answered, reset and refused as it has to be.
    """
    if not 1 <= seconds <= 3600:
        raise UserError(f"--seconds {seconds:g}: give 1 to 3600")
    topology = with_firmware(topology_of(host_dt, platform_file, xl, dom0less), firmware)
    run = RunDirectory(default_path(f"demo-{os.getpid()}"))
    options = Options(0 if tcp else None, not mapped)
    platform = Platform(topology, run, options, Work(True, THINK_NS))
    Describing(platform).begin()
    out = Console(quiet=True) if as_json else console()
    seeing = Seeing(meant(observe, observe_port, alerts), lambda: [run.path], None)
    platform.stop_on_signals()
    with seeing.over():
        result = _play(platform, seconds, out)
        if as_json:
            say_json(result)
        seeing.hold()
    ctx.exit(1 if result.problems or result.left_behind else 0)


def _go_on(platform: Platform) -> bool:
    """False once the platform is over; leaves the command after Ctrl-C or SIGTERM."""
    if platform.signal is not None:
        say_error("interrupted")
        raise click.exceptions.Exit(128 + platform.signal)
    return platform.failure is None


def _play(platform: Platform, seconds: float, out: Console) -> Result:
    started = time.monotonic()
    out.print(
        f"[bold]Booting {escape(platform.topology.name)}[/bold] from {escape(platform.topology.host.source)}"
    )
    platform.start()
    try:
        _go_on(platform)
        nodes = platform.engine.nodes()
        out.print(f"{len(nodes) - 1} processes ready in {time.monotonic() - started:.1f} s")
        for line in platform.run_directory.start_errors():
            say_error(line)
        out.print()
        out.print(who_is_who(agent_rows(platform.toolstack, platform.engine.stats())))
        out.print()
        _work(platform, seconds, out)
        verdicts = _forbidden(platform)
        toolstack = platform.toolstack
        said = unasked.show(platform.topology, toolstack.list(), toolstack.ask)
        freed = _freed(platform)
        _settle(platform)
        rows = agent_rows(platform.toolstack, platform.engine.stats())
        account = _account(platform)
    finally:
        platform.stop()
    result = Result(
        rows,
        verdicts,
        said,
        freed,
        account,
        list(platform.events),
        _problems(platform, verdicts, said, account) + _leaks(freed),
        left_behind(nodes, platform.run_directory.path),
    )
    _report(result, len(nodes), platform, out)
    return result


# ---- the work, with a domain dying in the middle -----------------------------------------------------


def _work(platform: Platform, seconds: float, out: Console) -> None:
    """Let the guests work; halfway destroy one and create it again a moment later."""
    victim = _victim(platform)
    begin = time.monotonic()
    steps: list[tuple[float, Callable[[], object]]] = []
    if victim is not None:
        steps.append((begin + seconds * 0.5, lambda: platform.toolstack.destroy(victim.name)))
        steps.append((begin + seconds * 0.6, lambda: platform.toolstack.create(victim)))
    rates = Rates(RATE_S)
    with Live(console=out, auto_refresh=False, transient=False) as live:
        while (now := time.monotonic()) < begin + seconds and _go_on(platform):
            if steps and now >= steps[0][0]:
                steps.pop(0)[1]()
            platform.pump(REFRESH_S)
            if out.is_terminal:
                _draw(live, platform, rates, now - begin, seconds)
        if not out.is_terminal:
            _draw(live, platform, rates, seconds, seconds)
    for _, step in steps:
        step()
    out.print()


def _draw(live: Live, platform: Platform, rates: Rates, at_s: float, seconds: float) -> None:
    rows = agent_rows(platform.toolstack, platform.engine.stats())
    title = f"{platform.topology.name}  {at_s:.0f} of {seconds:.0f} s"
    now = time.monotonic()
    latest = {row.agent_id: rates.update(row.agent_id, now, row.calls) for row in rows}
    live.update(screen(title, rows, latest, list(platform.events)), refresh=True)


def _forbidden(platform: Platform) -> list[Verdict]:
    toolstack: Toolstack = platform.toolstack
    return try_all(attempts(platform.topology, toolstack.list()), toolstack.ask)


def _settle(platform: Platform) -> None:
    """Wait until every node has told numbers that are newer than now."""
    begin = time.monotonic()
    while time.monotonic() < begin + 5 and _go_on(platform):
        if all(child.stats_at > begin + 0.5 for child in platform.engine.children.values()):
            return
        platform.pump(0.1)


def _victim(platform: Platform) -> Guest | None:
    """Who dies in the middle of the work: the first guest that speaks SCMI."""
    return next((guest for guest in platform.topology.guests if guest.binding is not None), None)


def _freed(platform: Platform) -> Holdings | None:
    """What the agent of the domain that died held, and what of it its reset left."""
    victim = _victim(platform)
    if victim is None or not _go_on(platform):
        return None
    toolstack = platform.toolstack
    domains = toolstack.list()
    if not any(info.name == victim.name and info.agent_id is not None for info in domains):
        return None
    held = holdings(toolstack.ask_firmware, domains, victim.name)
    return held if held.reset is not None else None


def _leaks(freed: Holdings | None) -> list[str]:
    if freed is None or freed.reset is None or not freed.reset.leaks:
        return []
    return [f"the reset of agent {freed.agent} left something: {freed.reset.verdict}"]


def _freed_line(freed: Holdings | None) -> list[str]:
    if freed is None or freed.reset is None:
        return []
    kinds = Counter(one.kind for one in freed.reset.before)
    what = ", ".join(f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in kinds.items())
    after = len(freed.reset.after)
    return [f"Its ledger in EL3 held {what or 'nothing'} before that reset, {after or 'nothing'} after."]


# ---- accounting --------------------------------------------------------------------------------------


def _account(platform: Platform) -> dict[str, int]:
    """Calls that guests issued, by how they ended; resets; frames dropped."""
    found = {"answered": 0, "definite_error": 0, "indefinite_error": 0, "resets": 0, "dropped": 0}
    every = [*platform.engine.stats().items(), *platform.engine.ended]
    for _, stats in every:
        counters = stats.get("counters", {})
        for key, number in counters.get("trapline_guest_calls_total", {}).items():
            found[key[1]] += number
        found["dropped"] += sum(counters.get("trapline_bus_dropped_total", {}).values())
        found["resets"] += sum(counters.get("trapline_agent_resets_total", {}).values())
    return found


def _problems(
    platform: Platform, verdicts: list[Verdict], said: list[Said], account: dict[str, int]
) -> list[str]:
    found = [platform.failure] if platform.failure else []
    found += [f"{one.domain} {one.what}: {one.answer}" for one in said if not one.as_it_has_to_be]
    found += [
        f"{one.attempt.domain} {one.attempt.title}: {one.answer}, not {one.attempt.expected}"
        for one in verdicts
        if not one.refused
    ]
    if any(guest.binding is not None for guest in platform.topology.guests) and not account["resets"]:
        found.append("no agent was reset")
    if not account["answered"]:
        found.append("no call was answered")
    return found


def _second_lives(events: Iterable[Event]) -> list[str]:
    """A sentence for each domain that died, saying when its agent was free and claimed again."""
    found: dict[str, dict[str, float]] = {}
    for event in events:
        times = found.setdefault(event.domain, {})
        if event.event == "dying":
            times.clear()
        if event.event in ("dying", "reset") or "dying" in times:
            times.setdefault(event.event, event.at_s)
    return [
        f"{name} died at {times['dying']:.1f} s in the middle of its work; Xen had its agent reset "
        f"{(times['reset'] - times['dying']) * 1000:.1f} ms later"
        + (f"; its next incarnation claimed it at {times['created']:.1f} s." if "created" in times else ".")
        for name, times in found.items()
        if "dying" in times and "reset" in times
    ]


def left_behind(nodes: dict[str, dict[str, Any]], path: Path) -> list[str]:
    """Processes, ports and files of a stopped platform that are still there."""
    found = [f"{path}"] if path.exists() else []
    for name, facts in nodes.items():
        if facts["pid"] != os.getpid() and Path(f"/proc/{facts['pid']}").exists():
            found.append(f"process {facts['pid']} ({name})")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", facts["port"])) == 0:
                found.append(f"port {facts['port']} ({name})")
    return found


def _report(result: Result, processes: int, platform: Platform, out: Console) -> None:
    _report_tries(result, out)
    _report_work(result, out)
    for line in [*_second_lives(platform.events), *_freed_line(result.freed)]:
        out.print(escape(line))
    for problem in result.problems:
        out.print(f"[red]problem:[/red] {escape(problem)}")
    if result.left_behind:
        out.print(f"[red]left behind:[/red] {', '.join(result.left_behind)}")
    else:
        out.print(f"Nothing left behind: {processes} processes and ports, sockets and pages are gone.")


def _report_tries(result: Result, out: Console) -> None:
    """What was forbidden and tried, and what EL3 said unasked."""
    tries: list[list[str | Text]] = [
        [
            one.attempt.domain,
            one.attempt.title,
            Text(one.answer, "green" if one.refused else "red"),
            one.attempt.why,
        ]
        for one in result.verdicts
    ]
    out.print("\n[bold]Forbidden, and refused[/bold]")
    out.print(table(None, ["domain", "tries", "gets", "because"], tries))
    if result.said:
        said: list[list[str | Text]] = [
            [one.domain, one.what, Text(one.answer, "green" if one.as_it_has_to_be else "red")]
            for one in result.said
        ]
        out.print("\n[bold]Said unasked, through the agent's own page and interrupt[/bold]")
        out.print(table(None, ["domain", "what", ""], said))


def _report_work(result: Result, out: Console) -> None:
    """What each agent did, and the account of all calls."""
    out.print("\n[bold]What each did[/bold]")
    out.print(work_table(result.rows))
    if any(row.denied for row in result.rows):
        out.print(
            "[dim]DENIED: ids that are somebody else's, met by drivers that look at every id at start as "
            "Linux does, and what was tried above.[/dim]"
        )
    account = result.account
    issued = sum(account[key] for key in ("answered", "definite_error", "indefinite_error"))
    errors = issued - account["answered"]
    out.print(
        f"\n{count(issued)} calls issued = {count(account['answered'])} answered + {errors} ended with an "
        f"explicit error. Agent resets: {account['resets']}. Frames dropped: {account['dropped']}."
    )
