"""Rights by agent, protocol, command and resource: which of them decides, and how a refusal looks."""

from typing import Any

import msgspec
import pytest

from bus.scmi import base, clock, power, protocol, reset
from bus.scmi.status import Status
from nodes.firmware.platform import Clock, Device, Platform, PlatformError, Right, View, check
from nodes.firmware.profile import SPEC_STRICT
from tests.nodes import unasked
from tests.nodes.el3 import MANAGER, PLATFORM, THREE, TWO, Bench

OK, NO = Status.SUCCESS, Status.DENIED
SET, GET, CONFIG = "clock.CLOCK_RATE_SET", "clock.CLOCK_RATE_GET", "clock.CLOCK_CONFIG_SET"


def described(*rights: Right, protocols: tuple[str, ...] | None = None, **changes: Any) -> Platform:
    agents = tuple(
        msgspec.structs.replace(one, protocols=protocols) if one.id == TWO else one for one in PLATFORM.agent
    )
    made = msgspec.structs.replace(PLATFORM, right=rights, agent=agents, **changes)
    check(made)
    return made


def bench_with(*rights: Right, granted: int | None = 5, **given: Any) -> Bench:
    facts = given.pop("facts", {})
    bench = Bench(described(*rights, **given), profile=msgspec.structs.replace(SPEC_STRICT, **facts))
    if granted is not None:
        bench.core.permissions.set_device(TWO, granted, True)
    return bench


def uses(bench: Bench, clock_id: int = 5, agent: int = TWO) -> list[Status]:
    """Getting and setting the rate of a clock, and switching it."""
    return [
        bench.status(agent, "clock", "CLOCK_RATE_GET", clock.RateGet(clock_id)),
        bench.status(agent, "clock", "CLOCK_RATE_SET", clock.RateSet(0, clock_id, 1000)),
        bench.status(agent, "clock", "CLOCK_CONFIG_SET", clock.ConfigSet(clock_id, 1, 0)),
    ]


def test_without_rights_devices_decide() -> None:
    assert uses(bench_with()) == [OK, OK, OK]
    assert uses(bench_with(granted=None)) == [NO, NO, NO]


@pytest.mark.parametrize(
    ("right", "wanted"),
    [
        (Right(TWO, False, (SET,)), [OK, NO, OK]),
        (Right(TWO, False, (SET, CONFIG), "clock"), [OK, NO, NO]),
        (Right(TWO, False, (SET,), "clock", (5,)), [OK, NO, OK]),
        (Right(TWO, False, (SET,), "clock", (6,)), [OK, OK, OK]),
        (Right(TWO, False, (), "clock", (5,)), [NO, NO, NO]),
        (Right(TWO, False, (), "clock"), [NO, NO, NO]),
        (Right(TWO, False, (), "power_domain"), [OK, OK, OK]),
        (Right(THREE, False, (), "clock"), [OK, OK, OK]),
    ],
)
def test_a_right_takes_from_what_a_device_gives(right: Right, wanted: list[Status]) -> None:
    assert uses(bench_with(right)) == wanted


@pytest.mark.parametrize(
    ("right", "wanted"),
    [
        (Right(TWO, True, (GET,)), [OK, NO, NO]),
        (Right(TWO, True, (GET,), "clock", (5,)), [OK, NO, NO]),
        (Right(TWO, True, (), "clock", (5,)), [OK, OK, OK]),
        (Right(TWO, True, (), "clock", (6,)), [NO, NO, NO]),
        (Right(TWO, True, (), "clock"), [OK, OK, OK]),
    ],
)
def test_a_right_gives_what_no_device_does(right: Right, wanted: list[Status]) -> None:
    assert uses(bench_with(right, granted=None)) == wanted


@pytest.mark.parametrize(
    ("rights", "wanted"),
    [
        ((Right(TWO, False, (), "clock"), Right(TWO, True, (), "clock", (5,))), [OK, OK, OK]),
        ((Right(TWO, True, (), "clock"), Right(TWO, False, (), "clock", (5,))), [NO, NO, NO]),
        ((Right(TWO, False, (), "clock"), Right(TWO, True, (SET,))), [NO, OK, NO]),
        ((Right(TWO, False, (SET,)), Right(TWO, True, (), "clock", (5,))), [OK, OK, OK]),
        ((Right(TWO, True, (), "clock", (5,)), Right(TWO, False, (SET,), "clock", (5,))), [OK, NO, OK]),
        ((Right(TWO, True, (SET,)), Right(TWO, False, (SET, CONFIG))), [OK, NO, NO]),
    ],
    ids=["id-kind", "id-kind-deny", "command-kind", "id-command", "id-command-id", "as-specific"],
)
def test_the_most_specific_right_decides(rights: tuple[Right, ...], wanted: list[Status]) -> None:
    assert uses(bench_with(*rights)) == wanted
    assert uses(bench_with(*reversed(rights))) == wanted


def test_permission_commands_do_not_change_a_right() -> None:
    bench = bench_with(Right(TWO, True, (), "clock", (5,)), Right(TWO, False, (), "power_domain", (1,)))
    read = power.StateGet(1)
    for allow in (1, 0):
        request = base.SetDevicePermissions(TWO, 5, allow)
        assert bench.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", request) is OK
        assert uses(bench) == [OK, OK, OK]
        assert bench.status(TWO, "power", "POWER_STATE_GET", read) is NO


def test_a_command_that_names_no_resource() -> None:
    bench = bench_with(Right(TWO, False, ("base.BASE_DISCOVER_VENDOR", "base.BASE_DISCOVER_AGENT")))
    assert bench.status(TWO, "base", "BASE_DISCOVER_VENDOR") is NO
    assert bench.status(TWO, "base", "BASE_DISCOVER_AGENT", base.DiscoverAgent(1)) is NO
    assert bench.status(TWO, "base", "BASE_DISCOVER_SUB_VENDOR") is OK
    assert bench.status(THREE, "base", "BASE_DISCOVER_VENDOR") is OK


def test_a_trusted_agent_may_be_narrowed_too() -> None:
    bench = bench_with(Right(MANAGER, False, (SET,)))
    assert uses(bench, agent=MANAGER) == [OK, NO, OK]


def test_rungs_before_permission_still_decide() -> None:
    bench = bench_with(Right(TWO, False, (), "clock"))
    for request, status in (
        (clock.RateSet(0, 99, 1000), Status.NOT_FOUND),
        (clock.RateSet(1 << 31, 5, 1000), Status.INVALID_PARAMETERS),
        (clock.RateSet(0, 5, 1), NO),
    ):
        assert bench.status(TWO, "clock", "CLOCK_RATE_SET", request) is status
    assert bench.raw(TWO, 0x14 << 10 | 5, b"short")[0] is Status.PROTOCOL_ERROR
    assert bench.raw(TWO, 0x14 << 10 | 2 << 8 | 5, bytes(16))[0] is Status.PROTOCOL_ERROR


def test_a_clock_tells_which_rights_there_are() -> None:
    bench = bench_with(Right(TWO, False, (SET,)))
    rights = bench.call(TWO, "clock", "CLOCK_GET_PERMISSIONS", clock.GetPermissions(5)).body.permissions
    assert clock.PERMISSIONS.unpack(rights)["rate_control"] == 0
    assert clock.PERMISSIONS.unpack(rights)["state_control"] == 1


# ---- whole protocols --------------------------------------------------------------------------


def listed(bench: Bench, agent: int = TWO) -> tuple[int, ...]:
    body = bench.call(agent, "base", "BASE_DISCOVER_LIST_PROTOCOLS", base.DiscoverListProtocols(0)).body
    count = bench.call(agent, "base", "PROTOCOL_ATTRIBUTES").body.attributes & 0xFF
    assert count == len(body.protocols)
    found: tuple[int, ...] = body.protocols
    return found


def test_an_agent_may_be_given_some_protocols_only() -> None:
    bench = bench_with(protocols=("clock", "reset"))
    assert listed(bench) == (0x14, 0x16)
    assert listed(bench, THREE) == (0x11, 0x14, 0x16)
    assert uses(bench) == [OK, OK, OK]
    for number in (0x0, 0x1, 0x2, 0x5, 0x77):
        assert bench.raw(TWO, 0x11 << 10 | number)[0] is NO
    assert bench.status(TWO, "reset", "RESET", reset.Reset(1, 1, 0)) is OK
    assert bench.status(TWO, "base", "BASE_DISCOVER_VENDOR") is OK


def test_no_protocol_at_all_still_is_base() -> None:
    bench = bench_with(protocols=())
    assert listed(bench) == ()
    assert bench.status(TWO, "base", "PROTOCOL_VERSION") is OK


def test_a_right_does_not_open_a_protocol() -> None:
    bench = bench_with(Right(TWO, True, (), "clock", (5,)), protocols=("power",))
    assert uses(bench) == [NO, NO, NO]
    assert not bench.core.permissions.may(TWO, ("clock", 5), changes=False)


@pytest.mark.parametrize(
    ("facts", "status", "seen"),
    [
        ({}, NO, (0x14,)),
        ({"denied_protocol": Status.NOT_SUPPORTED}, Status.NOT_SUPPORTED, (0x14,)),
        ({"lists_denied_protocols": True}, NO, (0x11, 0x14, 0x16)),
    ],
)
def test_how_a_denied_protocol_looks(facts: dict[str, Any], status: Status, seen: tuple[int, ...]) -> None:
    bench = bench_with(protocols=("clock",), facts=facts)
    assert bench.status(TWO, "power", "PROTOCOL_VERSION") is status
    assert listed(bench) == seen


@pytest.mark.parametrize(
    ("skip", "at_end", "beyond"), [(1, None, None), (2, "at", None), (3, None, "beyond")]
)
def test_the_end_of_the_list(skip: int, at_end: str | None, beyond: str | None) -> None:
    """The count that skip is compared with is the agent's own."""
    strange = {"skip_at_end": Status.GENERIC_ERROR, "skip_beyond": Status.HARDWARE_ERROR}
    bench = bench_with(protocols=("clock", "power"), facts=strange)
    request = base.DiscoverListProtocols(skip)
    status = bench.status(TWO, "base", "BASE_DISCOVER_LIST_PROTOCOLS", request)
    wanted = Status.GENERIC_ERROR if at_end else Status.HARDWARE_ERROR if beyond else OK
    assert status is wanted


def test_versions_survive_a_change_of_protocols() -> None:
    """The clocks of devices 5, 6 and 8, every clock being in one; negotiation stays while power goes."""
    device = msgspec.structs.replace(PLATFORM.device[0], power_domains=(1, 2, 3))
    bench = bench_with(device=(device, *PLATFORM.device[1:]))
    older = protocol.NegotiateVersion(0x1_0000)
    assert bench.status(TWO, "clock", "NEGOTIATE_PROTOCOL_VERSION", older) is OK
    bench.core.permissions.set_protocol(TWO, 5, 0x11, False)
    assert bench.status(TWO, "power", "PROTOCOL_VERSION") is NO
    assert bench.raw(TWO, 0x14 << 10 | 8, bytes(4))[0] is Status.NOT_FOUND
    bench.core.permissions.set_protocol(TWO, 5, 0x11, True)
    assert bench.status(TWO, "power", "PROTOCOL_VERSION") is OK
    assert bench.raw(TWO, 0x14 << 10 | 8, bytes(4))[0] is Status.NOT_FOUND


# ---- how a denied resource looks --------------------------------------------------------------


@pytest.mark.parametrize(
    ("looks", "wanted"),
    [
        ("DENIED", [NO, NO, NO]),
        ("restricted", [OK, NO, NO]),
        ("NOT_FOUND", [Status.NOT_FOUND] * 3),
    ],
)
def test_how_a_denied_resource_looks(looks: str, wanted: list[Status]) -> None:
    bench = bench_with(granted=None, facts={"denied_resource": looks})
    assert uses(bench) == wanted


def test_what_may_be_read_is_not_hidden() -> None:
    bench = bench_with(granted=None, facts={"denied_resource": "NOT_FOUND"})
    assert uses(bench, clock_id=0) == [OK, NO, NO]
    reserved = clock.RateSet(1 << 31, 5, 1000)
    assert bench.status(TWO, "clock", "CLOCK_RATE_SET", reserved) is Status.NOT_FOUND, "not even that"


def test_open_permissions() -> None:
    bench = bench_with(granted=None, facts={"open_permissions": True})
    assert uses(bench) == [OK, OK, OK]
    assert uses(bench, clock_id=0) == [OK, OK, OK]
    bench.core.permissions.set_device(TWO, 6, False)
    assert uses(bench, clock_id=6) == [NO, NO, NO]


def test_anyone_grants() -> None:
    bench = bench_with(granted=None, facts={"anyone_grants": True})
    request = base.SetDevicePermissions(TWO, 5, 1)
    assert bench.status(THREE, "base", "BASE_SET_DEVICE_PERMISSIONS", request) is OK
    assert uses(bench) == [OK, OK, OK]


# ---- what a platform cannot say ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"right": (Right(99, True, (GET,)),)}, r"right\[0\].agent: no \[\[agent\]\] has id 99"),
        ({"right": (Right(TWO, True),)}, r"right\[0\]: it is about nothing; "),
        ({"right": (Right(TWO, True, (), "clocks"),)}, r"right\[0\].kind: there is no kind 'clocks'; choose"),
        ({"right": (Right(TWO, True, (), "clock", (99,)),)}, r"right\[0\].ids: no \[\[clock\]\] has id 99"),
        (
            {"right": (Right(TWO, True, (GET,), "", (5,)),)},
            r"right\[0\].ids: nobody can tell of which kind; ",
        ),
        (
            {"right": (Right(TWO, True, ("clocks.X",)),)},
            r"right\[0\].commands: there is no protocol 'clocks'",
        ),
        ({"right": (Right(TWO, True, ("clock.X",)),)}, r"right\[0\].commands: clock has no command X; "),
        ({"right": (Right(TWO, True, ("clock.RATE_SET",)),)}, r"clock has no command RATE_SET; "),
        (
            {"right": (Right(TWO, False, ("clock.PROTOCOL_VERSION",)),)},
            r"right\[0\].commands: PROTOCOL_VERSION always works; ",
        ),
        (
            {"right": (Right(TWO, True, ("base.BASE_SET_DEVICE_PERMISSIONS",)),)},
            r"right\[0\].commands: base.BASE_SET_DEVICE_PERMISSIONS is everybody's but for what `trusted`",
        ),
        (
            {"right": (Right(TWO, True, ("sensor.SENSOR_DESCRIPTION_GET",)),)},
            r"SENSOR_DESCRIPTION_GET names no resource, so there is nothing to allow; ",
        ),
        ({"right": (Right(TWO, True, (GET,), "power_domain"),)}, r"CLOCK_RATE_GET names no power_domain; "),
        (
            {"right": (Right(TWO, True, (GET,)), Right(TWO, False, (GET,)))},
            r"right\[1\]: right\[0\] is about the same; ",
        ),
        ({"view": (View(99, "clock", (5,)),)}, r"view\[0\].agent: no \[\[agent\]\] has id 99"),
        ({"view": (View(TWO, "clock", (5, 5)),)}, r"view\[0\].ids: a number is there twice; "),
        ({"view": (View(TWO, "clock", (99,)),)}, r"view\[0\].ids: no \[\[clock\]\] has id 99"),
        ({"view": (View(TWO, "cloc", ()),)}, r"view\[0\].kind: there is no kind 'cloc'; "),
        (
            {"view": (View(TWO, "clock", (5,)), View(TWO, "clock", (6,)))},
            r"view\[1\]: agent 2 has its clocks from view\[0\]; ",
        ),
    ],
)
def test_rows_that_make_no_sense(rows: dict[str, Any], told: str) -> None:
    with pytest.raises(PlatformError, match=told):
        check(msgspec.structs.replace(PLATFORM, **rows))


def test_an_unknown_protocol_of_an_agent() -> None:
    with pytest.raises(PlatformError, match=r"agent\[2\].protocols: there is no protocol 'clocks'; choose"):
        described(protocols=("clocks",))


def test_a_right_to_subscribe_is_a_right_to_be_told() -> None:
    """The right is to one command: what it enables is told, what another enables is not asked for."""
    notify = "clock.CLOCK_RATE_NOTIFY"
    clocks = (Clock(0, "one", (1000, 2000), 1000), Clock(1, "two", (1000, 2000), 1000))
    given: dict[str, Any] = {"clock": clocks, "device": (Device(1, "both", clocks=(0, 1)),)}
    bench = Bench(
        unasked.platform(
            default_permission="deny", right=(Right(TWO, True, (notify,), "clock", (0,)),), **given
        )
    )
    for one, status in ((0, OK), (1, NO)):
        assert bench.status(TWO, "clock", "CLOCK_RATE_NOTIFY", clock.RateNotify(one, 1)) is status
        assert bench.status(MANAGER, "clock", "CLOCK_RATE_SET", clock.RateSet(0, one, 2000)) is OK
    assert [one.body for one in unasked.told(bench)] == [clock.RateChanged(MANAGER, 0, 2000)]
