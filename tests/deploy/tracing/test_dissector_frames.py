"""The Lua dissector on whole packets: envelopes, who answers whom, notes, lines, filters, and junk."""

import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from bus import frames, shmem
from bus.fields import encode
from bus.scmi import clock, header
from bus.scmi.status import Status
from deploy.experiments.replaying.telling import CHARACTERS_MAX, tell
from deploy.recording.identities import without_identities
from deploy.recording.rows import LOST, NOTE, RECEIVED, UNDELIVERED, Row
from nodes.contract import Note
from tests.deploy.experiments.recorded_run import recorded
from tests.deploy.tracing import shark

GOLDEN = Path(__file__).parents[2] / "bus" / "golden" / "frames.yaml"
RATE_GET = header.pack(0x14, 0x6, 9)
RATE_SET = header.pack(0x14, 0x5, 9)
JUNK = 300
LINES = 2_000


def golden() -> list[bytes]:
    """Envelopes that were put together by hand."""
    return [bytes.fromhex(one["hex"]) for one in yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))]


def shown(prefix: str, value: Any) -> Iterator[shark.Shown]:
    """The fields of a value of an envelope, as the tree must have them; of bytes only if there are any."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from shown(f"{prefix}.{name}", getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from shown(prefix, item)
    elif isinstance(value, bool):
        yield prefix, str(int(value))
    elif isinstance(value, bytes):
        yield from [(prefix, value.hex(":"))] if value else []
    elif value is not None:
        yield prefix, str(value)


def expected(envelope: bytes) -> list[shark.Shown]:
    frame = frames.decode(without_identities(envelope))
    name = type(frame).__name__.lower()
    found: list[shark.Shown] = []
    for field in frame.__struct_fields__[3:]:
        value = getattr(frame, field)
        if field == "x":
            found += [(f"smccc.x{at}", str(one)) for at, one in enumerate(value)]
        elif field == "op":
            found.append((f"trapline.{name}.op", str(type(value).__struct_config__.tag)))
            found += shown(f"trapline.{name}", value)
        else:
            found += shown(f"trapline.{name}.{field}", value)
    return found


def told(packet: shark.Packet, name: str) -> list[shark.Shown]:
    """Registers and fields of the frame, in order."""
    registers = {f"smccc.x{at}" for at in range(8)}
    mine = [one for one in packet.fields if one[0].startswith(f"trapline.{name}.") or one[0] in registers]
    return shark.plain(mine)


def test_every_field_of_every_envelope(tmp_path: Path) -> None:
    envelopes = golden()
    assert {type(frames.decode(one)) for one in envelopes} == set(frames.FRAME_TYPES)
    rows: list[Row] = [(at, "xen", "ivi#1", RECEIVED, one, b"") for at, one in enumerate(envelopes)]
    for packet, envelope in zip(shark.dissected(shark.capture(tmp_path / "f", rows)), envelopes, strict=True):
        frame = frames.decode(envelope)
        name = type(frame).__name__.lower()
        assert not packet.malformed, frame
        assert packet.first("trapline.kind") == name
        assert (packet.first("trapline.request"), packet.first("trapline.cause")) == (
            str(frame.request),
            str(frame.cause),
        )
        assert told(packet, name) == expected(envelope), frame


# ---- a run ----------------------------------------------------------------------------------------


@cache
def calls() -> list[Row]:
    """A call of ivi#1 from its trap to its return, one that is refused, and some that go wrong."""
    trap = frames.Trap(1, 5, 5, 0x17, 0, shark.REGISTERS, 0x2200_1000)
    smc = frames.Smc(1, 70, 5, shark.REGISTERS, 0x47FF_3000)
    ask = shmem.request(RATE_GET, encode(clock.RateGet(6)))
    answer = shmem.reply(RATE_GET, Status.SUCCESS.word + encode(clock.RateGetReply(800_000_000)))
    again = msgspec.structs.replace(trap, request=6, cause=6)
    refused = frames.Return(1, 6, 6, (0, 0, 0, 0))
    return [
        (1_000, "xen", "ivi#1", RECEIVED, frames.encode(trap), ask),
        (2_000, "firmware", "xen", RECEIVED, frames.encode(smc), ask),
        (5_000, "xen", "firmware", RECEIVED, frames.encode(frames.SmcReturn(1, 70, 5, (0, 0, 0, 0))), answer),
        (6_500, "ivi#1", "xen", RECEIVED, frames.encode(frames.Return(1, 5, 5, (0, 0, 0, 0))), answer),
        (7_000, "ivi#1", "", NOTE, frames.encode(Note("call", 5, (RATE_GET, 900, 950, 1, 0), "")), b""),
        (8_000, "xen", "ivi#1", RECEIVED, frames.encode(again), shmem.request(RATE_SET, bytes(16))),
        (9_000, "ivi#1", "xen", RECEIVED, frames.encode(refused), shmem.reply(RATE_SET, Status.DENIED.word)),
        (9_100, "xen", "tcu#1", LOST, frames.encode(refused), answer),
        (9_200, "xen", "tcu#1", UNDELIVERED, b"", b""),
        (9_300, "xen", "ivi#1", RECEIVED, frames.encode(again), shmem.request(RATE_SET, bytes(15))),
        (9_400, "ivi#1", "xen", RECEIVED, frames.encode(refused), shmem.reply(RATE_GET, Status.SUCCESS.word)),
        (9_500, "xen", "ivi#1", RECEIVED, b"\x93\x01\x01", b""),
    ]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shark.capture(tmp_path_factory.mktemp("shark") / "calls.pcapng", calls())


@pytest.fixture(scope="module")
def packets(path: Path) -> list[shark.Packet]:
    return shark.dissected(path)


def test_requests_and_answers_lead_to_one_another(packets: list[shark.Packet]) -> None:
    requests = [packet.first("trapline.request_in") for packet in packets]
    assert requests[:7] == [None, None, "2", "1", None, None, "6"]
    assert packets[1].first("trapline.trap_in") == "1"
    assert packets[2].first("trapline.response_time") == "0.000003000"
    assert packets[3].first("trapline.response_time") == "0.000005500"


def test_a_whole_call_is_its_domains(packets: list[shark.Packet]) -> None:
    assert [packet.first("trapline.domain") for packet in packets[:5]] == ["ivi#1"] * 5


def test_a_note_is_told_with_names(packets: list[shark.Packet]) -> None:
    assert packets[4].below("trapline.note") == [
        ("trapline.note.what", "call"),
        *(("trapline.note.number", str(one)) for one in (RATE_GET, 900, 950, 1, 0)),
        ("trapline.note.text", ""),
    ]


def test_a_status_that_is_no_success_is_marked_and_not_malformed(packets: list[shark.Packet]) -> None:
    assert packets[6].experts == ["scmi.failed"]
    assert packets[6].first("scmi.status") == str(int(Status.DENIED))


def test_what_is_malformed_is_marked(packets: list[shark.Packet]) -> None:
    assert [packet.malformed for packet in packets] == [False] * 9 + [True] * 3
    assert packets[9].experts == ["scmi.malformed"]
    assert packets[11].experts == ["trapline.malformed"]


FILTERS: dict[str, list[int]] = {
    "scmi.clock.rate == 800000000": [3, 4, 8],
    'scmi.message == "clock.CLOCK_RATE_GET" && trapline.kind == "trap"': [1],
    "scmi.status == -3": [7],
    'trapline.domain == "ivi#1" && smccc.function': [1, 2, 6, 10],
    "smccc.x0 == 0x82000005": [1, 2, 6, 10],
    "trapline.response_time > 0.000005": [4],
    "trapline.unreached": [8, 9],
    "scmi.malformed || trapline.malformed": [10, 11, 12],
    'frame.interface_name == "firmware"': [2],
    'trapline.note.what == "call"': [5],
    "scmi.protocol_id == 0x14 && scmi.token == 9": [1, 2, 3, 4, 6, 7, 8, 10, 11],
    "trapline.trap_in == 1": [2],
}


def test_display_filters(path: Path) -> None:
    """Each filter finds as many packets as it should, and as many of those that it should find."""
    every = {one: len(numbers) for one, numbers in FILTERS.items()}
    for one, numbers in FILTERS.items():
        every[f"({one}) && ({' || '.join(f'frame.number == {at}' for at in numbers)})"] = len(numbers)
    said = shark.tshark(path, "-q", "-z", ",".join(("io,stat,0", *every)))
    counts = re.findall(r"\| *\d+\.\d+ <> +\d+\.\d+ *((?:\| *\d+ *)+)\|", said)
    assert [int(one) for one in re.findall(r"\d+", counts[0])][::2] == list(every.values())


def test_lines_read_like_those_of_a_replay(tmp_path: Path) -> None:
    """Each message is told as ``replay`` tells it: by another program, from the same tables."""
    rows = [row for row in recorded().rows if row[3] == RECEIVED][:LINES]
    lines = shark.information(shark.capture(tmp_path / "run.pcapng", rows))
    compared = 0
    for row, line in zip(rows, lines, strict=True):
        if not isinstance(frames.decode(row[4]), frames.DomctlReply | frames.Console | frames.ConsoleReply):
            words = tell(row[4], row[5])
            if "(malformed: " in words:  # an older version, which ``tell`` does not try
                assert "malformed" not in line
                continue
            assert line == words or (len(words) == CHARACTERS_MAX and line.startswith(words[:-3]))
            compared += 1
    assert compared > LINES // 2


def test_no_junk_makes_an_error_of_lua(tmp_path: Path) -> None:
    """Bits turned over, ends cut off, bytes at random: all of it is told somehow."""
    draw = random.Random(11)
    rows = [row for row in calls() if row[3] == RECEIVED]
    rows += [(1, "toolstack", "xen", RECEIVED, one, b"") for one in golden()]
    spoiled: list[Row] = []
    for number in range(JUNK):
        at_ns, node, peer, event, envelope, page = draw.choice(rows)
        which, parts = draw.randrange(3), [bytearray(envelope), bytearray(page)]
        part = parts[number % 2 if page else 0]
        if which == 0:
            for _ in range(3):
                part[draw.randrange(len(part))] ^= 1 << draw.randrange(8)
        elif which == 1:
            del part[draw.randrange(len(part)) :]
        else:
            part[:] = draw.randbytes(draw.randrange(200))
        spoiled.append(
            (at_ns, node, peer, draw.choice((event, LOST, NOTE)), bytes(parts[0]), bytes(parts[1]))
        )
    packets = shark.dissected(shark.capture(tmp_path / "junk.pcapng", spoiled))
    assert len(packets) == JUNK
    assert sum(packet.malformed for packet in packets) > JUNK // 2
    assert not any(name == "_ws.lua.error" for packet in packets for name, _ in packet.fields)


def test_what_python_refuses_as_an_envelope_is_malformed_and_what_it_takes_is_not(tmp_path: Path) -> None:
    draw = random.Random(5)
    envelopes = []
    for one in golden():
        for _ in range(12):
            spoiled = bytearray(one)
            spoiled[draw.randrange(len(one))] ^= 1 << draw.randrange(8)
            envelopes.append(bytes(spoiled))
    rows: list[Row] = [(0, "xen", "ivi#1", RECEIVED, one, b"") for one in envelopes]
    for envelope, packet in zip(
        envelopes, shark.dissected(shark.capture(tmp_path / "bits.pcapng", rows)), strict=True
    ):
        assert packet.malformed == (not _is_frame(envelope)), envelope.hex(" ")


def _is_frame(envelope: bytes) -> bool:
    try:
        frames.decode(without_identities(envelope))
    except frames.BadFrame:
        return False
    return True
