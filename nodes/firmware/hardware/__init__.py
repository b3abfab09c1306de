"""The hardware that EL3 drives: what is physically so, whoever wished for it. One module per topic.

It knows no agents and no messages: services tell it what the votes come to and are told of changes.
Time is the machine's, so equal stories give equal states.
"""

from nodes.firmware.hardware.pins import Pins
from nodes.firmware.hardware.resets import Resets
from nodes.firmware.machine import Machine


class Board:
    """All of the hardware, connected: a performance domain drives a clock, heats a sensor, draws power."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        platform = machine.platform
        self.resets = Resets(platform.reset_domain)
        self.pins = Pins(platform.pin, platform.pin_group, platform.pin_function)

    def boot(self) -> None:
        """Power is on: begin what happens by itself."""
