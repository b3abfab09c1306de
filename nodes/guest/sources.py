"""Where a guest's calls come from: one after the other, or whenever they arrive.

A source says when its next call is due, gives it, and hears how it ended. It knows neither channels nor
links; ``load.py`` makes one of a plan.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Protocol

import msgspec

from bus.chance import below
from nodes.guest.arrivals import Arrival
from nodes.guest.caller import Asking
from nodes.guest.calls import Ask, Outcome
from nodes.guest.mixes import Menu

Forever = Generator[Ask, Outcome, None]
Dropped = tuple[int, str]  # (when it was meant to begin, why it was not even tried)


class Source(Protocol):
    """``due_ns`` is when the next call wants to begin, None for never; it changes only in what is called.

    ``intended_ns`` is when the call given last was meant to begin: its latency counts from there.
    ``dropped`` are the calls that were not even tried, for the core to count and clear.
    """

    due_ns: int | None
    intended_ns: int
    dropped: list[Dropped]

    def take(self, now_ns: int) -> Ask:
        """The call that is due."""
        ...

    def ended(self, outcome: Outcome, now_ns: int) -> None:
        """How the call taken last ended."""
        ...

    def stop(self) -> None:
        """Nothing more is due; what waits is dropped."""
        ...


class ClosedLoop:
    """A closed loop: a coroutine's calls, each ``think`` (lowest, highest) nanoseconds after the last."""

    def __init__(
        self, work: Forever, begin_ns: int, stop_ns: int | None, think: tuple[int, int], seed: int
    ) -> None:
        self._work = work
        self._next = next(work)
        self._stop_ns = stop_ns
        self._think_ns = think[0]
        self._spread_ns = think[1] - think[0]
        self._seed = seed
        self._calls = 0
        self.due_ns: int | None = begin_ns
        self.intended_ns = 0
        self.dropped: list[Dropped] = []

    def take(self, now_ns: int) -> Ask:
        self.due_ns = None
        self.intended_ns = now_ns
        return self._next

    def ended(self, outcome: Outcome, now_ns: int) -> None:
        self._next = self._work.send(outcome)
        due_ns = now_ns + self._think_ns
        if self._spread_ns:
            self._calls += 1
            due_ns += below(self._spread_ns + 1, self._seed, self._calls)
        self.due_ns = due_ns if self._stop_ns is None or due_ns < self._stop_ns else None

    def stop(self) -> None:
        self.due_ns = None


class ArrivalSchedule(msgspec.Struct, frozen=True):
    """When calls arrive: ``arrivals`` gives them from a time on, counted from ``begin_ns``.

    Not before ``begin_ns``, nor from ``stop_ns`` on; ``backlog`` of them may wait.
    """

    arrivals: Callable[[int], Iterator[Arrival]]
    begin_ns: int
    stop_ns: int | None
    backlog: int


class OpenLoop:
    """An open loop: calls that arrive when the schedule says, whether earlier ones are done or not.

    First ``prelude`` asks for what there is to choose from; what was due before it ends never arrived.
    """

    def __init__(self, prelude: Asking[Menu], schedule: ArrivalSchedule, now_ns: int) -> None:
        self._prelude = prelude
        self._schedule = schedule
        self._menu: Menu | None = None
        self._asked: Ask | None = None
        self._arrivals: Iterator[Arrival] = iter(())
        self._coming: Arrival | None = None
        self._waiting: deque[Arrival] = deque()
        self.due_ns: int | None = now_ns
        self.intended_ns = 0
        self.dropped: list[Dropped] = []
        try:
            self._asked = next(prelude)
        except StopIteration as done:
            self._begin(done.value, now_ns)

    def take(self, now_ns: int) -> Ask:
        if self._menu is None:
            assert self._asked is not None
            self.due_ns, self.intended_ns = None, now_ns
            return self._asked
        self._collect(now_ns, self._schedule.backlog + 1)
        intended_ns, number = self._waiting.popleft()
        self.due_ns, self.intended_ns = None, intended_ns
        return self._menu.draw(number)

    def ended(self, outcome: Outcome, now_ns: int) -> None:
        if self._menu is None:
            try:
                self._asked = self._prelude.send(outcome)
                self.due_ns = now_ns
            except StopIteration as done:
                self._begin(done.value, now_ns)
            return
        self._collect(now_ns - 1, self._schedule.backlog)
        stop_ns = self._schedule.stop_ns
        if stop_ns is not None and now_ns >= stop_ns:
            self._drop_waiting()
        self._look()

    def stop(self) -> None:
        self._arrivals, self._coming = iter(()), None
        self._drop_waiting()
        self.due_ns = None

    def _begin(self, menu: Menu, now_ns: int) -> None:
        self._menu = menu
        begin_ns = self._schedule.begin_ns
        self._arrivals = self._schedule.arrivals(max(0, now_ns - begin_ns))
        self._advance()
        self._look()

    def _advance(self) -> None:
        """The next arrival that is to come, on the guest's clock."""
        coming = next(self._arrivals, None)
        if coming is not None:
            coming = (coming[0] + self._schedule.begin_ns, coming[1])
            stop_ns = self._schedule.stop_ns
            if stop_ns is not None and coming[0] >= stop_ns:
                coming = None
        self._coming = coming

    def _look(self) -> None:
        first = self._waiting[0] if self._waiting else self._coming
        self.due_ns = first[0] if first else None

    def _collect(self, until_ns: int, room: int) -> None:
        """What has arrived waits, as far as there is room."""
        while self._coming is not None and self._coming[0] <= until_ns:
            if len(self._waiting) < room:
                self._waiting.append(self._coming)
            else:
                self.dropped.append((self._coming[0], "backlog"))
            self._advance()

    def _drop_waiting(self) -> None:
        self.dropped.extend((intended_ns, "stopped") for intended_ns, _ in self._waiting)
        self._waiting.clear()
