"""The screen of one agent: its numbers, calls by message and status, latency, ledger, events, traces."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from deploy import control
from deploy.cli.output import table
from deploy.holdings import Holdings
from deploy.summary import CallCount
from deploy.top import parts
from deploy.top.columns import sparkline
from deploy.top.model import FIRMWARE, Board, Row
from nodes.firmware.ledger import Entry
from nodes.meters import quantile_ns

if TYPE_CHECKING:
    from deploy.top.app import TopApp

KEYS = (
    ("Esc", "back"),
    ("k", "poke"),
    ("t", "trace again"),
    ("Space", "pause"),
    ("up, down", "scroll"),
    ("q", "quit"),
)
WIDE = 120  # columns for two of tables beside each other
EVENTS_SHOWN = 12
KINDS = {"ERROR": "red", "DENIED": "yellow", "SUCCESS": "green"}


class Detail(msgspec.Struct):
    """What was told of one agent; None: not yet, a string: why not."""

    calls: list[CallCount] | str | None = None
    latency: dict[str, list[int]] = {}
    ledger: Holdings | str | None = None
    traces: list[str] | str | None = None


class AgentScreen(Screen[None]):
    """Asks for details at every look, one at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,left", "app.board", show=False),
        Binding("space,p", "pause", show=False),
        Binding("k", "poke", show=False),
        Binding("t", "trace", show=False),
        Binding("question_mark", "app.help", show=False),
        Binding("q", "app.leave", show=False),
    ]

    def __init__(self, row: Row) -> None:
        super().__init__()
        self.row = row
        self.detail = Detail()
        self._open = 0  # questions without an answer yet
        self._ended = False
        self._reading = False

    @property
    def top(self) -> "TopApp":
        return cast("TopApp", self.app)

    @property
    def chosen(self) -> Row | None:
        return self.row

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield Static(id="notice")
        with VerticalScroll(id="detail"):
            yield Static(id="body")
        yield Static(id="keys")

    def on_mount(self) -> None:
        self.query_one("#detail").focus()
        self.action_trace()
        self.draw()

    def on_resize(self, _event: events.Resize) -> None:
        self.draw()

    def action_pause(self) -> None:
        self.top.pause()

    def action_poke(self) -> None:
        self.top.poke(self.row)

    # ---- asking -------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask for details, unless the last questions are open; EL3 is not asked while it is silent."""
        board = self.top.board
        if board is None or self._open or self._ended:
            return
        self._open += 1
        self.top.question(control.Calls(self.row.domain), self._told_calls)
        if FIRMWARE not in board.silent and self.row.agent is not None:
            self._open += 1
            self.top.question(control.Ledger(str(self.row.agent)), self._told_ledger)

    def _told_calls(self, result: Any, error: str | None) -> None:
        self._open -= 1
        if error is None:
            self.detail.calls = msgspec.convert(result["calls"], list[CallCount])
            self.detail.latency = result["latency"]
        elif not isinstance(self.detail.calls, list):
            self.detail.calls = error
        self.draw()

    def _told_ledger(self, result: Any, error: str | None) -> None:
        self._open -= 1
        self.detail.ledger = error if error is not None else msgspec.convert(result, Holdings)
        self.draw()

    def action_trace(self) -> None:
        """Read its latest calls; that takes a moment, so it is done when wanted and not at every look."""
        if self.row.agent is not None and not self._reading:
            self._reading = True
            self.top.latest(self.row.agent, self._told_traces)

    def _told_traces(self, result: Any, error: str | None) -> None:
        self._reading = False
        self.detail.traces = error if error is not None else list(result)
        self.draw()

    # ---- drawing ------------------------------------------------------------------------------

    def draw(self) -> None:
        """Everything anew."""
        board, width = self.top.board, self.app.size.width
        if board is None or not (self.query("#keys") and self.query("#body")):
            return  # it is being made, or taken down
        now = next((row for row in board.rows if row.domain == self.row.domain), None)
        self._ended = now is None
        self.row = now or self.row
        self.query_one("#head", Static).update(self._head(width))
        notice = self.query_one("#notice", Static)
        trouble = self.top.trouble or (f"{self.row.domain} has ended; Esc goes back" if self._ended else "")
        notice.display = bool(trouble or self.top.under_way)
        notice.update(Text(trouble, "bold red") if trouble else Text(f"{self.top.under_way} …", "yellow"))
        self.query_one("#body", Static).update(self._body(board, width - 2))
        self.query_one("#keys", Static).update(parts.keys(width, KEYS))

    def _head(self, width: int) -> Text:
        row = self.row
        agent = "no agent" if row.agent is None else f"agent {row.agent}"
        first = [Text(row.domain, "bold"), Text(f"domain {row.domid}"), Text(agent, "cyan")]
        if self.top.view.paused:
            first.append(Text("PAUSED", "reverse bold"))
        return parts.fitting([*first, Text(sparkline(row.history, 30, self.top.bars), "cyan")], width)

    def _body(self, board: Board, width: int) -> RenderableType:
        facts, held = self._facts(), [*self._ledger(), *self._latency()]
        lately = [*self._traces(), *self._events(board, width)]
        if width < WIDE:
            return Group(*facts, *lately, *held, *self._calls())
        grid = Table.grid(padding=(0, 3, 0, 0))
        grid.add_row(Group(*facts, *held), Group(*lately, *self._calls()))
        return grid

    def _facts(self) -> list[RenderableType]:
        grid = Table.grid(padding=(0, 2, 0, 0))
        pairs = [one for one in parts.facts(self.row) if one[0] != "devices"]
        half = (len(pairs) + 1) // 2
        for at in range(half):
            cells: list[Text] = []
            for title, value in (pairs[at], pairs[at + half] if at + half < len(pairs) else ("", "")):
                cells += [Text(title, "dim"), Text(value)]
            grid.add_row(*cells)
        devices = " ".join(path.rsplit("/", 1)[-1] for path in self.row.devices) or "none"
        return [grid, Text.assemble(("devices granted  ", "dim"), devices), Text()]

    def _calls(self) -> list[RenderableType]:
        title = Text("Calls since the start", "bold")
        calls = self.detail.calls
        if not isinstance(calls, list):
            return [title, Text(calls or "asking …", "dim"), Text()]
        rows: list[list[str | Text]] = [
            [one.protocol, one.message, Text(one.status, KINDS.get(one.status, "yellow")), str(one.calls)]
            for one in calls
        ]
        return [title, table(None, ["protocol", "message", "status", "calls"], rows, numbers=(3,)), Text()]

    def _latency(self) -> list[RenderableType]:
        rows = [
            [protocol, *(f"{quantile_ns(counts, part) / 1000:.0f}" for part in (0.5, 0.99)), str(sum(counts))]
            for protocol, counts in sorted(self.detail.latency.items())
        ]
        if not rows:
            return []
        shown = table(None, ["protocol", "p50 us", "p99 us", "calls"], rows, numbers=(1, 2, 3))
        return [Text("Latency its guest saw", "bold"), shown, Text()]

    def _ledger(self) -> list[RenderableType]:
        title = Text("Ledger: what it holds in EL3", "bold")
        held = self.detail.ledger
        if not isinstance(held, Holdings):
            return [
                title,
                Text(held or ("it has no agent" if self.row.agent is None else "asking …"), "dim"),
                Text(),
            ]
        shown: list[RenderableType] = [title, _entries(held.now) if held.now else Text("nothing")]
        if held.reset is not None:
            verdict = (held.reset.verdict, "bold red" if held.reset.leaks else "green")
            freed = f"last reset {parts.said_ago(held.reset.age_s)}, {len(held.reset.before)} held before: "
            shown.append(Text.assemble(freed, verdict))
        return [*shown, Text()]

    def _events(self, board: Board, width: int) -> list[RenderableType]:
        mine = [event for event in board.status.events if event.domain == self.row.domain]
        room = width if width < WIDE else width // 2
        shown = parts.events(mine, EVENTS_SHOWN, room) if mine else Text("none", "dim")
        return [Text("Its events", "bold"), shown, Text()]

    def _traces(self) -> list[RenderableType]:
        told = self.detail.traces
        if isinstance(told, list):
            shown = Text("\n".join(told) or "none", no_wrap=True, overflow="ellipsis")
        else:
            shown = Text(told or ("it has no agent" if self.row.agent is None else "reading …"), "dim")
        return [Text("Latest calls when t was pressed", "bold"), shown, Text()]


def _entries(entries: Sequence[Entry]) -> Table:
    rows = [[one.kind, one.protocol or "-", one.thing or "-", one.value_text] for one in entries]
    return table(None, ["kind", "protocol", "what", "value"], rows, numbers=(3,))
