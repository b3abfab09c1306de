"""Clocks: settings, who may change what, what a reset gives back, versions."""

import msgspec
import pytest

from bus.scmi import clock
from bus.scmi.status import Status
from nodes.firmware.platform import Clock, Right, View
from tests.nodes.clocks import (
    ALONE,
    CLOCKS,
    FIXED,
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
from tests.nodes.el3 import DOM0, MANAGER, THREE, TWO, Bench
from tests.nodes.unasked import answer, negotiate, platform, reset, told

OK = Status.SUCCESS


@pytest.fixture
def bench() -> Bench:
    return made()


# ---- settings -------------------------------------------------------------------------------


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


# ---- who may --------------------------------------------------------------------------------


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


def test_an_exclusive_clock_without_parents_is_given_back_as_well() -> None:
    bench = Bench(platform(clock=(Clock(0, "root", (1, 2), 1, sharing="exclusive"),)))
    assert put(bench, TWO, 0, 2) is OK
    assert switch(bench, TWO, 0, 0) is OK
    assert bench.held(TWO) == {"clock 0 enabled": 0}
    assert rate(bench, 0) == 1
    assert put(bench, THREE, 0, 2) is OK


def test_a_refused_wish_takes_nothing(bench: Bench) -> None:
    assert put(bench, TWO, ALONE, 9) is Status.INVALID_PARAMETERS
    assert select(bench, TWO, ALONE, UART) is Status.INVALID_PARAMETERS
    assert switch(bench, TWO, ALONE, clock.STATE_UNCHANGED, clock.PHASE, 9) is Status.NOT_SUPPORTED
    assert bench.held(TWO) == {}
    assert put(bench, THREE, ALONE, 2) is OK


def test_rights_to_single_commands() -> None:
    bench = made(right=(Right(TWO, False, ("clock.CLOCK_RATE_SET",), "clock", (UART,)),))
    assert rights(bench, TWO, UART) == {"state_control", "parent_control"}
    assert "restricted" in attributes(bench, TWO, UART)
    assert put(bench, TWO, UART, 2000) is Status.DENIED
    assert rights(bench, THREE, UART) == {"state_control", "parent_control", "rate_control"}


# ---- views ----------------------------------------------------------------------------------


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


def test_an_agent_with_a_view_is_told_of_parents_that_it_sees() -> None:
    bench = made(view=(View(TWO, "clock", (MUX, PLL)),))
    body = answer(bench, TWO, "clock", "CLOCK_POSSIBLE_PARENTS_GET", clock.PossibleParentsGet(0, 0))
    assert (body.num_parents_flags, body.parents) == (1, (1,))
    assert select(bench, TWO, 0, 1) is OK
    assert bench.core.board.clocks.parent(MUX) == PLL
    assert answer(bench, TWO, "clock", "CLOCK_PARENT_GET", clock.ParentGet(0)).parent_id == 1
    assert select(bench, TWO, 0, 0) is Status.INVALID_PARAMETERS
    subscribe(bench, TWO, 0)
    assert put(bench, THREE, PLL, 150_000) is OK
    assert told(bench) == [changed(TWO, THREE, 0, 150_000)]
    assert answer(bench, TWO, "clock", "PROTOCOL_ATTRIBUTES").attributes & 0xFFFF == 2


# ---- resets ---------------------------------------------------------------------------------


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


# ---- versions -------------------------------------------------------------------------------

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


@pytest.mark.parametrize(("length", "extended"), [(15, False), (16, True)])
def test_how_long_a_name_is_long(length: int, extended: bool) -> None:
    bench = Bench(platform(clock=(Clock(9, "n" * length, (1,), 1),)))
    assert ("extended_name" in attributes(bench, TWO, 9)) is extended


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
