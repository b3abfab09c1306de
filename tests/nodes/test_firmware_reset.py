"""BASE_RESET_AGENT_CONFIGURATION: afterwards it is as if the agent had never been there."""

import msgspec
import pytest

from bus import shmem
from bus.scmi import base, clock, power, protocol, reset
from bus.scmi.status import Status
from nodes.firmware.profile import SPEC_STRICT
from tests.nodes import specimens
from tests.nodes.el3 import DOM0, MANAGER, SHMEM, THREE, TWO, Bench
from tests.nodes.unasked import told, wait

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
    board = bench.core.board
    assert (board.clocks.rate(5), board.clocks.on(5), board.power.on(2)) == (1000, False, False)
    assert 1 not in board.resets.asserted
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
    assert bench.core.board.clocks.on(5)


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
    assert not bench.counted("trapline_agent_resets_applied_total")


def test_resets_are_counted() -> None:
    bench = Bench()
    for _ in range(2):
        reset_agent(bench, TWO)
    assert dict(bench.counted("trapline_agent_resets_applied_total")) == {("2",): 2}


def test_a_reset_of_nothing_changes_nothing() -> None:
    bench = Bench()
    assert reset_agent(bench, TWO) is OK
    assert bench.held(TWO) == {}
    assert bench.held(MANAGER) == {f"device {device}": 1 for device in (5, 6, 7, 8)}


# ---- what is remembered of it -----------------------------------------------------------------


def leaks(bench: Bench) -> dict[tuple[str, ...], int]:
    return dict(bench.counted("trapline_agent_reset_leaks_total"))


def test_the_last_reset_is_remembered() -> None:
    bench = Bench()
    assert bench.core.last_reset == {}
    busy(bench, TWO)
    before = bench.core.ledger(TWO)
    assert reset_agent(bench, TWO) is OK
    record = bench.core.last_reset[TWO]
    assert (record.at_ns, record.before, record.after, record.leaks) == (bench.now_ns, tuple(before), (), ())
    assert leaks(bench) == {}
    reset_agent(bench, TWO)
    assert bench.core.last_reset[TWO].before == ()


def test_grants_of_boot_are_no_leak() -> None:
    bench = Bench()
    busy(bench, MANAGER)
    assert reset_agent(bench, MANAGER) is OK
    assert [entry.thing for entry in bench.core.last_reset[MANAGER].after] == [
        f"device {device}" for device in (5, 6, 7, 8)
    ]
    assert leaks(bench) == {}


def test_kept_permissions_are_no_leak() -> None:
    bench = Bench()
    busy(bench, TWO)
    assert reset_agent(bench, TWO, KEEP) is OK
    assert len(bench.core.last_reset[TWO].after) == 2
    assert leaks(bench) == {}


def test_a_leak_is_told_and_counted() -> None:
    """A service forgets its hook: the wish stays."""
    bench = Bench()
    busy(bench, TWO)
    service = next(one for one in bench.core.services if one.table.key == "power")
    service.reset = lambda _agent: None  # type: ignore[method-assign]
    assert reset_agent(bench, TWO) is OK
    assert [entry.thing for entry in bench.core.last_reset[TWO].leaks] == ["power_domain 2 state"]
    assert leaks(bench) == {("2",): 1}


# ---- what a profile makes of it ---------------------------------------------------------------


def firmware(**facts: object) -> Bench:
    return Bench(profile=msgspec.structs.replace(SPEC_STRICT, **facts))


def test_a_firmware_that_restores_permissions_only_leaks_the_rest() -> None:
    bench = firmware(reset="permissions")
    busy(bench, TWO)
    assert reset_agent(bench, TWO) is OK
    votes = {thing: value for thing, value in HELD.items() if not thing.startswith("device")}
    assert bench.held(TWO) == votes
    assert leaks(bench) == {("2",): len(votes)}
    assert bench.core.board.clocks.rate(5) == 4000


def test_flags_0_may_do_nothing() -> None:
    bench = firmware(reset_flags_0="nothing")
    busy(bench, TWO)
    assert reset_agent(bench, TWO, KEEP) is OK
    assert bench.held(TWO) == HELD
    assert leaks(bench) == {("2",): len(HELD) - 2}
    assert reset_agent(bench, TWO, ALL) is OK
    assert bench.held(TWO) == {}


def test_a_firmware_without_the_command() -> None:
    bench = firmware(reset="none")
    assert reset_agent(bench, TWO) is Status.NOT_SUPPORTED
    ask = protocol.MessageAttributes(0xB)
    assert bench.status(MANAGER, "base", "PROTOCOL_MESSAGE_ATTRIBUTES", ask) is Status.NOT_FOUND
    assert bench.core.last_reset == {}


@pytest.mark.parametrize(("devices", "status"), [((), Status.NOT_FOUND), (specimens.PLATFORM.device, OK)])
def test_a_platform_without_devices(devices: tuple[object, ...], status: Status) -> None:
    strange = msgspec.structs.replace(SPEC_STRICT, reset_needs_devices=True)
    described = specimens.platform(device=devices)
    assert reset_agent(Bench(described, profile=strange), TWO) is status
    assert reset_agent(Bench(described), TWO) is OK


def test_anybody_may_reset_anybody_where_anybody_may_grant() -> None:
    bench = firmware(anyone_grants=True)
    busy(bench, TWO)
    assert reset_agent(bench, TWO, caller=THREE) is OK
    assert bench.held(TWO) == {}


# ---- what is under way ------------------------------------------------------------------------


def test_work_under_way_is_aborted_and_nothing_is_said_of_it() -> None:
    bench = Bench(specimens.PLATFORM)
    bench.core.permissions.set_device(TWO, 1, True)
    later = reset.Reset(1, reset.FLAGS.pack(autonomous=1, async_reset=1), 0)
    assert bench.status(TWO, "reset", "RESET", later) is OK
    assert "reset_domain 1 RESET" in bench.held(TWO)
    assert reset_agent(bench, TWO, KEEP, caller=TWO) is OK
    assert bench.held(TWO) == {"device 1": 1}
    assert wait(bench, 1000) == told(bench) == []
    assert bench.core.board.resets.pulses[1] == 0
