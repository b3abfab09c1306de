"""EL3's side of each SCMI protocol: one module each, the list of them here."""

from nodes.firmware.hardware import Board
from nodes.firmware.machine import Machine
from nodes.firmware.protocols.base import BaseService
from nodes.firmware.protocols.clock import ClockService
from nodes.firmware.protocols.perf import PerfService
from nodes.firmware.protocols.pinctrl import PinctrlService
from nodes.firmware.protocols.power import PowerService
from nodes.firmware.protocols.powercap import PowercapService
from nodes.firmware.protocols.reset import ResetService
from nodes.firmware.protocols.sensor import SensorService
from nodes.firmware.protocols.system import SystemService
from nodes.firmware.protocols.voltage import VoltageService
from nodes.firmware.service import Service

__all__ = ["BaseService", "services"]


def services(machine: Machine, board: Board) -> tuple[Service, ...]:
    """Every service but that of Base, in order of id: of what the platform has, what the profile serves."""
    every: tuple[Service, ...] = (
        PowerService(machine, board),
        PerfService(machine, board),
        ClockService(machine, board),
        SensorService(machine, board),
        ResetService(machine, board),
        VoltageService(machine, board),
        PowercapService(machine, board),
        PinctrlService(machine, board),
    )
    served = machine.profile.protocols
    present = [one for one in every if any(one.resources.values())]
    if machine.platform.system_power is not None:
        present.append(SystemService(machine, machine.platform.system_power))
    present.sort(key=lambda one: one.table.id)
    return tuple(one for one in present if served is None or one.table.id in served)
