"""Who may use what: denied by default, granted by device, taken away by protocol."""

import msgspec
import pytest

from bus.scmi import base, clock, power, reset
from bus.scmi.status import Status
from tests.nodes.el3 import DOM0, MANAGER, PLATFORM, THREE, TWO, Bench


def grant(bench: Bench, agent: int, device: int, allow: int = 1, caller: int = MANAGER) -> Status:
    request = base.SetDevicePermissions(agent, device, allow)
    return bench.status(caller, "base", "BASE_SET_DEVICE_PERMISSIONS", request)


def grant_protocol(bench: Bench, agent: int, device: int, protocol: int, allow: int) -> Status:
    request = base.SetProtocolPermissions(agent, device, protocol, allow)
    return bench.status(MANAGER, "base", "BASE_SET_PROTOCOL_PERMISSIONS", request)


def uses(bench: Bench, agent: int) -> list[Status]:
    """Reading and changing something of device "i2c" through each protocol."""
    return [
        bench.status(agent, "clock", "CLOCK_RATE_GET", clock.RateGet(5)),
        bench.status(agent, "clock", "CLOCK_RATE_SET", clock.RateSet(0, 5, 2000)),
        bench.status(agent, "power", "POWER_STATE_GET", power.StateGet(1)),
        bench.status(agent, "power", "POWER_STATE_SET", power.StateSet(0, 1, power.ON)),
        bench.status(agent, "reset", "RESET_DOMAIN_ATTRIBUTES", reset.DomainAttributes(1)),
        bench.status(agent, "reset", "RESET", reset.Reset(1, 1, 0)),
    ]


OK, NO = Status.SUCCESS, Status.DENIED


@pytest.mark.parametrize("agent", [DOM0, TWO, THREE])
def test_what_was_not_granted_is_denied(agent: int) -> None:
    assert uses(Bench(), agent) == [NO] * 6


def test_the_trusted_agent_may_use_everything() -> None:
    assert uses(Bench(), MANAGER) == [OK] * 6


def test_a_grant_opens_the_whole_device_for_one_agent() -> None:
    bench = Bench()
    assert grant(bench, TWO, 5) is OK
    assert uses(bench, TWO) == [OK] * 6
    assert uses(bench, THREE) == [NO] * 6
    assert grant(bench, TWO, 5, allow=0) is OK
    assert uses(bench, TWO) == [NO] * 6


def test_the_other_default() -> None:
    bench = Bench(msgspec.structs.replace(PLATFORM, default_permission="allow"))
    assert uses(bench, TWO)[:5] == [OK] * 5
    assert grant(bench, TWO, 5, allow=0) is OK
    assert uses(bench, TWO)[2:] == [NO] * 4, "clock 5 is still reached through device 7"


@pytest.mark.parametrize(
    ("protocol", "left"),
    [(0x14, [NO, NO, OK, OK, OK, OK]), (0x11, [OK, OK, NO, NO, OK, OK]), (0x16, [OK, OK, OK, OK, NO, NO])],
)
def test_one_protocol_of_a_device_may_be_taken_away(protocol: int, left: list[Status]) -> None:
    bench = Bench()
    grant(bench, TWO, 5)
    assert grant_protocol(bench, TWO, 5, protocol, 0) is OK
    assert uses(bench, TWO) == left
    assert grant_protocol(bench, TWO, 5, protocol, 1) is OK
    assert uses(bench, TWO) == [OK] * 6


def test_a_protocol_alone_grants_nothing() -> None:
    bench = Bench()
    assert grant_protocol(bench, TWO, 5, 0x14, 1) is OK
    assert uses(bench, TWO) == [NO] * 6


def test_a_resource_of_two_devices_is_reached_through_either() -> None:
    bench = Bench()
    grant(bench, TWO, 5)
    grant(bench, TWO, 7)
    read = clock.RateGet(5)
    grant_protocol(bench, TWO, 5, 0x14, 0)
    assert bench.status(TWO, "clock", "CLOCK_RATE_GET", read) is OK
    grant(bench, TWO, 7, allow=0)
    assert bench.status(TWO, "clock", "CLOCK_RATE_GET", read) is NO


def test_a_resource_of_no_device_is_read_by_all_and_changed_by_the_trusted() -> None:
    bench = Bench()
    for agent, change in ((TWO, NO), (MANAGER, OK)):
        assert bench.status(agent, "clock", "CLOCK_RATE_GET", clock.RateGet(0)) is OK
        assert bench.status(agent, "clock", "CLOCK_CONFIG_SET", clock.ConfigSet(0, 1, 0)) is change
        assert bench.status(agent, "power", "POWER_STATE_GET", power.StateGet(3)) is OK
        assert bench.status(agent, "power", "POWER_STATE_SET", power.StateSet(0, 3, power.ON)) is change


@pytest.mark.parametrize("caller", [DOM0, TWO, THREE])
def test_only_a_trusted_agent_sets_permissions(caller: int) -> None:
    bench = Bench()
    assert grant(bench, caller, 5, caller=caller) is NO
    request = base.SetProtocolPermissions(TWO, 5, 0x14, 1)
    assert bench.status(caller, "base", "BASE_SET_PROTOCOL_PERMISSIONS", request) is NO
    assert uses(bench, caller) == [NO] * 6


def test_the_caller_is_judged_before_the_arguments() -> None:
    assert grant(Bench(), 99, 99, allow=0xFF, caller=TWO) is NO


@pytest.mark.parametrize(
    ("agent", "device", "flags", "status"),
    [
        (99, 99, 0xFF, Status.NOT_FOUND),
        (TWO, 99, 0xFF, Status.INVALID_PARAMETERS),
        (TWO, 99, 1, Status.NOT_FOUND),
        (TWO, 5, 2, Status.INVALID_PARAMETERS),
        (TWO, 5, 1, Status.SUCCESS),
    ],
)
def test_the_arguments_of_a_grant_in_order(agent: int, device: int, flags: int, status: Status) -> None:
    assert grant(Bench(), agent, device, flags) is status


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (base.SetProtocolPermissions(99, 5, 0x14, 1), Status.NOT_FOUND),
        (base.SetProtocolPermissions(TWO, 5, 0x114, 1), Status.INVALID_PARAMETERS),
        (base.SetProtocolPermissions(TWO, 5, 0x14, 2), Status.INVALID_PARAMETERS),
        (base.SetProtocolPermissions(TWO, 99, 0x14, 1), Status.NOT_FOUND),
        (base.SetProtocolPermissions(TWO, 5, 0x10, 1), Status.NOT_FOUND),
        (base.SetProtocolPermissions(TWO, 5, 0x13, 1), Status.NOT_FOUND),
        (base.SetProtocolPermissions(TWO, 5, 0x14, 0), Status.SUCCESS),
    ],
)
def test_the_arguments_of_a_protocol_permission(
    request_: base.SetProtocolPermissions, status: Status
) -> None:
    assert Bench().status(MANAGER, "base", "BASE_SET_PROTOCOL_PERMISSIONS", request_) is status


def test_changes_are_counted_by_agent_device_and_action() -> None:
    bench = Bench()
    grant(bench, TWO, 5)
    grant(bench, TWO, 5, allow=0)
    grant(bench, TWO, 99)
    counted = bench.core.meters.counter("trapline_device_permission_changes_total")
    assert dict(counted) == {("2", "5", "allow"): 1, ("2", "5", "deny"): 1}


def test_clocks_tell_whether_they_are_restricted() -> None:
    bench = Bench()
    grant(bench, TWO, 5)
    for clock_id, allowed in ((5, True), (0, False)):
        attributes = bench.call(TWO, "clock", "CLOCK_ATTRIBUTES", clock.ClockAttributes(clock_id)).body
        assert bool(clock.CLOCK.get(attributes.attributes, "restricted")) is not allowed
        rights = bench.call(TWO, "clock", "CLOCK_GET_PERMISSIONS", clock.GetPermissions(clock_id)).body
        assert rights.permissions == (0xE000_0000 if allowed else 0)
