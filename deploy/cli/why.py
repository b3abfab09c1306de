"""``trapline why``: why a call failed or was slow, from what the nodes recorded."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.cli.options import Number, json_option, run_directory, which_platform
from deploy.cli.output import console, say_json
from deploy.errors import UserError
from deploy.tracing import why as reasons
from deploy.tracing.calls import Story, as_data
from deploy.tracing.filters import Filter, Whom
from deploy.tracing.lines import duration
from deploy.tracing.live import Live

BAR_COLUMNS: Final = 24


@click.command()
@click.argument("which", default="last", metavar="[last|REQUEST|DOMAIN:REQUEST]")
@click.option(
    "--slow",
    type=Number(0),
    default=reasons.SLOW_NS / 1e6,
    show_default=True,
    metavar="MS",
    help="For 'last': calls that took longer count too.",
)
@click.option(
    "--agent", default="", metavar="N|NAME", help="For 'last': only this agent's, or this domain's."
)
@click.option("--run", "recorded", metavar="RUN", help="Look into a recorded run: its folder, or its id.")
@which_platform
@json_option
def why(
    which: str, slow: float, agent: str, recorded: str | None, name: str, run_dir: Path | None, as_json: bool
) -> None:
    """Why a call was denied, failed or slow.

    It names the rung of EL3's ladder (or Xen's check), the row that decided, who changed that last and when,
    and where the time went. 'last' is the last call that failed or was slow; 'trapline trace --json' shows
    every call with its request.
    """
    stories = _stories(recorded, name, run_dir)
    whom = Whom()
    wanted = [*filter(Filter(agent).wants, whom.watch(stories))]
    if agent and not wanted:
        raise UserError(f"--agent {agent}: {whom}")
    found = reasons.explain(reasons.find(wanted, which, int(slow * 1e6)), stories)
    if as_json:
        say_json({**_plain(found), "call": as_data(found.call)})
    else:
        show(console(), found)


def _stories(recorded: str | None, name: str, run_dir: Path | None) -> Sequence[Story]:
    if recorded:
        return list(importlib.import_module("deploy.tracing.recorded").stories_of(recorded))
    live = Live(run_directory(name, run_dir))
    try:
        return list(live.stories())
    finally:
        live.close()


def _plain(found: reasons.Explanation) -> dict[str, object]:
    return {field: getattr(found, field) for field in found.__struct_fields__ if field != "call"}


def show(out: Console, found: reasons.Explanation) -> None:
    """For people, on any width."""
    call = found.call
    out.print(Text(found.line, "bold"), soft_wrap=True)
    numbers = [f"request {call.request}" if call.request else "no request: it could not ring"]
    numbers += [f"Xen's SMC {call.smc}"] if call.smc else []
    out.print(Text(", ".join(numbers), "dim"))
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="cyan", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("why", Text(found.verdict, "red" if call.failed else ""))
    if found.question:
        facts.add_row("", f"{found.question} No.")
    for title, lines in (
        ("decided by", found.row),
        ("last changed", found.changed),
        ("meanwhile", found.meanwhile),
        ("may help", found.hints),
        ("not known", found.missing),
    ):
        for at, line in enumerate(lines):
            facts.add_row(title if not at else "", Text(line))
    out.print()
    out.print(facts)
    if found.legs:
        out.print()
        out.print(_times(found))


def _times(found: reasons.Explanation) -> Table:
    """Where the time went: the longest leg stands out."""
    longest = max(leg.took_ns for leg in found.legs)
    table = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "right", "left"):
        table.add_column(justify=justify, no_wrap=justify != "left")
    for leg in found.legs:
        style = "bold yellow" if leg.took_ns == longest else ""
        bar = "█" * max(1 if leg.took_ns > 0 else 0, round(leg.part * BAR_COLUMNS))
        table.add_row(Text(leg.words, style), Text(duration(leg.took_ns), style), Text(bar, style))
    total = found.call.took_ns
    if total is not None:
        table.add_row(Text("in all", "dim"), Text(duration(total), "dim"))
    return table
