"""``trapline ledger``: what an agent holds in EL3, and what its last reset left behind."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy import control
from deploy.cli.options import json_option, run_directory, which_platform
from deploy.cli.output import console, say_json, table
from deploy.holdings import Holdings, LastReset
from nodes.firmware.ledger import Entry

GONE_SHOWN = 20


@click.command()
@click.argument("who", metavar="AGENT|DOMAIN")
@which_platform
@json_option
@click.pass_context
def ledger(ctx: click.Context, /, who: str, name: str, run_dir: Path | None, as_json: bool) -> None:
    """Show what an agent holds, and what its last reset freed.

    \b
    trapline ledger ivi                   # the agent of a domain
    trapline ledger 3                     # an agent, its domain dead or alive

    Grants, votes, subscriptions, pending replies, negotiated versions, the channel. Exit code 1 if the last
    reset left something that it should have freed.
    """
    found = control.ask(run_directory(name, run_dir), control.Ledger(who))
    held = msgspec.convert(found, Holdings)
    if as_json:
        say_json(as_data(held))
    else:
        show(console(), held)
    if held.reset is not None and held.reset.leaks:
        ctx.exit(1)


def as_data(held: Holdings) -> dict[str, Any]:
    """The holdings for scripts, with the verdict."""
    data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(held))
    if held.reset is not None:
        data["reset"]["verdict"] = held.reset.verdict
    return data


def show(out: Console, held: Holdings) -> None:
    """The ledger as tables."""
    owner = f"domain {held.domain}" if held.domain else "no domain"
    out.print(Text(f"agent {held.agent} ({held.name})", style="bold"), Text(f"{owner}, {held.firmware}"))
    out.print()
    out.print(_entries(held.now) if held.now else Text("it holds nothing"))
    out.print()
    if held.reset is None:
        out.print(Text("it was never reset"))
    else:
        _show_reset(out, held.reset)


def _entries(entries: Sequence[Entry]) -> Table:
    rows = [
        [one.kind, one.protocol or "-", one.resource or "-", one.what or "-", one.value_text]
        for one in entries
    ]
    return table(None, ["kind", "protocol", "resource", "what", "value"], rows, numbers=(4,))


def _show_reset(out: Console, reset: LastReset) -> None:
    counts = f"{len(reset.before)} held before, {len(reset.after)} after"
    style = "bold red" if reset.leaks else "bold green"
    age = f"{reset.age_s:.1f} s ago"
    out.print(Text.assemble("last reset ", (age, "bold"), f": {counts}, ", (reset.verdict, style)))
    if not reset.before and not reset.after:
        return
    rows = [[Text(one.kind), Text(one.protocol or "-"), *_fate(one, reset)] for one in reset.before]
    rows += [
        [Text(one.kind), Text(one.protocol or "-"), *_fate(one, reset)]
        for one in reset.after
        if one not in reset.before
    ]
    out.print()
    out.print(table(None, ["kind", "protocol", "what", "value", "then"], rows[:GONE_SHOWN], numbers=(3,)))
    if len(rows) > GONE_SHOWN:
        out.print(f"and {len(rows) - GONE_SHOWN} more; --json has them all")


def _fate(entry: Entry, reset: LastReset) -> list[Text]:
    if entry in reset.leaks:
        fate = Text("LEAK", style="bold red")
    elif entry in reset.after:
        fate = Text("stays", style="dim")
    else:
        fate = Text("freed", style="green")
    return [Text(entry.thing or "-"), Text(entry.value_text), fate]
