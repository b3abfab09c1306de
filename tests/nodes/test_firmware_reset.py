"""BASE_RESET_AGENT_CONFIGURATION: afterwards it is as if the agent had never been there."""

import pytest

from bus import shmem
from bus.scmi import base, clock, power, protocol, reset
from bus.scmi.status import Status
from tests.nodes.el3 import DOM0, MANAGER, SHMEM, THREE, TWO, Bench

OK = Status.SUCCESS
KEEP, ALL = 0, 1


def reset_agent(bench: Bench, agent: int, flags: int = ALL, caller: int = MANAGER) -> Status:
    request = base.ResetAgentConfiguration(agent, flags)
    return bench.status(caller, "base", "BASE_RESET_AGENT_CONFIGURATION", request)


def busy(bench: Bench, agent: int) -> None:
    """Everything that an agent can hold."""
    for device in (5, 6):
        grant = base.SetDevicePermissions(agent, device, 1)
        assert bench.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", grant) is OK
    for key, name, request in (
        ("clock", "CLOCK_CONFIG_SET", clock.ConfigSet(5, 1, 0)),
        ("clock", "CLOCK_RATE_SET", clock.RateSet(0, 5, 4000)),
        ("clock", "CLOCK_PARENT_SET", clock.ParentSet(6, 5)),
        ("power", "POWER_STATE_SET", power.StateSet(0, 2, power.ON)),
        ("reset", "RESET", reset.Reset(1, 2, 0)),
        ("base", "NEGOTIATE_PROTOCOL_VERSION", protocol.NegotiateVersion(0x2_0000)),
    ):
        assert bench.status(agent, key, name, request) is OK


HELD = {
    "device 5": 1,
    "device 6": 1,
    "base version": 0x2_0000,
    "power_domain 2 state": power.ON,
    "clock 5 enabled": 1,
    "clock 5 rate": 4000,
    "clock 6 parent": 5,
    "reset_domain 1 asserted": 1,
}


def test_the_ledger_before_and_after() -> None:
    bench = Bench()
    assert bench.held(TWO) == {}
    busy(bench, TWO)
    assert bench.held(TWO) == HELD
    assert reset_agent(bench, TWO) is OK
    assert bench.held(TWO) == {}


def test_the_hardware_follows() -> None:
    bench = Bench()
    busy(bench, TWO)
    reset_agent(bench, TWO)
    core = bench.core
    assert (core.clock.rate(5), core.clock.enabled(5), core.power.state(2)) == (1000, False, power.OFF)
    assert core.reset.asserted.of(1) == {}
    assert bench.status(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(5)) is Status.DENIED


def test_permissions_may_stay() -> None:
    bench = Bench()
    busy(bench, TWO)
    assert reset_agent(bench, TWO, KEEP) is OK
    assert bench.held(TWO) == {"device 5": 1, "device 6": 1}
    assert bench.status(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(5)) is OK


def test_what_others_hold_stays() -> None:
    bench = Bench()
    for agent in (TWO, THREE):
        grant = base.SetDevicePermissions(agent, 5, 1)
        bench.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", grant)
        bench.status(agent, "clock", "CLOCK_RATE_SET", clock.RateSet(0, 5, 2000 * agent // TWO))
        bench.status(agent, "clock", "CLOCK_CONFIG_SET", clock.ConfigSet(5, 1, 0))
    before = bench.held(THREE)
    assert reset_agent(bench, TWO) is OK
    assert bench.held(THREE) == before != {}
    assert bench.core.clock.enabled(5)


def test_the_channel_is_idle_again() -> None:
    bench = Bench(carried=False)
    page = bench.memory.map(SHMEM[TWO])
    page[:28] = shmem.request(0xFFFF_FFFF, b"")
    assert reset_agent(bench, TWO) is OK
    assert bytes(page[:28]) == shmem.IDLE


def test_an_agent_may_reset_itself_and_gets_its_answer() -> None:
    bench = Bench()
    busy(bench, TWO)
    assert reset_agent(bench, TWO, KEEP, caller=TWO) is OK
    assert bench.held(TWO) == {"device 5": 1, "device 6": 1}


@pytest.mark.parametrize("caller", [DOM0, THREE])
def test_others_are_reset_by_a_trusted_agent_only(caller: int) -> None:
    bench = Bench()
    busy(bench, TWO)
    assert reset_agent(bench, TWO, caller=caller) is Status.DENIED
    assert bench.held(TWO) == HELD


def test_the_arguments_in_order() -> None:
    bench = Bench()
    assert reset_agent(bench, 99, 0xFF) is Status.NOT_FOUND
    assert reset_agent(bench, TWO, 2) is Status.INVALID_PARAMETERS
    assert reset_agent(bench, 99, 0xFF, caller=TWO) is Status.DENIED
    assert not bench.core.meters.counter("trapline_agent_resets_applied_total")


def test_resets_are_counted() -> None:
    bench = Bench()
    for _ in range(2):
        reset_agent(bench, TWO)
    assert dict(bench.core.meters.counter("trapline_agent_resets_applied_total")) == {("2",): 2}


def test_a_reset_of_nothing_changes_nothing() -> None:
    bench = Bench()
    assert reset_agent(bench, TWO) is OK
    assert bench.held(TWO) == {}
    assert bench.held(MANAGER) == {f"device {device}": 1 for device in (5, 6, 7, 8)}
