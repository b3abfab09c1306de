"""One SCMI message in words: fields to bytes, bytes to fields, and one error for what is wrong."""

import struct
from io import StringIO

import pytest
from rich.console import Console

from bus.fields import Message, decode, encode
from bus.scmi import BY_KEY, base, clock, perf, pinctrl, powercap, sensor, voltage
from bus.scmi.tables import STANDARD
from deploy import message
from deploy.cli.call import describe, print_fields
from deploy.errors import UserError
from tests.deploy.commands import run


def encoded(text: str, *given: str, version: str | None = None) -> bytes:
    _, _, command, protocol = message.parse_name(text, STANDARD)
    assert command is not None
    assert protocol is not None
    spoken = protocol.version if version is None else message.spoken_version(version, protocol, command)
    return message.encode_request(command, given, spoken)


def read(cls: type[Message], payload: bytes) -> Message:
    return decode(cls, payload)


def test_fields_become_bytes() -> None:
    words = ("flags=round_up=1+async_set=0", "clock_id=5", "rate=66_666_666")
    assert read(clock.RateSet, encoded("clock.rate_set", *words)) == clock.RateSet(4, 5, 66_666_666)
    words = ("agent_id=self",)
    assert encoded("base.discover_agent", *words) == b"\xff\xff\xff\xff"


def test_negative_numbers_and_signed_parts() -> None:
    payload = encoded("voltage.level_set", "domain_id=1", "flags=0", "voltage_level=-5000")
    assert read(voltage.LevelSet, payload) == voltage.LevelSet(1, 0, -5000)
    value = "trip_point_val=-0x8000000000000000"
    payload = encoded("0x15.0x5", "sensor_id=1", "trip_point_ev_ctrl=mode=BOTH+trip_point_id=2", value)
    assert struct.unpack("<IIq", payload) == (1, 0x23, -(1 << 63))
    word = "sensor_config=interval_seconds=5+interval_exponent_signed=-3+rounding=up+enable=1"
    expected = sensor.CONFIG_SET.pack(interval_seconds=5, interval_exponent_signed=29, rounding=1, enable=1)
    assert read(sensor.ConfigSet, encoded("sensor.config_set", "sensor_id=7", word)) == (
        sensor.ConfigSet(7, expected)
    )


@pytest.mark.parametrize("attributes", ["selector=GROUP", "selector=1+num_configs=2"])
def test_an_array_of_structures_is_counted(attributes: str) -> None:
    words = ("identifier=3", "function_id=0", f"attributes={attributes}")
    payload = encoded("pinctrl.settings_configure", *words, "configs=BIAS_PULL_UP:1,drive_strength:0x8")
    configs = (pinctrl.PinConfig(4, 1), pinctrl.PinConfig(10, 8))
    assert read(pinctrl.SettingsConfigure, payload) == pinctrl.SettingsConfigure(3, 0, 0b1001, configs)


def test_an_array_may_be_empty() -> None:
    words = ("identifier=3", "function_id=1", "attributes=function_id_valid=1", "configs=")
    assert len(encoded("pinctrl.settings_configure", *words)) == 12


def test_an_older_version_has_its_own_fields() -> None:
    assert len(encoded("clock.config_set", "clock_id=1", "attributes=enable=1", version="0x10000")) == 8
    words = ("clock_id=1", "attributes=state=UNCHANGED+extended_config_type=PHASE", "extended_config_val=90")
    assert read(clock.ConfigSet, encoded("clock.config_set", *words)) == clock.ConfigSet(1, 0x2_0003, 90)


MISTAKES = [
    ("clock", (), "clock: name a message as PROTOCOL.MESSAGE, such as clock.CLOCK_RATE_GET"),
    (
        "fan.x",
        (),
        "fan: no such protocol; there are base, power, system, perf, clock, sensor, reset, voltage",
    ),
    ("perf.x", (), "x: no such message of perf; there are PROTOCOL_VERSION"),
    ("clock.rate_get", (), "CLOCK_RATE_GET: clock_id is missing; give clock_id=..."),
    ("clock.rate_get", ("clock=1",), "clock=1: CLOCK_RATE_GET takes FIELD=VALUE for the fields: clock_id"),
    ("voltage.level_set", ("voltage_level=0x80000000",), "voltage_level=0x80000000: a i32 takes -2147483648"),
    (
        "sensor.trip_point_config",
        ("trip_point_ev_ctrl=mode=SIDEWAYS",),
        "trip_point_ev_ctrl=mode=SIDEWAYS: not a number, DISABLED, POSITIVE, NEGATIVE, BOTH; write 10",
    ),
    (
        "sensor.config_set",
        ("sensor_config=interval_exponent_signed=-17",),
        "interval_exponent_signed=-17: it takes -16 to 15; give a number that fits",
    ),
    ("clock.rate_set", ("flags=up=1",), "flags=up=1: no bits are named 'up'"),
    (
        "pinctrl.settings_configure",
        ("configs=BIAS_PULL_UP",),
        "configs=BIAS_PULL_UP: an item is config_type:config_value; give 2 values with ':' between",
    ),
    ("pinctrl.settings_configure", ("configs=4:1,4:x",), "configs.config_value=x: not a number"),
    ("pinctrl.settings_configure", ("configs=PULL:1",), "configs.config_type=PULL: not a number, DEFAULT"),
    (
        "pinctrl.settings_configure",
        ("identifier=1", "function_id=0", "attributes=num_configs=3", "configs=4:1"),
        "PINCTRL_SETTINGS_CONFIGURE: SettingsConfigure.configs has 1 items, its count differs",
    ),
    (
        "pinctrl.settings_configure",
        ("identifier=1", "function_id=0", "attributes=0", "configs=" + ",".join(["4:1"] * 256)),
        "configs: 256 items, the count field takes 255; give fewer",
    ),
]


@pytest.mark.parametrize(("text", "given", "why"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_one_error(text: str, given: tuple[str, ...], why: str) -> None:
    with pytest.raises(UserError) as caught:
        encoded(text, *given)
    assert why in str(caught.value)
    assert str(caught.value).count("; give") <= 1, "more than one remedy"


def test_a_notification_is_not_called() -> None:
    with pytest.raises(UserError, match="power_state_changed: EL3 sends it, as a notification; there are"):
        message.parse_name("power.power_state_changed", STANDARD)


def test_fields_and_a_payload_exclude_each_other() -> None:
    with pytest.raises(UserError, match="clock_id=5: --payload is the whole payload; give fields or"):
        run("call", "ivi", "clock.CLOCK_RATE_GET", "clock_id=5", "--payload", "05000000")


@pytest.mark.parametrize(
    ("text", "version", "why"),
    [
        ("clock.rate_get", "0x15000", "clock has layouts for 0x10000, 0x20000, 0x30000; give one of them"),
        ("clock.rate_get", "two", "--version two: clock has layouts for"),
        ("clock.config_get", "0x20000", "CLOCK_CONFIG_GET came with 3.0 (0x30000); give that or a later one"),
    ],
)
def test_a_version_that_is_not_spoken_is_an_error(text: str, version: str, why: str) -> None:
    with pytest.raises(UserError) as caught:
        encoded(text, "clock_id=1", version=version)
    assert why in str(caught.value)


# ---- replies ----------------------------------------------------------------------------------

SCALAR = sensor.SensorDescriptor(1, 1 << 8, 0xE802, "soc", 5, 0xE800_0001, -40000, 125000)
AXES = sensor.SensorDescriptor(2, 0, 1 << 8 | 3 << 16 | 89, "imu", 0, 0, 0, 0)


def test_replies_are_named_with_their_structures() -> None:
    reply = sensor.DescriptionGetReply(2, (SCALAR, AXES))
    told = message.named_fields(sensor.DescriptionGetReply, encode(reply), 0x30001)
    assert told["num_sensor_flags"] == "0x2[returned=2]"
    assert told["desc"][0]["min_range"] == "-40000"
    assert told["desc"][0]["resolution"] == "0xe8000001[exponent_signed=-3, value=1]"
    assert told["desc"][1] == {
        "sensor_id": "2",
        "attributes_low": "0x0",
        "attributes_high": "0x30159[num_axes=3, axis_support=1, sensor_type=METRE_PER_SECOND_SQUARED]",
        "name": "'imu'",
    }
    assert message.named_fields(clock.RateGetReply, b"123", 0x30000) == {"malformed": "313233"}
    assert message.named_fields(clock.RateGetReply, b"", 0x30000) == {"malformed": "no payload"}


def test_an_answer_in_another_version_is_told_as_that() -> None:
    old = encode(clock.ClockAttributesReply(1, "i2c", 7), 0x1_0000)
    answer = {"code": "", "status": 0, "definite": False, "detail": "", "payload": old, "elapsed_ns": 1000}
    told = describe(answer, clock.CLOCK_ATTRIBUTES, 0x3_0000, b"\5\0\0\0")
    assert told["fields"] == {"malformed": old.hex()}
    assert told["detail"] == "not as 3.0 (0x30000) has it; give --version, if another is spoken"
    right = describe(answer, clock.CLOCK_ATTRIBUTES, 0x1_0000, b"\5\0\0\0")
    assert right["fields"] == {"attributes": "0x1[enabled=1]", "name": "'i2c'"}
    assert right["detail"] == ""
    nobody = describe({**answer, "payload": b"\1\2"}, None, 0, b"")
    assert (nobody["fields"], nobody["payload"]) == ({}, "0102")


def shown(cls: type[Message], reply: Message, columns: int, version: int) -> list[str]:
    out = Console(file=StringIO(), width=columns, highlight=False)
    print_fields(out, message.named_fields(cls, encode(reply, version), version))
    assert isinstance(out.file, StringIO)
    return out.file.getvalue().splitlines()


@pytest.mark.parametrize("columns", [80, 120])
def test_a_reply_fits_the_terminal(columns: int) -> None:
    reply = sensor.DescriptionGetReply(2, (SCALAR, AXES))
    lines = shown(sensor.DescriptionGetReply, reply, columns, 0x30001)
    assert max(map(len, lines)) <= columns
    assert "desc: 2" in lines
    text = "\n".join(lines)
    assert all(word in text for word in ("[0]", "[1]", "min_range", "-40000", "'imu'"))


def test_narrow_structures_are_a_table_and_wide_ones_are_not() -> None:
    levels = tuple(perf.PerfLevel(256 * (at + 1), 10, 500, 1000, at) for at in range(3))
    lines = shown(perf.DescribeLevelsReply, perf.DescribeLevelsReply(3, levels), 100, 0x40000)
    (head,) = [at for at, line in enumerate(lines) if "power_cost" in line]
    assert lines[head].split() == ["level", "power_cost", "attributes", "indicative_frequency", "level_index"]
    assert [line.split()[:2] for line in lines[head + 1 :]] == [["0", "256"], ["1", "512"], ["2", "768"]]
    narrow = shown(perf.DescribeLevelsReply, perf.DescribeLevelsReply(3, levels), 40, 0x40000)
    assert sum("power_cost" in line for line in narrow) == 3
    assert max(map(len, narrow)) <= 40


def test_an_empty_array_is_told() -> None:
    empty = perf.DescribeLevelsReply(0, ())
    assert "perf_levels: none" in shown(perf.DescribeLevelsReply, empty, 80, 0x40000)
    assert BY_KEY["base"] is base.PROTOCOL


def test_a_message_that_is_the_same_in_every_version_needs_no_asking() -> None:
    assert not message.varies(clock.PROTOCOL, clock.CLOCK_RATE_SET)
    assert message.varies(clock.PROTOCOL, clock.CLOCK_ATTRIBUTES)
    assert message.varies(powercap.PROTOCOL, powercap.POWERCAP_CAP_SET)
    assert message.varies(sensor.PROTOCOL, sensor.SENSOR_READING_GET)
    assert message.varies(perf.PROTOCOL, perf.PERFORMANCE_DESCRIBE_LEVELS)


def test_the_version_to_speak_is_the_newest_that_both_know() -> None:
    known = powercap.PROTOCOL.versions
    assert [message.offered_version(powercap.PROTOCOL, told) for told in known] == list(known)
    assert message.offered_version(powercap.PROTOCOL, 0x21000) == 0x20000
    assert message.offered_version(powercap.PROTOCOL, 0x4_0000) == known[-1]
    assert message.offered_version(powercap.PROTOCOL, 0x8000) == known[0]


def test_what_has_no_table_is_sent_as_bytes_only() -> None:
    with pytest.raises(UserError, match=r"0x99.0x1: not in the message tables.*give --payload HEX"):
        run("call", "ivi", "0x99.0x1")
    with pytest.raises(UserError, match=r"--version 0x10000: 0x99.0x1 is not in the message tables; leave"):
        run("call", "ivi", "0x99.0x1", "--payload", "00", "--version", "0x10000")
