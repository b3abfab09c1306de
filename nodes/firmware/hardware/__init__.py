"""The hardware that EL3 drives: what is physically so, whoever wished for it. One module per topic.

It knows no agents and no messages: services tell it what the votes come to and are told of changes.
Time is the machine's, so equal stories give equal states.
"""

from nodes.firmware.hardware.clocks import Clocks
from nodes.firmware.hardware.perf import Perf
from nodes.firmware.hardware.pins import Pins
from nodes.firmware.hardware.power import PowerGrid
from nodes.firmware.hardware.powercap import PowerCaps
from nodes.firmware.hardware.resets import Resets
from nodes.firmware.hardware.sensors import Sensors
from nodes.firmware.hardware.voltages import Voltages
from nodes.firmware.machine import Machine


class Board:
    """All of the hardware, connected: a performance domain drives a clock, heats a sensor, draws power."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        platform = machine.platform
        self.resets = Resets(platform.reset_domain)
        self.pins = Pins(platform.pin, platform.pin_group, platform.pin_function)
        self.power = PowerGrid(platform.power_domain)
        self.clocks = Clocks(platform.clock)
        self.voltages = Voltages(platform.voltage_domain)
        self.perf = Perf(machine, self.clocks, self.voltages)
        self.power.on_change.append(self._power_changed)
        for domain in platform.power_domain:
            self._power_changed(domain.id)
        self.powercap = PowerCaps(self)
        self.sensors = Sensors(self)

    def boot(self) -> None:
        """Power is on: begin what happens by itself."""
        self.powercap.boot()
        self.sensors.boot()

    def _power_changed(self, domain_id: int) -> None:
        self.perf.powered(domain_id, self.power.on(domain_id))
