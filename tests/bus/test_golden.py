"""Every message, envelope and page against bytes that were put together by hand.

A round trip passes when encoder and decoder share a mistake; these tests do not. The last ones see to
it that nothing is without its golden bytes.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from bus import fields, frames, shmem
from bus.fields import Message
from bus.scmi import PROTOCOLS, header, sensor
from bus.scmi.protocol import (
    NEGOTIATE_PROTOCOL_VERSION,
    PROTOCOL_MESSAGE_ATTRIBUTES,
    PROTOCOL_VERSION,
    AnyCommand,
    Nothing,
    Protocol,
)
from bus.scmi.status import STATUS_BYTES, Status, read

GOLDEN = Path(__file__).parent / "golden"
COMMON = (PROTOCOL_VERSION, PROTOCOL_MESSAGE_ATTRIBUTES, NEGOTIATE_PROTOCOL_VERSION)
STATUS_FIRST = ("reply", "delayed")
Golden = dict[str, Any]


def load(name: str) -> Any:
    return yaml.safe_load((GOLDEN / f"{name}.yaml").read_text(encoding="utf-8"))


def plain(value: Any) -> Any:
    """A value of a golden file as the codec takes it: lists are tuples, {hex: ...} are bytes."""
    if isinstance(value, list):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict) and value.keys() == {"hex"}:
        return bytes.fromhex(value["hex"])
    return value


# ---- SCMI messages ----------------------------------------------------------------------------


Table = dict[tuple[str, str], type[Message]]


def classes(protocol: Protocol | None, version: int) -> Table:
    """(name, part) -> message class, of one protocol's own messages or (None) of the common ones."""
    commands: tuple[AnyCommand, ...] = COMMON if protocol is None else protocol.commands
    found: Table = {}
    for command in commands:
        if command.since > version:
            continue
        found[command.name, "request"] = command.request_at(version)
        found[command.name, "reply"] = command.reply_at(version)
        delayed = command.delayed_at(version)
        if delayed is not None:
            found[command.name, "delayed"] = delayed
    for row in protocol.notifications if protocol else ():
        if row.since <= version:
            found[row.name, "notification"] = row.payload
    return found


def structures(protocol: Protocol) -> dict[str, type[Message]]:
    """The structures inside the newest messages of a protocol, by name."""
    messages = classes(protocol, protocol.version).values()
    items = [row.item for cls in messages for row in fields.fields_of(cls) if row.item is not None]
    return {item.__name__: item for item in items}


def versions(golden: Golden) -> list[int]:
    every = sorted({version for protocol in PROTOCOLS for version in protocol.versions})
    return every if golden["versions"] == "all" else list(golden["versions"])


FILES: dict[str, Protocol | None] = {"common": None, **{protocol.key: protocol for protocol in PROTOCOLS}}
MESSAGES = [
    pytest.param(
        classes(protocol, version)[golden["name"], golden["part"]],
        golden,
        version,
        id=f"{key}-{golden['name']}-{golden['part']}-{version:#x}",
    )
    for key, protocol in FILES.items()
    for golden in load(key)
    for version in versions(golden)
]


def build(cls: type[Message], values: Golden) -> Message:
    """The message with ``values``; a field that is not there is what a decoder leaves in its place."""
    built = {row.name: row.empty for row in fields.fields_of(cls)}
    for row in fields.fields_of(cls):
        if row.name in values and row.item is not None:
            item = row.item
            built[row.name] = tuple(build(item, inner) for inner in values[row.name])
        elif row.name in values:
            built[row.name] = plain(values[row.name])
    return cls(**built)


@pytest.mark.parametrize(("cls", "golden", "version"), MESSAGES)
def test_a_message_is_these_bytes(cls: type[Message], golden: Golden, version: int) -> None:
    payload = bytes.fromhex(golden["hex"])
    if golden["part"] in STATUS_FIRST:
        assert payload[:STATUS_BYTES] == Status.SUCCESS.word
        payload = payload[STATUS_BYTES:]
    message = build(cls, golden["fields"])
    assert [row.name for row in fields.layout(cls, version).rows] == list(golden["fields"])
    assert fields.encode(message, version) == payload
    assert fields.decode(cls, payload, version) == message


@pytest.mark.parametrize(("cls", "golden", "version"), MESSAGES)
def test_a_golden_message_breaks_no_rule_on_reserved_bits(
    cls: type[Message], golden: Golden, version: int
) -> None:
    message = build(cls, golden["fields"])
    inner = [item for row in fields.fields_of(cls) if row.item for item in getattr(message, row.name)]
    if golden["name"] != "PROTOCOL_MESSAGE_ATTRIBUTES":
        assert not [one for one in (message, *inner) if fields.reserved_bits_set(one, version)]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.key)
def test_every_message_has_golden_bytes_at_every_version(protocol: Protocol) -> None:
    wanted = {
        (name, part, version) for version in protocol.versions for name, part in classes(protocol, version)
    }
    there = {(one["name"], one["part"], version) for one in load(protocol.key) for version in versions(one)}
    assert there == wanted


def test_golden_descriptors_come_in_every_size() -> None:
    """As in version 1, with and without extended attributes, with axes; with items of one list unlike."""
    sizes: dict[int, set[int]] = {}
    for golden in load("sensor"):
        if (golden["name"], golden["part"]) == ("SENSOR_DESCRIPTION_GET", "reply"):
            for version in golden["versions"]:
                reply = build(sensor.DescriptionGetReply, golden["fields"])
                assert isinstance(reply, sensor.DescriptionGetReply)
                each = {len(fields.encode(item, version)) for item in reply.desc}
                sizes[version] = sizes.get(version, set()) | each
    assert sizes.pop(0x10000) == {28}
    assert sorted(sizes) == [0x20000, 0x30000, 0x30001]
    assert list(sizes.values()) == [{28, 32, 52}] * 3


def test_the_common_messages_have_golden_bytes() -> None:
    assert {(golden["name"], golden["part"]) for golden in load("common")} == set(classes(None, 0))


def test_every_command_of_every_protocol_is_either_its_own_or_common() -> None:
    for protocol in PROTOCOLS:
        wanted = sorted((*protocol.commands, *COMMON), key=lambda row: row.id)
        assert list(protocol.every_command()) == wanted


def test_nothing_is_no_bytes() -> None:
    assert fields.encode(Nothing()) == b""
    assert fields.decode(Nothing, b"") == Nothing()


# ---- the catalogue ----------------------------------------------------------------------------

CATALOGUE = load("catalogue")


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.key)
def test_the_numbers_of_a_protocol_are_these(protocol: Protocol) -> None:
    golden = CATALOGUE[protocol.key]
    assert protocol.id == golden["id"]
    assert {
        row.name: [row.id, "M" if row.mandatory else "O", row.since] for row in protocol.commands
    } == golden["commands"]
    assert {row.name: [row.id, row.enabled_by] for row in protocol.notifications} == golden["notifications"]


def test_the_common_numbers_are_these() -> None:
    assert {row.name: (row.id, row.mandatory) for row in COMMON} == {
        "PROTOCOL_VERSION": (0x0, True),
        "PROTOCOL_MESSAGE_ATTRIBUTES": (0x2, True),
        "NEGOTIATE_PROTOCOL_VERSION": (0x10, False),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.key)
def test_the_bits_of_a_protocol_are_these(protocol: Protocol) -> None:
    """``below`` is the version that the bits held before; 0 is for those that hold now."""
    golden = {
        (row["in"], row["part"], row["field"], row["below"]): row["bits"]
        for row in CATALOGUE[protocol.key]["bits"]
    }
    there = {}
    tables = {**classes(protocol, protocol.version)}
    tables.update(((name, "structure"), cls) for name, cls in structures(protocol).items())
    for (name, part), cls in tables.items():
        for row in fields.fields_of(cls):
            for below, bits in ((0, row.bits), *row.older.items()):
                if bits is not None:
                    rows = {bit: list(span) for bit, span in bits.rows.items()}
                    there[name, part, row.name, below] = rows
    assert there == golden


# ---- words ------------------------------------------------------------------------------------

WORDS = load("words")


@pytest.mark.parametrize("row", WORDS["headers"], ids=lambda row: hex(row["word"]))
def test_a_header_is_this_word(row: Golden) -> None:
    word, kind = row["word"], row["type"]
    assert header.pack(row["protocol"], row["message"], row["token"], kind) == word
    assert header.protocol_id(word) == row["protocol"]
    assert header.message_id(word) == row["message"]
    assert header.token(word) == row["token"]
    assert header.message_type(word) == kind
    parts = {"protocol_id": row["protocol"], "message_id": row["message"], "token": row["token"]}
    assert header.HEADER.pack(message_type=kind, **parts) == word


def test_every_status_is_this_word() -> None:
    assert {status.name: int(status) for status in Status} == {
        name: row["code"] for name, row in WORDS["statuses"].items()
    }
    for name, row in WORDS["statuses"].items():
        assert Status[name].word == bytes.fromhex(row["hex"])
        assert read(bytes.fromhex(row["hex"])) == row["code"]


# ---- the shared-memory page -------------------------------------------------------------------

PAGES: dict[str, Golden] = {page["name"]: page for page in WORDS["pages"]}
WITH_MESSAGE = [page for page in PAGES.values() if "header" in page]


def test_an_idle_and_a_failed_page_are_these_bytes() -> None:
    assert bytes.fromhex(PAGES["idle"]["hex"]) == shmem.IDLE
    assert bytes.fromhex(PAGES["failed"]["hex"]) == shmem.FAILED


@pytest.mark.parametrize("page", WITH_MESSAGE, ids=lambda page: page["name"])
def test_a_page_is_these_bytes(page: Golden) -> None:
    content, payload = bytes.fromhex(page["hex"]), plain(page["payload"])
    if page["status"] & shmem.FREE:
        assert shmem.reply(page["header"], payload) == content
    else:
        assert shmem.request(page["header"], payload, page["flags"]) == content
    assert shmem.read_message(content) == (page["header"], payload)
    assert shmem.status_of(content) == page["status"]
    assert shmem.fields(content) == (page["status"], page["flags"], 4 + len(payload), page["header"])


def test_the_status_is_where_the_page_says() -> None:
    assert (shmem.STATUS_AT, shmem.FLAGS_AT, shmem.LENGTH_AT, shmem.HEADER_AT) == (4, 0x10, 0x14, 0x18)
    assert (shmem.PAYLOAD_AT, shmem.PAYLOAD_BYTES_MAX) == (0x1C, 4068)


# ---- envelopes --------------------------------------------------------------------------------

FRAMES = [
    pytest.param(golden, id=f"{at}-{golden['frame']}-{next(iter(golden['fields'].get('op', {'': 0})))}")
    for at, golden in enumerate(load("frames"))
]


def frame_of(golden: Golden) -> frames.Frame:
    values = {name: plain(value) for name, value in golden["fields"].items()}
    for name, keys in golden["fields"].get("op", {}).items():
        values["op"] = getattr(frames, name)(**keys)
    rows = golden["fields"].get("domains")
    if rows:
        values["domains"] = tuple(
            frames.DomainInfo(**{name: plain(value) for name, value in row.items()}) for row in rows
        )
    cls: type[frames.Frame] = getattr(frames, golden["frame"])
    return cls(version=1, request=golden["request"], cause=golden["cause"], **values)


@pytest.mark.parametrize("golden", FRAMES)
def test_an_envelope_is_these_bytes(golden: Golden) -> None:
    frame, envelope = frame_of(golden), bytes.fromhex(golden["hex"])
    assert frames.encode(frame) == envelope
    assert frames.decode(envelope) == frame


def test_every_frame_and_every_operation_has_golden_bytes() -> None:
    rows = load("frames")
    assert {row["frame"] for row in rows} == {cls.__name__ for cls in frames.FRAME_TYPES}
    assert {cls.__name__ for cls in frames.FRAME_TYPES} == {cls.__name__ for cls in frames.AnyFrame.__args__}
    operations = {next(iter(row["fields"]["op"])) for row in rows if "op" in row["fields"]}
    assert operations == {cls.__name__ for cls in frames.Op.__args__}


def test_kind_numbers_are_the_tags_in_order() -> None:
    tags = [cls.__struct_config__.tag for cls in frames.FRAME_TYPES]
    assert tags == list(range(1, len(frames.FRAME_TYPES) + 1))
    for cls in frames.FRAME_TYPES:
        assert msgspec.structs.fields(cls)[:3] == msgspec.structs.fields(frames.Frame)
