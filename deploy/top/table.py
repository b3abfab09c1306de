"""The table of agents as a widget: its columns stand still, and its cursor stays on a domain."""

from typing import Any

from rich.text import Text
from textual.widgets import DataTable

from deploy.top.columns import BARS, SPARK, Layout, layout, sparkline, widths_of
from deploy.top.model import Row
from deploy.top.parts import cell

SCROLLBAR = 1  # column, whether it is there or not


class AgentsTable(DataTable[Text]):
    """``draw`` shows rows in their order. ``shown`` are the columns that fit now, by key."""

    def __init__(self, bars: str = BARS) -> None:
        super().__init__(cursor_type="row", cell_padding=0, id="agents")
        self._bars = bars
        self._widths: dict[str, int] = {}
        self._layout: Layout | None = None
        self._titled: Any = None
        self._rows: list[Row] = []
        self._placed = 0  # where the cursor was put, if nobody moved it since
        self._follows = False  # a domain; else the cursor stays in the first row, whoever that is

    @property
    def shown(self) -> tuple[str, ...]:
        return () if self._layout is None else tuple(column.key for column in self._layout.columns)

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor_row] if 0 <= self.cursor_row < len(self._rows) else None

    def on_screen(self) -> list[Row]:
        """The rows on the screen, and those just beyond."""
        first = max(0, int(self.scroll_y) - 1)
        return self._rows[first : first + self.size.height + 2]

    def draw(self, rows: list[Row], sort: str, stale: bool, room: int) -> None:
        """Show these rows; a cursor that was moved stays with its domain."""
        if self.cursor_row != self._placed:
            self._follows = self.cursor_row > 0
        before = self.chosen
        self._widths = widths_of(rows, self._widths)
        self._columns_for(layout(room - SCROLLBAR, self._widths, sort), sort)
        self._rows = rows
        cells = [self._cells(row, stale) for row in rows]
        for at, line in enumerate(cells):
            if at >= self.row_count:
                self.add_row(*line, key=str(at))
                continue
            for column, text in enumerate(line):
                if self.get_cell_at((at, column)) != text:  # type: ignore[arg-type]
                    self.update_cell_at((at, column), text)  # type: ignore[arg-type]
        for at in range(len(rows), self.row_count):
            self.remove_row(str(at))
        names = [row.domain for row in rows]
        at = names.index(before.domain) if before is not None and before.domain in names else self.cursor_row
        self.move_cursor(row=at if self._follows else 0, animate=False, scroll=False)
        self._placed = self.cursor_row

    def _cells(self, row: Row, stale: bool) -> list[Text]:
        """As wide as their columns: the cursor's style must reach from side to side."""
        assert self._layout is not None
        gap = " " * self._layout.gap
        line = []
        for column, width in zip(self._layout.columns, self._layout.widths, strict=True):
            line.append(Text.assemble(gap, cell(column, row, width, stale)))
        if self._layout.spark:
            bars = sparkline(row.history, self._layout.spark, self._bars)
            line.append(Text(gap + bars, "dim" if stale else "cyan"))
        return line

    def _columns_for(self, wanted: Layout, sort: str) -> None:
        """Made anew only when they change: what is drawn over and over flickers."""
        titled = ([column.key for column in wanted.columns], wanted.widths, wanted.spark, sort)
        if titled == self._titled:
            return
        self._layout, self._titled = wanted, titled
        scroll = self.scroll_y
        cursor = self.cursor_row
        self.clear(columns=True)
        gap = " " * wanted.gap
        for column, width in zip(wanted.columns, wanted.widths, strict=True):
            style = "bold underline" if column.key == sort else "bold"
            space = " " * (width - len(column.title))
            before, after = (space, "") if column.right else ("", space)
            title = Text.assemble(gap, before, (column.title, style), after)
            self.add_column(title, width=width + wanted.gap, key=column.key)
        if wanted.spark:
            heading = Text(f"{gap}{'lately':>{wanted.spark}}", "bold")
            self.add_column(heading, width=wanted.spark + wanted.gap, key=SPARK)
        for at in range(len(self._rows)):
            self.add_row(*(Text() for _ in self.columns), key=str(at))
        self.move_cursor(row=cursor, animate=False, scroll=False)
        self.scroll_to(y=scroll, animate=False)
