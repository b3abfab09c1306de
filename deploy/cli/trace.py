"""``trapline trace``: what the domains ask and what they are answered, one line per call."""

import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.text import Text

from deploy.cli.following import until_ctrl_c
from deploy.cli.options import Number, run_directory, which_platform
from deploy.cli.output import console
from deploy.errors import UserError
from deploy.tracing.calls import Story, as_data
from deploy.tracing.filters import Filter, Whom
from deploy.tracing.lines import Times, moment, parts, plain
from deploy.tracing.live import Live, newest

LIMIT: Final = 200
WIDE_COLUMNS: Final = 100  # of a terminal that has room for microseconds
STYLES: Final = {
    "time": "dim",
    "who": "bold",
    "message": "cyan",
    "good": "green",
    "bad": "bold red",
    "dim": "dim",
    "event": "magenta",
}


class Printer:
    """Writes stories to stdout: colours and the terminal's width on a terminal, JSON lines if asked for."""

    def __init__(self, as_json: bool, legs: bool, times: Times, wide: bool) -> None:
        self._json = as_json
        self._legs = legs
        self._times = times
        self._out = console()
        self._terminal = sys.stdout.isatty()
        self._columns = 0 if wide or not self._terminal else self._out.width
        self._missed = 0

    def show(self, story: Story, wall_ns: int) -> None:
        """One line."""
        if self._json:
            at = {"wall_ns": wall_ns + story.at_ns} if wall_ns else {}
            sys.stdout.write(msgspec.json.encode(as_data(story) | at).decode() + "\n")
            return
        digits = 3 if 0 < self._columns < WIDE_COLUMNS else 6
        stamp = moment(story, self._times, wall_ns, digits) + " "
        told = parts(story, max(0, self._columns - len(stamp)), legs=self._legs)
        if not self._terminal:
            sys.stdout.write(stamp + plain(told) + "\n")
            return
        text = Text(stamp, STYLES["time"], no_wrap=True, overflow="ignore", end="\n")
        for words, style in told:
            text.append(words, STYLES.get(style, ""))
        self._out.print(text, soft_wrap=True)

    def missed(self, total: int) -> None:
        """Say how many rows were overwritten, once for each time that there are more."""
        fresh, self._missed = total - self._missed, total
        if fresh > 0:
            self.say(f"... {fresh:,} messages were overwritten before they were read")

    def say(self, text: str) -> None:
        """Something about the trace itself: beside it, so that a script's input stays clean."""
        sys.stdout.flush()
        print(text, file=sys.stderr)


@click.command()
@click.option("--agent", default="", metavar="N|NAME", help="Only this agent's, or this domain's.")
@click.option("--protocol", default="", metavar="NAME", help="Only this protocol's, such as clock.")
@click.option("--denied", is_flag=True, help="Only what EL3 denied or Xen refused.")
@click.option("--failed", is_flag=True, help="Only what did not end with SUCCESS.")
@click.option("--slow", type=Number(0), metavar="MS", help="Only what took longer, or goes on.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    "--limit", "-n", type=click.IntRange(1), help=f"How many lines. Default: {LIMIT}, all with --follow."
)
@click.option("--times", type=click.Choice(["total", "legs"]), default="total", help="Where the time went.")
@click.option(
    "--clock", type=click.Choice(["wall", "run"]), default="wall", help="Time of day, or of the platform."
)
@click.option("--wide", is_flag=True, help="Cut no line.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.option("--run", "recorded", metavar="RUN", help="Read a recorded run: its folder, or its id.")
@click.option("--save", metavar="FILE", help="Write a capture for Wireshark, no lines; '-': to stdout.")
@click.option("--lua", is_flag=False, flag_value="-", metavar="[FILE]", help="Write Wireshark's dissector.")
@click.option("--otlp", metavar="URL", help="Send calls to an OpenTelemetry receiver as they happen.")
@click.option("--sample", metavar="1/N", help="For --otlp: one call in N, by its number.")
@which_platform
def trace(
    agent: str,
    protocol: str,
    denied: bool,
    failed: bool,
    slow: float | None,
    follow: bool,
    limit: int | None,
    times: str,
    clock: Times,
    wide: bool,
    as_json: bool,
    recorded: str | None,
    save: str | None,
    lua: str | None,
    otlp: str | None,
    sample: str | None,
    name: str,
    run_dir: Path | None,
) -> None:
    """Show what the domains ask and what they are answered, one line per call.

    A platform records its newest calls while it runs; this shows what it has, oldest first, and with --follow
    what comes. What is refused, undefined or unasked is told too. deploy/tracing/TRACES.md explains a line,
    deploy/tracing/CAPTURE.md what Wireshark shows.
    """
    _check(save=save, lua=lua, otlp=otlp, sample=sample, as_json=as_json, recorded=recorded, follow=follow)
    if lua is not None:
        importlib.import_module("deploy.cli.trace_save").write_dissector(lua)
        return
    if save is not None:
        if agent or protocol or denied or failed or slow is not None or limit or as_json:
            raise UserError("--save: a capture has every message; leave the filters to Wireshark")
        saving = importlib.import_module("deploy.cli.trace_save")
        saving.save(save, recorded, follow, lambda: run_directory(name, run_dir))
        return
    wanted = Filter(agent, protocol.lower(), denied, failed, None if slow is None else int(slow * 1e6))
    printer = Printer(as_json, times == "legs", "run" if recorded else clock, wide)
    if recorded:
        shown(_recorded(recorded), wanted, limit or LIMIT, printer)
        return
    live = Live(run_directory(name, run_dir))
    try:
        if otlp is not None:
            sending = importlib.import_module("deploy.cli.trace_otlp")
            to = sending.exporting(otlp, sample or "1/1", live.wall_ns, live.cluster)
            with until_ctrl_c():
                sending.export(live, wanted, limit, to, printer.say)
        elif follow:
            with until_ctrl_c():
                _follow(live, wanted, limit, printer)
        else:
            shown(live.stories(), wanted, limit or LIMIT, printer, live.wall_ns)
    finally:
        live.close()


def _check(
    *,
    save: str | None,
    lua: str | None,
    otlp: str | None,
    sample: str | None,
    as_json: bool,
    recorded: str | None,
    follow: bool,
) -> None:
    """One thing is written at a time. Raises UserError."""
    targets = {"--save": save, "--lua": lua, "--otlp": otlp, "--json": as_json or None}
    given = [option for option, value in targets.items() if value is not None]
    if len(given) > 1:
        raise UserError(f"{given[0]} with {given[1]}: each writes something else; leave one of the two out")
    if sample is not None and otlp is None:
        raise UserError("--sample goes with --otlp; add it")
    if recorded and (follow or otlp is not None):
        raise UserError("--follow or --otlp with --run: a recorded run is over; leave one of the two out")


def shown(stories: Iterable[Story], wanted: Filter, limit: int, printer: Printer, wall_ns: int = 0) -> None:
    """The last ``limit`` that pass, by when they began; if none does, say whose there are."""
    whom = Whom()
    found = newest(filter(wanted.wants, whom.watch(stories)), limit)
    for story in found:
        printer.show(story, wall_ns)
    if not found:
        printer.say("no call was recorded yet" if wanted.anything else f"nothing of that kind; {whom}")


def _follow(live: Any, wanted: Filter, limit: int | None, printer: Printer) -> None:
    """Until Ctrl-C, ``limit`` lines, or the end of the platform."""
    count = 0
    for story in live.following():
        printer.missed(live.missed)
        if story is None:
            sys.stdout.flush()
        elif wanted.wants(story):
            printer.show(story, live.wall_ns)
            count += 1
            if count == limit:
                return
    printer.say("the platform has ended")


def _recorded(run: str) -> Iterator[Story]:
    """What a run's recording tells; what reads such files is not loaded for a platform that is running."""
    found: Iterator[Story] = importlib.import_module("deploy.tracing.recorded").stories_of(run)
    return found
