"""The kinds of resources: which protocol serves each, which table declares it, which device key lists it."""

from collections.abc import Mapping

PROTOCOL_OF: Mapping[str, int] = {
    "power_domain": 0x11,
    "perf_domain": 0x13,
    "clock": 0x14,
    "sensor": 0x15,
    "reset_domain": 0x16,
    "voltage_domain": 0x17,
    "powercap_domain": 0x18,
    "pin": 0x19,
    "pin_group": 0x19,
    "pin_function": 0x19,
}
KINDS_OF: Mapping[int, tuple[str, ...]] = {
    protocol: tuple(kind for kind, its in PROTOCOL_OF.items() if its == protocol)
    for protocol in PROTOCOL_OF.values()
}
DEVICE_KEYS: Mapping[str, str] = {
    "clocks": "clock",
    "power_domains": "power_domain",
    "reset_domains": "reset_domain",
    "perf_domains": "perf_domain",
    "sensors": "sensor",
    "voltage_domains": "voltage_domain",
    "powercap_domains": "powercap_domain",
    "pins": "pin",
    "pin_groups": "pin_group",
    "pin_functions": "pin_function",
}
