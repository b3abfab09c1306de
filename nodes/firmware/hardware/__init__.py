"""The hardware that EL3 drives: what is physically so, whoever wished for it. One module per topic.

It knows no agents and no messages: services tell it what the votes come to and are told of changes.
Time is the machine's, so equal stories give equal states.
"""

from nodes.firmware.hardware.power import PowerGrid
from nodes.firmware.machine import Machine


class Board:
    """All of the hardware, connected: a performance domain drives a clock, heats a sensor, draws power."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        platform = machine.platform
        self.power = PowerGrid(platform.power_domain)

    def boot(self) -> None:
        """Power is on: begin what happens by itself."""
