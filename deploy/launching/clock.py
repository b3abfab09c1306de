"""The supervisor's time on another machine, so that all nodes of a platform count alike.

What is to be added to this machine's CLOCK_MONOTONIC is measured by the membership. When a better measurement
comes the clock approaches it slowly. It leaps only forward, when a message proves that it is late, and only
so far: who sends a wrong time moves nobody's clock much. It never goes back.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

SLEW_PPM: Final = 500
AHEAD_MAX_NS: Final = 100_000_000  # of what was measured


class NodeClock:
    """For any thread. ``offset_ns``: what is to be added to ``own``."""

    def __init__(self, offset_ns: int, own: Callable[[], int] = time.monotonic_ns) -> None:
        self._own = own
        self._setting = threading.Lock()
        self._course = (offset_ns, own(), offset_ns)  # what was added at that time, and what shall be

    def now_ns(self) -> int:
        """The supervisor's CLOCK_MONOTONIC, as far as it is known here."""
        own_ns = self._own()
        return own_ns + self._offset_ns(own_ns)

    def aim(self, offset_ns: int) -> None:
        """A better measurement: from now on approach that."""
        with self._setting:
            own_ns = self._own()
            self._course = (self._offset_ns(own_ns), own_ns, offset_ns)

    def at_least(self, then_ns: int) -> None:
        """A message was sent then: from now on it is later, unless that is more than AHEAD_MAX_NS ahead."""
        if then_ns < self.now_ns():
            return
        with self._setting:
            own_ns, wanted_ns = self._own(), self._course[2]
            offset_ns = then_ns + 1 - own_ns
            if self._offset_ns(own_ns) < offset_ns <= wanted_ns + AHEAD_MAX_NS:
                self._course = (offset_ns, own_ns, wanted_ns)

    def _offset_ns(self, own_ns: int) -> int:
        begin_ns, since_ns, wanted_ns = self._course
        way_ns = wanted_ns - begin_ns
        if not way_ns:
            return begin_ns
        most_ns = (own_ns - since_ns) * SLEW_PPM // 1_000_000
        return begin_ns + max(-most_ns, min(most_ns, way_ns))
