"""System power that agent 2 may use."""

from bus.scmi import system
from nodes.firmware.platform import SystemPower

TABLES = {"system_power": SystemPower(agents=(1, 2))}
DEVICE: dict[str, tuple[int, ...]] = {}
REQUESTS = {
    "PROTOCOL_ATTRIBUTES": None,
    "SYSTEM_POWER_STATE_NOTIFY": system.StateNotify(1),
    "SYSTEM_POWER_STATE_GET": None,
    "SYSTEM_POWER_STATE_SET": system.StateSet(1, system.SYSTEM_STATE["COLD_RESET"]),
}
