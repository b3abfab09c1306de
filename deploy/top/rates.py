"""What changed lately, from counts since the start: calls per second, latencies of the last seconds.

It reads no clock: a count comes with the time it was told at. A count that went back began anew.
"""

from collections import deque
from collections.abc import Collection, Hashable, Sequence

LEAST_S = 0.2  # over less, a rate is a guess


class Rates:
    """Counts per second of each key over the last ``window_s``; 0 until there is something to compare."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._seen: dict[Hashable, deque[tuple[float, int]]] = {}

    def update(self, key: Hashable, at_s: float, count: int) -> float:
        """Take in a count that was told at ``at_s``; one that was taken in before changes nothing."""
        seen = self._seen.setdefault(key, deque())
        if seen and count < seen[-1][1]:
            before_s = seen[-1][0]
            seen.clear()
            seen.append((before_s, 0))
        if not seen or at_s > seen[-1][0]:
            seen.append((at_s, count))
        while len(seen) > 2 and seen[-1][0] - seen[1][0] >= self._window_s:
            seen.popleft()
        passed_s = seen[-1][0] - seen[0][0]
        return (seen[-1][1] - seen[0][1]) / passed_s if passed_s > LEAST_S else 0.0

    def keep(self, keys: Collection[Hashable]) -> None:
        """Forget all other keys."""
        self._seen = {key: seen for key, seen in self._seen.items() if key in keys}


class Recent:
    """Bucket counts of each key over the last ``window_s``."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._seen: dict[Hashable, deque[tuple[float, Sequence[int]]]] = {}

    def update(self, key: Hashable, at_s: float, counts: Sequence[int]) -> list[int]:
        """What was added within the window; nothing at the first time."""
        seen = self._seen.setdefault(key, deque())
        if seen and any(now < before for now, before in zip(counts, seen[-1][1], strict=True)):
            before_s = seen[-1][0]
            seen.clear()
            seen.append((before_s, [0] * len(counts)))
        if not seen or at_s > seen[-1][0]:
            seen.append((at_s, counts))
        while len(seen) > 2 and seen[-1][0] - seen[1][0] >= self._window_s:
            seen.popleft()
        return [now - before for now, before in zip(seen[-1][1], seen[0][1], strict=True)]

    def keep(self, keys: Collection[Hashable]) -> None:
        """Forget all other keys."""
        self._seen = {key: seen for key, seen in self._seen.items() if key in keys}
