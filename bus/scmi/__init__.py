"""SCMI as tables: one module per protocol, the list of them here (Arm DEN0056).

``clock.py`` is a good first read. Codecs come from ``bus.fields``; the Markdown pages beside the
modules are generated from the same tables.
"""

from bus.scmi import base, clock, perf, pinctrl, power, powercap, reset, sensor, system, voltage
from bus.scmi.protocol import Protocol

PROTOCOLS: tuple[Protocol, ...] = (
    base.PROTOCOL,
    power.PROTOCOL,
    system.PROTOCOL,
    perf.PROTOCOL,
    clock.PROTOCOL,
    sensor.PROTOCOL,
    reset.PROTOCOL,
    voltage.PROTOCOL,
    powercap.PROTOCOL,
    pinctrl.PROTOCOL,
)
BY_ID: dict[int, Protocol] = {protocol.id: protocol for protocol in PROTOCOLS}
BY_KEY: dict[str, Protocol] = {protocol.key: protocol for protocol in PROTOCOLS}
