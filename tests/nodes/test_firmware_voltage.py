"""Voltage domains: levels as lists and ranges, on and off, modes, asynchronous levels, who has one."""

from typing import Any

import msgspec
import pytest

from bus.links import XEN
from bus.scmi import voltage
from bus.scmi.status import Status
from nodes.contract import Boot
from nodes.firmware.core import FirmwareCore
from nodes.firmware.platform import LevelRange, PlatformError, VoltageDomain, check
from nodes.firmware.profile import SPEC_STRICT
from tests.nodes.el3 import DOM0, MANAGER, THREE, TWO, Bench
from tests.nodes.unasked import Told, answer, negotiate, platform, reset, told, wait

OK = Status.SUCCESS
OFF, ON = 0x0, 0x7
LIST, RANGE, EMPTY, LONG, ALONE = range(5)
LADDER = tuple(range(-500_000, 500_000, 10_000))
DOMAINS = (
    VoltageDomain(LIST, "list", (-100, 0, 900, 1800), 900, modes=(0, 2)),
    VoltageDomain(RANGE, "range", LevelRange(600, 1250, 100), 700, "on", set_us=30, async_set=True),
    VoltageDomain(EMPTY, "empty", level=5000),
    VoltageDomain(LONG, "a-rail-with-many-levels", LADDER, 0),
    VoltageDomain(ALONE, "alone", (1, 2, 3), 1, sharing="exclusive", async_set=True),
)
MODE_0, MODE_2 = 0x8, 0xA


def made(**changes: Any) -> Bench:
    return Bench(platform(voltage_domain=DOMAINS, **changes))


@pytest.fixture
def bench() -> Bench:
    return made()


def switch(bench: Bench, agent: int, domain: int, config: int) -> Status:
    return bench.status(agent, "voltage", "VOLTAGE_CONFIG_SET", voltage.ConfigSet(domain, config))


def put(bench: Bench, agent: int, domain: int, level: int, flags: int = 0) -> Status:
    return bench.status(agent, "voltage", "VOLTAGE_LEVEL_SET", voltage.LevelSet(domain, flags, level))


def config(bench: Bench, domain: int, agent: int = TWO) -> int:
    got: int = answer(bench, agent, "voltage", "VOLTAGE_CONFIG_GET", voltage.ConfigGet(domain)).config
    return got


def level(bench: Bench, domain: int, agent: int = TWO) -> int:
    got: int = answer(bench, agent, "voltage", "VOLTAGE_LEVEL_GET", voltage.LevelGet(domain)).voltage_level
    return got


def attributes(bench: Bench, agent: int, domain: int) -> set[str]:
    body = answer(bench, agent, "voltage", "VOLTAGE_DOMAIN_ATTRIBUTES", voltage.DomainAttributes(domain))
    return {name for name, bit in voltage.DOMAIN.unpack(body.attributes).items() if bit}


def described(bench: Bench, domain: int, index: int = 0) -> Any:
    request = voltage.DescribeLevels(domain, index)
    return answer(bench, TWO, "voltage", "VOLTAGE_DESCRIBE_LEVELS", request)


# ---- levels -----------------------------------------------------------------------------------


def test_levels_are_a_list_a_range_or_none(bench: Bench) -> None:
    body = described(bench, LIST)
    assert body.voltage == (-100, 0, 900, 1800)
    body = described(bench, RANGE)
    assert voltage.NUM_LEVELS.unpack(body.num_levels_flags) == {"remaining": 0, "triplet": 1, "returned": 3}
    assert body.voltage == (600, 1200, 100), "the highest is one that can be set"
    body = described(bench, EMPTY)
    assert (body.num_levels_flags, body.voltage) == (0, ())


def test_a_long_list_comes_in_pages_of_23(bench: Bench) -> None:
    found: list[int] = []
    pages = []
    while len(found) < len(LADDER):
        body = described(bench, LONG, len(found))
        found += body.voltage
        pages.append((len(body.voltage), voltage.NUM_LEVELS.get(body.num_levels_flags, "remaining")))
    assert tuple(found) == LADDER
    assert pages == [(23, 77), (23, 54), (23, 31), (23, 8), (8, 0)]


@pytest.mark.parametrize(
    ("domain", "index", "fits"),
    [(LIST, 3, True), (LIST, 4, False), (RANGE, 1, False), (EMPTY, 1, False), (LONG, 2**32 - 1, False)],
)
def test_the_last_index(bench: Bench, domain: int, index: int, fits: bool) -> None:
    found = described(bench, domain, index)
    assert (found is Status.OUT_OF_RANGE) is not fits


@pytest.mark.parametrize(
    ("domain", "levels", "wrong"),
    [
        (LIST, (-100, 0, 1800), (-101, -99, 1, 1801, 2**31 - 1, -(2**31))),
        (RANGE, (600, 700, 1200), (599, 601, 1250, 1300)),
        (EMPTY, (5000,), (4999, 0)),
    ],
)
def test_what_can_be_set(bench: Bench, domain: int, levels: tuple[int, ...], wrong: tuple[int, ...]) -> None:
    for one in levels:
        assert put(bench, TWO, domain, one) is OK
        assert level(bench, domain) == one
    for one in wrong:
        assert put(bench, TWO, domain, one) is Status.INVALID_PARAMETERS
    assert level(bench, domain) == levels[-1]


def test_the_highest_level_wins(bench: Bench) -> None:
    assert level(bench, LIST) == 900, "as at boot"
    assert put(bench, TWO, LIST, -100) is OK
    assert level(bench, LIST) == -100
    assert put(bench, THREE, LIST, 0) is OK
    assert level(bench, LIST) == 0
    reset(bench, THREE)
    assert level(bench, LIST) == -100
    reset(bench, TWO)
    assert level(bench, LIST) == 900


# ---- on and off -------------------------------------------------------------------------------


def test_a_domain_is_on_while_anyone_wants_it(bench: Bench) -> None:
    assert (config(bench, LIST), config(bench, RANGE)) == (OFF, ON)
    assert switch(bench, TWO, LIST, ON) is OK
    assert switch(bench, THREE, LIST, OFF) is OK
    assert config(bench, LIST) == ON
    assert switch(bench, TWO, LIST, OFF) is OK
    assert config(bench, LIST) == OFF
    assert switch(bench, TWO, RANGE, OFF) is OK
    assert config(bench, RANGE) == OFF
    reset(bench, TWO)
    assert config(bench, RANGE) == ON


def test_of_several_modes_the_newest_wins(bench: Bench) -> None:
    for agent, wanted, comes in (
        (TWO, MODE_2, MODE_2),
        (THREE, MODE_0, MODE_0),
        (TWO, ON, ON),
        (TWO, OFF, MODE_0),
        (THREE, OFF, OFF),
    ):
        assert switch(bench, agent, LIST, wanted) is OK
        assert config(bench, LIST) == comes


@pytest.mark.parametrize("wrong", [*range(1, 7), 0x9, 0xB, 0xF, 0x10, 0x8000_0007])
def test_configurations_that_cannot_be(bench: Bench, wrong: int) -> None:
    assert switch(bench, TWO, LIST, wrong) is Status.INVALID_PARAMETERS
    assert bench.held(TWO) == {}


def test_modes_are_those_declared(bench: Bench) -> None:
    assert switch(bench, TWO, LIST, MODE_2) is OK
    assert switch(bench, TWO, RANGE, MODE_2) is Status.INVALID_PARAMETERS


def test_a_level_set_while_off_is_supplied_once_it_is_on(bench: Bench) -> None:
    rails = bench.core.board.voltages
    assert put(bench, TWO, LIST, 1800) is OK
    assert (level(bench, LIST), rails.output_uv(LIST)) == (1800, 0)
    assert switch(bench, THREE, LIST, ON) is OK
    assert rails.output_uv(LIST) == 1800


def test_a_firmware_that_refuses_a_level_while_off() -> None:
    bench = made()
    refusing = msgspec.structs.replace(SPEC_STRICT, level_set_while_off=Status.DENIED)
    bench.core = FirmwareCore(platform(voltage_domain=DOMAINS), bench.memory, XEN, refusing)
    bench.core.step(Boot(), 0)
    assert put(bench, TWO, LIST, 1800) is Status.DENIED
    assert switch(bench, TWO, LIST, ON) is OK
    assert put(bench, TWO, LIST, 1800) is OK


# ---- asynchronous levels ----------------------------------------------------------------------


def test_an_asynchronous_level_comes_later_and_is_answered(bench: Bench) -> None:
    assert put(bench, TWO, RANGE, 1200, 1) is OK
    assert level(bench, RANGE) == 700
    assert wait(bench, 29) == []
    complete = voltage.LevelSetComplete(RANGE, 1200)
    assert wait(bench, 2) == [Told(TWO, "VOLTAGE_LEVEL_SET", complete, bytes=12)]
    assert level(bench, RANGE) == 1200
    assert bench.held(TWO) == {"voltage_domain 1 level": 1200}


def test_where_asynchronous_levels_are_not_offered(bench: Bench) -> None:
    assert attributes(bench, TWO, RANGE) == {"async_level_set"}
    for agent, domain, wanted in ((DOM0, RANGE, 600), (TWO, LIST, 0)):
        assert attributes(bench, agent, domain) == set()
        assert put(bench, agent, domain, wanted, 1) is Status.NOT_SUPPORTED
        assert put(bench, agent, domain, wanted, 2) is Status.INVALID_PARAMETERS


def test_a_reset_takes_an_asynchronous_level_back(bench: Bench) -> None:
    assert put(bench, TWO, RANGE, 1200, 1) is OK
    reset(bench, TWO)
    assert wait(bench, 100) == []
    assert (level(bench, RANGE), bench.held(TWO)) == (700, {})


# ---- who has it -------------------------------------------------------------------------------


def test_an_exclusive_domain_is_its_first_users(bench: Bench) -> None:
    assert put(bench, TWO, ALONE, 3) is OK
    assert bench.held(TWO) == {"voltage_domain 4 level": 3, "voltage_domain 4 exclusive": 1}
    assert put(bench, THREE, ALONE, 2) is Status.DENIED
    assert switch(bench, THREE, ALONE, ON) is Status.DENIED
    assert switch(bench, TWO, ALONE, ON) is OK
    assert switch(bench, TWO, ALONE, OFF) is OK
    assert (level(bench, ALONE), bench.held(TWO)) == (1, {"voltage_domain 4 config": OFF})
    assert put(bench, THREE, ALONE, 2) is OK
    assert put(bench, TWO, ALONE, 3) is Status.DENIED
    reset(bench, THREE)
    assert put(bench, TWO, ALONE, 3) is OK


def test_an_asynchronous_level_takes_an_exclusive_domain_at_once(bench: Bench) -> None:
    assert put(bench, TWO, ALONE, 3, 1) is OK
    assert put(bench, THREE, ALONE, 2) is Status.DENIED
    assert switch(bench, TWO, ALONE, OFF) is OK, "given back before the level came"
    assert put(bench, THREE, ALONE, 2) is OK
    (done,) = wait(bench, 1)
    assert (done.status, done.body) == (Status.DENIED, None)
    assert level(bench, ALONE) == 2


def test_what_an_agent_sees_of_a_shared_domain() -> None:
    for view, seen in (("physical", (ON, 1800)), ("own", (OFF, 0))):
        bench = made(agent_view=view)
        for agent, wanted, state in ((TWO, 0, OFF), (THREE, 1800, ON)):
            assert put(bench, agent, LIST, wanted) is OK
            assert switch(bench, agent, LIST, state) is OK
        assert (config(bench, LIST), level(bench, LIST)) == seen
        assert (config(bench, LIST, DOM0), level(bench, LIST, DOM0)) == (ON, 1800)


def test_a_reset_gives_everything_back(bench: Bench) -> None:
    assert put(bench, TWO, LIST, 1800) is OK
    assert switch(bench, TWO, LIST, MODE_2) is OK
    assert switch(bench, TWO, ALONE, ON) is OK
    assert bench.held(TWO) == {
        "voltage_domain 0 config": MODE_2,
        "voltage_domain 0 level": 1800,
        "voltage_domain 4 config": ON,
        "voltage_domain 4 exclusive": 1,
    }
    reset(bench, TWO)
    assert bench.held(TWO) == {}
    assert [(config(bench, one), level(bench, one)) for one in (LIST, ALONE)] == [(OFF, 900), (OFF, 1)]


def test_who_may_only_look() -> None:
    bench = made(default_permission="deny")
    assert level(bench, LIST) == 900
    assert put(bench, TWO, LIST, 0) is Status.DENIED
    assert switch(bench, TWO, LIST, ON) is Status.DENIED
    assert switch(bench, MANAGER, LIST, ON) is OK


# ---- versions ---------------------------------------------------------------------------------


def test_names_and_attributes_by_version(bench: Bench) -> None:
    assert attributes(bench, TWO, LONG) == {"extended_name"}
    body = answer(bench, TWO, "voltage", "VOLTAGE_DOMAIN_NAME_GET", voltage.DomainNameGet(LONG))
    assert (body.flags, body.name) == (0, "a-rail-with-many-levels")
    negotiate(bench, TWO, "voltage", 0x2_0000)
    assert attributes(bench, TWO, RANGE) == {"async_level_set"}
    assert attributes(bench, TWO, LONG) == {"extended_name"}
    assert put(bench, TWO, RANGE, 1200, 1) is OK
    assert len(wait(bench, 100)) == 1
    negotiate(bench, TWO, "voltage", 0x1_0000)
    assert attributes(bench, TWO, LONG) == attributes(bench, TWO, RANGE) == set()
    assert put(bench, TWO, RANGE, 1200, 1) is Status.NOT_SUPPORTED, "there was no delayed response yet"
    assert bench.raw(TWO, 0x17 << 10 | 0x9, bytes(4))[0] is Status.NOT_FOUND
    assert told(bench) == []


@pytest.mark.parametrize(("length", "extended"), [(15, False), (16, True)])
def test_how_long_a_name_is_long(length: int, extended: bool) -> None:
    bench = Bench(platform(voltage_domain=(VoltageDomain(9, "n" * length),)))
    assert ("extended_name" in attributes(bench, TWO, 9)) is extended


def test_the_number_of_domains(bench: Bench) -> None:
    assert answer(bench, TWO, "voltage", "PROTOCOL_ATTRIBUTES").attributes == len(DOMAINS)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"levels": (2, 1), "level": 1}, r"voltage_domain\[0\].levels: .*ascending"),
        ({"levels": (1, 1), "level": 1}, r"voltage_domain\[0\].levels: .*each once"),
        ({"levels": LevelRange(2, 1, 1)}, r"voltage_domain\[0\].levels: min 2 is above max 1; swap"),
        ({"levels": (1, 2), "level": 3}, r"voltage_domain\[0\].level: 3 uV is not one of its levels"),
        ({"levels": LevelRange(0, 9, 2), "level": 3}, r"voltage_domain\[0\].level: 3 uV is not"),
        (
            {"levels": tuple(range(65_536)), "level": 3},
            r"voltage_domain\[0\].levels: 65536 of them, the limit",
        ),
    ],
)
def test_domains_that_cannot_be(changes: dict[str, Any], told: str) -> None:
    wrong = msgspec.structs.replace(DOMAINS[0], **changes)
    with pytest.raises(PlatformError, match=told):
        check(msgspec.structs.replace(platform(), voltage_domain=(wrong,)))
