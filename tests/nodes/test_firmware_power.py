"""Power domains: a tree, states in between, asynchronous sets, notifications, who may."""

from typing import Any

import msgspec
import pytest

from bus.scmi import power
from bus.scmi.power import OFF, ON
from bus.scmi.status import Status
from nodes.firmware.platform import PlatformError, PowerDomain, PowerState, check
from tests.nodes.el3 import DOM0, MANAGER, THREE, TWO, Bench
from tests.nodes.unasked import Told, answer, negotiate, platform, reset, told, wait

OK = Status.SUCCESS
RETENTION, NAP = 0x1, 0x4000_0002
STATES = (PowerState(1, "retention"), PowerState(2, "nap", context_lost=True))
SOC, GPU, SHADERS, MODEM, CORE, SLOW, ALONE = range(7)
DOMAINS = (
    PowerDomain(SOC, "soc"),
    PowerDomain(GPU, "gpu", parent=SOC, states=STATES),
    PowerDomain(SHADERS, "gpu-shader-cores-of-the-big-cluster", parent=GPU, states=STATES),
    PowerDomain(MODEM, "modem", parent=SOC, async_set=True, sync_set=False, transition_us=500),
    PowerDomain(CORE, "cpu0", "on", cpu=True),
    PowerDomain(SLOW, "slow", async_set=True, transition_us=1000, notify=False, notify_requests=False),
    PowerDomain(ALONE, "alone", "on", sharing="exclusive"),
)


@pytest.fixture
def bench() -> Bench:
    return Bench(platform(power_domain=DOMAINS))


def put(bench: Bench, agent: int, domain: int, state: int, later: int = 0) -> Status:
    return bench.status(agent, "power", "POWER_STATE_SET", power.StateSet(later, domain, state))


def states(bench: Bench) -> list[int]:
    return [
        bench.call(TWO, "power", "POWER_STATE_GET", power.StateGet(one.id)).body.power_state
        for one in DOMAINS[:3]
    ]


def attributes(bench: Bench, agent: int, domain: int) -> set[str]:
    body = answer(bench, agent, "power", "POWER_DOMAIN_ATTRIBUTES", power.DomainAttributes(domain))
    return {name for name, bit in power.DOMAIN.unpack(body.attributes).items() if bit}


def subscribe(bench: Bench, agent: int, *domains: int) -> None:
    for domain in domains:
        assert bench.status(agent, "power", "POWER_STATE_NOTIFY", power.StateNotify(domain, 1)) is OK


# ---- the tree ---------------------------------------------------------------------------------


def test_a_parent_is_on_while_a_child_is(bench: Bench) -> None:
    assert states(bench) == [OFF, OFF, OFF]
    assert put(bench, TWO, SHADERS, ON) is OK
    assert states(bench) == [ON, ON, ON]
    assert put(bench, TWO, SOC, OFF) is OK, "a wish for the parent is taken, and waits"
    assert states(bench) == [ON, ON, ON]
    assert put(bench, TWO, SHADERS, OFF) is OK
    assert states(bench) == [OFF, OFF, OFF]


def test_a_child_that_keeps_its_context_needs_its_parent_and_one_that_lost_it_does_not(bench: Bench) -> None:
    assert put(bench, TWO, SHADERS, RETENTION) is OK
    assert states(bench) == [ON, ON, RETENTION]
    assert not bench.core.board.power.on(SHADERS)
    assert put(bench, TWO, SHADERS, NAP) is OK
    assert states(bench) == [OFF, OFF, NAP]


def test_the_shallowest_state_wins(bench: Bench) -> None:
    for agent, state, expected in (
        (TWO, NAP, NAP),
        (THREE, OFF, NAP),
        (THREE, RETENTION, RETENTION),
        (TWO, ON, ON),
        (TWO, OFF, RETENTION),
    ):
        assert put(bench, agent, GPU, state) is OK
        assert states(bench)[GPU] == expected


@pytest.mark.parametrize("state", [0x2, 0x4000_0001, 0x3, 0x8000_0000])
def test_a_state_that_the_domain_does_not_have(bench: Bench, state: int) -> None:
    assert put(bench, TWO, GPU, state) is Status.INVALID_PARAMETERS
    assert bench.held(TWO) == {}


def test_an_agent_may_be_shown_its_own_wish() -> None:
    bench = Bench(platform(power_domain=DOMAINS, agent_view="own"))
    assert put(bench, THREE, SHADERS, ON) is OK
    assert put(bench, TWO, GPU, OFF) is OK
    assert states(bench) == [ON, OFF, ON]
    assert bench.core.board.power.on(GPU)


# ---- how, and who -----------------------------------------------------------------------------


def test_what_a_domain_offers_and_to_whom(bench: Bench) -> None:
    told_of = {"state_change_notify", "change_requested_notify"}
    assert attributes(bench, TWO, GPU) == told_of | {"sync_set"}
    assert attributes(bench, DOM0, GPU) == {"sync_set"}
    assert attributes(bench, TWO, MODEM) == told_of | {"async_set"}
    assert attributes(bench, DOM0, MODEM) == set()
    assert attributes(bench, TWO, SLOW) == {"sync_set", "async_set"}
    assert attributes(bench, TWO, CORE) == told_of
    assert attributes(bench, TWO, SHADERS) == told_of | {"sync_set", "extended_name"}


@pytest.mark.parametrize(
    ("agent", "domain", "later", "status"),
    [
        (TWO, GPU, 1, Status.NOT_SUPPORTED),
        (TWO, MODEM, 0, Status.NOT_SUPPORTED),
        (TWO, MODEM, 1, OK),
        (DOM0, MODEM, 1, Status.NOT_SUPPORTED),
        (MANAGER, CORE, 0, Status.NOT_SUPPORTED),
        (TWO, CORE, 1, Status.NOT_SUPPORTED),
    ],
)
def test_modes_that_a_domain_does_not_have(
    bench: Bench, agent: int, domain: int, later: int, status: Status
) -> None:
    assert put(bench, agent, domain, OFF, later) is status


def test_an_exclusive_domain_is_its_first_users_until_it_wants_it_off(bench: Bench) -> None:
    assert put(bench, TWO, ALONE, OFF) is OK
    assert put(bench, THREE, ALONE, ON) is OK
    assert put(bench, TWO, ALONE, ON) is Status.DENIED
    assert put(bench, TWO, ALONE, OFF) is Status.DENIED
    assert put(bench, THREE, ALONE, OFF) is OK
    assert put(bench, TWO, ALONE, ON) is OK
    reset(bench, TWO)
    assert put(bench, THREE, ALONE, ON) is OK


def test_names(bench: Bench) -> None:
    ask = power.DomainNameGet(SHADERS)
    assert answer(bench, TWO, "power", "POWER_DOMAIN_NAME_GET", ask).name == DOMAINS[SHADERS].name
    negotiate(bench, TWO, "power", 0x20000)
    assert answer(bench, TWO, "power", "POWER_DOMAIN_NAME_GET", ask) is Status.NOT_FOUND
    assert attributes(bench, TWO, SHADERS) == {"state_change_notify", "sync_set"}, "the rest came later"
    body = answer(bench, TWO, "power", "POWER_DOMAIN_ATTRIBUTES", power.DomainAttributes(SHADERS))
    assert body.name == "gpu-shader-core"


# ---- later ------------------------------------------------------------------------------------


def test_an_asynchronous_set_takes_its_time_and_has_no_response(bench: Bench) -> None:
    subscribe(bench, TWO, MODEM, SOC)
    assert put(bench, TWO, MODEM, ON, 1) is OK
    assert told(bench) == []
    assert bench.held(TWO)["power_domain 3 POWER_STATE_SET"]
    assert wait(bench, 499) == []
    assert not bench.core.board.power.on(MODEM)
    came = wait(bench, 1)
    assert [(one.name, one.body) for one in came] == [
        ("POWER_STATE_CHANGED", power.StateChanged(TWO, SOC, ON)),
        ("POWER_STATE_CHANGED", power.StateChanged(TWO, MODEM, ON)),
    ]


def test_a_domain_under_way_is_busy_for_everybody(bench: Bench) -> None:
    assert put(bench, TWO, SLOW, ON, 1) is OK
    assert put(bench, TWO, SLOW, OFF, 1) is Status.BUSY
    assert put(bench, THREE, SLOW, ON) is Status.BUSY
    assert put(bench, THREE, GPU, ON) is OK
    wait(bench, 1001)
    assert put(bench, THREE, SLOW, OFF) is OK


def test_a_reset_aborts_what_is_under_way(bench: Bench) -> None:
    assert put(bench, TWO, SLOW, ON, 1) is OK
    reset(bench, TWO)
    assert bench.held(TWO) == {}
    wait(bench, 2000)
    assert not bench.core.board.power.on(SLOW)
    assert put(bench, THREE, SLOW, ON) is OK


# ---- notifications ----------------------------------------------------------------------------


def test_changes_are_told_to_all_requests_to_all_but_who_asked(bench: Bench) -> None:
    for agent in (TWO, THREE):
        subscribe(bench, agent, GPU)
        ask = power.StateChangeRequestedNotify(GPU, 1)
        assert bench.status(agent, "power", "POWER_STATE_CHANGE_REQUESTED_NOTIFY", ask) is OK
    assert put(bench, TWO, GPU, ON) is OK
    changed = power.StateChanged(TWO, GPU, ON)
    asked = power.StateChangeRequested(TWO, GPU, ON)
    assert told(bench) == [
        Told(THREE, "POWER_STATE_CHANGE_REQUESTED", asked, bytes=12),
        Told(TWO, "POWER_STATE_CHANGED", changed, bytes=12),
        Told(THREE, "POWER_STATE_CHANGED", changed, bytes=12),
    ]
    assert put(bench, THREE, GPU, OFF) is OK
    assert [(one.agent, one.name) for one in told(bench)] == [(TWO, "POWER_STATE_CHANGE_REQUESTED")]
    assert put(bench, THREE, GPU, 9) is Status.INVALID_PARAMETERS
    assert told(bench) == []


def test_notifications_that_are_not_there(bench: Bench) -> None:
    for agent, domain in ((DOM0, GPU), (TWO, SLOW)):
        for name, request in (
            ("POWER_STATE_NOTIFY", power.StateNotify(domain, 1)),
            ("POWER_STATE_CHANGE_REQUESTED_NOTIFY", power.StateChangeRequestedNotify(domain, 1)),
        ):
            assert bench.status(agent, "power", name, request) is Status.NOT_SUPPORTED


def test_no_notification_before_it_is_enabled_nor_after(bench: Bench) -> None:
    assert put(bench, TWO, GPU, ON) is OK
    subscribe(bench, THREE, GPU)
    assert bench.status(THREE, "power", "POWER_STATE_NOTIFY", power.StateNotify(GPU, 0)) is OK
    assert put(bench, TWO, GPU, OFF) is OK
    assert told(bench) == []


def test_a_reset_frees_everything_and_tells_the_others(bench: Bench) -> None:
    subscribe(bench, TWO, GPU)
    subscribe(bench, THREE, GPU, SOC)
    assert put(bench, TWO, GPU, ON) is OK
    told(bench)
    reset(bench, TWO)
    assert bench.held(TWO) == {}
    assert [(one.agent, one.body) for one in told(bench)] == [
        (THREE, power.StateChanged(MANAGER, GPU, OFF)),
        (THREE, power.StateChanged(MANAGER, SOC, OFF)),
    ]


# ---- what platform.toml may not say -----------------------------------------------------------


@pytest.mark.parametrize(
    ("domains", "rule"),
    [
        ((PowerDomain(1, "a", parent=2),), r"power_domain\[0\].parent: there is no 2"),
        ((PowerDomain(1, "a", parent=1),), "above itself"),
        ((PowerDomain(1, "a", parent=2), PowerDomain(2, "b", parent=1)), "above itself"),
        (tuple(PowerDomain(n, str(n), parent=n - 1 if n else None) for n in range(18)), "more than 16"),
        ((PowerDomain(1, "a", states=(PowerState(1, "x"), PowerState(1, "y"))),), "is taken by"),
        ((PowerDomain(1, "a", transition_us=5),), "only an asynchronous set"),
        ((PowerDomain(1, "a", cpu=True, async_set=True),), "nobody but the platform"),
    ],
)
def test_impossible_platforms(domains: tuple[PowerDomain, ...], rule: str) -> None:
    with pytest.raises(PlatformError, match=rule):
        platform(power_domain=domains)


def test_the_deepest_tree_that_may_be() -> None:
    deep: Any = tuple(PowerDomain(n, str(n), parent=n - 1 if n else None) for n in range(17))
    bench = Bench(platform(power_domain=deep))
    assert put(bench, TWO, 16, ON) is OK
    assert bench.core.board.power.on(0)
    check(msgspec.structs.replace(bench.core.platform, name="again"))
