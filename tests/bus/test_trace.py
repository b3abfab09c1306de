"""Trace lines: whatever is in a page can be told in one line, and the usual reads well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import fields
from bus.scmi import BY_KEY, PROTOCOLS, clock, header, perf, pinctrl, sensor, trace, voltage
from bus.scmi.header import MessageType
from bus.scmi.protocol import Protocol
from bus.scmi.status import Status

from . import strategies


@given(st.integers(0, 0xFFFF_FFFF), st.binary(max_size=80))
def test_a_trace_line_can_always_be_written(head: int, payload: bytes) -> None:
    for line in (trace.request_line(head, payload), trace.reply_line(head, payload)):
        assert line.isprintable()


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.key)
@given(payload=st.binary(max_size=80), good=st.booleans(), data=st.data())
def test_a_trace_line_of_a_known_command(
    protocol: Protocol, payload: bytes, good: bool, data: st.DataObject
) -> None:
    version = data.draw(st.sampled_from(protocol.versions))
    command = data.draw(st.sampled_from(protocol.every_command()))
    head = header.pack(protocol.id, command.id)
    answer = payload
    if good:
        message = data.draw(strategies.messages(command.request_at(version), version))
        payload = fields.encode(message, version)
        answer = fields.encode(data.draw(strategies.messages(command.reply_at(version), version)), version)
    lines = (
        trace.request_line(head, payload, version=version),
        trace.reply_line(head, b"\0\0\0\0" + answer, version=version),
    )
    assert lines[0].startswith(f"{protocol.key}.{command.name}(")
    assert lines[1].startswith("SUCCESS")
    assert all(line.isprintable() and not (good and "malformed" in line) for line in lines)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.key)
@given(data=st.data())
def test_a_trace_line_of_what_the_platform_says_unasked(protocol: Protocol, data: st.DataObject) -> None:
    for row in protocol.notifications:
        payload = fields.encode(
            data.draw(strategies.messages(row.payload, protocol.version)), protocol.version
        )
        head = header.pack(protocol.id, row.id, 0, MessageType.NOTIFICATION)
        line = trace.notification_line(head, payload)
        assert line.startswith(f"{protocol.key}.{row.name}(agent_id=")
        assert "malformed" not in line
    for command in protocol.commands:
        late = command.delayed_at(protocol.version)
        if late is not None:
            payload = fields.encode(data.draw(strategies.messages(late, protocol.version)), protocol.version)
            head = header.pack(protocol.id, command.id, 5, MessageType.DELAYED_RESPONSE)
            assert "malformed" not in trace.reply_line(head, b"\0\0\0\0" + payload)


def test_a_trace_line_reads_well() -> None:
    head = header.pack(0x14, 0x5, 3)
    payload = fields.encode(clock.RateSet(4, 3, 800_000_000))
    line = "clock.CLOCK_RATE_SET(flags=0x4[round_up=1], clock_id=3, rate=800000000)"
    assert trace.request_line(head, payload) == line
    assert trace.request_line(head, payload[:-1]).startswith("clock.CLOCK_RATE_SET(malformed: 04")
    assert trace.reply_line(head, Status.DENIED.word) == "DENIED"
    assert trace.reply_line(head, b"") == "malformed: no payload"
    assert trace.message_name(header.pack(0x99, 0x42)) == "0x99.0x42"
    assert trace.message_name(header.pack(0x14, 0x42)) == "clock.0x42"
    asked = header.pack(0x10, 0x7)
    assert trace.request_line(asked, b"\xff\xff\xff\xff") == "base.BASE_DISCOVER_AGENT(agent_id=self)"


def test_structures_are_told_without_what_is_not_there() -> None:
    head = header.pack(0x15, 0x3)
    plain = sensor.SensorDescriptor(1, 0, 0xE802, "soc", 0, 0, 0, 0)
    payload = b"\0\0\0\0" + fields.encode(sensor.DescriptionGetReply(1, (plain,)))
    assert trace.reply_line(head, payload) == (
        "SUCCESS(num_sensor_flags=0x1[returned=1], desc=[(sensor_id=1, attributes_low=0x0, "
        "attributes_high=0xe802[unit_exponent_signed=-3, sensor_type=CELSIUS], name='soc')])"
    )
    request = pinctrl.SettingsConfigure(3, 0, 4, (pinctrl.PinConfig(4, 1),))
    assert trace.request_line(header.pack(0x19, 0x6), fields.encode(request)) == (
        "pinctrl.PINCTRL_SETTINGS_CONFIGURE(identifier=3, function_id=0, attributes=0x4[num_configs=1], "
        "configs=[(config_type=BIAS_PULL_UP, config_value=1)])"
    )


def test_negative_numbers_and_lists_are_told_as_they_are() -> None:
    levels = voltage.DescribeLevelsReply(2, (-5, 7))
    line = trace.reply_line(header.pack(0x17, 0x4), b"\0\0\0\0" + fields.encode(levels))
    assert line == "SUCCESS(num_levels_flags=0x2[returned=2], voltage=[-5, 7])"


def test_an_older_version_is_told_by_its_own_tables() -> None:
    reading = b"\0\0\0\0" + (-9).to_bytes(8, "little", signed=True)
    head = header.pack(0x15, 0x6)
    assert trace.reply_line(head, reading, version=0x10000) == "SUCCESS(value=-9)"
    assert trace.reply_line(head, reading).startswith("SUCCESS(malformed: ")
    late = header.pack(0x15, 0x6, 0, MessageType.DELAYED_RESPONSE)
    complete = b"\0\0\0\0" + fields.encode(sensor.ReadingCompleteOld(3, -9))
    assert trace.reply_line(late, complete, version=0x10000) == "SUCCESS(sensor_id=3, value=-9)"
    level = b"\0\0\0\0" + fields.encode(
        perf.DescribeLevelsReply(1, (perf.PerfLevel(8, 1, 2, 0, 0),)), 0x20000
    )
    head = header.pack(0x13, 0x4)
    assert "perf_levels=[(level=8, power_cost=1," in trace.reply_line(head, level, version=0x20000)
    assert "indicative_frequency" not in trace.reply_line(head, level, version=0x20000)


def test_a_notification_has_ids_of_its_own() -> None:
    payload = fields.encode(clock.RateChanged(1, 5, 1000))
    head = header.pack(0x14, 0x0, 0, MessageType.NOTIFICATION)
    line = "clock.CLOCK_RATE_CHANGED(agent_id=1, clock_id=5, rate=1000)"
    assert trace.notification_line(head, payload) == line
    strange = header.pack(0x14, 0x9, 0, MessageType.NOTIFICATION)
    assert trace.notification_line(strange, b"\1\2") == "clock.0x09(0102)"


def test_a_command_is_found_by_id_and_by_any_spelling_of_its_name() -> None:
    wanted = BY_KEY["clock"].command(0x6)
    assert wanted is not None
    for name in ("CLOCK_RATE_GET", "clock_rate_get", "rate_get"):
        assert BY_KEY["clock"].command(name) is wanted
    assert BY_KEY["clock"].command("rate") is None
    assert BY_KEY["clock"].command(0x77) is None
