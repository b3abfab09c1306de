"""Base: what agent 2 may ask of the platform, and of its own configuration."""

from bus.scmi import base
from nodes.firmware.platform import Device

TABLES = {"device": (Device(2, "another"),)}
DEVICE: dict[str, tuple[int, ...]] = {}
REQUESTS = {
    "PROTOCOL_ATTRIBUTES": None,
    "BASE_DISCOVER_VENDOR": None,
    "BASE_DISCOVER_SUB_VENDOR": None,
    "BASE_DISCOVER_IMPLEMENTATION_VERSION": None,
    "BASE_DISCOVER_LIST_PROTOCOLS": base.DiscoverListProtocols(0),
    "BASE_DISCOVER_AGENT": base.DiscoverAgent(2),
    "BASE_NOTIFY_ERRORS": base.NotifyErrors(1),
    "BASE_SET_DEVICE_PERMISSIONS": base.SetDevicePermissions(2, 2, 1),
    "BASE_SET_PROTOCOL_PERMISSIONS": base.SetProtocolPermissions(2, 2, 0x16, 0),
    "BASE_RESET_AGENT_CONFIGURATION": base.ResetAgentConfiguration(2, 0),
}
