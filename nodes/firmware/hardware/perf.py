"""The performance domains: at which operating point each one is, what it drives and draws there.

A domain drives its clock and its voltage domain as a voter of the board's own; agents' votes on those may
only come on top. Raising goes voltage first, lowering clock first. While the domain's power domain is off
it wants neither and draws nothing; its level stays.
"""

from collections.abc import Callable, Sequence

from nodes.firmware.hardware.clocks import Clocks
from nodes.firmware.hardware.voltages import Voltages
from nodes.firmware.machine import Machine
from nodes.firmware.platform import PerfDomain
from nodes.firmware.subscriptions import NOBODY

Listener = Callable[[int], None]
MICROWATTS = {"abstract": 1000, "mW": 1000, "uW": 1}


class _Domain:
    """One domain now; levels are places in its list of operating points. ``cap`` is the platform's own."""

    __slots__ = ("asked", "cap", "high", "level", "limits", "low", "powered", "spec", "who")

    def __init__(self, spec: PerfDomain) -> None:
        self.spec = spec
        self.who = f"perf_domain {spec.id}"
        self.low, self.high = 0, len(spec.opp) - 1
        self.cap: int | None = None
        self.asked: int | None = None
        self.limits = (self.low, self.high)
        self.level = spec.boot_index
        self.powered = True

    @property
    def wanted(self) -> int:
        """The place that agents want, within their limits."""
        return self._within(self.high)[1]

    def _within(self, high: int) -> tuple[int, int]:
        """The lowest place and that of the level, ``high`` being the highest, whatever the minimum."""
        low = min(self.low, high)
        asked = self.spec.boot_index if self.asked is None else self.asked
        return low, max(low, min(asked, high))

    def settle(self) -> tuple[bool, bool]:
        """Make limits and level what they should be; whether each changed."""
        high = self.high if self.cap is None else min(self.high, self.cap)
        low, level = self._within(high)
        limits = (low, high)
        changed = limits != self.limits, level != self.level
        self.limits, self.level = limits, level
        return changed


class Perf:
    """``domains`` by id.

    ``on_change`` is called after each change of level or power, ``on_level`` of the level, ``on_limits`` of
    the limits in force, ``on_demand`` when the agents' wishes were told again.
    """

    def __init__(self, machine: Machine, clocks: Clocks, voltages: Voltages) -> None:
        domains = machine.platform.perf_domain
        self.domains = {one.id: one for one in domains}
        self._machine = machine
        self.on_change: list[Listener] = []
        self.on_level: list[Listener] = []
        self.on_limits: list[Listener] = []
        self.on_demand: list[Listener] = []
        self._clocks, self._voltages = clocks, voltages
        self._microwatts = MICROWATTS[machine.platform.perf_power_unit]
        self._domains = {one.id: _Domain(one) for one in domains}
        self._powers: dict[int, list[_Domain]] = {}
        for domain in self._domains.values():
            if domain.spec.power_domain is not None:
                self._powers.setdefault(domain.spec.power_domain, []).append(domain)
            self._drive(domain, rising=True)

    def level(self, domain_id: int) -> int:
        """The level in force, as its place in the list of operating points."""
        return self._domains[domain_id].level

    def limits(self, domain_id: int) -> tuple[int, int]:
        """The limits in force, the platform's own cap included: (lowest, highest) place."""
        return self._domains[domain_id].limits

    def power_uw(self, domain_id: int) -> int:
        """What the domain draws now, in microwatts."""
        return self.uw_at(domain_id, self._domains[domain_id].level)

    def wanted(self, domain_id: int) -> int:
        """The place that the agents' wishes come to, before the platform's own cap."""
        return self._domains[domain_id].wanted

    def uw_at(self, domain_id: int, place: int) -> int:
        """What the domain would draw at a place, as things are, in microwatts."""
        domain = self._domains[domain_id]
        return domain.spec.opp[place].power_cost * self._microwatts if domain.powered else 0

    def ask(self, domain_id: int, level: int | None, low: int, high: int) -> None:
        """What the agents' wishes come to: a level (None: as at boot) and limits, all as places."""
        domain = self._domains[domain_id]
        domain.asked, domain.low, domain.high = level, low, high
        self._settle(domain)
        self._tell(self.on_demand, domain)

    def limit(self, domain_id: int, level: int | None) -> None:
        """The platform's own cap on the level, as a place; None lifts it. The platform is its cause."""
        domain = self._domains[domain_id]
        domain.cap = None if level is None else max(0, level)
        with self._machine.caused_by(NOBODY):
            self._settle(domain)

    def powered(self, power_domain: int, on: bool) -> None:
        """A power domain was turned on or off."""
        for domain in self._powers.get(power_domain, ()):
            if domain.powered != on:
                domain.powered = on
                self._drive(domain, rising=on)
                self._tell(self.on_change, domain)

    def _settle(self, domain: _Domain) -> None:
        before = domain.level
        limits, level = domain.settle()
        if level:
            self._drive(domain, rising=domain.level > before)
        if limits:
            self._tell(self.on_limits, domain)
        if level:
            self._tell(self.on_level, domain)
            self._tell(self.on_change, domain)

    def _drive(self, domain: _Domain, rising: bool) -> None:
        steps = (self._drive_voltage, self._drive_clock)
        for step in steps if rising else reversed(steps):
            step(domain)

    def _drive_clock(self, domain: _Domain) -> None:
        spec = domain.spec
        if spec.clock is not None:
            rate = spec.opp[domain.level].frequency_khz * 1000 if domain.powered else None
            self._clocks.demand(spec.clock, domain.who, rate)

    def _drive_voltage(self, domain: _Domain) -> None:
        spec = domain.spec
        if spec.voltage_domain is not None:
            level = spec.opp[domain.level].voltage_uv if domain.powered else None
            self._voltages.demand(spec.voltage_domain, domain.who, level)

    def _tell(self, listeners: Sequence[Listener], domain: _Domain) -> None:
        for listener in listeners:
            listener(domain.spec.id)
