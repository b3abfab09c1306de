"""The typed client's calls: layouts of the version spoken, honest ends, what is tried again."""

from typing import Any

import pytest

from bus.fields import Message
from bus.scmi import PROTOCOLS, base, clock, perf, pinctrl, power, reset, sensor, voltage
from bus.scmi.protocol import (
    PROTOCOL_MESSAGE_ATTRIBUTES,
    PROTOCOL_VERSION,
    Command,
    MessageAttributes,
    MessageAttributesReply,
    Nothing,
    VersionReply,
)
from bus.scmi.status import Status
from bus.scmi.tables import STANDARD
from nodes.guest.calls import Outcome
from nodes.guest.client import Client
from tests.bus.vendor import FAN, SPEED_SET, SpeedSet
from tests.nodes.scripted import Platform, timeout

RATE = clock.RateGetReply(800_000_000)


def test_a_call_is_typed_from_its_command() -> None:
    platform = Platform({"CLOCK_RATE_GET": RATE})
    result = platform.run(Client().call(clock.CLOCK_RATE_GET, clock.RateGet(5)))
    assert (result.ok, result.status, result.reply.rate) == (True, Status.SUCCESS, 800_000_000)
    assert platform.requests == [clock.RateGet(5)]
    assert (platform.asks[0].key, platform.asks[0].delayed) == ("clock", False)
    assert result.text == "SUCCESS"


def test_every_command_of_every_protocol_can_be_called() -> None:
    client = Client(tries=1)
    for protocol in PROTOCOLS:
        for command in protocol.every_command():
            platform = Platform({command.name: Status.DENIED})
            request = empty(command.request)
            result = platform.run(client.call(command, request, protocol))
            assert (result.status, platform.requests) == (Status.DENIED, [request]), command.name


def empty(cls: type[Message]) -> Message:
    values: dict[str, Any] = {name: () if name == "configs" else 0 for name in cls.__struct_fields__}
    return cls(**values)


def test_what_is_no_request_of_the_command_is_our_mistake() -> None:
    client = Client()
    wrong: Any = clock.ClockAttributes(5)
    with pytest.raises(ValueError, match="CLOCK_RATE_GET asks for RateGet, not for ClockAttributes"):
        next(client.call(clock.CLOCK_RATE_GET, wrong))
    with pytest.raises(ValueError, match="CLOCK_RATE_GET asks for RateGet, not for Nothing"):
        next(client.call(clock.CLOCK_RATE_GET))
    with pytest.raises(ValueError, match="RateGet"):
        next(client.call(clock.CLOCK_RATE_GET, clock.RateGet(1 << 32)))
    with pytest.raises(ValueError, match="PROTOCOL_VERSION: in no table, or in every one"):
        next(client.call(PROTOCOL_VERSION))
    with pytest.raises(ValueError, match="a call is tried at least once"):
        Client(tries=0)


def test_a_vendor_protocol_is_called_by_its_table() -> None:
    client = Client(STANDARD.with_more([FAN]))
    ask = next(client.call(SPEED_SET, SpeedSet(1, 900)))
    assert (ask.protocol_id, ask.message_id, ask.payload) == (0x81, 3, b"\1\0\0\0\x84\3\0\0")
    with pytest.raises(ValueError, match="FAN_SPEED_SET: in no table"):
        next(Client().call(SPEED_SET, SpeedSet(1, 900)))


# ---- how it ends ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "definite"),
    [
        (Status.DENIED, True),
        (Status.NOT_FOUND, True),
        (Status.INVALID_PARAMETERS, True),
        (Status.PROTOCOL_ERROR, True),
        (Status.IN_USE, True),
        (Status.GENERIC_ERROR, False),
        (Status.HARDWARE_ERROR, False),
        (Status.COMMS_ERROR, False),
    ],
)
def test_an_error_status_says_whether_it_surely_did_not_happen(status: Status, definite: bool) -> None:
    result = Platform({"RESET": status}).run(Client().call(reset.RESET, reset.Reset(1, 1, 0)))
    assert (result.ok, result.status, result.code, result.definite) == (False, status, "", definite)
    with pytest.raises(LookupError, match=f"there is no reply: {status.name}"):
        _ = result.reply


def test_a_vendor_s_status_is_not_definite() -> None:
    said = Outcome("", False, -130, b"", "", 1)
    result = Platform({"RESET": said}).run(Client().call(reset.RESET, reset.Reset(1, 1, 0)))
    assert (result.status, result.definite, result.text) == (-130, False, "VENDOR(-130)")


def test_no_answer_keeps_what_is_known_of_it() -> None:
    result = Platform({"RESET": timeout()}).run(Client().call(reset.RESET, reset.Reset(1, 1, 0)))
    assert (result.status, result.code, result.definite) == (None, "timeout", False)
    assert result.text == "timeout (it may have happened): as the script says"
    refused = Platform({"RESET": timeout(definite=True, code="smc-refused")})
    result = refused.run(Client().call(reset.RESET, reset.Reset(1, 1, 0)))
    assert result.text == "smc-refused (it surely did not happen): as the script says"


@pytest.mark.parametrize("payload", [b"", b"\0" * 7, b"\0" * 9])
def test_a_success_that_nobody_can_read_is_malformed_and_happened(payload: bytes) -> None:
    said = Outcome("", False, 0, payload, "", 1)
    platform = Platform({"CLOCK_RATE_GET": said})
    result = platform.run(Client().call(clock.CLOCK_RATE_GET, clock.RateGet(5)))
    assert (result.ok, result.code, result.definite) == (False, "malformed", False)
    assert len(platform.asked) == 1


# ---- tries ------------------------------------------------------------------------------------

INDEFINITE = ["timeout", "bad-response", "channel-busy"]


@pytest.mark.parametrize("code", INDEFINITE)
def test_what_may_have_happened_is_repeated_if_that_does_no_harm(code: str) -> None:
    platform = Platform({"CLOCK_RATE_SET": [timeout(code=code), Nothing()]})
    result = platform.run(Client().call(clock.CLOCK_RATE_SET, clock.RateSet(0, 5, 1000)))
    assert result.ok
    assert platform.requests == [clock.RateSet(0, 5, 1000)] * 2


@pytest.mark.parametrize("code", INDEFINITE)
@pytest.mark.parametrize(
    ("command", "request_"),
    [(reset.RESET, reset.Reset(1, 1, 0)), (pinctrl.PINCTRL_RELEASE, pinctrl.Release(1, 0))],
)
def test_what_may_have_happened_is_not_repeated_if_it_would_happen_twice(
    code: str, command: Command[Any, Any], request_: Message
) -> None:
    platform = Platform({command.name: [timeout(code=code), Nothing()]})
    result = platform.run(Client().call(command, request_))
    assert (result.code, result.definite) == (code, False)
    assert len(platform.asked) == 1


@pytest.mark.parametrize(
    "busy",
    [
        Status.BUSY,
        timeout(definite=True, code="channel-busy"),
        timeout(definite=True, code="queue-full"),
        timeout(definite=True, code="overflow"),
        timeout(definite=True, code="token-in-use"),
    ],
)
def test_what_surely_did_not_happen_for_now_is_always_tried_again(busy: Status | Outcome) -> None:
    platform = Platform({"RESET": [busy, busy, Nothing()]})
    assert platform.run(Client().call(reset.RESET, reset.Reset(1, 1, 0))).ok
    assert len(platform.asked) == 3


@pytest.mark.parametrize(
    "final",
    [
        Status.DENIED,
        Status.GENERIC_ERROR,
        timeout(definite=True, code="smc-refused"),
        timeout(definite=True, code="undef"),
        timeout(definite=True, code="no-scmi"),
        timeout(definite=True, code="too-long"),
        timeout(code="xen-lost"),
    ],
)
def test_what_another_try_would_not_mend_is_not_tried_again(final: Status | Outcome) -> None:
    platform = Platform({"CLOCK_RATE_GET": [final, RATE]})
    assert not platform.run(Client().call(clock.CLOCK_RATE_GET, clock.RateGet(5))).ok
    assert len(platform.asked) == 1


@pytest.mark.parametrize("tries", [1, 3, 5])
def test_tries_are_bounded(tries: int) -> None:
    for never in (timeout(), Status.BUSY):
        platform = Platform({"CLOCK_RATE_GET": never})
        result = platform.run(Client(tries=tries).call(clock.CLOCK_RATE_GET, clock.RateGet(5)))
        assert not result.ok
        assert len(platform.asked) == tries


# ---- versions ---------------------------------------------------------------------------------


def test_an_older_platform_is_spoken_to_in_its_version() -> None:
    client = Client()
    platform = Platform({"CLOCK_CONFIG_SET": Nothing()}, {"clock": 0x2_0000})
    assert platform.run(client.start(clock.PROTOCOL)).reply.version == 0x2_0000
    assert platform.asked == ["PROTOCOL_VERSION"]
    platform.run(client.call(clock.CLOCK_CONFIG_SET, clock.ConfigSet(5, 1, 0)))
    assert len(platform.asks[-1].payload) == 8
    result = platform.run(client.call(clock.CLOCK_PARENT_GET, clock.ParentGet(5)))
    assert (result.code, result.definite) == ("not-in-version", True)
    assert len(platform.asked) == 2, "nothing was sent"


@pytest.mark.parametrize("answer", [Nothing(), Status.NOT_SUPPORTED])
def test_a_newer_platform_is_asked_to_speak_ours(answer: Nothing | Status) -> None:
    client = Client()
    script = {
        "PROTOCOL_VERSION": VersionReply(0x5_0000),
        "PROTOCOL_MESSAGE_ATTRIBUTES": MessageAttributesReply(0),
        "NEGOTIATE_PROTOCOL_VERSION": answer,
    }
    platform = Platform(script)
    platform.run(client.start(clock.PROTOCOL))
    assert platform.asked == list(script)
    assert platform.requests[1] == MessageAttributes(0x10)
    assert client.version(clock.PROTOCOL) == clock.PROTOCOL.version


def test_a_newer_platform_without_negotiation_is_not_asked() -> None:
    client = Client()
    script = {"PROTOCOL_VERSION": VersionReply(0x5_0000), "PROTOCOL_MESSAGE_ATTRIBUTES": Status.NOT_FOUND}
    platform = Platform(script)
    platform.run(client.start(clock.PROTOCOL))
    assert platform.asked == list(script)
    assert client.version(clock.PROTOCOL) == clock.PROTOCOL.version


def test_a_platform_that_does_not_tell_leaves_the_version_alone() -> None:
    client = Client()
    result = Platform({"PROTOCOL_VERSION": Status.DENIED}).run(client.start(perf.PROTOCOL))
    assert result.status == Status.DENIED
    assert client.versions == {}


def test_only_a_version_that_was_agreed_on_is_spoken() -> None:
    client = Client()
    platform = Platform({"NEGOTIATE_PROTOCOL_VERSION": [Status.NOT_SUPPORTED, Nothing()]})
    assert not platform.run(client.negotiate(sensor.PROTOCOL, 0x1_0000)).ok
    assert client.version(sensor.PROTOCOL) == sensor.PROTOCOL.version
    assert platform.run(client.negotiate(sensor.PROTOCOL, 0x1_0000)).ok
    assert client.version(sensor.PROTOCOL) == 0x1_0000
    assert client.version(clock.PROTOCOL) == clock.PROTOCOL.version


def test_an_old_reading_is_given_as_the_newest_has_it() -> None:
    client = Client()
    client.versions[sensor.PROTOCOL.id] = 0x1_0000
    platform = Platform({"SENSOR_READING_GET": sensor.ReadingGetReplyOld(-40)}, {"sensor": 0x1_0000})
    result = platform.run(client.call(sensor.SENSOR_READING_GET, sensor.ReadingGet(1, 0)))
    assert result.reply.readings == (sensor.SensorReading(-40, 0),)


def test_the_common_commands_name_their_protocol() -> None:
    platform = Platform({"PROTOCOL_MESSAGE_ATTRIBUTES": MessageAttributesReply(1)})
    wanted = MessageAttributes(perf.PERFORMANCE_LEVEL_SET.id)
    result = platform.run(Client().call(PROTOCOL_MESSAGE_ATTRIBUTES, wanted, perf.PROTOCOL))
    assert result.reply.attributes == 1
    assert platform.asks[0].protocol_id == perf.PROTOCOL.id


# ---- delayed responses ------------------------------------------------------------------------

RATE_SET = clock.RateSet(clock.RATE_SET_FLAGS.pack(async_set=1), 5, 1000)


def test_a_delayed_response_is_waited_for() -> None:
    platform = Platform({"CLOCK_RATE_SET": clock.RateSetComplete(5, 1000)})
    result = platform.run(Client().wait(clock.CLOCK_RATE_SET, RATE_SET, clock.RateSetComplete))
    assert result.reply.rate == 1000
    assert platform.asks[0].delayed


def test_an_old_delayed_response_is_given_as_the_newest_has_it() -> None:
    client = Client()
    client.versions[sensor.PROTOCOL.id] = 0x1_0000
    platform = Platform({"SENSOR_READING_GET": sensor.ReadingCompleteOld(3, -40)}, {"sensor": 0x1_0000})
    wanted = sensor.ReadingGet(3, sensor.READING_FLAGS.pack(async_read=1))
    result = platform.run(client.wait(sensor.SENSOR_READING_GET, wanted, sensor.ReadingComplete))
    assert result.reply == sensor.ReadingComplete(3, (sensor.SensorReading(-40, 0),))


def test_a_delayed_response_that_never_comes_may_have_happened() -> None:
    wanted = reset.Reset(1, reset.FLAGS.pack(async_reset=1, autonomous=1), 0)
    platform = Platform({"RESET": timeout(code="delayed-timeout")})
    result = platform.run(Client().wait(reset.RESET, wanted, reset.ResetComplete))
    assert (result.code, result.definite, len(platform.asked)) == ("delayed-timeout", False, 1)
    platform = Platform({"RESET": Status.BUSY})
    result = platform.run(Client(tries=2).wait(reset.RESET, wanted, reset.ResetComplete))
    assert (result.status, len(platform.asked)) == (Status.BUSY, 2)


def test_a_command_without_a_delayed_response_cannot_be_waited_for() -> None:
    with pytest.raises(ValueError, match="POWER_STATE_SET has no delayed response RateSetComplete"):
        next(Client().wait(power.POWER_STATE_SET, power.StateSet(1, 1, 0), clock.RateSetComplete))
    client = Client()
    client.versions[voltage.PROTOCOL.id] = 0x1_0000
    platform = Platform({})
    wanted = voltage.LevelSet(1, 1, 5)
    result = platform.run(client.wait(voltage.VOLTAGE_LEVEL_SET, wanted, voltage.LevelSetComplete))
    assert (result.code, platform.asked) == ("not-in-version", [])


def test_rights_are_ordinary_calls() -> None:
    platform = Platform(
        {"BASE_SET_DEVICE_PERMISSIONS": Nothing(), "BASE_RESET_AGENT_CONFIGURATION": Nothing()}
    )
    client = Client()
    allow = base.SetDevicePermissions(2, 5, base.PERMISSION_FLAGS.pack(allow=1))
    assert platform.run(client.call(base.BASE_SET_DEVICE_PERMISSIONS, allow)).ok
    everything = base.ResetAgentConfiguration(2, base.RESET_FLAGS.pack(also_reset_permissions=1))
    assert platform.run(client.call(base.BASE_RESET_AGENT_CONFIGURATION, everything)).ok
    assert platform.requests == [allow, everything]
