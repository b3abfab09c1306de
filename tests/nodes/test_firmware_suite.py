"""What the SCMI conformance suite asserts, for every protocol.

One row is left out because this platform has another model: a denied device does not take PROTOCOL_VERSION of
a protocol away that other devices are reached by.
"""

import msgspec
import pytest

from bus.fields import Message, fields_of
from bus.scmi import PROTOCOLS, base, clock, perf, power, protocol, reset, sensor, system
from bus.scmi.status import Status
from nodes.firmware.platform import Device, Platform
from nodes.firmware.platform.kinds import DEVICE_KEYS
from tests.nodes import specimens
from tests.nodes.el3 import DOM0, MANAGER, TWO, Bench

BAD = 0xFFFF
ATTRIBUTES = "PROTOCOL_MESSAGE_ATTRIBUTES"


def every() -> Bench:
    """A platform with everything that there is."""
    return Bench(specimens.PLATFORM)


@pytest.mark.parametrize("one", PROTOCOLS, ids=lambda one: one.key)
def test_an_id_past_the_last_one(one: protocol.Protocol) -> None:
    bench = every()
    beyond = max(command.id for command in one.every_command()) + 1
    ask = protocol.MessageAttributes(beyond)
    assert bench.status(MANAGER, one.key, ATTRIBUTES, ask) is Status.NOT_FOUND
    assert bench.raw(MANAGER, one.id << 10 | beyond)[0] is Status.NOT_FOUND
    for wild in (0x100, 0xFFFF_FFFF):
        ask = protocol.MessageAttributes(wild)
        assert bench.status(MANAGER, one.key, ATTRIBUTES, ask) is Status.NOT_FOUND


@pytest.mark.parametrize("one", PROTOCOLS, ids=lambda one: one.key)
def test_every_mandatory_command_is_there(one: protocol.Protocol) -> None:
    bench = every()
    for command in one.every_command():
        if command.mandatory:
            ask = protocol.MessageAttributes(command.id)
            assert bench.status(MANAGER, one.key, ATTRIBUTES, ask) is Status.SUCCESS, command.name


@pytest.mark.parametrize("one", PROTOCOLS, ids=lambda one: one.key)
def test_version_and_attributes_have_no_reserved_bit(one: protocol.Protocol) -> None:
    bench = every()
    assert bench.call(TWO, one.key, "PROTOCOL_VERSION").body.version == one.version
    body = bench.call(TWO, one.key, "PROTOCOL_ATTRIBUTES").body
    for row in fields_of(type(body)):
        if row.bits is not None:
            assert not getattr(body, row.name) & row.bits.reserved


def test_how_much_there_is() -> None:
    """The counts are those of the platform, whatever the caller may use."""
    bench = every()
    described = specimens.PLATFORM
    for key, count in (
        ("power", len(described.power_domain)),
        ("perf", len(described.perf_domain)),
        ("clock", len(described.clock)),
        ("sensor", len(described.sensor)),
        ("reset", len(described.reset_domain)),
        ("voltage", len(described.voltage_domain)),
        ("powercap", len(described.powercap_domain)),
        ("pinctrl", len(described.pin)),
    ):
        body = bench.call(TWO, key, "PROTOCOL_ATTRIBUTES").body
        assert getattr(body, fields_of(type(body))[0].name) & 0xFFFF == count, key
    assert bench.call(TWO, "base", "PROTOCOL_ATTRIBUTES").body.attributes == 4 << 8 | 9


def test_base_describes_the_platform() -> None:
    bench = Bench()
    assert bench.call(TWO, "base", "BASE_DISCOVER_VENDOR").body.vendor_identifier == "Bench"
    assert bench.call(TWO, "base", "BASE_DISCOVER_SUB_VENDOR").body.sub_vendor_identifier == "unit"
    reply = bench.call(TWO, "base", "BASE_DISCOVER_IMPLEMENTATION_VERSION")
    assert reply.body.implementation_version == 0x1234


@pytest.mark.parametrize(
    ("asked", "answer"),
    [(0, (0, "platform")), (TWO, (TWO, "two")), (base.SELF, (TWO, "two")), (1, (1, "xen")), (99, None)],
)
def test_base_discovers_agents(asked: int, answer: tuple[int, str] | None) -> None:
    reply = Bench().call(TWO, "base", "BASE_DISCOVER_AGENT", base.DiscoverAgent(asked))
    if answer is None:
        assert reply.status is Status.NOT_FOUND
    else:
        assert (reply.body.agent_id, reply.body.name) == answer


def test_base_tells_agent_0_its_own_name_but_the_platforms_for_0() -> None:
    bench = Bench()
    for asked, name in ((base.SELF, "dom0"), (0, "platform")):
        body = bench.call(DOM0, "base", "BASE_DISCOVER_AGENT", base.DiscoverAgent(asked)).body
        assert (body.agent_id, body.name) == (0, name)


ROWS: list[tuple[str, str, Message, Status]] = [
    ("base", "BASE_DISCOVER_LIST_PROTOCOLS", base.DiscoverListProtocols(99), Status.INVALID_PARAMETERS),
    ("base", "BASE_NOTIFY_ERRORS", base.NotifyErrors(2), Status.INVALID_PARAMETERS),
    ("base", "BASE_SET_DEVICE_PERMISSIONS", base.SetDevicePermissions(BAD, 1, 1), Status.NOT_FOUND),
    ("base", "BASE_SET_DEVICE_PERMISSIONS", base.SetDevicePermissions(2, 1, 2), Status.INVALID_PARAMETERS),
    ("base", "BASE_SET_DEVICE_PERMISSIONS", base.SetDevicePermissions(2, BAD, 1), Status.NOT_FOUND),
    ("base", "BASE_SET_PROTOCOL_PERMISSIONS", base.SetProtocolPermissions(2, 1, 0x10, 0), Status.NOT_FOUND),
    ("base", "BASE_RESET_AGENT_CONFIGURATION", base.ResetAgentConfiguration(BAD, 1), Status.NOT_FOUND),
    ("base", "BASE_RESET_AGENT_CONFIGURATION", base.ResetAgentConfiguration(2, 2), Status.INVALID_PARAMETERS),
    ("power", "POWER_STATE_SET", power.StateSet(2, 1, power.ON), Status.INVALID_PARAMETERS),
    ("power", "POWER_STATE_SET", power.StateSet(0, 1, 0x8000_0000), Status.INVALID_PARAMETERS),
    ("power", "POWER_STATE_SET", power.StateSet(0, 1, 0x3), Status.INVALID_PARAMETERS),
    ("power", "POWER_STATE_NOTIFY", power.StateNotify(1, 2), Status.INVALID_PARAMETERS),
    ("system", "SYSTEM_POWER_STATE_SET", system.StateSet(2, 0), Status.INVALID_PARAMETERS),
    ("system", "SYSTEM_POWER_STATE_NOTIFY", system.StateNotify(2), Status.INVALID_PARAMETERS),
    ("perf", "PERFORMANCE_NOTIFY_LEVEL", perf.NotifyLevel(1, 2), Status.INVALID_PARAMETERS),
    ("clock", "CLOCK_DESCRIBE_RATES", clock.DescribeRates(1, 3), Status.OUT_OF_RANGE),
    ("clock", "CLOCK_RATE_SET", clock.RateSet(0x10, 1, 100), Status.INVALID_PARAMETERS),
    ("clock", "CLOCK_RATE_SET", clock.RateSet(0, 1, 1), Status.INVALID_PARAMETERS),
    ("clock", "CLOCK_CONFIG_SET", clock.ConfigSet(1, 4, 0), Status.INVALID_PARAMETERS),
    ("sensor", "SENSOR_DESCRIPTION_GET", sensor.DescriptionGet(99), Status.INVALID_PARAMETERS),
    ("sensor", "SENSOR_READING_GET", sensor.ReadingGet(1, 2), Status.INVALID_PARAMETERS),
    ("sensor", "SENSOR_TRIP_POINT_NOTIFY", sensor.TripPointNotify(1, 2), Status.INVALID_PARAMETERS),
    ("reset", "RESET", reset.Reset(1, 8, 0), Status.INVALID_PARAMETERS),
    ("reset", "RESET", reset.Reset(2, 5, 0), Status.NOT_SUPPORTED),
    ("reset", "RESET", reset.Reset(1, 1, 1), Status.INVALID_PARAMETERS),
    ("reset", "RESET_NOTIFY", reset.ResetNotify(1, 2), Status.INVALID_PARAMETERS),
]


@pytest.mark.parametrize(("key", "name", "request_", "status"), ROWS)
def test_negative_rows(key: str, name: str, request_: Message, status: Status) -> None:
    assert every().status(MANAGER, key, name, request_) is status


@pytest.mark.parametrize(
    ("one", "command"),
    [(one, row) for one in PROTOCOLS for row in one.commands if row.resource is not None],
    ids=lambda given: given.name if isinstance(given, protocol.Command) else given.key,
)
def test_a_bad_resource_is_not_found_whoever_asks(
    one: protocol.Protocol, command: protocol.AnyCommand
) -> None:
    valid = specimens.request(one, command)
    assert valid is not None
    assert command.resource is not None
    bad = msgspec.structs.replace(valid, **{command.resource.name: BAD})
    for agent in (MANAGER, TWO):
        assert every().status(agent, one.key, command.name, bad) is Status.NOT_FOUND


@pytest.mark.parametrize("one", [one for one in PROTOCOLS if one.key != "base"], ids=lambda one: one.key)
def test_a_protocol_is_denied_and_restored(one: protocol.Protocol) -> None:
    """On a platform where all of it is in one device, PROTOCOL_VERSION is refused as well."""
    bench = Bench(only_in_devices())
    for allow, status in ((0, Status.DENIED), (1, Status.SUCCESS)):
        request = base.SetProtocolPermissions(TWO, 1, one.id, allow)
        assert bench.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", GRANT) is Status.SUCCESS
        assert bench.status(MANAGER, "base", "BASE_SET_PROTOCOL_PERMISSIONS", request) is Status.SUCCESS
        assert bench.status(TWO, one.key, "PROTOCOL_VERSION") is status
        listed = bench.call(TWO, "base", "BASE_DISCOVER_LIST_PROTOCOLS", base.DiscoverListProtocols(0)).body
        assert (one.id in listed.protocols) is bool(allow)
    bench.status(
        MANAGER, "base", "BASE_SET_PROTOCOL_PERMISSIONS", base.SetProtocolPermissions(TWO, 1, one.id, 0)
    )
    reset_ = base.ResetAgentConfiguration(TWO, 1)
    assert bench.status(TWO, one.key, "PROTOCOL_VERSION") is Status.DENIED
    assert bench.status(MANAGER, "base", "BASE_RESET_AGENT_CONFIGURATION", reset_) is Status.SUCCESS
    assert bench.status(TWO, one.key, "PROTOCOL_VERSION") is Status.SUCCESS


GRANT = base.SetDevicePermissions(TWO, 1, 1)


def only_in_devices() -> Platform:
    """The specimens' platform with what is in no device put into device 2."""
    described = specimens.PLATFORM
    first = described.device[0]
    rest = {
        key: tuple(row.id for row in getattr(described, kind) if row.id not in getattr(first, key))
        for key, kind in DEVICE_KEYS.items()
    }
    return specimens.platform(device=(first, Device(2, "rest", **rest)))


def test_no_answer_of_an_untouched_platform_has_reserved_bits() -> None:
    bench = every()
    for one in PROTOCOLS:
        for command in one.commands:
            if command.changes:
                continue
            reply = bench.call(MANAGER, one.key, command.name, specimens.request(one, command))
            assert reply.status is Status.SUCCESS, command.name
            if not reply.payload:
                continue
            for row in fields_of(type(reply.body)):
                if row.bits is not None:
                    assert not getattr(reply.body, row.name) & row.bits.reserved, (command.name, row.name)
