"""Which protocols are known, and what a vendor's table must satisfy to be one of them."""

from typing import Annotated

import msgspec
import pytest

from bus import fields
from bus.fields import Field, Message, array, char, structures, u32
from bus.scmi import BY_KEY, PROTOCOLS, header, trace
from bus.scmi.header import MessageType
from bus.scmi.protocol import Command, Nothing, Notification, Protocol, Variant
from bus.scmi.tables import STANDARD, Tables
from bus.scmi.wellformed import problem

from .vendor import ATTRIBUTES, FAN, SPEED_SET, STOPPED, SpeedSet, Stopped, fan


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.key)
def test_the_protocols_of_the_specification_are_well_formed(protocol: Protocol) -> None:
    assert problem(protocol) is None
    assert STANDARD.by_id(protocol.id) is protocol
    assert STANDARD.by_key(protocol.key) is protocol


def test_a_vendor_protocol_is_known_where_it_was_added_only() -> None:
    more = STANDARD.with_more([FAN])
    assert more.protocols == (*PROTOCOLS, FAN)
    assert (more.by_id(0x81), more.by_key("fan")) == (FAN, FAN)
    assert (STANDARD.by_id(0x81), STANDARD.by_key("fan")) == (None, None)
    assert more.by_key("clock") is BY_KEY["clock"]


def test_a_header_names_a_row() -> None:
    more = STANDARD.with_more([FAN])
    assert more.command(header.pack(0x81, 0x3)) is SPEED_SET
    assert more.command(header.pack(0x81, 0x0)) is not None
    assert more.command(header.pack(0x81, 0x4)) is None
    assert more.notification(header.pack(0x81, 0x0, 0, MessageType.NOTIFICATION)) is STOPPED
    assert more.notification(header.pack(0x81, 0x1, 0, MessageType.NOTIFICATION)) is None
    assert STANDARD.command(header.pack(0x81, 0x3)) is None
    assert STANDARD.notification(header.pack(0x81, 0x0)) is None


def test_a_vendor_protocol_is_traced_by_its_table() -> None:
    more = STANDARD.with_more([FAN])
    payload = fields.encode(SpeedSet(2, 1200))
    head = header.pack(0x81, 0x3)
    assert trace.request_line(head, payload, more) == "fan.FAN_SPEED_SET(fan_id=2, speed=1200)"
    assert trace.request_line(head, payload) == "0x81.0x03(02000000b0040000)"
    assert trace.reply_line(header.pack(0x81, 0x1), bytes(4) + b"\3\0\0\0", more) == (
        "SUCCESS(attributes=0x3[num_fans=3])"
    )
    told = header.pack(0x81, 0x0, 0, MessageType.NOTIFICATION)
    assert trace.notification_line(told, fields.encode(Stopped(0, 2)), more) == (
        "fan.FAN_STOPPED(agent_id=0, fan_id=2)"
    )


class Uncounted(Message, frozen=True):
    """Its array is counted by a field that is not there."""

    items: Annotated[tuple[int, ...], array("I", "num[7:0]")]


class NotLast(Message, frozen=True):
    """Its array has a field behind it."""

    num: Annotated[int, u32()]
    items: Annotated[tuple[int, ...], array("I", "num")]
    after: Annotated[int, u32()]


class Bare(Message, frozen=True):
    """Its field says nothing of its kind."""

    number: int


class Unfounded(Message, frozen=True):
    """Its condition is about a field that comes later."""

    name: Annotated[str, char(16, when="flags[0]")]
    flags: Annotated[int, u32()]


class Nested(Message, frozen=True):
    """The structure inside is the broken one."""

    num: Annotated[int, u32()]
    items: Annotated[tuple[Unfounded, ...], structures(Unfounded, "num")]


class Strange(Message, frozen=True):
    """Its field is of a kind that nobody can pack."""

    number: Annotated[int, Field("?!")]


def command(cls: type[Message]) -> Command[Message, Nothing]:
    return Command(0x5, "FAN_BROKEN", cls, Nothing)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (fan(key="Fan"), "key 'Fan': a key is lower-case"),
        (fan(key=""), "key '': a key is lower-case"),
        (fan(versions=()), "versions: give at least one"),
        (fan(versions=(0x20000, 0x10000)), "the oldest first"),
        (fan(versions=(0x10000, 0x10000)), "each once"),
        (fan(commands=(SPEED_SET,)), "PROTOCOL_ATTRIBUTES \\(0x1\\) is missing"),
        (fan(commands=(*FAN.commands, SPEED_SET)), "id 0x3 is that of FAN_SPEED_SET"),
        (fan(commands=(*FAN.commands, Command(0x9, SPEED_SET.name, SpeedSet, Nothing))), "of this name"),
        (fan(commands=(*FAN.commands, Command(0x2, "FAN_ASK", SpeedSet, Nothing))), "MESSAGE_ATTRIBUTES"),
        (fan(commands=(*FAN.commands, Command(0x100, "FAN_FAR", SpeedSet, Nothing))), "0x100 is not a byte"),
        (fan(commands=(*FAN.commands, Command(0x9, "fan set", SpeedSet, Nothing))), "command 'fan set'"),
        (fan(commands=(ATTRIBUTES,)), "FAN_STOPPED: enabled by FAN_SPEED_SET, which is no command"),
        (fan(notifications=(STOPPED, Notification(0, "FAN_GONE", Stopped, "FAN_SPEED_SET"))), "is that of"),
        (fan(notifications=(msgspec.structs.replace(STOPPED, payload=Bare),)), "FAN_STOPPED: Bare.number"),
        (fan(commands=(*FAN.commands, command(Uncounted))), "Uncounted.items depends on 'num'"),
        (fan(commands=(*FAN.commands, command(NotLast))), "a counted array must be the last field"),
        (fan(commands=(*FAN.commands, command(Bare))), "Bare.number has no field kind"),
        (fan(commands=(*FAN.commands, command(Unfounded))), "Unfounded.name depends on 'flags'"),
        (fan(commands=(*FAN.commands, command(Nested))), "FAN_BROKEN: Unfounded.name depends on 'flags'"),
        (fan(commands=(*FAN.commands, command(Strange))), "FAN_BROKEN: bad char in struct format"),
        (
            fan(
                commands=(
                    *FAN.commands,
                    Command(0x5, "FAN_OLD", Nothing, Nothing, older={0x20000: Variant(reply=Bare)}),
                )
            ),
            "FAN_OLD: Bare.number has no field kind",
        ),
    ],
)
def test_a_broken_table_is_refused_with_its_reason(broken: Protocol, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        STANDARD.with_more([broken])


@pytest.mark.parametrize("number", [0x1A, 0x7F])
def test_ids_of_the_specification_are_not_a_vendor_s(number: int) -> None:
    with pytest.raises(ValueError, match=f"fan: id {number:#x} is not a vendor's; take one of 0x80 to 0xff"):
        STANDARD.with_more([fan(id=number)])
    assert problem(fan(id=0xF)) == "id 0xf: a protocol's id is 0x10 to 0xff"
    for allowed in (0x80, 0xFF):
        assert STANDARD.with_more([fan(id=allowed)]).by_id(allowed) is not None


def test_two_protocols_cannot_share_an_id_or_a_key() -> None:
    with pytest.raises(ValueError, match="two protocols share an id or a key"):
        STANDARD.with_more([FAN, fan(key="blower")])
    with pytest.raises(ValueError, match="two protocols share an id or a key"):
        STANDARD.with_more([fan(key="clock")])
    assert Tables([]).protocols == ()
