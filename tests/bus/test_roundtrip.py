"""A message that is written can be read again, and junk is the wrong size: every message, every version.

Everything runs over strategies made from the tables, so a new message is covered as soon as it has one.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import fields
from bus.fields import ANY_VERSION, Bits, Message, WrongSize
from bus.scmi import base, clock, header, perf, pinctrl, powercap, sensor, voltage
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
    assert shape.tail is not None or shape.dynamic or len(payload) == shape.size


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
@FEW
@given(data=st.data())
def test_a_byte_less_or_more_is_the_wrong_size(cls: type[Message], version: int, data: st.DataObject) -> None:
    payload = fields.encode(data.draw(strategies.messages(cls, version)), version)
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


def test_conditions_decide_which_fields_a_structure_has() -> None:
    """The bits 8 of the two attribute words: 28 bytes, 32 with axes, 52 for a scalar sensor."""
    for low, high, size in ((0, 0, 28), (1 << 8, 1 << 8, 32), (1 << 8, 0, 52), (0, 1 << 8, 28)):
        head = sensor.SensorDescriptor(1, low, high, "s", 0, 0, 0, 0)
        assert len(fields.encode(head, 0x30001)) == size
        assert len(fields.encode(head, 0x10000)) == 28
        assert fields.decode(sensor.SensorDescriptor, bytes(4) + fields.encode(head, 0x30001)[4:], 0x30001)
    short = fields.encode(sensor.SensorDescriptor(1, 1 << 8, 0, "s", 0, 0, 0, 0), 0x30001)[:28]
    with pytest.raises(WrongSize, match="SensorDescriptor ends before power"):
        fields.decode(sensor.SensorDescriptor, short, 0x30001)


def test_what_a_condition_leaves_out_is_not_sent() -> None:
    """A value of a field that is not there is lost, and comes back empty."""
    told = sensor.SensorDescriptor(1, 0, 0, "s", 7, 8, -9, 10)
    assert fields.decode(sensor.SensorDescriptor, fields.encode(told)) == sensor.SensorDescriptor(
        1, 0, 0, "s", 0, 0, 0, 0
    )


def test_an_array_without_a_count_takes_the_rest() -> None:
    reading = sensor.SensorReading(-1, 2)
    for count in (0, 1, 3):
        reply = sensor.ReadingGetReply((reading,) * count)
        payload = fields.encode(reply, 0x20000)
        assert len(payload) == 16 * count
        assert fields.decode(sensor.ReadingGetReply, payload, 0x20000) == reply


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
    empty = {row.name: row.empty for row in fields.fields_of(cls)}
    for row in shape.rows:
        bits = row.bits_at(version)
        for at in range(32 if bits is not None else 0):
            message = cls(**{**empty, row.name: 1 << at})
            assert bits is not None
            expected = row.name if bits.reserved >> at & 1 else None
            assert fields.reserved_bits_set(message, version) == expected


def test_older_bits_hold_below_their_version_only() -> None:
    unchanged = clock.ConfigSet(0, 3, 0)
    assert fields.reserved_bits_set(unchanged, 0x20000) == "attributes"
    assert fields.reserved_bits_set(unchanged, 0x2FFFF) == "attributes"
    assert fields.reserved_bits_set(unchanged, 0x30000) is None
    assert fields.reserved_bits_set(unchanged, ANY_VERSION) == "attributes"


@pytest.mark.parametrize(
    ("cls", "version", "item_bytes", "in_100_bytes"),
    [
        (clock.DescribeRatesReply, 0x30000, 8, 11),
        (clock.PossibleParentsGetReply, 0x30000, 4, 23),
        (voltage.DescribeLevelsReply, 0x20001, 4, 23),
        (perf.DescribeLevelsReply, 0x40000, 20, 4),
        (perf.DescribeLevelsReply, 0x30000, 12, 7),
        (sensor.DescriptionGetReply, 0x10000, 28, 3),
        (sensor.DescriptionGetReply, 0x30001, 52, 1),
        (sensor.ListUpdateIntervalsReply, 0x30001, 4, 23),
        (powercap.CpcAttributesReply, 0x30000, 48, 1),
        (pinctrl.SettingsGetReply, 0x10000, 8, 11),
    ],
)
@given(room=st.integers(0, PAYLOAD_BYTES_MAX))
def test_what_fits_can_be_sent(
    cls: type[Message], version: int, item_bytes: int, in_100_bytes: int, room: int
) -> None:
    assert fits(cls, 100, version) == in_100_bytes
    count = fits(cls, room, version)
    shape = fields.layout(cls, version)
    assert shape.tail is not None
    size = scmi_status.STATUS_BYTES + shape.size + count * item_bytes
    assert not count or size <= room
    assert count == fields.count_max(shape.tail) or size + item_bytes > room


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
