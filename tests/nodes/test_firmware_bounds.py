"""What platform.toml may say of clocks, voltages and performance at most: what is accepted can be told."""

from typing import Any

import msgspec
import pytest

from bus.scmi import clock, perf, voltage
from nodes.firmware.platform import Clock, LevelRange, Opp, PerfChannel, PerfDomain, RateRange, VoltageDomain
from tests.nodes.el3 import TWO, Bench
from tests.nodes.unasked import answer, platform

U32, I32, I64 = 2**32 - 1, 2**31 - 1, 2**63 - 1
CLOCK = {"id": 1, "name": "c", "rates": [1], "rate": 1}
RAIL = {"id": 1, "name": "v"}
FAST = {"message": "LEVEL_SET", "address": 4}


@pytest.mark.parametrize(
    ("table", "rest", "key", "lowest", "highest"),
    [
        (Clock, CLOCK, "id", 0, U32),
        (Clock, CLOCK, "rate", 0, I64),
        (Clock, CLOCK, "enable_delay_us", 0, U32),
        (Clock, CLOCK, "set_us", 0, U32),
        (Clock, CLOCK, "multiply", 1, U32),
        (Clock, CLOCK, "divide", 1, U32),
        (Clock, CLOCK, "duty_cycle", 0, 100),
        (Clock, CLOCK, "phase", 0, 359),
        (RateRange, {"min": 0, "max": 0, "step": 1}, "max", 0, I64),
        (RateRange, {"min": 0, "max": 0, "step": 1}, "step", 1, I64),
        (VoltageDomain, RAIL, "level", -(2**31), I32),
        (VoltageDomain, RAIL, "set_us", 0, U32),
        (LevelRange, {"min": 0, "max": 0, "step": 1}, "min", -(2**31), I32),
        (LevelRange, {"min": 0, "max": 0, "step": 1}, "step", 1, I32),
        (Opp, {"level": 1}, "level", 1, U32),
        (Opp, {"level": 1}, "power_cost", 0, U32),
        (Opp, {"level": 1}, "frequency_khz", 0, U32),
        (Opp, {"level": 1}, "latency_us", 0, 0xFFFF),
        (PerfDomain, {"id": 1, "name": "p"}, "rate_limit_us", 0, 0xF_FFFF),
        (PerfChannel, FAST, "address", 1, I64),
        (PerfChannel, FAST, "rate_limit_us", 0, 0xF_FFFF),
        (PerfChannel, FAST, "doorbell_set", 0, I64),
    ],
)
def test_the_ends_of_a_key(table: Any, rest: dict[str, Any], key: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        assert getattr(msgspec.convert({**rest, key: value}, table), key) == value
    for value in (lowest - 1, highest + 1):
        with pytest.raises(msgspec.ValidationError, match=key):
            msgspec.convert({**rest, key: value}, table)


@pytest.mark.parametrize("mode", [-1, 8])
def test_a_mode_has_three_bits(mode: int) -> None:
    assert msgspec.convert({**RAIL, "modes": [0, 7]}, VoltageDomain).modes == (0, 7)
    with pytest.raises(msgspec.ValidationError, match="modes"):
        msgspec.convert({**RAIL, "modes": [mode]}, VoltageDomain)


def test_what_is_not_said() -> None:
    one = msgspec.convert(CLOCK, Clock)
    assert (one.enable_delay_us, one.set_us, one.multiply, one.divide) == (0, 0, 1, 1)
    assert msgspec.convert(RAIL, VoltageDomain).set_us == 0
    opp = msgspec.convert({"level": 1}, Opp)
    assert (opp.power_cost, opp.frequency_khz, opp.latency_us) == (0, 0, 0)
    fast = msgspec.convert(FAST, PerfChannel)
    assert (fast.doorbell, fast.doorbell_bits, fast.doorbell_set, fast.doorbell_preserve) == (None, 32, 1, 0)


def test_the_largest_numbers_can_be_told() -> None:
    fast = PerfChannel("LEVEL_SET", I64 - 3, 0xF_FFFF, I64 - 7, 64, I64, I64)
    bench = Bench(
        platform(
            clock=(
                Clock(U32, "top", RateRange(0, I64, I64), I64, enable_delay_us=U32),
                Clock(1, "follower", parents=(U32,), multiply=1),
            ),
            voltage_domain=(VoltageDomain(U32, "v", LevelRange(-(2**31), I32, I32), -(2**31)),),
            perf_domain=(PerfDomain(U32, "p", (Opp(U32, U32, U32, I32, 0xFFFF),), fastchannel=(fast,)),),
        )
    )
    told = [
        answer(bench, TWO, "clock", "CLOCK_ATTRIBUTES", clock.ClockAttributes(U32)).clock_enable_delay,
        answer(bench, TWO, "clock", "CLOCK_DESCRIBE_RATES", clock.DescribeRates(U32, 0)).rates,
        answer(bench, TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(1)).rate,
        answer(bench, TWO, "voltage", "VOLTAGE_DESCRIBE_LEVELS", voltage.DescribeLevels(U32, 0)).voltage,
        answer(bench, TWO, "voltage", "VOLTAGE_LEVEL_GET", voltage.LevelGet(U32)).voltage_level,
        answer(bench, TWO, "perf", "PERFORMANCE_DESCRIBE_LEVELS", perf.DescribeLevels(U32, 0)).perf_levels[0],
        answer(bench, TWO, "perf", "PERFORMANCE_LEVEL_GET", perf.LevelGet(U32)).performance_level,
    ]
    assert told == [
        U32,
        (0, I64, I64),
        I64,
        (-(2**31), I32 - 1, I32),
        -(2**31),
        perf.PerfLevel(U32, U32, 0xFFFF, U32, 0),
        U32,
    ]
    request = perf.DescribeFastchannel(U32, perf.PERFORMANCE_LEVEL_SET.id)
    body = answer(bench, TWO, "perf", "PERFORMANCE_DESCRIBE_FASTCHANNEL", request)
    assert (body.chan_addr, body.doorbell_addr, body.doorbell_preserve_mask) == (I64 - 3, I64 - 7, I64)
