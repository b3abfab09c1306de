"""``trapline status``: who is who on a running platform, how they do, and where to look."""

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from deploy import control
from deploy.cli.observing import where_to_look
from deploy.cli.options import json_option, run_directory, which_platform
from deploy.cli.output import console, count, microseconds, number, say_json, table, who_is_who
from deploy.summary import AgentRow


@click.command()
@which_platform
@json_option
def status(name: str, run_dir: Path | None, as_json: bool) -> None:
    """Show domains, agents, calls and processes."""
    found = control.ask(run_directory(name, run_dir), control.Status())
    if as_json:
        say_json(found)
        return
    rows = msgspec.convert(found["domains"], list[AgentRow])
    out = console()
    out.print(
        f"[bold]{escape(found['platform'])}[/bold]  up {found['uptime_s']:.0f} s  "
        f"{found['link']} links, {found['pages']} pages  {escape(found['run'])}"
    )
    out.print(f"firmware {escape(found['firmware'])}, Xen's driver {escape(found['profile'])}")
    out.print(Group("", who_is_who(rows), "", work_table(rows), "", _processes(found["nodes"])))
    if found["observe"]:
        out.print(Group("", where_to_look(found["observe"])))
    if found["events"]:
        out.print(Group("", _events(found["events"])))


def work_table(rows: list[AgentRow]) -> Table:
    """How each agent does."""
    return table(
        None,
        ["domain", "agent", "calls", "p50 us", "p99 us", "DENIED", "refused", "errors", "resets"],
        [
            [
                row.name,
                number(row.agent_id),
                count(row.calls),
                microseconds(row.p50_us),
                microseconds(row.p99_us),
                str(row.denied),
                str(row.refused),
                str(row.errors),
                str(row.resets),
            ]
            for row in rows
        ],
        numbers=range(1, 9),
    )


def _processes(nodes: dict[str, dict[str, Any]]) -> Table:
    """With the machine of each, where there may be several."""
    rows = [[name, str(facts.get("pid", "-")), _page(facts)] for name, facts in nodes.items()]
    titles = ["process", "pid", "metrics"]
    if any("host" in facts for facts in nodes.values()):
        titles.insert(2, "host")
        for row, facts in zip(rows, nodes.values(), strict=True):
            row.insert(2, facts.get("host", "here"))
    return table(None, titles, rows, numbers=(1,))


def _page(facts: dict[str, Any]) -> str:
    """Where its numbers are: a guest that shares a process has a page of its own there."""
    target = facts.get("target") or _here(facts)
    if not target:
        return "-"
    return f"http://{target}" if "/" in target else f"http://{target}/metrics"


def _here(facts: dict[str, Any]) -> str:
    return f"127.0.0.1:{facts['port']}" if facts["port"] else ""


def _events(events: list[dict[str, Any]]) -> Table:
    rows = [[f"{one['at_s']:.3f}", one["domain"], one["event"], one["detail"]] for one in events[-12:]]
    return table(None, ["at s", "domain", "event", ""], rows, numbers=(0,))
