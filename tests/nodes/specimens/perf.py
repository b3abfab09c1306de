"""Performance domains with everything they can do."""

from bus.scmi import perf
from nodes.firmware.platform import Clock, Opp, PerfChannel, PerfDomain, VoltageDomain

OPPS = (
    Opp(100, 50, 100, 700_000, 10),
    Opp(200, 120, 200, 800_000, 10),
    Opp(400, 300, 400, 900_000, 20),
)
TABLES = {
    "clock": (Clock(20, "specimen-cores", (100_000, 200_000, 400_000), 100_000),),
    "voltage_domain": (VoltageDomain(20, "specimen-cores", (700_000, 800_000, 900_000), 700_000),),
    "perf_domain": (
        PerfDomain(
            1,
            "specimen-with-a-very-long-name",
            OPPS,
            level=100,
            sustained=200,
            clock=20,
            voltage_domain=20,
            rate_limit_us=100,
            fastchannel=(PerfChannel("LEVEL_SET", 0x4900_0000, doorbell=0x4900_0100),),
        ),
        PerfDomain(2, "specimen-of-others", OPPS),
    ),
}
DEVICE = {"perf_domains": (1,)}
REQUESTS = {
    "PROTOCOL_ATTRIBUTES": None,
    "PERFORMANCE_DOMAIN_ATTRIBUTES": perf.DomainAttributes(1),
    "PERFORMANCE_DESCRIBE_LEVELS": perf.DescribeLevels(1, 0),
    "PERFORMANCE_LIMITS_SET": perf.LimitsSet(1, 400, 200),
    "PERFORMANCE_LIMITS_GET": perf.LimitsGet(1),
    "PERFORMANCE_LEVEL_SET": perf.LevelSet(1, 400),
    "PERFORMANCE_LEVEL_GET": perf.LevelGet(1),
    "PERFORMANCE_NOTIFY_LIMITS": perf.NotifyLimits(1, 1),
    "PERFORMANCE_NOTIFY_LEVEL": perf.NotifyLevel(1, 1),
    "PERFORMANCE_DESCRIBE_FASTCHANNEL": perf.DescribeFastchannel(1, perf.PERFORMANCE_LEVEL_SET.id),
    "PERFORMANCE_DOMAIN_NAME_GET": perf.DomainNameGet(1),
}
