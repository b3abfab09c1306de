"""The refusal ladder: each rung from both sides, and which one decides when two would."""

import msgspec
import pytest

from bus.fields import encode
from bus.scmi import PROTOCOLS, base, clock, header, power, protocol
from bus.scmi.status import Status
from nodes.firmware.profile import SPEC_STRICT, FirmwareProfile
from tests.nodes import specimens
from tests.nodes.el3 import MANAGER, TWO, Bench

RATE_SET = (0x14, 5)
GOOD = encode(clock.RateSet(0, 5, 2000))
RESERVED = encode(clock.RateSet(1 << 31, 5, 2000))
UNKNOWN_CLOCK = encode(clock.RateSet(0, 99, 2000))
UNKNOWN_AND_RESERVED = encode(clock.RateSet(1 << 31, 99, 2000))
RATE_OUT_OF_RANGE = encode(clock.RateSet(0, 5, 9_999_999))


def granted() -> Bench:
    bench = Bench()
    grant = base.SetDevicePermissions(TWO, 5, 1)
    assert bench.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", grant) is Status.SUCCESS
    return bench


def send(bench: Bench, ids: tuple[int, int], payload: bytes, message_type: int = 0) -> Status:
    return bench.raw(TWO, header.pack(*ids, token=1, message_type=message_type), payload)[0]


def test_the_top_of_the_ladder() -> None:
    assert send(granted(), RATE_SET, GOOD) is Status.SUCCESS


@pytest.mark.parametrize("message_type", [1, 2, 3])
def test_rung_1_message_type(message_type: int) -> None:
    assert send(granted(), RATE_SET, GOOD, message_type) is Status.PROTOCOL_ERROR


@pytest.mark.parametrize("protocol_id", [0x00, 0x0F, 0x12, 0x13, 0x15, 0x17, 0x80, 0xFF])
def test_rung_2_protocol(protocol_id: int) -> None:
    assert send(granted(), (protocol_id, 0), b"") is Status.NOT_SUPPORTED


@pytest.mark.parametrize("one", PROTOCOLS, ids=lambda one: one.key)
def test_rung_2_every_protocol_that_there_is(one: protocol.Protocol) -> None:
    assert send(Bench(specimens.PLATFORM), (one.id, 0), b"") is Status.SUCCESS


@pytest.mark.parametrize("one", PROTOCOLS, ids=lambda one: one.key)
def test_rung_3_command(one: protocol.Protocol) -> None:
    bench = Bench(specimens.PLATFORM)
    version = bench.core.machine.spoken(TWO, one.id)
    known = {command.id for command in one.every_command() if command.since <= version}
    for message_id in range(256):
        status = send(bench, (one.id, message_id), b"\xff" * 99)
        assert (status is Status.NOT_FOUND) is (message_id not in known), message_id


def without(*commands: str) -> FirmwareProfile:
    """A firmware that has not got some commands."""
    return msgspec.structs.replace(SPEC_STRICT, missing=frozenset(commands))


def test_rung_4_implemented() -> None:
    bench = Bench(profile=without("base.BASE_DISCOVER_SUB_VENDOR", "*.NEGOTIATE_PROTOCOL_VERSION"))
    assert send(bench, (0x10, 4), b"") is Status.NOT_SUPPORTED
    assert send(bench, (0x10, 3), b"") is Status.SUCCESS
    for one in (0x10, 0x14):
        assert send(bench, (one, 0x10), bytes(4)) is Status.NOT_SUPPORTED
    asked = {
        number: bench.status(TWO, "base", "PROTOCOL_MESSAGE_ATTRIBUTES", protocol.MessageAttributes(number))
        for number in (0x3, 0x4, 0x10)
    }
    assert asked == {0x3: Status.SUCCESS, 0x4: Status.NOT_FOUND, 0x10: Status.NOT_FOUND}


@pytest.mark.parametrize("payload", [b"", GOOD[:-1], GOOD[:-4], GOOD + b"\0", GOOD + bytes(4)])
def test_rung_5_payload_size(payload: bytes) -> None:
    assert send(granted(), RATE_SET, payload) is Status.PROTOCOL_ERROR


def test_rung_6_resource() -> None:
    assert send(granted(), RATE_SET, UNKNOWN_CLOCK) is Status.NOT_FOUND


@pytest.mark.parametrize("bit", range(4, 32))
def test_rung_7_reserved_bits(bit: int) -> None:
    assert send(granted(), RATE_SET, encode(clock.RateSet(1 << bit, 5, 2000))) is Status.INVALID_PARAMETERS


def test_rung_8_permission() -> None:
    assert send(Bench(), RATE_SET, GOOD) is Status.DENIED


def test_rung_9_range() -> None:
    assert send(granted(), RATE_SET, RATE_OUT_OF_RANGE) is Status.INVALID_PARAMETERS


NOT_IMPLEMENTED, UNKNOWN_COMMAND, UNKNOWN_PROTOCOL = (0x10, 4), (0x14, 0x77), (0x77, 5)


@pytest.mark.parametrize(
    ("ids", "payload", "message_type", "first"),
    [
        (UNKNOWN_PROTOCOL, GOOD, 2, Status.PROTOCOL_ERROR),
        (UNKNOWN_COMMAND, GOOD, 2, Status.PROTOCOL_ERROR),
        (NOT_IMPLEMENTED, b"", 2, Status.PROTOCOL_ERROR),
        (RATE_SET, UNKNOWN_CLOCK, 2, Status.PROTOCOL_ERROR),
        (UNKNOWN_PROTOCOL, b"odd", 0, Status.NOT_SUPPORTED),
        ((0x77, 0x77), b"", 0, Status.NOT_SUPPORTED),
        (UNKNOWN_COMMAND, b"odd", 0, Status.NOT_FOUND),
        (NOT_IMPLEMENTED, b"odd", 0, Status.NOT_SUPPORTED),
        (NOT_IMPLEMENTED, b"\xff" * 4, 0, Status.NOT_SUPPORTED),
        (RATE_SET, UNKNOWN_CLOCK[:-1], 0, Status.PROTOCOL_ERROR),
        (RATE_SET, RESERVED[:-1], 0, Status.PROTOCOL_ERROR),
        (RATE_SET, UNKNOWN_AND_RESERVED, 0, Status.NOT_FOUND),
    ],
)
def test_the_first_failing_rung_decides(
    ids: tuple[int, int], payload: bytes, message_type: int, first: Status
) -> None:
    """Each row has two faults at least; nothing is granted, so permission would fail as well."""
    bench = Bench(profile=without("base.BASE_DISCOVER_SUB_VENDOR"))
    assert send(bench, ids, payload, message_type) is first


def test_reserved_bits_before_permission_before_range() -> None:
    reserved_and_range = encode(clock.RateSet(1 << 31, 5, 9_999_999))
    assert send(Bench(), RATE_SET, reserved_and_range) is Status.INVALID_PARAMETERS
    assert send(Bench(), RATE_SET, RATE_OUT_OF_RANGE) is Status.DENIED


def test_a_refused_message_changes_nothing() -> None:
    bench = granted()
    for payload in (RESERVED, UNKNOWN_CLOCK, RATE_OUT_OF_RANGE, GOOD[:-1]):
        send(bench, RATE_SET, payload)
    assert bench.core.board.clocks.rate(5) == 1000
    assert bench.held(TWO) == {"device 5": 1}


def test_the_error_reply_is_the_status_word_alone() -> None:
    status, rest = Bench().raw(TWO, header.pack(*RATE_SET), GOOD)
    assert (status, rest) == (Status.DENIED, b"")


def test_token_and_reserved_header_bits_come_back() -> None:
    head = 0xF000_0000 | header.pack(0x14, 0, token=0x3FF)
    assert Bench().raw(TWO, head)[0] is Status.SUCCESS


# ---- version negotiation ----------------------------------------------------------------------


def negotiate(bench: Bench, protocol_key: str, version: int, agent: int = TWO) -> Status:
    request = protocol.NegotiateVersion(version)
    return bench.status(agent, protocol_key, "NEGOTIATE_PROTOCOL_VERSION", request)


def test_an_older_version_changes_the_layout_for_that_agent_only() -> None:
    bench = granted()
    assert negotiate(bench, "clock", 0x1_0000) is Status.SUCCESS
    head = header.pack(0x14, 3)
    assert len(bench.raw(TWO, head, (5).to_bytes(4, "little"))[1]) == 20
    assert len(bench.raw(MANAGER, head, (5).to_bytes(4, "little"))[1]) == 24


def test_an_older_version_has_fewer_commands_and_other_requests() -> None:
    bench = granted()
    config_set, name_get = (0x14, 7), (0x14, 8)
    assert send(bench, config_set, encode(clock.ConfigSet(5, 1, 0))) is Status.SUCCESS
    assert send(bench, name_get, (5).to_bytes(4, "little")) is Status.SUCCESS
    assert negotiate(bench, "clock", 0x1_0000) is Status.SUCCESS
    assert send(bench, config_set, encode(clock.ConfigSet(5, 1, 0))) is Status.PROTOCOL_ERROR
    assert send(bench, config_set, encode(clock.ConfigSet(5, 1, 0), 0x1_0000)) is Status.SUCCESS
    assert send(bench, config_set, encode(clock.ConfigSet(5, 2, 0), 0x1_0000)) is Status.INVALID_PARAMETERS
    assert send(bench, name_get, (5).to_bytes(4, "little")) is Status.NOT_FOUND


@pytest.mark.parametrize("version", [0, 0x1_0001, 0x4_0000, 0xFFFF_FFFF])
def test_a_version_without_a_layout(version: int) -> None:
    bench = granted()
    assert negotiate(bench, "clock", version) is Status.NOT_SUPPORTED
    assert bench.held(TWO) == {"device 5": 1}


def test_the_last_success_governs() -> None:
    bench = granted()
    for version in (0x1_0000, 0x3_0000, 0x2_0000):
        assert negotiate(bench, "clock", version) is Status.SUCCESS
    assert negotiate(bench, "power", 0x2_0000) is Status.SUCCESS
    assert bench.held(TWO) == {
        "device 5": 1,
        "power version": 0x2_0000,
        "clock version": 0x2_0000,
    }
    body = bench.call(TWO, "clock", "PROTOCOL_VERSION").body
    assert body.version == 0x3_0000, "PROTOCOL_VERSION tells what the platform can do"
    assert send(bench, (0x11, 8), (1).to_bytes(4, "little")) is Status.NOT_FOUND
    assert bench.status(TWO, "power", "POWER_STATE_GET", power.StateGet(1)) is Status.SUCCESS


# ---- what a profile makes of it ---------------------------------------------------------------


def firmware(**facts: object) -> Bench:
    bench = Bench(profile=msgspec.structs.replace(SPEC_STRICT, **facts))
    bench.core.permissions.set_device(TWO, 5, True)
    return bench


def test_an_unknown_message_may_be_not_supported() -> None:
    bench = firmware(unknown_message=Status.NOT_SUPPORTED)
    assert send(bench, UNKNOWN_COMMAND, b"") is Status.NOT_SUPPORTED
    ask = protocol.MessageAttributes(0x77)
    assert bench.status(TWO, "clock", "PROTOCOL_MESSAGE_ATTRIBUTES", ask) is Status.NOT_FOUND


def test_a_longer_request_may_be_accepted_a_shorter_one_never() -> None:
    bench = firmware(payload="at_least")
    assert send(bench, RATE_SET, GOOD + b"\1\2\3\4\5") is Status.SUCCESS
    assert bench.core.board.clocks.rate(5) == 2000
    assert send(bench, RATE_SET, GOOD[:-1]) is Status.PROTOCOL_ERROR
    assert send(bench, (0x10, 3), b"more") is Status.SUCCESS


def test_an_unknown_resource_may_be_an_invalid_parameter() -> None:
    bench = firmware(unknown_resource={0x14: Status.INVALID_PARAMETERS})
    assert send(bench, RATE_SET, UNKNOWN_CLOCK) is Status.INVALID_PARAMETERS
    assert send(bench, (0x11, 5), (99).to_bytes(4, "little")) is Status.NOT_FOUND


@pytest.mark.parametrize(("version", "there"), [(0x3_0001, True), (0x3_0000, True), (0x2_0000, False)])
def test_older_versions_may_be_of_the_same_major_only(version: int, there: bool) -> None:
    bench = firmware(negotiates="same_major")
    assert (negotiate(bench, "power", version) is Status.SUCCESS) is there
    assert negotiate(firmware(), "power", version) is Status.SUCCESS


def test_a_firmware_serves_what_it_serves() -> None:
    bench = firmware(protocols=(0x14,), versions={0x14: 0x2_0000})
    assert send(bench, (0x11, 0), b"") is Status.NOT_SUPPORTED
    assert bench.call(TWO, "clock", "PROTOCOL_VERSION").body.version == 0x2_0000
    assert send(bench, (0x14, 0xB), bytes(8)) is Status.NOT_FOUND
    assert negotiate(bench, "clock", 0x3_0000) is Status.NOT_SUPPORTED
    assert negotiate(bench, "clock", 0x1_0000) is Status.SUCCESS
