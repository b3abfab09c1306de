"""Power domains with everything they can do."""

from bus.scmi import power
from nodes.firmware.platform import PowerDomain, PowerState

TABLES = {
    "power_domain": (
        PowerDomain(0, "specimen-soc"),
        PowerDomain(
            1,
            "specimen-with-a-very-long-name",
            parent=0,
            states=(PowerState(1, "retention"),),
            async_set=True,
            transition_us=10,
        ),
        PowerDomain(2, "specimen-of-others", "on"),
    ),
}
DEVICE = {"power_domains": (1,)}
REQUESTS = {
    "PROTOCOL_ATTRIBUTES": None,
    "POWER_DOMAIN_ATTRIBUTES": power.DomainAttributes(1),
    "POWER_STATE_NOTIFY": power.StateNotify(1, 1),
    "POWER_STATE_CHANGE_REQUESTED_NOTIFY": power.StateChangeRequestedNotify(1, 1),
    "POWER_STATE_SET": power.StateSet(0, 1, power.ON),
    "POWER_STATE_GET": power.StateGet(1),
    "POWER_DOMAIN_NAME_GET": power.DomainNameGet(1),
}
