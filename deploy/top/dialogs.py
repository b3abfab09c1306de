"""The dialogs: a menu of pokes, a line of text, a question, an error's words, help. Escape leaves each."""

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from rich.table import Table
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from deploy.top.columns import COLUMNS
from deploy.top.model import Row
from deploy.top.pokes import POKES, Poke

HELP_KEYS = (
    ("up, down, PgUp, PgDn, Home, End", "move in the table"),
    ("Enter", "one agent: its calls, latency, ledger, events, and its latest calls (t: again)"),
    ("s  >  <", "sort by the next column, by the one before"),
    ("S", "turn the order round"),
    ("/", "show only domains that match all words: name, state, agent's number; Esc shows all"),
    ("Space, p", "pause: the table stands still, the platform does not"),
    ("k", "poke: create, destroy, reboot, crash, break and mend hardware, stop a node; asks before"),
    ("?", "this"),
    ("q, Ctrl-C", "leave; the platform goes on"),
)


T = TypeVar("T")


class Dialog(ModalScreen[T | None]):
    """A box in the middle. Escape ends it without a result."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def action_leave(self) -> None:
        self.dismiss(None)


class Menu(Dialog[Poke]):
    """What can be done; the key of a line chooses it."""

    def __init__(self, row: Row | None) -> None:
        super().__init__()
        self._row = row

    def compose(self) -> ComposeResult:
        lines = Table.grid(padding=(0, 2, 0, 0))
        name = self._row.domain if self._row is not None else "-"
        for poke in POKES:
            lines.add_row(Text(poke.key, "bold reverse"), Text(poke.title.format(name)))
        with Vertical(classes="box"):
            yield Static(Text("Poke the platform", "bold"), classes="title")
            yield Static(lines)
            yield Static(Text("Esc: nothing", "dim"), classes="hint")

    def on_key(self, event: events.Key) -> None:
        chosen = next((poke for poke in POKES if poke.key == event.character), None)
        if chosen is not None:
            event.stop()
            self.dismiss(chosen)


class Prompt(Dialog[str]):
    """One line of text."""

    def __init__(self, title: str, wants: str, prefill: str) -> None:
        super().__init__()
        self._title, self._wants, self._prefill = title, wants, prefill

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(Text(self._title, "bold"), classes="title")
            yield Static(Text(self._wants))
            yield Input(self._prefill, select_on_focus=True)
            yield Static(Text("Enter: go on   Esc: nothing", "dim"), classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)


class Confirm(Dialog[bool]):
    """Yes or no to what will happen. Enter is no yes: nobody destroys a domain by typing ahead."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", show=False),
        Binding("n,q", "answer(False)", show=False),
    ]

    def __init__(self, will: str) -> None:
        super().__init__()
        self._will = will

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(Text("Do it?", "bold"), classes="title")
            yield Static(Text(self._will))
            answers = Text.assemble(("y", "bold reverse"), " yes   ", ("n", "bold reverse"), " no, nothing")
            yield Static(answers, classes="hint")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class Problem(Dialog[bool]):
    """What went wrong, in the words of who found it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q,space", "leave", show=False)]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with Vertical(classes="box problem"):
            yield Static(Text(self._title, "bold red"), classes="title")
            with VerticalScroll():
                yield Static(Text(self._text))
            yield Static(Text("Enter or Esc: go on", "dim"), classes="hint")


class Help(Dialog[bool]):
    """Keys and columns."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,question_mark", "leave", show=False)]

    def compose(self) -> ComposeResult:
        with Vertical(classes="box help"):
            with VerticalScroll():
                yield Static(Text("Keys", "bold"), classes="title")
                yield Static(_lines(HELP_KEYS))
                yield Static(Text("\nColumns, as far as they fit", "bold"))
                yield Static(_lines([(column.title, column.help) for column in COLUMNS]))
            yield Static(Text("up, down: scroll   Esc: back", "dim"), classes="hint")


def _lines(rows: Sequence[tuple[str, str]]) -> Table:
    lines = Table.grid(padding=(0, 2, 0, 0))
    lines.add_column(max_width=18)
    for left, right in rows:
        lines.add_row(Text(left, "cyan"), Text(right))
    return lines
