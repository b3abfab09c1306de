"""What is to be done at a time of the monotonic clock, in seconds, earliest first."""

import heapq
import time
from collections.abc import Callable


class Agenda:
    """Whoever waits asks ``next_s`` how long, and calls ``work`` afterwards."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._planned = 0

    def add(self, when: float, action: Callable[[], None]) -> None:
        self._planned += 1
        heapq.heappush(self._due, (when, self._planned, action))

    def next_s(self) -> float:
        """When the next thing is due; infinity with nothing to do."""
        return self._due[0][0] if self._due else float("inf")

    def work(self) -> None:
        """Do all that is due. An action may add others, or lead here again."""
        while self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()
