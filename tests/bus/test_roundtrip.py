"""A message that is written can be read again, and junk is the wrong size: every message, every version.

Everything runs over strategies made from the tables, so a new message is covered as soon as it has one.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import fields
from bus.fields import ANY_VERSION, Bits, Message, WrongSize
from bus.scmi import base, clock, header
from bus.scmi import status as scmi_status
from bus.scmi.protocol import fits
from bus.shmem import PAYLOAD_BYTES_MAX

from . import strategies

EVERY_MESSAGE = [
    pytest.param(cls, version, id=f"{cls.__module__.rpartition('.')[2]}-{cls.__name__}-{version:#x}")
    for cls, version in strategies.every_message()
]
BITS = {
    f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}.{row.name}": bits
    for cls, _ in strategies.every_message()
    for row in fields.fields_of(cls)
    for bits in (row.bits, *row.older.values())
    if bits is not None
}
FEW = settings(max_examples=25)


# ---- field tables -----------------------------------------------------------------------------


@pytest.mark.parametrize(("cls", "version"), EVERY_MESSAGE)
@FEW
@given(data=st.data())
def test_a_message_comes_back(cls: type[Message], version: int, data: st.DataObject) -> None:
    message = data.draw(strategies.messages(cls, version))
    payload = fields.encode(message, version)
    assert fields.decode(cls, payload, version) == message
    shape = fields.layout(cls, version)
    assert len(payload) >= shape.size
    assert shape.tail is not None or len(payload) == shape.size


@pytest.mark.parametrize(("cls", "version"), EVERY_MESSAGE)
@FEW
@given(junk=st.binary(max_size=120), stretch=st.integers(-4, 4))
def test_junk_is_a_message_or_the_wrong_size(
    cls: type[Message], version: int, junk: bytes, stretch: int
) -> None:
    exact = junk.ljust(fields.layout(cls, version).size, b"\0")
    for payload in (junk, exact, exact[: len(exact) + min(stretch, 0)] + bytes(max(stretch, 0))):
        try:
            message = fields.decode(cls, payload, version)
        except WrongSize:
            continue
        assert len(fields.encode(message, version)) == len(payload)


@pytest.mark.parametrize(("cls", "version"), EVERY_MESSAGE)
def test_a_byte_less_or_more_is_the_wrong_size(cls: type[Message], version: int) -> None:
    shape = fields.layout(cls, version)
    payload = bytes(shape.size)
    fields.decode(cls, payload, version)
    with pytest.raises(WrongSize):
        fields.decode(cls, payload + b"\0", version)
    if payload:
        with pytest.raises(WrongSize):
            fields.decode(cls, payload[:-1], version)


def test_a_count_beyond_the_payload_is_the_wrong_size() -> None:
    reply = fields.encode(clock.DescribeRatesReply(2, (1, 2)))
    for count in (0, 1, 3, 0xFFF):
        with pytest.raises(WrongSize):
            fields.decode(clock.DescribeRatesReply, count.to_bytes(4, "little") + reply[4:])


def test_a_value_out_of_range_is_refused_by_name() -> None:
    for message in (
        clock.RateGet(-1),
        clock.RateGet(1 << 32),
        clock.RateGetReply(1 << 64),
        clock.DescribeRatesReply(1, (1 << 64,)),
    ):
        with pytest.raises(ValueError, match=type(message).__name__):
            fields.encode(message)
    with pytest.raises(ValueError, match="2 items, its count differs"):
        fields.encode(clock.DescribeRatesReply(1, (1, 2)))


def test_a_long_name_is_cut_and_keeps_its_nul() -> None:
    payload = fields.encode(base.DiscoverVendorReply("x" * 40))
    assert payload == b"x" * 15 + b"\0"
    assert fields.encode(base.DiscoverVendorReply("é")) == b"?".ljust(16, b"\0")
    assert fields.decode(base.DiscoverVendorReply, b"\xff".ljust(16, b"\0")).vendor_identifier == "\\xff"


# ---- bits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", BITS.values(), ids=BITS)
@FEW
@given(data=st.data())
def test_bits_come_back(bits: Bits, data: st.DataObject) -> None:
    values = data.draw(strategies.words(bits))
    word = bits.pack(**values)
    assert bits.unpack(word) == values
    assert not word & bits.reserved
    assert all(bits.get(word | bits.reserved, name) == value for name, value in values.items())


def test_bits_refuse_what_does_not_fit() -> None:
    bits = Bits(high=(31, 30), low=0)
    assert bits.reserved == 0x3FFF_FFFE
    with pytest.raises(ValueError, match="high is 2 bits wide"):
        bits.pack(high=4)
    with pytest.raises(ValueError, match="no bits are named 'middle'"):
        bits.pack(middle=1)
    for rows in ({"a": 32}, {"a": (0, 1)}, {"a": (3, 0), "b": 3}):
        with pytest.raises(ValueError, match="overlap another row or leave the word"):
            Bits(**rows)


@pytest.mark.parametrize(("cls", "version"), EVERY_MESSAGE)
def test_each_reserved_bit_is_seen_and_no_other(cls: type[Message], version: int) -> None:
    shape = fields.layout(cls, version)
    empty = fields.decode(cls, bytes(shape.size), version)
    for row in shape.rows:
        bits = row.bits_at(version)
        for at in range(32 if bits is not None else 0):
            values = {name: getattr(empty, name) for name in cls.__struct_fields__}
            message = cls(**{**values, row.name: 1 << at})
            assert bits is not None
            expected = row.name if bits.reserved >> at & 1 else None
            assert fields.reserved_bits_set(message, version) == expected


def test_older_bits_hold_below_their_version_only() -> None:
    unchanged = clock.ConfigSet(0, 3, 0)
    assert fields.reserved_bits_set(unchanged, 0x20000) == "attributes"
    assert fields.reserved_bits_set(unchanged, 0x2FFFF) == "attributes"
    assert fields.reserved_bits_set(unchanged, 0x30000) is None
    assert fields.reserved_bits_set(unchanged, ANY_VERSION) == "attributes"


@pytest.mark.parametrize("cls", [clock.DescribeRatesReply, clock.PossibleParentsGetReply])
@given(room=st.integers(0, PAYLOAD_BYTES_MAX))
def test_what_fits_can_be_sent(cls: type[Message], room: int) -> None:
    count = fits(cls, room)
    tail = fields.layout(cls).tail
    assert tail is not None
    word, items = cls.__struct_fields__
    message = cls(**{word: count, items: (0,) * count})
    size = scmi_status.STATUS_BYTES + len(fields.encode(message))
    assert not count or size <= room
    assert count == fields.count_max(tail) or size + {"I": 4, "Q": 8}[tail.code] > room


def test_what_fits_of_a_padded_list_counts_its_padding() -> None:
    assert [fits(base.DiscoverListProtocolsReply, 8 + room) for room in (0, 3, 4, 7, 8)] == [0, 0, 4, 4, 8]
    assert fits(clock.RateGetReply, 100) == 0


# ---- the header and the status ----------------------------------------------------------------


@given(st.integers(0, 0xFF), st.integers(0, 0xFF), st.integers(0, 0x3FF), st.sampled_from(header.MessageType))
def test_a_header_comes_back(protocol: int, message: int, token: int, kind: header.MessageType) -> None:
    word = header.pack(protocol, message, token, kind)
    assert word >> 28 == 0
    parts = (header.protocol_id, header.message_id, header.token, header.message_type)
    assert [part(word) for part in parts] == [protocol, message, token, kind]


@given(st.binary(max_size=12))
def test_a_status_is_read_or_too_short(payload: bytes) -> None:
    if len(payload) < 4:
        with pytest.raises(ValueError, match="at least 4 payload bytes"):
            scmi_status.read(payload)
    else:
        code = scmi_status.read(payload)
        assert payload[:4] == code.to_bytes(4, "little", signed=True)
        assert scmi_status.name(code)


def test_every_status_number_has_a_name() -> None:
    assert scmi_status.name(-3) == "DENIED"
    assert [scmi_status.name(code) for code in (-12, -127, 1)] == [
        "RESERVED(-12)",
        "RESERVED(-127)",
        "RESERVED(1)",
    ]
    assert scmi_status.name(-128) == "VENDOR(-128)"
