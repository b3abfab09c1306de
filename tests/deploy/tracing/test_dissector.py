"""The Lua dissector against the tables, by tshark: every field of every message, and what is malformed."""

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from bus.fields import Message, encode
from bus.scmi import PROTOCOLS, header
from bus.scmi.header import MessageType
from bus.scmi.protocol import Protocol
from bus.scmi.status import Status
from bus.scmi.tables import Tables
from deploy.recording.rows import Row
from deploy.tracing import dissector
from tests.bus.vendor import FAN
from tests.deploy.tracing import shark

GOLDEN = Path(__file__).parents[2] / "bus" / "golden"
RANDOM_EACH = 2
SPOILED_STEP = 4
TYPES = {"delayed": MessageType.DELAYED_RESPONSE, "notification": MessageType.NOTIFICATION}
Versions = dict[int, type[Message] | None]


class Case(NamedTuple):
    """A message as bytes: its header, the payload behind the status, the tables by version."""

    protocol: Protocol
    name: str
    part: str
    head: int
    payload: bytes
    tables: Versions

    @property
    def row(self) -> Row:
        status = b"" if self.part in ("request", "notification") else Status.SUCCESS.word
        return shark.carrying(self.part, self.head, status + self.payload)


def parts(protocol: Protocol) -> Iterator[tuple[str, str, int, Versions]]:
    """(name, part, id, tables by version) of every message that a protocol has."""
    versions = protocol.versions
    for row in protocol.every_command():
        yield row.name, "request", row.id, {one: row.request_at(one) for one in versions}
        yield row.name, "reply", row.id, {one: row.reply_at(one) for one in versions}
        yield row.name, "delayed", row.id, {one: row.delayed_at(one) for one in versions}
    for told in protocol.notifications:
        yield told.name, "notification", told.id, dict.fromkeys(versions, told.payload)


def golden(protocol: Protocol) -> dict[tuple[str, str], list[bytes]]:
    """Golden payloads, which were put together by hand, without their status."""
    found: dict[tuple[str, str], list[bytes]] = {}
    for name in ("common", protocol.key):
        for one in yaml.safe_load((GOLDEN / f"{name}.yaml").read_text(encoding="utf-8")):
            payload = bytes.fromhex(one["hex"])[4 if one["part"] in ("reply", "delayed") else 0 :]
            found.setdefault((one["name"], one["part"]), []).append(payload)
    return found


@cache
def cases() -> list[Case]:
    """The golden bytes of every message, and messages of any values at every version."""
    draw = random.Random(7)
    found = []
    for protocol in PROTOCOLS:
        known = golden(protocol)
        for name, part, number, tables in parts(protocol):
            payloads = list(known.get((name, part), ()))
            for version, cls in tables.items():
                if cls is not None:
                    payloads += [
                        encode(shark.anything(draw, cls, version), version) for _ in range(RANDOM_EACH)
                    ]
            head = header.pack(protocol.id, number, len(found), TYPES.get(part, MessageType.COMMAND))
            found += [Case(protocol, name, part, head, one, tables) for one in dict.fromkeys(payloads)]
    return found


@pytest.fixture(scope="module")
def packets(tmp_path_factory: pytest.TempPathFactory) -> list[shark.Packet]:
    path = tmp_path_factory.mktemp("shark") / "all.pcapng"
    return shark.dissected(shark.capture(path, [case.row for case in cases()]), "scmi")


def test_every_field_of_every_message_is_what_the_tables_say(packets: list[shark.Packet]) -> None:
    assert len(packets) == len(cases())
    for case, packet in zip(cases(), packets, strict=True):
        found = shark.decoded(case.tables, case.payload)
        assert found, case
        prefix = f"scmi.{case.protocol.key}"
        assert shark.plain(packet.below(prefix)) == list(shark.expected(prefix, *found)), case
        assert packet.first("scmi.message") == f"{case.protocol.key}.{case.name}"


def test_no_message_of_the_tables_is_malformed_or_unknown(packets: list[shark.Packet]) -> None:
    for case, packet in zip(cases(), packets, strict=True):
        assert not packet.experts, case
    assert {case.name for case in cases()} >= {
        row.name for one in PROTOCOLS for row in (*one.every_command(), *one.notifications)
    }


def test_a_length_that_no_version_has_is_malformed(tmp_path: Path) -> None:
    """A byte less, and a byte more, of every message."""
    spoiled = []
    for case in cases():
        for payload in (case.payload[:-1], case.payload + b"\0"):
            if payload != case.payload and not shark.decoded(case.tables, payload):
                spoiled.append(case._replace(payload=payload))
    spoiled = spoiled[::SPOILED_STEP]
    path = shark.capture(tmp_path / "spoiled.pcapng", [case.row for case in spoiled])
    for case, packet in zip(spoiled, shark.dissected(path, "scmi"), strict=True):
        assert packet.experts == ["scmi.malformed"], case
        assert packet.first("scmi.payload") or not case.payload


def test_vendor_protocols_are_in_a_script_that_is_made_with_them(tmp_path: Path) -> None:
    script = tmp_path / "vendor.lua"
    script.write_text(dissector.generate(Tables([*PROTOCOLS, FAN])), encoding="utf-8")
    head = header.pack(FAN.id, 0x3)
    row = shark.carrying("request", head, bytes([7, 0, 0, 0, 88, 0, 0, 0]))
    (packet,) = shark.dissected(shark.capture(tmp_path / "fan.pcapng", [row]), script=script)
    assert packet.below("scmi.fan") == [("scmi.fan.fan_id", "7"), ("scmi.fan.speed", "88")]
    (packet,) = shark.dissected(tmp_path / "fan.pcapng")
    assert packet.experts == ["scmi.unknown"]


def test_the_committed_script_is_what_the_tables_give() -> None:
    assert shark.SCRIPT.read_text(encoding="utf-8") == dissector.generate()
