"""System power: who may, what is told before, and what is left of the board afterwards."""

import msgspec
import pytest

from bus.scmi import power, system
from bus.scmi.protocol import MessageAttributes
from bus.scmi.status import Status
from nodes.contract import Log, Tick
from nodes.firmware import profile as profiles
from nodes.firmware.platform import PlatformError, PowerDomain, SystemPower
from tests.nodes.el3 import DOM0, MANAGER, THREE, TWO, Bench, things
from tests.nodes.unasked import Told, negotiate, platform, reset, told, wait

OK = Status.SUCCESS
SHUTDOWN, COLD, WARM, UP, SUSPEND, VENDOR = *range(5), 0x8000_0000
GRACEFUL, FORCEFUL = 1, 0
SET, GET, NOTIFY = 0x3, 0x4, 0x5


def made(**settings: object) -> Bench:
    domains = (PowerDomain(0, "soc"), PowerDomain(1, "on", "on"))
    return Bench(platform(power_domain=domains, system_power=SystemPower(**settings)))  # type: ignore[arg-type]


@pytest.fixture
def bench() -> Bench:
    return made(agents=(MANAGER, TWO), graceful_ms=20)


def put(bench: Bench, agent: int, state: int, flags: int = FORCEFUL) -> Status:
    return bench.status(agent, "system", "SYSTEM_POWER_STATE_SET", system.StateSet(flags, state))


def state(bench: Bench) -> int:
    found: int = bench.call(TWO, "system", "SYSTEM_POWER_STATE_GET").body.system_state
    return found


def subscribe(bench: Bench, *agents: int) -> None:
    for agent in agents:
        assert bench.status(agent, "system", "SYSTEM_POWER_STATE_NOTIFY", system.StateNotify(1)) is OK


def message(bench: Bench, command: int, agent: int = TWO) -> Status | int:
    ask = MessageAttributes(command)
    reply = bench.call(agent, "system", "PROTOCOL_MESSAGE_ATTRIBUTES", ask)
    attributes: int = reply.body.attributes if reply.status is OK else reply.status
    return attributes


def in_use(bench: Bench) -> None:
    """Agent 3 uses what there is."""
    for domain, wish in ((0, power.ON), (1, power.OFF)):
        assert bench.status(THREE, "power", "POWER_STATE_SET", power.StateSet(0, domain, wish)) is OK
    assert bench.status(THREE, "power", "POWER_STATE_NOTIFY", power.StateNotify(0, 1)) is OK


# ---- who, and what ----------------------------------------------------------------------------


def test_without_its_table_there_is_no_system_power() -> None:
    bench = Bench(platform(power_domain=(PowerDomain(0, "soc"),)))
    assert put(bench, MANAGER, COLD) is Status.NOT_SUPPORTED
    assert bench.call(TWO, "base", "PROTOCOL_ATTRIBUTES").body.attributes & 0xFF == 1


@pytest.mark.parametrize(("agents", "may"), [(None, {MANAGER}), ((), set()), ((TWO, DOM0), {TWO, DOM0})])
def test_who_may(agents: tuple[int, ...] | None, may: set[int]) -> None:
    for agent in (DOM0, MANAGER, TWO, THREE):
        bench = made(agents=agents)
        assert put(bench, agent, COLD) is (OK if agent in may else Status.DENIED)
        got = bench.status(agent, "system", "SYSTEM_POWER_STATE_GET")
        assert got is (OK if agent in may else Status.NOT_SUPPORTED)


def test_how_a_firmware_refuses_is_its_profiles_fact() -> None:
    bench = made(agents=())
    other = msgspec.structs.replace(profiles.DEFAULT, system_power_refusal=Status.NOT_SUPPORTED)
    bench.core.machine.profile = other
    assert put(bench, TWO, COLD) is Status.NOT_SUPPORTED


@pytest.mark.parametrize("wish", [5, 6, 0x7FFF_FFFF])
def test_reserved_states(bench: Bench, wish: int) -> None:
    assert put(bench, TWO, wish) is Status.INVALID_PARAMETERS
    assert put(bench, THREE, wish) is Status.INVALID_PARAMETERS, "that is told to everybody"


def test_states_that_this_platform_does_not_have() -> None:
    bench = made(agents=(TWO,), warm_reset=False, suspend=False)
    assert message(bench, SET) == 0
    for wish in (WARM, SUSPEND, VENDOR, 0xFFFF_FFFF):
        assert put(bench, TWO, wish) is Status.NOT_SUPPORTED
    assert put(bench, TWO, COLD) is OK


def test_message_attributes(bench: Bench) -> None:
    assert message(bench, SET) == 1 << 31 | 1 << 30
    assert (message(bench, GET), message(bench, NOTIFY)) == (0, 0)
    assert message(made(warm_reset=False), SET) == 1 << 30
    silent = made(notify=False)
    assert message(silent, NOTIFY) is Status.NOT_SUPPORTED
    assert message(bench, NOTIFY, MANAGER) is Status.NOT_SUPPORTED, "nothing can be sent to it"
    ask = system.StateNotify(1)
    assert silent.status(TWO, "system", "SYSTEM_POWER_STATE_NOTIFY", ask) is Status.NOT_SUPPORTED
    assert bench.status(DOM0, "system", "SYSTEM_POWER_STATE_NOTIFY", ask) is Status.NOT_SUPPORTED


# ---- what happens -----------------------------------------------------------------------------


@pytest.mark.parametrize("wish", [SHUTDOWN, COLD, WARM])
def test_a_reset_is_answered_and_leaves_the_board_as_at_boot(bench: Bench, wish: int) -> None:
    in_use(bench)
    negotiate(bench, THREE, "power", 0x20000)
    assert put(bench, TWO, wish) is OK
    assert bench.held(THREE), "the answer comes first"
    bench.raised.clear()
    wait(bench, 1)
    assert bench.held(THREE) == bench.held(TWO) == {}
    assert [bench.core.board.power.on(one) for one in (0, 1)] == [False, True]
    assert state(bench) == UP


def test_the_boards_reset_frees_even_where_the_firmwares_does_not(bench: Bench) -> None:
    other = msgspec.structs.replace(profiles.DEFAULT, reset="permissions")
    bench.core.machine.profile = other
    in_use(bench)
    reset(bench, THREE)
    assert bench.held(THREE)
    assert put(bench, TWO, COLD) is OK
    wait(bench, 1)
    assert bench.held(THREE) == {}


def test_it_is_logged_who_did_it(bench: Bench) -> None:
    assert put(bench, TWO, COLD) is OK
    effects = bench.core.step(Tick(), bench.now_ns + 1)
    assert Log("info", "system power: COLD_RESET by agent 2") in effects


def test_suspend_keeps_everything_until_power_up(bench: Bench) -> None:
    in_use(bench)
    held = bench.held(THREE)
    assert put(bench, TWO, UP) is Status.DENIED, "it is up"
    assert put(bench, TWO, SUSPEND) is OK
    wait(bench, 1)
    assert state(bench) == SUSPEND
    assert put(bench, TWO, SUSPEND) is Status.DENIED
    assert bench.held(THREE) == held
    assert put(bench, TWO, UP) is OK
    wait(bench, 1)
    assert state(bench) == UP


def test_nobody_is_told_of_what_the_restart_itself_changes(bench: Bench) -> None:
    """Agent 2 gives its domain back after agent 3 did, or before: neither listens any more."""
    for agent in (TWO, THREE):
        assert bench.status(agent, "power", "POWER_STATE_SET", power.StateSet(0, 0, power.ON)) is OK
        assert bench.status(agent, "power", "POWER_STATE_NOTIFY", power.StateNotify(0, 1)) is OK
    told(bench)
    held = {agent: bench.held(agent) for agent in (TWO, THREE)}
    assert put(bench, MANAGER, COLD) is OK
    assert wait(bench, 1) == []
    for agent in (TWO, THREE):
        record = bench.core.last_reset[agent]
        assert things(record.before) == held[agent]
        assert record.after == tuple(bench.core.ledger(agent))
        assert bench.held(agent) == {}


# ---- gracefully -------------------------------------------------------------------------------


def test_subscribers_are_told_and_have_time(bench: Bench) -> None:
    in_use(bench)
    subscribe(bench, TWO, THREE)
    negotiate(bench, THREE, "system", 0x10000)
    assert put(bench, TWO, COLD, GRACEFUL) is OK
    assert told(bench) == [
        Told(TWO, "SYSTEM_POWER_STATE_NOTIFIER", system.StateNotifier(TWO, 1, COLD, 20), bytes=16),
        Told(THREE, "SYSTEM_POWER_STATE_NOTIFIER", system.StateNotifier(TWO, 1, COLD, 0), bytes=12),
    ]
    wait(bench, 19_999)
    assert bench.held(THREE)
    wait(bench, 1)
    assert bench.held(THREE) == {}


def test_without_subscribers_there_is_nobody_to_wait_for(bench: Bench) -> None:
    in_use(bench)
    assert put(bench, TWO, COLD, GRACEFUL) is OK
    wait(bench, 1)
    assert bench.held(THREE) == {}


def test_what_may_come_between(bench: Bench) -> None:
    subscribe(bench, THREE)
    assert put(bench, TWO, COLD, GRACEFUL) is OK
    assert put(bench, TWO, SHUTDOWN, GRACEFUL) is Status.DENIED
    assert put(bench, MANAGER, SUSPEND, FORCEFUL) is OK, "force overtakes"
    assert [one.body.flags for one in told(bench)] == [1, 0]
    wait(bench, 50_000)
    assert state(bench) == SUSPEND, "and the reset does not come later"


def test_a_reset_of_who_asked_takes_it_back(bench: Bench) -> None:
    in_use(bench)
    subscribe(bench, TWO, THREE)
    assert put(bench, TWO, COLD, GRACEFUL) is OK
    told(bench)
    assert set(bench.held(TWO)) == {"system SYSTEM_POWER_STATE_SET", "system SYSTEM_POWER_STATE_NOTIFIER"}
    reset(bench, TWO)
    assert bench.held(TWO) == {}
    wait(bench, 50_000)
    assert bench.held(THREE)


def test_an_agent_that_does_not_exist_cannot_be_listed() -> None:
    with pytest.raises(PlatformError, match=r"system_power.agents: no \[\[agent\]\] has id 9"):
        made(agents=(9,))


def test_nobody_hears_of_the_end_of_others_after_its_own(bench: Bench) -> None:
    """Agent 2's votes go before agent 3 is reset; that is no news for a configuration that is gone."""
    assert bench.status(THREE, "power", "POWER_STATE_NOTIFY", power.StateNotify(0, 1)) is OK
    assert bench.status(TWO, "power", "POWER_STATE_SET", power.StateSet(0, 0, power.ON)) is OK
    told(bench)
    assert put(bench, MANAGER, COLD) is OK
    assert wait(bench, 1) == []
    assert bench.core.outbox.waiting(THREE) == 0
