"""Envelopes: ours are read by others and theirs by us; whatever is none is one BadFrame and nothing else."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import frames

from . import strategies


@pytest.mark.parametrize("cls", frames.FRAME_TYPES, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_an_envelope_comes_back_and_others_can_read_it(cls: type[frames.Frame], data: st.DataObject) -> None:
    frame = data.draw(strategies.frame(cls))
    envelope = frames.encode(frame)
    assert frames.decode(envelope) == frame
    items = msgpack.unpackb(envelope)
    assert items[:4] == [cls.__struct_config__.tag, 1, frame.request, frame.cause]
    assert len(items) == 1 + len(cls.__struct_fields__)
    assert frames.decode(msgpack.packb(items)) == frame


@given(st.binary(max_size=300))
def test_junk_is_no_envelope(junk: bytes) -> None:
    _frame_or_bad(junk)


@given(strategies.any_frame(), st.data())
def test_a_damaged_envelope_is_a_frame_or_bad(frame: frames.Frame, data: st.DataObject) -> None:
    envelope = bytearray(frames.encode(frame))
    at = data.draw(st.integers(0, len(envelope) - 1))
    envelope[at] ^= data.draw(st.integers(1, 255))
    _frame_or_bad(bytes(envelope))
    _frame_or_bad(bytes(envelope[:at]))


PACKABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.integers(0, 15), st.integers(0, 2), st.lists(PACKABLE, max_size=8))
def test_what_somebody_else_packs_is_a_frame_or_bad(kind: int, version: int, rest: list[object]) -> None:
    _frame_or_bad(msgpack.packb([kind, version, *rest]))


def _frame_or_bad(envelope: bytes) -> None:
    try:
        frame = frames.decode(envelope)
    except frames.BadFrame:
        return
    assert frames.decode(frames.encode(frame)) == frame


UNDEF = [5, 1, 0, 0]
TRAP = [3, 1, 7, 7, 0x17, 0, [0] * 8, 0]
CREATE = {"type": "createdomain", "name": "ivi"}
BAD = {
    "nothing": [],
    "unknown kind": [99, 1, 0, 0],
    "kind zero": [0, 1, 0, 0],
    "bool for a kind": [True, 1, 0, 0, "guest"],
    "an older version": [5, 0, 0, 0],
    "a newer version": [5, 2, 0, 0],
    "bool for a version": [5, True, 0, 0],
    "an item too few": [5, 1, 0],
    "an item too many": [*UNDEF, 0],
    "a register too few": [*TRAP[:6], [0] * 7, 0],
    "a register too many": [*TRAP[:6], [0] * 9, 0],
    "a negative register": [*TRAP[:6], [-1] * 8, 0],
    "a float": [5, 1, 1.0, 0],
    "an exception class that is no call": [3, 1, 7, 7, 0x15, 0, [0] * 8, 0],
    "an exception class of none": [3, 1, 7, 7, 0, 0, [0] * 8, 0],
    "a wide word": [3, 1, 7, 7, 0x17, 1 << 32, [0] * 8, 0],
    "an empty name": [1, 1, 0, 0, ""],
    "a long name": [1, 1, 0, 0, "x" * 65],
    "bytes for a name": [1, 1, 0, 0, b"guest"],
    "a long cluster": [1, 1, 0, 0, "c", bytes(17), 1],
    "text for a cluster": [1, 1, 0, 0, "c", "0" * 16, 1],
    "a wide incarnation": [1, 1, 0, 0, "c", bytes(16), 1 << 32],
    "an item more than Hello has": [1, 1, 0, 0, "c", bytes(16), 1, 0],
    "text for bytes": [12, 1, 0, 0, 0, "text"],
    "a long body": [12, 1, 0, 0, 0, bytes(8193)],
    "a map": {"kind": 5},
    "an unknown operation": [9, 1, 0, 0, {"type": "reboot"}],
    "an operation without its name": [9, 1, 0, 0, {"domid": 1}],
    "a key too many": [9, 1, 0, 0, {**CREATE, "arm_sci_agentid": 3}],
    "a key too few": [9, 1, 0, 0, {"type": "destroydomain"}],
    "an agent id too big": [9, 1, 0, 0, {**CREATE, "arm_sci_agent_id": 256}],
}


@pytest.mark.parametrize("items", BAD.values(), ids=BAD)
def test_an_envelope_just_outside_the_rules_is_bad(items: object) -> None:
    with pytest.raises(frames.BadFrame):
        frames.decode(msgpack.packb(items))


RAW = {
    "no bytes": b"",
    "bytes behind": b"\x94\x05\x01\x00\x00\x00",
    "an array that never comes": b"\xdd\xff\xff\xff\xff",
    "domains that never come": b"\x98\x0a\x01\x00\x00\x00\x00\xa0\xdd\xff\xff\xff\xff",
    "an extension": b"\x95\x09\x01\x00\x00\xd4\x01\x02",
    "bad UTF-8": b"\x95\x01\x01\x00\x00\xa2\xff\xfe",
    "nesting without end": b"\x95\x09\x01\x00\x00\x82\xa1a" + b"\x91" * 60_000,
    "too long": b"\x95\x0d\x01\x00\x00\xc6\x00\x01\x00\x00" + bytes(65_536),
}


@pytest.mark.parametrize("envelope", RAW.values(), ids=RAW)
def test_an_envelope_made_to_hurt_is_bad(envelope: bytes) -> None:
    with pytest.raises(frames.BadFrame):
        frames.decode(envelope)


def test_the_same_rules_let_their_edges_through() -> None:
    assert frames.decode(msgpack.packb(UNDEF)) == frames.Undef(1, 0, 0)
    assert frames.decode(msgpack.packb(TRAP)).ec == 0x17
    assert frames.decode(msgpack.packb([1, 1, 0, 0, "é" * 64])).role == "é" * 64
    assert frames.decode(msgpack.packb([1, 1, 0, 0, "c"])) == frames.Hello(1, 0, 0, "c", b"", 0)
    assert frames.decode(msgpack.packb([1, 1, 0, 0, "c", bytes(16), 7])).incarnation == 7
    assert frames.decode(msgpack.packb([2, 1, 0, 0, 3, "ivi"])).cluster == b""
    assert len(frames.decode(msgpack.packb([12, 1, 0, 0, 0, bytes(8192)])).body) == 8192
    assert frames.decode(msgpack.packb([9, 1, 0, 0, CREATE])).op == frames.CreateDomain("ivi")
    widest = b"\x94\xcf\0\0\0\0\0\0\0\x05\xcf\0\0\0\0\0\0\0\x01\xcd\0\x07\xd2\0\0\0\x07"
    assert frames.decode(widest) == frames.Undef(1, 7, 7)


def test_an_envelope_of_exactly_the_limit_is_read() -> None:
    full = b"\x95\x01\x01\x00\x00\xdb"
    with pytest.raises(frames.BadFrame, match="length <= 64"):
        frames.decode(full + (65_536 - 10).to_bytes(4, "big") + b"x" * (65_536 - 10))
    with pytest.raises(frames.BadFrame, match="the limit is 65536"):
        frames.decode(full + (65_536 - 9).to_bytes(4, "big") + b"x" * (65_536 - 9))


def test_we_are_told_when_we_ask_for_what_msgpack_cannot_carry() -> None:
    with pytest.raises(OverflowError):
        frames.encode(frames.Return(1, 1, 1, (1 << 64, 0, 0, 0)))
