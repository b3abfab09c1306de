"""Trace lines: whatever is in a page can be told in one line, and the usual reads well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import fields
from bus.scmi import BY_KEY, PROTOCOLS, clock, header, trace
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
    command = data.draw(st.sampled_from(protocol.every_command()))
    head = header.pack(protocol.id, command.id)
    if good:
        message = data.draw(strategies.messages(command.request, protocol.version))
        payload = fields.encode(message, protocol.version)
    line = trace.request_line(head, payload)
    assert line.startswith(f"{protocol.key}.{command.name}(")
    assert line.isprintable()
    assert not good or "malformed" not in line
    assert trace.reply_line(head, b"\0\0\0\0" + payload).startswith("SUCCESS")


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


def test_a_command_is_found_by_id_and_by_any_spelling_of_its_name() -> None:
    wanted = BY_KEY["clock"].command(0x6)
    assert wanted is not None
    for name in ("CLOCK_RATE_GET", "clock_rate_get", "rate_get"):
        assert BY_KEY["clock"].command(name) is wanted
    assert BY_KEY["clock"].command("rate") is None
    assert BY_KEY["clock"].command(0x77) is None
