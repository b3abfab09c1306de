"""Clocks: a tree, asynchronous rates, notifications, settings, who may change what."""

from typing import Any

import msgspec
import pytest

from bus.scmi import clock
from bus.scmi.status import Status
from nodes.firmware.platform import Clock, PlatformError, RateRange, check
from nodes.limits import CLOCK_ASYNC
from tests.nodes.el3 import DOM0, MANAGER, THREE, TWO, Bench
from tests.nodes.unasked import Told, answer, negotiate, platform, reset, told, wait

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


@pytest.fixture
def bench() -> Bench:
    return made()


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


# ---- the tree ---------------------------------------------------------------------------------


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
        ({MUX: {"parents": ()}}, r"clock\[2\].rates: give at least one rate, .* or parents that it follows"),
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


# ---- notifications ----------------------------------------------------------------------------


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


# ---- asynchronous rates -----------------------------------------------------------------------

ASYNC, SILENT = 1, 3


def test_an_asynchronous_rate_comes_later_and_is_answered(bench: Bench) -> None:
    subscribe(bench, THREE, PLL)
    assert put(bench, TWO, PLL, 155_000, ASYNC) is OK
    assert rate(bench, PLL) == 100_000
    assert bench.held(TWO) == {"clock 1 CLOCK_RATE_SET": bench.core.ledger(TWO)[0].value}
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


# ---- settings ---------------------------------------------------------------------------------


def test_duty_cycle_and_phase(bench: Bench) -> None:
    assert "extended_config" in attributes(bench, TWO, UART)
    assert "extended_config" not in attributes(bench, TWO, PLL)
    assert [config(bench, UART, one) for one in (0, clock.DUTY_CYCLE, clock.PHASE)] == [
        (0, 0),
        (0, 50),
        (0, 0),
    ]
    assert switch(bench, TWO, UART, clock.STATE_UNCHANGED, clock.DUTY_CYCLE, 25) is OK
    assert switch(bench, THREE, UART, clock.STATE_ENABLE, clock.PHASE, 359) is OK
    assert config(bench, UART, clock.DUTY_CYCLE) == (1, 25)
    assert config(bench, UART, clock.PHASE) == (1, 359)
    assert bench.held(TWO) == {"clock 4 duty_cycle": 25}


def test_the_newest_setting_wins_until_it_is_withdrawn(bench: Bench) -> None:
    for agent, value in ((TWO, 10), (THREE, 20), (TWO, 30)):
        assert switch(bench, agent, UART, clock.STATE_UNCHANGED, clock.DUTY_CYCLE, value) is OK
        assert config(bench, UART, clock.DUTY_CYCLE) == (0, value)
    reset(bench, TWO)
    assert config(bench, UART, clock.DUTY_CYCLE) == (0, 20)
    reset(bench, THREE)
    assert config(bench, UART, clock.DUTY_CYCLE) == (0, 50)


def test_settings_that_cannot_be(bench: Bench) -> None:
    unchanged = clock.STATE_UNCHANGED
    assert switch(bench, TWO, UART, unchanged, clock.DUTY_CYCLE, 100) is OK
    assert switch(bench, TWO, UART, unchanged, clock.DUTY_CYCLE, 101) is Status.INVALID_PARAMETERS
    assert switch(bench, TWO, UART, unchanged, clock.PHASE, 360) is Status.INVALID_PARAMETERS
    for kind in (3, 0x80, 0xFF):
        assert switch(bench, TWO, UART, unchanged, kind, 1) is Status.NOT_SUPPORTED
        assert config(bench, UART, kind) is Status.NOT_SUPPORTED
    assert switch(bench, TWO, ALONE, unchanged, clock.PHASE, 1) is Status.NOT_SUPPORTED
    assert config(bench, ALONE, clock.PHASE) is Status.NOT_SUPPORTED
    for kind in (0, clock.DUTY_CYCLE):
        assert switch(bench, TWO, UART, clock.STATE_RESERVED, kind, 1) is Status.INVALID_PARAMETERS
    assert switch(bench, TWO, UART, unchanged) is Status.INVALID_PARAMETERS
    assert config(bench, UART, clock.DUTY_CYCLE) == (0, 100)


# ---- who may ----------------------------------------------------------------------------------


def rights(bench: Bench, agent: int, clock_id: int) -> set[str]:
    body = answer(bench, agent, "clock", "CLOCK_GET_PERMISSIONS", clock.GetPermissions(clock_id))
    return {name for name, bit in clock.PERMISSIONS.unpack(body.permissions).items() if bit}


def test_rights_by_what_may_be_changed(bench: Bench) -> None:
    assert rights(bench, TWO, UART) == {"state_control", "parent_control", "rate_control"}
    assert rights(bench, TWO, FIXED) == {"state_control", "parent_control"}
    assert rights(bench, TWO, QUIET) == {"rate_control"}
    restricted = {one.id for one in CLOCKS if "restricted" in attributes(bench, TWO, one.id)}
    assert restricted == {FIXED, QUIET}
    assert put(bench, MANAGER, FIXED, 7) is Status.DENIED
    assert switch(bench, MANAGER, QUIET, clock.STATE_ENABLE) is Status.DENIED
    assert put(bench, TWO, QUIET, 2) is OK
    assert switch(bench, TWO, FIXED, clock.STATE_DISABLE) is OK


def test_rights_of_who_may_only_look() -> None:
    bench = made(default_permission="deny")
    assert rights(bench, TWO, UART) == set()
    assert "restricted" in attributes(bench, TWO, UART)
    assert rights(bench, MANAGER, UART) == {"state_control", "parent_control", "rate_control"}


def test_a_parent_that_nobody_may_select() -> None:
    clocks = (*CLOCKS[:2], msgspec.structs.replace(CLOCKS[MUX], parent_control=False), *CLOCKS[3:])
    bench = Bench(platform(clock=clocks))
    assert select(bench, TWO, MUX, PLL) is Status.DENIED
    assert select(bench, TWO, UART, PLL) is Status.NOT_SUPPORTED, "there is nothing to select"


@pytest.mark.parametrize("how", ["rate", "state", "parent", "setting"])
def test_an_exclusive_clock_is_its_first_users(bench: Bench, how: str) -> None:
    wish = {
        "rate": lambda agent: put(bench, agent, ALONE, 2),
        "state": lambda agent: switch(bench, agent, ALONE, clock.STATE_ENABLE),
        "parent": lambda agent: select(bench, agent, ALONE, PLL),
        "setting": lambda agent: switch(bench, agent, ALONE, clock.STATE_UNCHANGED, clock.DUTY_CYCLE, 9),
    }
    assert wish[how](TWO) is OK
    assert bench.held(TWO)["clock 6 exclusive"] == 1
    for other in wish.values():
        assert other(THREE) is Status.DENIED
        assert other(TWO) is OK
    assert switch(bench, TWO, ALONE, clock.STATE_DISABLE) is OK
    assert bench.held(TWO) == {"clock 6 enabled": 0}, "giving it back leaves no wish but that"
    seen = (rate(bench, ALONE), config(bench, ALONE, clock.DUTY_CYCLE), bench.core.board.clocks.parent(ALONE))
    assert seen == (1, (0, 20), XTAL)
    assert wish[how](THREE) is OK
    assert wish[how](TWO) is Status.DENIED
    reset(bench, THREE)
    assert wish[how](TWO) is OK


def test_a_refused_wish_takes_nothing(bench: Bench) -> None:
    assert put(bench, TWO, ALONE, 9) is Status.INVALID_PARAMETERS
    assert select(bench, TWO, ALONE, UART) is Status.INVALID_PARAMETERS
    assert switch(bench, TWO, ALONE, clock.STATE_UNCHANGED, clock.PHASE, 9) is Status.NOT_SUPPORTED
    assert bench.held(TWO) == {}
    assert put(bench, THREE, ALONE, 2) is OK


# ---- views ------------------------------------------------------------------------------------


def test_what_an_agent_sees_of_a_shared_clock() -> None:
    seen = {}
    for view in ("physical", "own"):
        bench = made(agent_view=view)
        for agent, wanted in ((TWO, 2000), (THREE, 4000)):
            assert put(bench, agent, UART, wanted) is OK
        assert switch(bench, TWO, UART, clock.STATE_DISABLE) is OK
        assert switch(bench, THREE, UART, clock.STATE_ENABLE, clock.DUTY_CYCLE, 40) is OK
        assert select(bench, TWO, MUX, XTAL) is OK
        assert select(bench, THREE, MUX, PLL) is OK
        parent = answer(bench, TWO, "clock", "CLOCK_PARENT_GET", clock.ParentGet(MUX)).parent_id
        assert ("enabled" in attributes(bench, TWO, UART)) == config(bench, UART)[0]
        seen[view] = (rate(bench, UART), config(bench, UART, clock.DUTY_CYCLE), parent)
        assert bench.core.board.clocks.rate(UART) == 4000
        assert rate(bench, UART, DOM0) == 4000, "who has no wish sees what is so"
    assert seen == {"physical": (4000, (1, 40), PLL), "own": (2000, (0, 40), XTAL)}


# ---- resets -----------------------------------------------------------------------------------


def test_a_reset_gives_everything_back_and_tells_the_others(bench: Bench) -> None:
    subscribe(bench, TWO, UART, PLL)
    subscribe(bench, THREE, UART, PLL)
    assert put(bench, TWO, UART, 4000) is OK
    assert put(bench, THREE, UART, 2000) is OK
    assert switch(bench, TWO, UART, clock.STATE_ENABLE, clock.DUTY_CYCLE, 1) is OK
    assert select(bench, TWO, MUX, PLL) is OK
    assert put(bench, TWO, ALONE, 2) is OK
    told(bench)
    assert bench.held(TWO) == {
        "clock 4 enabled": 1,
        "clock 4 rate": 4000,
        "clock 6 rate": 2,
        "clock 2 parent": PLL,
        "clock 4 duty_cycle": 1,
        "clock 6 exclusive": 1,
        "clock 1 CLOCK_RATE_CHANGED": 1,
        "clock 4 CLOCK_RATE_CHANGED": 1,
    }
    reset(bench, TWO)
    assert bench.held(TWO) == {}
    assert told(bench) == [changed(THREE, MANAGER, UART, 2000)], "not to the one that was reset"
    assert (rate(bench, UART), rate(bench, MUX), rate(bench, ALONE)) == (2000, 24_000, 1)
    assert config(bench, UART, clock.DUTY_CYCLE) == (0, 50)


# ---- versions ---------------------------------------------------------------------------------

NEWER = {
    0x1_0000: set(),
    0x2_0000: {"rate_change_notify", "rate_change_requested_notify", "extended_name"},
    0x3_0000: {
        "rate_change_notify",
        "rate_change_requested_notify",
        "extended_name",
        "parents",
        "extended_config",
        "restricted",
    },
}


@pytest.mark.parametrize("version", NEWER)
def test_attributes_by_version(version: int) -> None:
    every = Clock(9, "a-name-longer-than-15", parents=(XTAL,), duty_cycle=1, rate_control=False)
    bench = Bench(platform(clock=(*CLOCKS, every)))
    if version != 0x3_0000:
        negotiate(bench, TWO, "clock", version)
    assert attributes(bench, TWO, 9) == NEWER[version]
    body = answer(bench, TWO, "clock", "CLOCK_ATTRIBUTES", clock.ClockAttributes(9))
    assert body.name == "a-name-longer-t"


def test_older_versions_have_fewer_words_and_commands(bench: Bench) -> None:
    assert put(bench, TWO, UART, 4000) is OK
    negotiate(bench, TWO, "clock", 0x1_0000)
    table = clock.PROTOCOL
    status, body = bench.raw(TWO, 0x14 << 10 | clock.CLOCK_ATTRIBUTES.id, UART.to_bytes(4, "little"))
    assert (status, len(body)) == (OK, 20)
    enable = bytes([UART, 0, 0, 0, 1, 0, 0, 0])
    head = 0x14 << 10 | clock.CLOCK_CONFIG_SET.id
    assert bench.raw(TWO, head, enable)[0] is OK
    assert bench.core.board.clocks.on(UART)
    assert bench.raw(TWO, head, bytes([UART, 0, 0, 0, 3, 0, 0, 0]))[0] is Status.INVALID_PARAMETERS
    assert bench.raw(TWO, head, enable + bytes(4))[0] is Status.PROTOCOL_ERROR
    for command in table.commands:
        if command.since > 0x1_0000:
            assert bench.raw(TWO, 0x14 << 10 | command.id, b"")[0] is Status.NOT_FOUND
