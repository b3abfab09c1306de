"""POWERCAP_MEASUREMENTS_CHANGED: one measurement per averaging interval, told to whom it matters.

A subscriber is told when the power leaves the range that it gave; with thresholds 0 and 0 of every
measurement, unless the domain says otherwise. Nothing is planned while nobody is subscribed.
"""

from collections.abc import Callable

from bus.scmi import powercap
from bus.scmi.powercap import POWERCAP_MEASUREMENTS_CHANGED
from bus.scmi.status import Status
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import PowercapDomain
from nodes.firmware.protocols.periodic import Periodic
from nodes.firmware.subscriptions import NOBODY, Subscriptions

KIND = "powercap_domain"


class Window:
    """What one subscriber calls normal; ``outside``: the last measurement was not."""

    __slots__ = ("high", "low", "outside")

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.outside = False

    def leaves(self, power: int) -> bool:
        """Take a measurement; whether the power left the range with it."""
        before, self.outside = self.outside, not self.low <= power <= self.high
        return self.outside and not before


class Measurements:
    """``power`` gives a domain's measured power in its unit, ``interval_us`` its averaging interval."""

    def __init__(
        self, machine: Machine, power: Callable[[int], int], interval_us: Callable[[int], int]
    ) -> None:
        self._power = power
        self._interval_us = interval_us
        self._subscribed = Subscriptions(machine, powercap.PROTOCOL, POWERCAP_MEASUREMENTS_CHANGED, KIND)
        self._subscribed.on_lost = self._lost
        self._windows: dict[int, dict[int, Window]] = {}
        self._measurements = Periodic(machine, self._wanted_us, self._measure)

    def subscribe(self, agent: int, domain: PowercapDomain, request: powercap.MeasurementsNotify) -> Status:
        """Begin or cease to tell an agent; new thresholds replace the old."""
        status = self._subscribed.set(agent, domain.id, request.notify_enable)
        if status is Status.SUCCESS:
            windows = self._windows.setdefault(domain.id, {})
            windows.pop(agent, None)
            low, high = request.power_thresh_low, request.power_thresh_high
            if request.notify_enable and (low or high or not domain.every_measurement):
                windows[agent] = Window(low, high)
        self.plan(domain.id)
        return status

    def plan(self, domain_id: int) -> None:
        """Begin, cease, or go on at another interval."""
        self._measurements.plan(domain_id)

    def _wanted_us(self, domain_id: int) -> int:
        return self._interval_us(domain_id) if self._subscribed.of(domain_id) else 0

    def _measure(self, domain_id: int, interval_us: int) -> None:
        power = self._power(domain_id)
        windows = self._windows.get(domain_id, {})
        message = powercap.MeasurementsChanged(NOBODY, domain_id, power, interval_us)
        for agent in sorted(self._subscribed.of(domain_id)):
            if agent not in windows or windows[agent].leaves(power):
                self._subscribed.tell_one(agent, domain_id, message)

    def _lost(self, agent: int, domain_id: int) -> None:
        self._windows.get(domain_id, {}).pop(agent, None)
        self.plan(domain_id)

    def ledger(self, agent: int) -> list[Entry]:
        return self._subscribed.ledger(agent)
