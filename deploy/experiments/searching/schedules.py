"""Every order in which messages can arrive, one schedule after the other: systematic, not random.

Messages between two nodes keep their order; which of the ways delivers next is a choice. Two deliveries at
different nodes commute, so only one of their two orders is played (sleep sets, Godefroid 1996): what is
left out ends in the same states. It knows messages and ways, not what they mean.
"""

import heapq
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from bus.links import Delivery
from bus.links.simulated import NEVER, SimulatedLink, Timeline

STEP_NS: Final = 1_000  # between two deliveries, so that times differ
Step = tuple[str, str, int]  # receiver, sender, the how-manieth message on that way


class Pruned(Exception):  # noqa: N818 - what happened, not what to catch
    """All that could happen now was played elsewhere, in an order that commutes with this one."""


class Choice(msgspec.Struct):
    """One moment with several possibilities: which ``taken``, which of them ``slept`` (need no play)."""

    open: list[Step]
    sleeping: frozenset[Step]
    at: int = 0

    @property
    def taken(self) -> Step:
        return self.open[self.at]


class Explorer:
    """Depth first over all schedules. ``choose`` is asked during a run, ``again`` after it: is there another?

    ``choices`` are those of the run under way, and before it those that it must repeat. What ``meddlers``
    receive commutes with nothing: they reach into other nodes (a toolstack ends a guest's process).
    """

    def __init__(self, meddlers: frozenset[str] = frozenset()) -> None:
        self._meddlers = meddlers
        self.choices: list[Choice] = []
        self._depth = 0
        self._asleep: frozenset[Step] = frozenset()

    def begin(self) -> None:
        """A new run: it repeats the choices it was given, then goes its own way."""
        self._depth = 0
        self._asleep = frozenset()

    def choose(self, possible: list[Step]) -> Step:
        """Which of these happens next; raises Pruned."""
        if self._depth == len(self.choices):
            open_ = [one for one in possible if one not in self._asleep]
            if not open_:
                raise Pruned
            self.choices.append(Choice(open_, self._asleep))
        choice = self.choices[self._depth]
        self._depth += 1
        taken = choice.taken
        done = choice.sleeping | frozenset(choice.open[: choice.at])
        self._asleep = frozenset(one for one in done if self._commute(one, taken))
        return taken

    def _commute(self, one: Step, other: Step) -> bool:
        return one[0] != other[0] and not {one[0], other[0]} & self._meddlers

    def again(self) -> bool:
        """Move on to the next schedule; False after the last."""
        del self.choices[self._depth :]
        while self.choices:
            last = self.choices[-1]
            if last.at + 1 < len(last.open):
                last.at += 1
                return True
            self.choices.pop()
        return False


class ChoosingTimeline(Timeline):
    """Time on which an explorer decides what arrives next, while ``explorer`` is set; ordinary otherwise.

    ``reluctant`` names nodes that are served only when nothing else can happen: a slow EL3. ``trail``: who
    received something, in order. ``idle``: whether a delivery changes nothing, so that it is no choice.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.explorer: Explorer | None = None
        self.idle: Callable[[Delivery], bool] = lambda delivery: False
        self.reluctant: frozenset[str] = frozenset()
        self._arrived: dict[tuple[str, str], int] = {}
        self.trail: list[str] = []

    def take(self, until_ns: int = NEVER) -> "tuple[SimulatedLink | None, Any] | None":
        """As on any timeline, but while exploring the explorer says which message it is."""
        if self.explorer is None:
            return super().take(until_ns)
        while heads := self._heads():
            step = self._next(heads)
            entry = heads[step]
            self.due.remove(entry)
            heapq.heapify(self.due)
            self._arrived[step[:2]] = step[2]
            self.now_ns += STEP_NS
            self.trail.append(step[0])
            _, _, route, delivery = entry
            if route.end.accepts(route, delivery, self.now_ns):
                return route.end, delivery
        return super().take(until_ns)

    def _next(self, heads: "dict[Step, tuple[int, int, Any, Any]]") -> Step:
        """What needs no choice, else what the explorer chooses."""
        assert self.explorer is not None
        free = next((step for step, entry in heads.items() if self.idle(entry[3])), None)
        if free is not None:
            return free
        steps = list(heads)
        return self.explorer.choose([step for step in steps if step[0] not in self.reluctant] or steps)

    def _heads(self) -> dict[Step, tuple[int, int, Any, Any]]:
        """The first message of each way, in order of their sending."""
        found: dict[tuple[str, str], tuple[int, int, Any, Any]] = {}
        for entry in self.due:
            route, delivery = entry[2], entry[3]
            if route is None or delivery is None:
                continue
            way = (route.end.name, delivery[0].hex())
            if way not in found or entry[1] < found[way][1]:
                found[way] = entry
        ordered = sorted(found.items(), key=lambda item: item[1][1])
        return {(*way, self._arrived.get(way, 0) + 1): entry for way, entry in ordered}


def explore(explorer: Explorer, run: Callable[[], None], schedules_max: int) -> Iterator[bool]:
    """Whether it was pruned, after each schedule, at most so many; ``run`` plays one and may raise Pruned."""
    for _ in range(schedules_max):
        explorer.begin()
        pruned = False
        try:
            run()
        except Pruned:
            pruned = True
        yield pruned
        if not explorer.again():
            return
