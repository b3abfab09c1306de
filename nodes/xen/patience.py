"""How long Xen waits for EL3: for ever on a board; in an experiment that loses messages, so long.

It remembers when each SMC is overdue; what becomes of one that is, ``core.py`` decides.
"""

from collections import deque
from collections.abc import Container
from typing import Final

SWEEP_MIN: Final = 128  # below so many nobody cares how many of them are answered


class Patience:
    """``patience_ns`` is the same for every SMC, so they are overdue in the order in which they were sent.

    ``waiting`` has the requests that EL3 has not answered.
    """

    def __init__(self, patience_ns: int, *waiting: Container[int]) -> None:
        self._patience_ns = patience_ns
        self._waiting = waiting
        self._due: deque[tuple[int, int]] = deque()
        self._sweep_at = SWEEP_MIN

    def __len__(self) -> int:
        """How many are kept, answered ones included: less than twice what was unanswered at once."""
        return len(self._due)

    def sent(self, request: int, now_ns: int) -> None:
        """EL3 has been asked."""
        if len(self._due) >= self._sweep_at:
            self._due = deque(one for one in self._due if self._waits(one[1]))
            self._sweep_at = max(SWEEP_MIN, 2 * len(self._due))
        self._due.append((now_ns + self._patience_ns, request))

    def _waits(self, request: int) -> bool:
        return any(request in requests for requests in self._waiting)

    def deadline_ns(self) -> int | None:
        """When the oldest unanswered SMC is overdue."""
        due = self._due
        while due and not self._waits(due[0][1]):
            due.popleft()
        return due[0][0] if due else None

    def overdue(self, now_ns: int) -> list[int]:
        """The requests that are, oldest first; they are not told again."""
        found = []
        while self._due and self._due[0][0] <= now_ns:
            request = self._due.popleft()[1]
            if self._waits(request):
                found.append(request)
        return found
