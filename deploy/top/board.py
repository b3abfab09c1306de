"""The main screen: header, table of agents, latest events, keys."""

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Input, Static

from deploy.top import parts
from deploy.top.columns import ordered
from deploy.top.model import Row
from deploy.top.table import AgentsTable

if TYPE_CHECKING:
    from deploy.top.app import TopApp

LEAST_EVENTS, MOST_EVENTS = 3, 30
FRAME_LINES = 9  # header, notice, column titles, keys, and the empty lines between
TALLIES_MAX = 128


class BoardScreen(Screen[None]):
    """Draws what the application knows; asks nobody."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s,greater_than_sign", "sort(1)", show=False),
        Binding("less_than_sign", "sort(-1)", show=False),
        Binding("S", "turn_round", show=False),
        Binding("slash", "filter", show=False),
        Binding("escape", "show_all", show=False),
        Binding("space,p", "pause", show=False),
        Binding("k", "poke", show=False),
        Binding("question_mark", "app.help", show=False),
        Binding("q", "app.leave", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield Static(id="notice")
        yield AgentsTable(self.top.bars)
        yield Static(id="events")
        yield Input(placeholder="words; Enter keeps them, Esc shows all", id="filter", compact=True)
        yield Static(id="keys")

    @property
    def top(self) -> "TopApp":
        return cast("TopApp", self.app)

    @property
    def table(self) -> AgentsTable:
        return self.query_one(AgentsTable)

    @property
    def chosen(self) -> Row | None:
        return self.table.chosen

    def on_mount(self) -> None:
        self.query_one("#filter").display = False
        self.table.focus()
        self.draw()

    def on_resize(self, _event: events.Resize) -> None:
        self.draw()

    def draw(self) -> None:
        """Everything anew from the application's board; nothing while the screen is made or taken down."""
        if not self.query("#keys"):
            return
        top, view, width, height = self.top, self.top.view, self.app.size.width, self.app.size.height
        self._notice()
        self.query_one("#keys", Static).update(parts.keys(width))
        board = top.board
        if board is None:
            return
        self.query_one("#head", Static).update(parts.head(board, top.view, width))
        rows = ordered(board.rows, view.sort, view.words, view.backwards)
        lines = min(MOST_EVENTS, max(LEAST_EVENTS, height - len(rows) - FRAME_LINES))
        self.query_one("#events", Static).update(parts.events(board.status.events, lines, width - 2))
        self.table.draw(rows, view.sort, top.stale, width)
        agents = [row.agent for row in self.table.on_screen() if row.agent is not None]
        top.source.show(tuple(agents[:TALLIES_MAX]))

    def _notice(self) -> None:
        notice = self.query_one("#notice", Static)
        trouble = self.top.trouble
        notice.display = bool(trouble or self.top.under_way)
        notice.update(Text(trouble, "bold red") if trouble else Text(f"{self.top.under_way} …", "yellow"))

    # ---- keys ---------------------------------------------------------------------------------

    def action_sort(self, step: int) -> None:
        shown = self.table.shown
        if shown:
            at = shown.index(self.top.view.sort) if self.top.view.sort in shown else -step
            self.top.view.sort = shown[(at + step) % len(shown)]
            self.draw()

    def action_turn_round(self) -> None:
        self.top.view.backwards = not self.top.view.backwards
        self.draw()

    def action_pause(self) -> None:
        self.top.pause()

    def action_poke(self) -> None:
        self.top.poke(self.chosen)

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def action_show_all(self) -> None:
        self.query_one("#filter", Input).value = ""
        self._filtered("")

    def _filtered(self, words: str) -> None:
        self.top.view.words = words
        self.query_one("#filter").display = False
        self.table.focus()
        self.draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.top.view.words = event.value
        self.draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._filtered(event.value)

    def on_data_table_row_selected(self, _event: DataTable.RowSelected) -> None:
        if self.chosen is not None:
            self.top.drill(self.chosen)

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        if event.column_key.value in self.table.shown:
            self.top.view.sort = str(event.column_key.value)
            self.draw()
