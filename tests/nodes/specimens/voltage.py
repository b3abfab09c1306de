"""Voltage domains with everything they can do."""

from bus.scmi import voltage
from nodes.firmware.platform import LevelRange, VoltageDomain

TABLES = {
    "voltage_domain": (
        VoltageDomain(
            1,
            "specimen-with-a-very-long-name",
            (-500_000, 0, 900_000, 1_800_000),
            900_000,
            modes=(2,),
            set_us=20,
            async_set=True,
        ),
        VoltageDomain(2, "specimen-range", LevelRange(600_000, 1_200_000, 25_000), 800_000, "on"),
        VoltageDomain(3, "specimen-of-others", (1_000_000,), 1_000_000),
    ),
}
DEVICE = {"voltage_domains": (1, 2)}
REQUESTS = {
    "PROTOCOL_ATTRIBUTES": None,
    "VOLTAGE_DOMAIN_ATTRIBUTES": voltage.DomainAttributes(1),
    "VOLTAGE_DESCRIBE_LEVELS": voltage.DescribeLevels(1, 0),
    "VOLTAGE_CONFIG_SET": voltage.ConfigSet(1, voltage.CONFIG["ARCH_ON"]),
    "VOLTAGE_CONFIG_GET": voltage.ConfigGet(1),
    "VOLTAGE_LEVEL_SET": voltage.LevelSet(1, 0, 1_800_000),
    "VOLTAGE_LEVEL_GET": voltage.LevelGet(1),
    "VOLTAGE_DOMAIN_NAME_GET": voltage.DomainNameGet(1),
}
