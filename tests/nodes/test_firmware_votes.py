"""Shared clocks, power and reset domains: what several agents wish, and what the hardware then does."""

import msgspec
import pytest

from bus.scmi import base, clock, power
from bus.scmi.status import Status
from tests.nodes.el3 import LADDER_RATES, MANAGER, PLATFORM, THREE, TWO, Bench

OK = Status.SUCCESS
DOWN, UP, AUTO = 0, 4, 8


@pytest.fixture
def bench() -> Bench:
    """Two and three share every device."""
    made = Bench()
    for agent in (TWO, THREE):
        for device in (5, 6, 8):
            request = base.SetDevicePermissions(agent, device, 1)
            assert made.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", request) is OK
    return made


# ---- power ------------------------------------------------------------------------------------


def power_set(bench: Bench, agent: int, domain: int, state: int, flags: int = 0) -> Status:
    return bench.status(agent, "power", "POWER_STATE_SET", power.StateSet(flags, domain, state))


def power_of(bench: Bench, domain: int) -> int:
    state: int = bench.call(TWO, "power", "POWER_STATE_GET", power.StateGet(domain)).body.power_state
    return state


def test_power_without_votes_is_as_at_boot(bench: Bench) -> None:
    assert (power_of(bench, 1), power_of(bench, 2)) == (power.ON, power.OFF)


def test_power_is_on_while_anyone_wants_it(bench: Bench) -> None:
    assert power_set(bench, TWO, 2, power.ON) is OK
    assert power_set(bench, THREE, 2, power.OFF) is OK
    assert power_of(bench, 2) == power.ON
    assert power_set(bench, TWO, 2, power.OFF) is OK
    assert power_of(bench, 2) == power.OFF


def test_one_vote_for_off_wins_over_the_boot_state(bench: Bench) -> None:
    assert power_set(bench, TWO, 1, power.OFF) is OK
    assert power_of(bench, 1) == power.OFF


def test_power_requests_that_cannot_be(bench: Bench) -> None:
    assert power_set(bench, TWO, 2, power.ON, flags=1) is Status.NOT_SUPPORTED
    for state in (1, 0x4000_0001, 0x0FFF_FFFF):
        assert power_set(bench, TWO, 2, state) is Status.INVALID_PARAMETERS
    assert not [thing for thing in bench.held(TWO) if thing.startswith("power_domain")]


# ---- clocks -----------------------------------------------------------------------------------


def rate_set(bench: Bench, agent: int, clock_id: int, rate: int, flags: int = DOWN) -> Status:
    return bench.status(agent, "clock", "CLOCK_RATE_SET", clock.RateSet(flags, clock_id, rate))


def rate_of(bench: Bench, clock_id: int) -> int:
    rate: int = bench.call(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(clock_id)).body.rate
    return rate


def config_set(bench: Bench, agent: int, attributes: int, clock_id: int = 5) -> Status:
    return bench.status(agent, "clock", "CLOCK_CONFIG_SET", clock.ConfigSet(clock_id, attributes, 0))


def enabled(bench: Bench, clock_id: int = 5) -> int:
    config: int = bench.call(TWO, "clock", "CLOCK_CONFIG_GET", clock.ConfigGet(clock_id, 0)).body.config
    attributes = bench.call(TWO, "clock", "CLOCK_ATTRIBUTES", clock.ClockAttributes(clock_id)).body.attributes
    assert attributes & 1 == config
    return config


def test_the_highest_rate_asked_for_wins(bench: Bench) -> None:
    assert rate_set(bench, TWO, 5, 2000) is OK
    assert rate_set(bench, THREE, 5, 4000) is OK
    assert rate_of(bench, 5) == 4000
    assert rate_set(bench, THREE, 5, 1000) is OK
    assert rate_of(bench, 5) == 2000


@pytest.mark.parametrize(
    ("wanted", "flags", "rate"),
    [
        (2000, DOWN, 2000),
        (2000, UP, 2000),
        (2999, DOWN, 2000),
        (2001, UP, 4000),
        (2999, AUTO, 2000),
        (3000, AUTO, 2000),
        (3001, AUTO, 4000),
        (3001, AUTO | UP, 4000),
        (2999, AUTO | UP, 2000),
        (999, UP, None),
        (4001, DOWN, None),
        (2**64 - 1, AUTO, None),
    ],
)
def test_rounding_in_a_list(bench: Bench, wanted: int, flags: int, rate: int | None) -> None:
    assert rate_set(bench, TWO, 5, wanted, flags) is (Status.INVALID_PARAMETERS if rate is None else OK)
    assert rate_of(bench, 5) == (rate or 1000)


@pytest.mark.parametrize(
    ("wanted", "flags", "rate"),
    [
        (100, DOWN, 100),
        (1000, UP, 1000),
        (199, DOWN, 100),
        (101, UP, 200),
        (150, AUTO, 100),
        (151, AUTO, 200),
        (99, UP, None),
        (1001, DOWN, None),
        (1050, DOWN, None),
    ],
)
def test_rounding_in_a_range(bench: Bench, wanted: int, flags: int, rate: int | None) -> None:
    """The range is 100..1050 in steps of 100, so its last rate is 1000."""
    assert rate_set(bench, TWO, 6, wanted, flags) is (Status.INVALID_PARAMETERS if rate is None else OK)
    assert rate_of(bench, 6) == (rate or 100)


def test_asynchronous_rates_are_not_offered(bench: Bench) -> None:
    assert rate_set(bench, TWO, 5, 2000, flags=1) is Status.NOT_SUPPORTED
    assert rate_of(bench, 5) == 1000


def test_a_clock_is_on_while_anyone_wants_it(bench: Bench) -> None:
    assert enabled(bench) == 0
    assert config_set(bench, TWO, clock.STATE_ENABLE) is OK
    assert config_set(bench, THREE, clock.STATE_DISABLE) is OK
    assert enabled(bench) == 1
    assert config_set(bench, TWO, clock.STATE_DISABLE) is OK
    assert enabled(bench) == 0


def test_states_and_extended_configuration(bench: Bench) -> None:
    duty_cycle = clock.CONFIG_SET.pack(extended_config_type=clock.DUTY_CYCLE, state=clock.STATE_UNCHANGED)
    assert config_set(bench, TWO, clock.STATE_RESERVED) is Status.INVALID_PARAMETERS
    assert config_set(bench, TWO, clock.STATE_UNCHANGED) is Status.INVALID_PARAMETERS
    assert config_set(bench, TWO, duty_cycle) is Status.NOT_SUPPORTED
    assert bench.status(TWO, "clock", "CLOCK_CONFIG_GET", clock.ConfigGet(5, 1)) is Status.NOT_SUPPORTED


def reset_agent(bench: Bench, agent: int) -> None:
    request = base.ResetAgentConfiguration(agent, 0)
    assert bench.status(MANAGER, "base", "BASE_RESET_AGENT_CONFIGURATION", request) is OK


def parent_of(bench: Bench) -> int:
    parent: int = bench.call(TWO, "clock", "CLOCK_PARENT_GET", clock.ParentGet(6)).body.parent_id
    return parent


def test_the_newest_parent_wins_until_it_is_withdrawn(bench: Bench) -> None:
    assert parent_of(bench) == 0
    for agent, parent in ((THREE, 5), (TWO, 5), (THREE, 5), (TWO, 0)):
        assert bench.status(agent, "clock", "CLOCK_PARENT_SET", clock.ParentSet(6, parent)) is OK
        assert parent_of(bench) == parent
    reset_agent(bench, TWO)
    assert parent_of(bench) == 5
    reset_agent(bench, THREE)
    assert bench.core.board.clocks.parent(6) == 0


def test_parents_that_cannot_be(bench: Bench) -> None:
    unknown = clock.ParentSet(6, 7)
    assert bench.status(TWO, "clock", "CLOCK_PARENT_SET", unknown) is Status.INVALID_PARAMETERS
    for name, request in (
        ("CLOCK_PARENT_SET", clock.ParentSet(5, 0)),
        ("CLOCK_PARENT_GET", clock.ParentGet(5)),
        ("CLOCK_POSSIBLE_PARENTS_GET", clock.PossibleParentsGet(5, 0)),
    ):
        assert bench.status(TWO, "clock", name, request) is Status.NOT_SUPPORTED


# ---- lists that take several messages ---------------------------------------------------------


def test_rates_come_in_pages_of_eleven(bench: Bench) -> None:
    found: list[int] = []
    pages = []
    while True:
        request = clock.DescribeRates(7, len(found))
        body = bench.call(TWO, "clock", "CLOCK_DESCRIBE_RATES", request).body
        found.extend(body.rates)
        remaining = clock.NUM_RATES.get(body.num_rates_flags, "remaining")
        assert not clock.NUM_RATES.get(body.num_rates_flags, "triplet")
        pages.append((len(body.rates), remaining))
        if not remaining:
            break
    assert tuple(found) == LADDER_RATES
    assert pages == [(11, 19), (11, 8), (8, 0)]


@pytest.mark.parametrize(
    ("index", "status"), [(29, OK), (30, Status.OUT_OF_RANGE), (2**32 - 1, Status.OUT_OF_RANGE)]
)
def test_the_last_index_of_a_list(bench: Bench, index: int, status: Status) -> None:
    assert bench.status(TWO, "clock", "CLOCK_DESCRIBE_RATES", clock.DescribeRates(7, index)) is status


def test_a_range_is_a_triplet(bench: Bench) -> None:
    body = bench.call(TWO, "clock", "CLOCK_DESCRIBE_RATES", clock.DescribeRates(6, 0)).body
    assert clock.NUM_RATES.unpack(body.num_rates_flags) == {"remaining": 0, "triplet": 1, "returned": 3}
    assert body.rates == (100, 1000, 100), "the highest is one that can be set"
    beyond = clock.DescribeRates(6, 1)
    assert bench.status(TWO, "clock", "CLOCK_DESCRIBE_RATES", beyond) is Status.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("skip", "returned", "remaining"), [(0, 23, 7), (23, 7, 0), (30, 0, 0), (2**31, 0, 0)]
)
def test_parents_come_in_pages_of_23(bench: Bench, skip: int, returned: int, remaining: int) -> None:
    request = clock.PossibleParentsGet(8, skip)
    body = bench.call(TWO, "clock", "CLOCK_POSSIBLE_PARENTS_GET", request).body
    assert body.parents == tuple(range(100, 130))[skip : skip + 23]
    assert clock.NUM_PARENTS.unpack(body.num_parents_flags) == {"remaining": remaining, "returned": returned}


def test_a_larger_area_takes_more_at_once() -> None:
    roomy = Bench(msgspec.structs.replace(PLATFORM, area_bytes=4096))
    body = roomy.call(MANAGER, "clock", "CLOCK_DESCRIBE_RATES", clock.DescribeRates(7, 0)).body
    assert body.rates == LADDER_RATES


@pytest.mark.parametrize(("skip", "listed"), [(0, (0x11, 0x14, 0x16)), (2, (0x16,)), (3, ()), (4, None)])
def test_the_list_of_protocols(bench: Bench, skip: int, listed: tuple[int, ...] | None) -> None:
    reply = bench.call(TWO, "base", "BASE_DISCOVER_LIST_PROTOCOLS", base.DiscoverListProtocols(skip))
    if listed is None:
        assert reply.status is Status.INVALID_PARAMETERS
    else:
        assert reply.body.protocols == listed
        assert len(reply.payload) == 4 + (4 if listed else 0)


# ---- names ------------------------------------------------------------------------------------


def test_a_long_name_is_cut_and_has_a_long_form(bench: Bench) -> None:
    body = bench.call(TWO, "clock", "CLOCK_ATTRIBUTES", clock.ClockAttributes(7)).body
    assert body.name == "a-clock-with-a-"
    assert clock.CLOCK.get(body.attributes, "extended_name")
    assert bench.call(TWO, "clock", "CLOCK_NAME_GET", clock.ClockNameGet(7)).body.name == (
        "a-clock-with-a-very-long-name"
    )
    short = bench.call(TWO, "clock", "CLOCK_ATTRIBUTES", clock.ClockAttributes(6)).body
    assert not clock.CLOCK.get(short.attributes, "extended_name")
    assert (short.name, short.clock_enable_delay) == ("gpu", 7)
