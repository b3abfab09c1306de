"""Where looks at a platform come from: the control socket, asked in threads so that no screen ever waits.

``Source`` is what a screen needs; tests script one. ``waiting_s`` tells for how long no look has
come, and an end is told as ``Gone``. After an end it looks on: the platform may be started again.
"""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from deploy import control
from deploy.errors import UserError
from deploy.rundir import RunDirectory
from deploy.toolstack import ToolstackError
from deploy.top.model import Look, Status

ASKS_MAX = 8  # requests of the screen that wait for their turn; beyond them it is told so
AGAIN_S = 0.5
TRACES_READ, TRACES_SHOWN = 20_000, 16  # most of what is read may have no end: its rows are gone from a ring


class Gone(msgspec.Struct, frozen=True):
    """The platform does not run (any more)."""

    reason: str


News = Look | Gone
Answered = Callable[[Any, str | None], None]  # (result, what went wrong)


class Source(Protocol):
    """``begin`` once; ``publish`` and ``answered`` are called in whichever thread."""

    def begin(self, publish: Callable[[News], None]) -> None: ...

    def show(self, agents: tuple[int, ...]) -> None:
        """Whose votes are wanted: those on the screen."""
        ...

    def ask(self, request: control.Request, answered: Answered) -> None: ...

    def latest(self, agent: int, answered: Answered) -> None:
        """The agent's latest calls that have ended, a line each, the newest last."""
        ...

    def waiting_s(self) -> float:
        """How long the platform has not answered by now, in seconds."""
        ...

    def end(self) -> None: ...


def look(session: control.Session, agents: tuple[int, ...] | None = None) -> Look:
    """One look; without ``agents`` everybody's votes are counted. Raises as ``Session.ask``."""
    status = msgspec.convert(session.ask(control.Status()), Status)
    if agents is None:
        agents = tuple(row.agent_id for row in status.domains if row.agent_id is not None)
    votes: dict[int, int] | None = {}
    if agents:
        try:
            votes = {agent: held for agent, held, _ in session.ask(control.Tally(agents))}
        except ToolstackError:
            votes = None
    return Look(status, votes)


class ControlSource:
    """Looks every ``interval_s`` in one thread, does what the screen asks for in another.

    Both are daemons: a platform that does not answer keeps nobody from leaving.
    """

    def __init__(self, run: RunDirectory, interval_s: float) -> None:
        self._run = run
        self._interval_s = interval_s
        self._agents: tuple[int, ...] | None = None
        self._asked_at: float | None = None
        self._ended = threading.Event()
        self._asks: queue.Queue[tuple[control.Request, Answered]] = queue.Queue(ASKS_MAX)

    def begin(self, publish: Callable[[News], None]) -> None:
        threading.Thread(target=self._look_on, args=(publish,), name="looks", daemon=True).start()
        threading.Thread(target=self._answer, name="asks", daemon=True).start()

    def show(self, agents: tuple[int, ...]) -> None:
        self._agents = agents

    def waiting_s(self) -> float:
        asked_at = self._asked_at
        return 0.0 if asked_at is None else time.monotonic() - asked_at

    def ask(self, request: control.Request, answered: Answered) -> None:
        try:
            self._asks.put_nowait((request, answered))
        except queue.Full:
            answered(None, f"{ASKS_MAX} requests wait already: the platform does not answer")

    def latest(self, agent: int, answered: Answered) -> None:
        threading.Thread(target=self._read, args=(agent, answered), name="traces", daemon=True).start()

    def _read(self, agent: int, answered: Answered) -> None:
        """From the files of the flight recorder: all of them are decoded, which takes a second or two."""
        from deploy.tracing import live  # noqa: PLC0415 - every protocol's tables; only who looks needs them

        try:
            found = live.latest(self._run, agent, None, TRACES_READ)
        except (UserError, OSError, ValueError) as error:
            answered(None, str(error))
            return
        answered([line.text for line in found if line.took_ns is not None][-TRACES_SHOWN:], None)

    def end(self) -> None:
        self._ended.set()

    def _look_on(self, publish: Callable[[News], None]) -> None:
        while not self._ended.is_set():
            try:
                with control.Session(self._run) as session:
                    self._look_while(session, publish)
            except (UserError, ToolstackError) as error:
                if not self._run.alive():
                    self._asked_at = None
                    publish(Gone(str(error)))
            self._ended.wait(AGAIN_S)

    def _look_while(self, session: control.Session, publish: Callable[[News], None]) -> None:
        while not self._ended.is_set():
            began = self._asked_at = time.monotonic()
            found = look(session, self._agents)
            self._asked_at = None
            publish(found)
            self._ended.wait(max(0.05, self._interval_s - (time.monotonic() - began)))

    def _answer(self) -> None:
        while not self._ended.is_set():
            try:
                request, answered = self._asks.get(timeout=AGAIN_S)
            except queue.Empty:
                continue
            try:
                result = control.ask(self._run, request)
            except (UserError, ToolstackError) as error:
                answered(None, str(error))
            else:
                answered(result, None)
