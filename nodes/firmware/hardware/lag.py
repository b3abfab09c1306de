"""A first-order lag: what a temperature or a measured average makes of a quantity that jumps.

Everything is computed when it is asked for, from the last jump: nothing has to be scheduled.
"""

from math import exp, log


class Lag:
    """``aim`` at a new target, ``at`` a time the value, ``reaches_ns`` when it will be at a level."""

    def __init__(self, constant_ns: int) -> None:
        self._constant_ns = constant_ns
        self._since_ns = 0
        self._from = 0.0
        self._target = 0.0

    def start(self, now_ns: int, value: float) -> None:
        """From here on it is at rest at ``value``."""
        self._since_ns, self._from, self._target = now_ns, value, value

    def aim(self, now_ns: int, target: float) -> None:
        self._from = self.at(now_ns)
        self._since_ns, self._target = now_ns, target

    def lasting(self, now_ns: int, constant_ns: int) -> None:
        """Change the time constant."""
        if constant_ns != self._constant_ns:
            self.aim(now_ns, self._target)
            self._constant_ns = constant_ns

    def at(self, now_ns: int) -> float:
        left = exp(-(now_ns - self._since_ns) / self._constant_ns)
        return self._target + (self._from - self._target) * left

    def reaches_ns(self, now_ns: int, level: float) -> int | None:
        """The first time, not before ``now_ns``, at which a rising value is above ``level``; None: never."""
        value = self.at(now_ns)
        if value > level:
            return now_ns
        if self._target <= level:
            return None
        ratio = (self._target - value) / (self._target - level)
        due_ns, later_ns = now_ns + int(self._constant_ns * log(ratio)) + 1, 1
        # Near to the target a float does not tell one nanosecond from another.
        while self.at(due_ns) <= level:
            due_ns, later_ns = due_ns + later_ns, later_ns * 2
        return due_ns
