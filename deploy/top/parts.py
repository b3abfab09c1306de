"""What the screens are made of: header, notice, events, keys and cells as text that fits. No widgets.

Colours are the terminal's own sixteen, by name: they look right on whatever background somebody likes.
"""

from collections.abc import Sequence

from rich.text import Text

from deploy.top.columns import BY_KEY, Column, ago_text, rate_text
from deploy.top.model import FIRMWARE, XEN, Board, Event, Row
from deploy.top.view import View

STATES = {"running": "green", "created": "cyan", "shutdown": "yellow", "dying": "yellow"}
TITLES = {FIRMWARE: "EL3", XEN: "Xen"}
KEYS = (
    ("q", "quit"),
    ("?", "help"),
    ("s", "sort"),
    ("/", "filter"),
    ("Enter", "one agent"),
    ("k", "poke"),
    ("Space", "pause"),
    ("S", "turn round"),
    ("<", "sort back"),
)
NO_ANSWER_S = 2.0
NAME_MAX, NARROW_NAME_MAX = 14, 10  # of events
NARROW = 80


def fitting(parts: Sequence[Text], width: int, gap: int = 2) -> Text:
    """The first parts, in one line, as many as are wholly visible."""
    line = Text(no_wrap=True, end="")
    for part in parts:
        needed = part.cell_len + (gap if line else 0)
        if line.cell_len + needed > width:
            continue
        if line:
            line.append(" " * gap)
        line.append_text(part)
    return line


def up_text(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def head(board: Board, view: View, width: int) -> Text:
    """Two lines: how it does, and what it is."""
    status = board.status
    silent = f", {len(board.silent)} silent" if board.silent else ""
    first = [
        Text(status.platform, "bold"),
        Text("PAUSED", "reverse bold") if view.paused else Text(),
        Text.assemble((f"{rate_text(board.rate)} calls/s", "bold cyan")),
        Text(f"up {up_text(status.uptime_s)}"),
        Text(f"{board.nodes_up} nodes up{silent}", "bold red" if silent else ""),
    ]
    order = f"sort {BY_KEY[view.sort].title}{', turned round' if view.backwards else ''}"
    second = [
        Text(order, "cyan"),
        Text(f"filter {view.words}", "bold yellow") if view.words else Text(),
        Text(f"firmware {status.firmware}"),
        Text(f"Xen {status.profile}"),
        Text(f"{status.link} links, {status.pages} pages", "dim"),
    ]
    lines = [fitting([part for part in parts if part], width) for parts in (first, second)]
    return Text("\n").join(lines)


def trouble(board: Board | None, gone: bool, waiting_s: float) -> str:
    """Why what is shown may not be so any more; "" if it is."""
    if gone and board is None:
        return "no platform runs; q leaves, and if one is started it is shown"
    if gone:
        return "the platform has ended; q leaves, and if it is started again this view goes on"
    if waiting_s > NO_ANSWER_S:
        return f"the platform has not answered for {waiting_s:.0f} s (is Xen stopped?); these numbers are old"
    if board is None:
        return "looking for the platform" if waiting_s < NO_ANSWER_S else ""
    lost = [f"{TITLES.get(name, name)} ({seconds:.0f} s)" for name, seconds in board.silent.items()]
    return f"no answer from {', '.join(lost)}: stopped, or very busy" if lost else ""


def clipped(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def cell(column: Column, row: Row, width: int, stale: bool) -> Text:
    """One cell of the table, ``width`` wide; only names are ever longer."""
    text = column.text(row)
    style = ""
    if column.key == "state":
        style = STATES.get(row.state, "bold red")
    elif column.key == "domain":
        style = "bold"
    elif column.key == "rate":
        style = "bold cyan" if row.rate else ""
    elif (column.key == "denied-rate" and row.denied_rate) or (column.key == "waiting" and row.waiting):
        style = "yellow"
    elif text in ("-", "0"):
        style = "dim"
    shown = text.rjust(width) if column.right else clipped(text, width).ljust(width)
    return Text(shown, "dim" if stale or (row.state == "silent" and not style) else style, no_wrap=True)


def events(shown: Sequence[Event], lines: int, width: int) -> Text:
    """The latest events, the newest at the bottom, each in one line that ends with … when it is longer."""
    text = Text(no_wrap=True)
    room = NAME_MAX if width >= NARROW - 2 else NARROW_NAME_MAX
    for event in shown[-lines:] if lines else ():
        line = Text(no_wrap=True)
        line.append(f"{event.at_s:8.1f} s  ", style="dim")
        line.append(f"{clipped(event.domain, room):{room}} ", style="bold")
        line.append(f"{event.event:10} ", style="cyan")
        line.append(event.detail)
        line.truncate(width, overflow="ellipsis")
        text.append_text(line)
        text.append("\n")
    text.rstrip()
    return text


def keys(width: int, shown: Sequence[tuple[str, str]] = KEYS) -> Text:
    """The footer: as many keys as are wholly visible."""
    return fitting([Text.assemble((key, "bold reverse"), f" {what}") for key, what in shown], width)


def facts(row: Row) -> list[tuple[str, str]]:
    """All that the table could show of one domain, for its own screen."""
    found = [(column.title, column.text(row)) for column in BY_KEY.values() if column.key != "domain"]
    found.append(("devices", " ".join(path.rsplit("/", 1)[-1] for path in row.devices) or "none"))
    return found


def said_ago(seconds: float) -> str:
    return f"{ago_text(seconds)} ago"
