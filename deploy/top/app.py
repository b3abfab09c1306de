"""The application: what it knows of the platform, what keys do, and how it ends.

News come from a ``Source`` in its threads as messages; nothing here waits for the platform.
"""

import asyncio
import signal
from typing import Any, ClassVar

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from deploy import control
from deploy.cli.following import ENDING
from deploy.errors import UserError
from deploy.top import parts
from deploy.top.agent import AgentScreen
from deploy.top.board import BoardScreen
from deploy.top.columns import BARS
from deploy.top.dialogs import Confirm, Help, Menu, Problem, Prompt
from deploy.top.model import Board, Model, Row
from deploy.top.source import Answered, Gone, News, Source
from deploy.top.view import View

TICK_S = 0.5


class Told(Message):
    """News of the platform."""

    def __init__(self, news: News) -> None:
        super().__init__()
        self.news = news


class Reply(Message):
    """The answer to a request of the screen."""

    def __init__(self, answered: Answered, result: Any, error: str | None) -> None:
        super().__init__()
        self.answered, self.result, self.error = answered, result, error


class TopApp(App[None]):
    """``board`` is what is shown, ``view`` how. ``theme``: None leaves all colours to the terminal."""

    TITLE = "trapline top"
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "top.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupted", show=False, priority=True),
        Binding("ctrl+q", "leave", show=False),
    ]

    def __init__(
        self,
        source: Source,
        model: Model,
        view: View,
        *,
        theme: str | None = None,
        bars: str = BARS,
    ) -> None:
        super().__init__(ansi_color=True if theme is None else None)
        self.theme = theme or "ansi-dark"
        self.source = source
        self.model = model
        self.view = view
        self.bars = bars
        self.board: Board | None = None
        self.gone = False
        self.under_way = ""
        self._latest: Board | None = None

    def get_default_screen(self) -> Screen[Any]:
        return BoardScreen()

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in ENDING:
            loop.add_signal_handler(number, self.exit, None, 128 + number)
        self.set_interval(TICK_S, self._draw)
        self.source.begin(self._publish)

    def on_unmount(self) -> None:
        self.source.end()

    @property
    def trouble(self) -> str:
        """Why what is shown may not be so any more."""
        return parts.trouble(self.board, self.gone, self.source.waiting_s())

    def _publish(self, news: News) -> None:
        self.post_message(Told(news))

    @property
    def stale(self) -> bool:
        """Whether nothing that is shown is new."""
        return self.gone or self.source.waiting_s() > parts.NO_ANSWER_S

    # ---- news ---------------------------------------------------------------------------------

    def on_told(self, message: Told) -> None:
        if isinstance(message.news, Gone):
            self.gone = True
        else:
            self.gone = False
            self._latest = self.model.look(message.news)
            if not self.view.paused or self.board is None:
                self.board = self._latest
            for screen in self.screen_stack:
                if isinstance(screen, AgentScreen) and not self.view.paused:
                    screen.ask()
        self._draw()

    def _draw(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, BoardScreen | AgentScreen):
                screen.draw()

    def question(self, request: control.Request, answered: Answered) -> None:
        """Ask the platform; ``answered`` is called here, unless this has ended by then."""

        def told(result: Any, error: str | None) -> None:
            self.post_message(Reply(answered, result, error))

        self.source.ask(request, told)

    def on_reply(self, message: Reply) -> None:
        message.answered(message.result, message.error)

    def latest(self, agent: int, answered: Answered) -> None:
        """Read the latest calls of an agent; ``answered`` is called as ``question`` does."""

        def told(result: Any, error: str | None) -> None:
            self.post_message(Reply(answered, result, error))

        self.source.latest(agent, told)

    # ---- keys ---------------------------------------------------------------------------------

    def action_leave(self) -> None:
        self.exit()

    def action_interrupted(self) -> None:
        self.exit(return_code=128 + signal.SIGINT)

    def action_help(self) -> None:
        self.push_screen(Help())

    def action_board(self) -> None:
        if isinstance(self.screen, AgentScreen):
            self.pop_screen()

    def pause(self) -> None:
        """Stand still, or go on with what is known by now."""
        self.view.paused = not self.view.paused
        if not self.view.paused and self._latest is not None:
            self.board = self._latest
        self._draw()

    def drill(self, row: Row) -> None:
        """The screen of one agent."""
        screen = AgentScreen(row)
        self.push_screen(screen)
        screen.ask()

    @work(exclusive=True, group="poke")
    async def poke(self, row: Row | None) -> None:
        """Choose, tell what is missing, confirm, do it."""
        if row is None:
            return
        chosen = await self.push_screen_wait(Menu(row))
        if chosen is None:
            return
        title = chosen.title.format(row.domain)
        text: str | None = ""
        if chosen.wants:
            text = await self.push_screen_wait(Prompt(title, chosen.wants, chosen.prefill(row)))
        if text is None:
            return
        try:
            request = chosen.request(row, text)
        except UserError as error:
            await self.push_screen_wait(Problem("This cannot be done", str(error)))
            return
        if await self.push_screen_wait(Confirm(chosen.will(row, text))):
            self.under_way = title
            self._draw()
            self.question(request, lambda _result, error: self._poked(title, error))

    def _poked(self, title: str, error: str | None) -> None:
        self.under_way = ""
        if error is None:
            self.notify(f"done: {title}", timeout=3, markup=False)
        else:
            self.push_screen(Problem(f"It did not work: {title}", error))
        self._draw()
