"""Performance domains on the bench: a platform that has every kind of them, and what tests do to them."""

from typing import Any

from bus.scmi import perf
from bus.scmi.status import Status
from nodes.firmware.platform import Clock, Opp, PerfChannel, PerfDomain, PowerDomain, VoltageDomain
from tests.nodes.el3 import TWO, Bench
from tests.nodes.unasked import Told, answer, platform

OK = Status.SUCCESS
CPU, GPU, PLACES, FIXED, ALONE = range(5)
OPPS = tuple(Opp(10 * at, at, 1000 * at, 700_000 + 1000 * at, at) for at in range(1, 11))
FAST = (
    PerfChannel("LEVEL_SET", 0x4900_0004, 20, 0x4900_0100, 64, 0x2, 0xFD),
    PerfChannel("LEVEL_GET", 0x4900_0008),
    PerfChannel("LIMITS_SET", 0x4900_0010, doorbell=0x4900_0202, doorbell_bits=16),
)
DOMAINS = (
    PerfDomain(CPU, "cpu", OPPS, sustained=70, level=50, clock=1, voltage_domain=2, power_domain=3),
    PerfDomain(GPU, "a-gpu-with-a-very-long-name", OPPS[:3], rate_limit_us=500, fastchannel=FAST),
    PerfDomain(PLACES, "places", OPPS, level_indexing=True),
    PerfDomain(FIXED, "fixed", OPPS, set_level=False, set_limits=False, notifications=False),
    PerfDomain(ALONE, "alone", OPPS, sharing="exclusive"),
)
TABLES: dict[str, Any] = {
    "perf_domain": DOMAINS,
    "clock": (Clock(1, "cores", tuple(one.frequency_khz * 1000 for one in OPPS), 1_000_000),),
    "voltage_domain": (VoltageDomain(2, "cores", tuple(one.voltage_uv or 0 for one in OPPS), 701_000),),
    "power_domain": (PowerDomain(3, "cores", "on"),),
}


def made(**changes: Any) -> Bench:
    return Bench(platform(**TABLES | changes))


def put(bench: Bench, agent: int, level: int, domain: int = CPU) -> Status:
    return bench.status(agent, "perf", "PERFORMANCE_LEVEL_SET", perf.LevelSet(domain, level))


def limit(bench: Bench, agent: int, high: int, low: int, domain: int = CPU) -> Status:
    return bench.status(agent, "perf", "PERFORMANCE_LIMITS_SET", perf.LimitsSet(domain, high, low))


def level(bench: Bench, domain: int = CPU, agent: int = TWO) -> int:
    got: int = answer(bench, agent, "perf", "PERFORMANCE_LEVEL_GET", perf.LevelGet(domain)).performance_level
    return got


def limits(bench: Bench, domain: int = CPU, agent: int = TWO) -> tuple[int, int]:
    """Highest and lowest."""
    body = answer(bench, agent, "perf", "PERFORMANCE_LIMITS_GET", perf.LimitsGet(domain))
    return body.range_max, body.range_min


def attributes(bench: Bench, agent: int, domain: int) -> set[str]:
    request = perf.DomainAttributes(domain)
    body = answer(bench, agent, "perf", "PERFORMANCE_DOMAIN_ATTRIBUTES", request)
    return {name for name, bit in perf.DOMAIN.unpack(body.attributes).items() if bit}


def subscribe(bench: Bench, agent: int, domain: int = CPU) -> None:
    for name in ("PERFORMANCE_NOTIFY_LEVEL", "PERFORMANCE_NOTIFY_LIMITS"):
        assert bench.status(agent, "perf", name, perf.NotifyLevel(domain, 1)) is OK


def level_changed(agent: int, cause: int, level: int, domain: int = CPU) -> Told:
    return Told(agent, "PERFORMANCE_LEVEL_CHANGED", perf.LevelChanged(cause, domain, level), bytes=12)


def limits_changed(agent: int, cause: int, high: int, low: int, domain: int = CPU) -> Told:
    body = perf.LimitsChanged(cause, domain, high, low)
    return Told(agent, "PERFORMANCE_LIMITS_CHANGED", body, bytes=16)


def driven(bench: Bench) -> tuple[int, bool, int, int]:
    """What the first domain does: its clock's rate and state, its voltage, its power."""
    board = bench.core.board
    return board.clocks.rate(1), board.clocks.on(1), board.voltages.output_uv(2), board.perf.power_uw(CPU)
