"""Clocks as a tree: what follows what, asynchronous rates, who is told."""

from typing import Any

import msgspec
import pytest

from bus.links import XEN
from bus.scmi import clock, header
from bus.scmi.status import Status
from nodes.contract import Boot
from nodes.firmware.core import FirmwareCore
from nodes.firmware.platform import Clock, PlatformError, check
from nodes.firmware.profile import SPEC_STRICT
from nodes.limits import CLOCK_ASYNC
from tests.nodes.clocks import (
    ALONE,
    CLOCKS,
    HALF,
    MUX,
    PLL,
    QUIET,
    UART,
    XTAL,
    attributes,
    changed,
    config,
    made,
    put,
    rate,
    select,
    subscribe,
    switch,
)
from tests.nodes.el3 import DOM0, THREE, TWO, Bench
from tests.nodes.unasked import Told, answer, platform, reset, told, wait

OK = Status.SUCCESS


@pytest.fixture
def bench() -> Bench:
    return made()


# ---- the tree -------------------------------------------------------------------------------


def test_a_clock_without_rates_follows_its_parent(bench: Bench) -> None:
    assert [rate(bench, one) for one in (MUX, HALF)] == [24_000, 36_000]
    assert put(bench, TWO, PLL, 150_000) is OK
    assert [rate(bench, one) for one in (MUX, HALF)] == [24_000, 36_000], "the other parent is selected"
    assert select(bench, TWO, MUX, PLL) is OK
    assert [rate(bench, one) for one in (MUX, HALF)] == [150_000, 225_000]
    assert put(bench, TWO, PLL, 200_000) is OK
    assert [rate(bench, one) for one in (MUX, HALF)] == [200_000, 300_000]


def test_a_clock_that_follows_can_be_set_to_what_it_is_only(bench: Bench) -> None:
    body = answer(bench, TWO, "clock", "CLOCK_DESCRIBE_RATES", clock.DescribeRates(HALF, 0))
    assert body.rates == (36_000,)
    beyond = clock.DescribeRates(HALF, 1)
    assert bench.status(TWO, "clock", "CLOCK_DESCRIBE_RATES", beyond) is Status.OUT_OF_RANGE
    assert put(bench, TWO, HALF, 36_000) is OK
    for wrong in (35_999, 36_001):
        for flags in (0, 4, 8):
            assert put(bench, TWO, HALF, wrong, flags) is Status.INVALID_PARAMETERS
    assert bench.held(TWO) == {}, "there is no vote for what cannot be otherwise"


def test_a_parent_is_on_while_a_child_is(bench: Bench) -> None:
    assert select(bench, TWO, MUX, PLL) is OK
    assert [config(bench, one)[0] for one in (PLL, MUX, HALF)] == [0, 0, 0]
    assert switch(bench, TWO, HALF, clock.STATE_ENABLE) is OK
    assert [config(bench, one)[0] for one in (PLL, MUX, HALF)] == [1, 1, 1]
    assert switch(bench, THREE, PLL, clock.STATE_DISABLE) is OK, "the wish is taken, and waits"
    assert config(bench, PLL)[0] == 1
    assert switch(bench, TWO, HALF, clock.STATE_DISABLE) is OK
    assert [config(bench, one)[0] for one in (PLL, MUX, HALF)] == [0, 0, 0]


def test_a_clock_that_runs_takes_its_load_to_its_new_parent(bench: Bench) -> None:
    assert switch(bench, TWO, HALF, clock.STATE_ENABLE) is OK
    assert switch(bench, TWO, XTAL, clock.STATE_DISABLE) is OK
    assert (config(bench, XTAL)[0], config(bench, PLL)[0]) == (1, 0)
    assert select(bench, TWO, MUX, PLL) is OK
    assert (config(bench, XTAL)[0], config(bench, PLL)[0]) == (0, 1)
    reset(bench, TWO)
    assert (config(bench, XTAL)[0], config(bench, PLL)[0]) == (1, 0)


def test_a_clock_with_rates_of_its_own_keeps_its_rate_under_another_parent(bench: Bench) -> None:
    assert put(bench, TWO, ALONE, 3) is OK
    assert select(bench, TWO, ALONE, PLL) is OK
    assert rate(bench, ALONE) == 3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {MUX: {"parents": ()}},
            r"clock\[2\].rates: there are none; .* or parents that it follows",
        ),
        ({MUX: {"rate": 5}}, r"clock\[2\].rate: its rate follows its parent's; leave it out"),
        ({UART: {"divide": 2}}, r"clock\[4\].multiply: it has rates of its own; leave out multiply"),
        ({MUX: {"parents": (XTAL, XTAL)}}, r"clock\[2\].parents: a parent is there twice"),
        ({MUX: {"parents": (XTAL, HALF)}}, r"parents: mux -> half-of-\S+ -> mux is a circle; take a parent"),
        ({XTAL: {"parents": (HALF,)}}, r"clock\[0\].parents: xtal -> half-of-\S+ -> mux -> xtal is a circle"),
        ({HALF: {"multiply": 2**32 - 1, "divide": 1}, PLL: {"rates": (2**62,), "rate": 2**62}}, "stay below"),
    ],
)
def test_trees_that_cannot_be(changes: dict[int, dict[str, Any]], told: str) -> None:
    clocks = tuple(msgspec.structs.replace(one, **changes.get(one.id, {})) for one in CLOCKS)
    with pytest.raises(PlatformError, match=told):
        check(msgspec.structs.replace(platform(clock=CLOCKS), clock=clocks))


def test_a_tree_as_deep_as_there_are_clocks() -> None:
    depth = 3000
    clocks = (
        Clock(0, "root", (1, 2), 1),
        *(Clock(one, f"c{one}", parents=(one - 1,)) for one in range(1, depth)),
    )
    bench = Bench(platform(clock=clocks))
    assert put(bench, TWO, 0, 2) is OK
    assert switch(bench, TWO, depth - 1, clock.STATE_ENABLE) is OK
    assert (rate(bench, depth - 1), config(bench, 0)[0]) == (2, 1)


# ---- notifications --------------------------------------------------------------------------


def test_everything_that_moves_is_told_with_who_did_it(bench: Bench) -> None:
    select(bench, TWO, MUX, PLL)
    subscribe(bench, THREE, PLL, MUX, HALF)
    assert told(bench) == []
    assert put(bench, TWO, PLL, 150_000) is OK
    assert told(bench) == [
        changed(THREE, TWO, PLL, 150_000),
        changed(THREE, TWO, MUX, 150_000),
        changed(THREE, TWO, HALF, 225_000),
    ]
    assert select(bench, DOM0, MUX, XTAL) is OK
    assert told(bench) == [changed(THREE, DOM0, MUX, 24_000), changed(THREE, DOM0, HALF, 36_000)]


def test_a_wish_that_does_not_win_changes_nothing(bench: Bench) -> None:
    subscribe(bench, TWO, UART)
    assert put(bench, TWO, UART, 4000) is OK
    assert told(bench) == [changed(TWO, TWO, UART, 4000)]
    for wanted in (2000, 4000):
        assert put(bench, THREE, UART, wanted) is OK
        assert told(bench) == []


def test_requests_are_told_to_all_but_who_asked(bench: Bench) -> None:
    for agent in (TWO, THREE):
        subscribe(bench, agent, UART, name="CLOCK_RATE_CHANGE_REQUESTED_NOTIFY")
    assert put(bench, TWO, UART, 2999) is OK
    asked = clock.RateChangeRequested(TWO, UART, 2000)
    assert told(bench) == [Told(THREE, "CLOCK_RATE_CHANGE_REQUESTED", asked, bytes=16)]
    assert put(bench, TWO, UART, 1) is Status.INVALID_PARAMETERS
    assert told(bench) == [], "a refused wish is none"


def test_a_subscription_ends(bench: Bench) -> None:
    subscribe(bench, THREE, UART)
    assert bench.held(THREE) == {"clock 4 CLOCK_RATE_CHANGED": 1}
    assert bench.status(THREE, "clock", "CLOCK_RATE_NOTIFY", clock.RateNotify(UART, 0)) is OK
    assert put(bench, TWO, UART, 4000) is OK
    assert told(bench) == []
    assert bench.held(THREE) == {}


def test_who_can_be_told(bench: Bench) -> None:
    both = {"rate_change_notify", "rate_change_requested_notify"}
    assert both <= attributes(bench, TWO, UART)
    assert not both & (attributes(bench, TWO, QUIET) | attributes(bench, DOM0, UART))
    for name in ("CLOCK_RATE_NOTIFY", "CLOCK_RATE_CHANGE_REQUESTED_NOTIFY"):
        for agent, clock_id in ((TWO, QUIET), (DOM0, UART)):
            assert bench.status(agent, "clock", name, clock.RateNotify(clock_id, 1)) is Status.NOT_SUPPORTED
        assert bench.status(TWO, "clock", name, clock.RateNotify(UART, 2)) is Status.INVALID_PARAMETERS


# ---- asynchronous rates ---------------------------------------------------------------------

ASYNC, SILENT = 1, 3


def test_an_asynchronous_rate_comes_later_and_is_answered(bench: Bench) -> None:
    subscribe(bench, THREE, PLL)
    assert put(bench, TWO, PLL, 155_000, ASYNC) is OK
    assert rate(bench, PLL) == 100_000
    asked = header.pack(clock.PROTOCOL.id, clock.CLOCK_RATE_SET.id, token=9)
    assert bench.held(TWO) == {"clock 1 CLOCK_RATE_SET": asked}
    assert wait(bench, 49) == []
    complete = Told(TWO, "CLOCK_RATE_SET", clock.RateSetComplete(PLL, 150_000), bytes=16)
    assert wait(bench, 2) == [changed(THREE, TWO, PLL, 150_000), complete]
    assert bench.held(TWO) == {"clock 1 rate": 150_000}


def test_the_answer_tells_the_rate_that_came_of_it(bench: Bench) -> None:
    assert put(bench, THREE, PLL, 200_000) is OK
    assert put(bench, TWO, PLL, 150_000, ASYNC) is OK
    assert [one.body.rate for one in wait(bench, 50)] == [200_000]


def test_who_wants_no_answer_gets_none(bench: Bench) -> None:
    assert put(bench, TWO, PLL, 150_000, SILENT) is OK
    assert wait(bench, 51) == []
    assert rate(bench, PLL) == 150_000


def test_where_asynchronous_rates_are_not_offered(bench: Bench) -> None:
    for flags in (ASYNC, SILENT):
        assert put(bench, DOM0, PLL, 150_000, flags) is Status.NOT_SUPPORTED
        assert put(bench, TWO, UART, 2000, flags) is Status.NOT_SUPPORTED
    assert put(bench, DOM0, PLL, 150_000, 2) is OK, "no answer is a matter of asynchronous ones"
    offers = {}
    for agent in (TWO, DOM0):
        body = answer(bench, agent, "clock", "PROTOCOL_ATTRIBUTES")
        offers[agent] = clock.ATTRIBUTES.unpack(body.attributes)
    assert offers[TWO] == {"max_async_requests": CLOCK_ASYNC, "num_clocks": len(CLOCKS)}
    assert offers[DOM0] == {"max_async_requests": 0, "num_clocks": len(CLOCKS)}


def test_a_firmware_without_asynchronous_rates() -> None:
    bench = made()
    without = msgspec.structs.replace(SPEC_STRICT, clock_async=False)
    bench.core = FirmwareCore(platform(clock=CLOCKS), bench.memory, XEN, without)
    bench.core.step(Boot(), 0)
    assert put(bench, TWO, PLL, 150_000, ASYNC) is Status.NOT_SUPPORTED
    assert answer(bench, TWO, "clock", "PROTOCOL_ATTRIBUTES").attributes == len(CLOCKS)
    assert put(bench, TWO, PLL, 150_000) is OK


def test_as_many_asynchronous_rates_as_were_offered(bench: Bench) -> None:
    for _ in range(CLOCK_ASYNC):
        assert put(bench, TWO, PLL, 150_000, ASYNC) is OK
    assert put(bench, TWO, PLL, 150_000, ASYNC) is Status.BUSY
    assert put(bench, THREE, PLL, 150_000, ASYNC) is OK, "each agent has its own count"
    wait(bench, 60)
    assert put(bench, TWO, PLL, 150_000, ASYNC) is OK


def test_a_reset_takes_asynchronous_rates_back(bench: Bench) -> None:
    assert put(bench, TWO, PLL, 150_000, ASYNC) is OK
    reset(bench, TWO)
    assert bench.held(TWO) == {}
    assert wait(bench, 100) == []
    assert rate(bench, PLL) == 100_000
