"""What is done for a resource over and over, as long as somebody wants it, at an interval that may change.

It knows nothing of who wants it and of what is done; while nobody wants it nothing is planned.
"""

from collections.abc import Callable

from nodes.firmware.machine import Machine
from nodes.firmware.schedule import Timer


class Periodic:
    """``wanted_us`` gives a resource's interval as of now, 0 for not at all; ``act`` gets id and interval."""

    def __init__(
        self, machine: Machine, wanted_us: Callable[[int], int], act: Callable[[int, int], None]
    ) -> None:
        self._machine = machine
        self._wanted_us = wanted_us
        self._act = act
        self._planned: dict[int, tuple[Timer, int]] = {}

    def plan(self, resource_id: int) -> None:
        """Begin, cease, or go on at another interval; to be called when any of these may be."""
        interval_us = self._wanted_us(resource_id)
        timer, before_us = self._planned.get(resource_id, (None, 0))
        if interval_us == before_us:
            return
        if timer is not None:
            timer.cancel()
            del self._planned[resource_id]
        if interval_us:
            self._go_on(resource_id, interval_us)

    def _go_on(self, resource_id: int, interval_us: int) -> None:
        due_ns = self._machine.now_ns + interval_us * 1000
        timer = self._machine.schedule.at(due_ns, lambda: self._due(resource_id, interval_us))
        self._planned[resource_id] = (timer, interval_us)

    def _due(self, resource_id: int, interval_us: int) -> None:
        self._go_on(resource_id, interval_us)
        self._act(resource_id, interval_us)
