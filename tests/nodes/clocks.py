"""Clocks on the bench: a platform that has every kind of them, and what tests do to them."""

from typing import Any

from bus.scmi import clock
from bus.scmi.status import Status
from nodes.firmware.platform import Clock, RateRange
from tests.nodes.el3 import TWO, Bench
from tests.nodes.unasked import Told, answer, platform

OK = Status.SUCCESS
XTAL, PLL, MUX, HALF, UART, FIXED, ALONE, QUIET = range(8)
CLOCKS = (
    Clock(XTAL, "xtal", (24_000,), 24_000, enabled=True),
    Clock(PLL, "pll", RateRange(100_000, 200_000, 10_000), 100_000, set_us=50, async_set=True),
    Clock(MUX, "mux", parents=(XTAL, PLL)),
    Clock(HALF, "half-of-what-comes-out-of-the-mux", parents=(MUX,), multiply=3, divide=2),
    Clock(UART, "uart", (1000, 2000, 4000), 1000, duty_cycle=50, phase=0),
    Clock(FIXED, "fixed", (7,), 7, rate_control=False, enabled=True),
    Clock(ALONE, "alone", (1, 2, 3), 1, parents=(XTAL, PLL), duty_cycle=20, sharing="exclusive"),
    Clock(QUIET, "quiet", (1, 2), 1, notifications=False, state_control=False, parent_control=False),
)


def made(**changes: Any) -> Bench:
    return Bench(platform(clock=CLOCKS, **changes))


def put(bench: Bench, agent: int, clock_id: int, rate: int, flags: int = 0) -> Status:
    return bench.status(agent, "clock", "CLOCK_RATE_SET", clock.RateSet(flags, clock_id, rate))


def switch(bench: Bench, agent: int, clock_id: int, state: int, *setting: int) -> Status:
    kind, value = setting or (0, 0)
    attributes = clock.CONFIG_SET.pack(extended_config_type=kind, state=state)
    return bench.status(agent, "clock", "CLOCK_CONFIG_SET", clock.ConfigSet(clock_id, attributes, value))


def select(bench: Bench, agent: int, clock_id: int, parent: int) -> Status:
    return bench.status(agent, "clock", "CLOCK_PARENT_SET", clock.ParentSet(clock_id, parent))


def rate(bench: Bench, clock_id: int, agent: int = TWO) -> int:
    got: int = answer(bench, agent, "clock", "CLOCK_RATE_GET", clock.RateGet(clock_id)).rate
    return got


def config(bench: Bench, clock_id: int, kind: int = 0, agent: int = TWO) -> Any:
    got = answer(bench, agent, "clock", "CLOCK_CONFIG_GET", clock.ConfigGet(clock_id, kind))
    return got if isinstance(got, Status) else (got.config, got.extended_config_val)


def attributes(bench: Bench, agent: int, clock_id: int) -> set[str]:
    body = answer(bench, agent, "clock", "CLOCK_ATTRIBUTES", clock.ClockAttributes(clock_id))
    return {name for name, bit in clock.CLOCK.unpack(body.attributes).items() if bit}


def subscribe(bench: Bench, agent: int, *clocks: int, name: str = "CLOCK_RATE_NOTIFY") -> None:
    for one in clocks:
        assert bench.status(agent, "clock", name, clock.RateNotify(one, 1)) is OK


def changed(agent: int, cause: int, clock_id: int, rate: int) -> Told:
    return Told(agent, "CLOCK_RATE_CHANGED", clock.RateChanged(cause, clock_id, rate), bytes=16)
