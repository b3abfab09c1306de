"""What EL3 has to do later: actions by time, in the order in which they were planned when times are equal.

It reads no clock; ``run`` is told what time it is.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final

Action = Callable[[], None]
SWEEP_MIN: Final = 128  # below so many nobody cares how many of them are cancelled


class Timer:
    """One planned action; ``cancel`` keeps it from happening."""

    __slots__ = ("action", "due_ns")

    def __init__(self, due_ns: int, action: Action) -> None:
        self.due_ns = due_ns
        self.action: Action | None = action

    def cancel(self) -> None:
        self.action = None


class Schedule:
    """``at`` plans, ``deadline_ns`` tells the next time, ``run`` does what is due."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._number = 0
        self._sweep_at = SWEEP_MIN

    def __len__(self) -> int:
        """How many are kept, cancelled ones included: less than twice what was planned at once."""
        return len(self._heap)

    def at(self, due_ns: int, action: Action) -> Timer:
        """Plan ``action`` for ``due_ns``."""
        timer = Timer(due_ns, action)
        self._number += 1
        if len(self._heap) >= self._sweep_at:
            self._sweep()
        heappush(self._heap, (due_ns, self._number, timer))
        return timer

    def _sweep(self) -> None:
        """Whoever plans far ahead and cancels, over and over, must not fill the memory."""
        self._heap = [one for one in self._heap if one[2].action is not None]
        heapify(self._heap)
        self._sweep_at = max(SWEEP_MIN, 2 * len(self._heap))

    def deadline_ns(self) -> int | None:
        """When something is due next, None if nothing is planned."""
        while self._heap and self._heap[0][2].action is None:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run(self, now_ns: int) -> None:
        """Do everything that is due by ``now_ns``, what that plans for the same time included."""
        while self._heap and self._heap[0][0] <= now_ns:
            timer = heappop(self._heap)[2]
            action, timer.action = timer.action, None
            if action is not None:
                action()
