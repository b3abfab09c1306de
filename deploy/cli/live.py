"""The live screen: one row per agent with its rate over the last second, and the latest events."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from deploy.cli.output import count, microseconds, number, table
from deploy.platform import Event
from deploy.summary import AgentRow

EVENTS_SHOWN = 6
STATE_STYLE = {"running": "green", "dying": "yellow", "created": "cyan", "shutdown": "yellow"}


def screen(title: str, rows: list[AgentRow], rates: dict[int | None, float], events: list[Event]) -> Group:
    """Everything on one screen of 80 columns and about 16 lines."""
    return Group(Text(title, style="bold"), "", _agents(rows, rates), "", *_events(events))


def _agents(rows: list[AgentRow], rates: dict[int | None, float]) -> Table:
    return table(
        None,
        ["domain", "agent", "state", "calls/s", "calls", "p50 us", "p99 us", "DENIED", "resets"],
        [
            [
                row.name,
                number(row.agent_id),
                Text(row.state, STATE_STYLE.get(row.state, "red")),
                f"{rates.get(row.agent_id, 0.0):.0f}",
                count(row.calls),
                microseconds(row.p50_us),
                microseconds(row.p99_us),
                str(row.denied),
                str(row.resets),
            ]
            for row in rows
        ],
        numbers=(1, 3, 4, 5, 6, 7, 8),
    )


def _events(events: list[Event]) -> list[Text]:
    return [event_line(event) for event in events[-EVENTS_SHOWN:]]


def event_line(event: Event) -> Text:
    """One life-cycle event in one line."""
    text = Text(f"{event.at_s:7.3f} s  ", style="dim")
    text.append(f"{event.domain:10}", style="bold")
    text.append(f"{event.event:14}", style="cyan")
    text.append(event.detail)
    return text
