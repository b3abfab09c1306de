"""Performance domains: what a level drives and draws, the platform's own cap, what platform.toml may say."""

from typing import Any

import msgspec
import pytest

from bus.scmi import clock, perf, power
from bus.scmi.status import Status
from nodes.firmware.platform import (
    Averaging,
    CapChannel,
    CapRange,
    Clock,
    PerfChannel,
    PerfDomain,
    PlatformError,
    PowercapDomain,
    PowerDomain,
    VoltageDomain,
    check,
    problems,
)
from tests.nodes.el3 import THREE, TWO, Bench
from tests.nodes.perf_domains import (
    CPU,
    DOMAINS,
    FAST,
    OPPS,
    TABLES,
    driven,
    level,
    level_changed,
    limits,
    limits_changed,
    made,
    put,
    subscribe,
)
from tests.nodes.unasked import answer, negotiate, platform, told

OK = Status.SUCCESS


@pytest.fixture
def bench() -> Bench:
    return made()


# ---- what a domain drives -------------------------------------------------------------------


def test_a_level_drives_clock_and_voltage(bench: Bench) -> None:
    assert driven(bench) == (5_000_000, True, 705_000, 5000)
    assert put(bench, TWO, 90) is OK
    assert driven(bench) == (9_000_000, True, 709_000, 9000)
    got = answer(bench, TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(1))
    assert got.rate == 9_000_000


def test_an_agents_vote_on_the_clock_comes_on_top(bench: Bench) -> None:
    for wanted, comes in ((8_000_000, 8_000_000), (2_000_000, 5_000_000)):
        request = clock.RateSet(0, 1, wanted)
        assert bench.status(TWO, "clock", "CLOCK_RATE_SET", request) is OK
        assert bench.core.board.clocks.rate(1) == comes
    off = clock.ConfigSet(1, clock.STATE_DISABLE, 0)
    assert bench.status(TWO, "clock", "CLOCK_CONFIG_SET", off) is OK
    assert bench.core.board.clocks.on(1), "the domain needs it"


def test_raising_is_voltage_first_and_lowering_clock_first(bench: Bench) -> None:
    seen: list[str] = []
    bench.core.board.clocks.on_change.append(lambda _id: seen.append("clock"))
    bench.core.board.voltages.on_change.append(lambda _id: seen.append("voltage"))
    assert put(bench, TWO, 90) is OK
    assert put(bench, TWO, 20) is OK
    assert seen == ["voltage", "clock", "clock", "voltage"]


def test_without_power_a_domain_drives_and_draws_nothing(bench: Bench) -> None:
    seen: list[int] = []
    bench.core.board.perf.on_change.append(seen.append)
    off, on = (power.StateSet(0, 3, state) for state in (power.OFF, power.ON))
    assert bench.status(TWO, "power", "POWER_STATE_SET", off) is OK
    assert driven(bench) == (1_000_000, False, 0, 0)
    assert level(bench) == 50, "it is still what it will be"
    assert bench.status(TWO, "power", "POWER_STATE_SET", on) is OK
    assert driven(bench) == (5_000_000, True, 705_000, 5000)
    assert seen == [CPU, CPU]


def test_a_domain_whose_power_is_off_at_boot() -> None:
    bench = made(power_domain=(PowerDomain(3, "cores", "off"),))
    assert driven(bench) == (1_000_000, False, 0, 0)


@pytest.mark.parametrize(("unit", "microwatts"), [("abstract", 5000), ("mW", 5000), ("uW", 5)])
def test_the_unit_of_power(unit: str, microwatts: int) -> None:
    bench = made(perf_power_unit=unit)
    assert bench.core.board.perf.power_uw(CPU) == microwatts
    bits = perf.ATTRIBUTES.unpack(answer(bench, TWO, "perf", "PROTOCOL_ATTRIBUTES").attributes)
    assert bits == {
        "power_in_microwatts": unit == "uW",
        "power_in_milliwatts": unit == "mW",
        "num_domains": len(DOMAINS),
    }
    negotiate(bench, TWO, "perf", 0x2_0000)
    bits = perf.ATTRIBUTES.unpack(answer(bench, TWO, "perf", "PROTOCOL_ATTRIBUTES").attributes)
    assert bits["power_in_microwatts"] == 0, "that bit came with 3.0"


# ---- the platform's own cap -----------------------------------------------------------------


def test_the_platforms_cap_is_a_limit_that_it_caused_itself(bench: Bench) -> None:
    subscribe(bench, TWO)
    assert put(bench, THREE, 80) is OK
    told(bench)
    bench.core.machine.cause = THREE
    bench.core.board.perf.limit(CPU, 3)
    bench.raised.extend(bench.core.outbox.effects())
    assert told(bench) == [limits_changed(TWO, 0, 40, 10), level_changed(TWO, 0, 40)]
    assert (level(bench), limits(bench)) == (40, (40, 10))
    assert put(bench, TWO, 50) is Status.OUT_OF_RANGE
    bench.core.board.perf.limit(CPU, None)
    assert (level(bench), limits(bench)) == (80, (100, 10))


@pytest.mark.parametrize(("cap", "highest"), [(-1, 10), (0, 10), (9, 100), (99, 100)])
def test_caps_beyond_the_levels(bench: Bench, cap: int, highest: int) -> None:
    bench.core.board.perf.limit(CPU, cap)
    assert limits(bench) == (highest, 10)


# ---- platform.toml --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"opp": ()}, r"perf_domain\[0\].opp: it has no operating point; give at least one"),
        ({"opp": (OPPS[1], OPPS[0])}, r"perf_domain\[0\].opp: .*ascending"),
        ({"opp": (OPPS[4], OPPS[4]), "sustained": None}, r"perf_domain\[0\].opp: .*each once"),
        ({"level": 55}, r"perf_domain\[0\].level: no operating point has level 55; choose"),
        ({"sustained": 55}, r"perf_domain\[0\].sustained: no operating point has level 55; choose"),
        ({"clock": 9}, r"perf_domain\[0\].clock: no \[\[clock\]\] has id 9"),
        ({"clock": 2}, r"perf_domain\[0\].clock: half follows its parent; name a clock with rates"),
        ({"clock": 3}, r"perf_domain\[0\].opp\[1\].frequency_khz: 2000 kHz is no rate of slow"),
        ({"voltage_domain": 9}, r"perf_domain\[0\].voltage_domain: no \[\[voltage_domain\]\] has id 9"),
        ({"voltage_domain": 4}, r"perf_domain\[0\].opp\[0\].voltage_uv: 701000 uV is no level of other"),
        ({"power_domain": 9}, r"perf_domain\[0\].power_domain: no \[\[power_domain\]\] has id 9"),
        ({"fastchannel": (PerfChannel("LIMITS_SET", 4),)}, r"fastchannel\[0\].address: 0x4 is not 8-byte"),
        ({"fastchannel": (FAST[1], PerfChannel("LEVEL_GET", 4))}, r"\[1\].message: LEVEL_GET has a channel"),
        ({"fastchannel": (PerfChannel("LEVEL_GET", 8, doorbell=2),)}, r"doorbell: 0x2 is not aligned to its"),
        (
            {"fastchannel": (PerfChannel("LIMITS_SET", 8), PerfChannel("LEVEL_GET", 12))},
            r"fastchannel\[1\].address: 0xc is in the register of perf_domain\[0\].fastchannel\[0\]",
        ),
    ],
)
def test_domains_that_cannot_be(changes: dict[str, Any], told: str) -> None:
    tables = {
        **TABLES,
        "clock": (
            *TABLES["clock"],
            Clock(2, "half", parents=(1,)),
            Clock(3, "slow", (1_000_000,), 1_000_000),
        ),
        "voltage_domain": (*TABLES["voltage_domain"], VoltageDomain(4, "other", (1,), 1)),
        "perf_domain": (msgspec.structs.replace(DOMAINS[CPU], **changes),),
    }
    with pytest.raises(PlatformError, match=told):
        check(msgspec.structs.replace(platform(), **tables))


def test_registers_of_two_protocols_do_not_overlap() -> None:
    own = msgspec.structs.replace(DOMAINS[CPU], fastchannel=(PerfChannel("LIMITS_GET", 8),))
    for address, good in ((16, True), (12, False), (8, False), (4, True)):
        channel = CapChannel("CAP_GET", address)
        caps = PowercapDomain(0, "soc", CapRange(1, 9), Averaging(1, 1), fastchannel=(channel,))
        tables = TABLES | {"perf_domain": (own,), "powercap_domain": (caps,)}
        found = list(problems(msgspec.structs.replace(platform(), **tables)))
        assert any("in the register of" in one for one in found) is not good, (address, found)


def test_an_operating_point_without_a_voltage_cannot_drive_one() -> None:
    opps = (msgspec.structs.replace(OPPS[0], voltage_uv=None),)
    wrong = PerfDomain(0, "one", opps, voltage_domain=2)
    with pytest.raises(PlatformError, match=r"opp\[0\].voltage_uv: absent is no level of cores"):
        check(msgspec.structs.replace(platform(), **TABLES | {"perf_domain": (wrong,)}))
