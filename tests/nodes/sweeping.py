"""Near-valid messages, derived from a command's table: each differs from a valid one in one thing.

The status that each must get is computed from the refusal ladder and the profile's facts; nothing is
listed by hand. What is beyond the ladder (a number at the edge of its range) must get a status that the
command's own table declares.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from bus.fields import Message, encode, fields_of, layout
from bus.scmi import header
from bus.scmi.protocol import AnyCommand, Protocol
from bus.scmi.status import Status
from nodes.firmware.profile import FirmwareProfile

UNKNOWN_ID = 0xFFF0
EDGES = {"I": (0, 1, 2, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF), "Q": (0, 1, (1 << 64) - 1),
         "i": (-(1 << 31), -1, 0, 1, (1 << 31) - 1), "q": (-(1 << 63), -1, 0, 1, (1 << 63) - 1)}  # fmt: skip
ANY_COMMAND = frozenset({Status.SUCCESS, Status.INVALID_PARAMETERS, Status.DENIED, Status.NOT_FOUND})


class Case(msgspec.Struct, frozen=True):
    """One message and the statuses of which it must get one."""

    name: str
    head: int
    payload: bytes
    wanted: frozenset[Status]


def one(status: Status) -> frozenset[Status]:
    return frozenset({status})


def cases(
    protocol: Protocol, command: AnyCommand, valid: Message | None, version: int, profile: FirmwareProfile
) -> Iterator[Case]:
    """Every near-valid message of a command that the firmware serves at ``version``."""
    head = header.pack(protocol.id, command.id, 5)
    payload = encode(valid, version) if valid is not None else b""
    yield from _shapes(head, payload, profile)
    if valid is None:
        return
    yield from _resources(protocol, command, valid, version, profile)
    yield from _reserved(head, valid, version)
    yield from _numbers(head, command, valid, version)


def _shapes(head: int, payload: bytes, profile: FirmwareProfile) -> Iterator[Case]:
    refused = one(Status.PROTOCOL_ERROR)
    for kind in (1, 2, 3):
        wrong = head | header.HEADER.pack(message_type=kind)
        yield Case(f"type {kind}", wrong, payload, one(profile.wrong_type))
    for shorter in sorted({1, 4, len(payload)}):
        if 0 < shorter <= len(payload):
            yield Case(f"{shorter} bytes short", head, payload[:-shorter], refused)
    if profile.payload == "exact":
        for longer in (1, 4):
            yield Case(f"{longer} bytes long", head, payload + bytes(longer), refused)


def _resources(
    protocol: Protocol, command: AnyCommand, valid: Message, version: int, profile: FirmwareProfile
) -> Iterator[Case]:
    row = command.resource
    if row is None:
        return
    head = header.pack(protocol.id, command.id, 5)
    status = profile.unknown_resource.get(protocol.id, Status.NOT_FOUND)
    for wild in (UNKNOWN_ID, 0x1_0000, 0xFFFF_FFFF):
        changed = _with(valid, row.name, wild)
        yield Case(f"{row.name} {wild:#x}", head, encode(changed, version), one(status))


def _reserved(head: int, valid: Message, version: int) -> Iterator[Case]:
    for row in layout(type(valid), version).rows:
        bits = row.bits_at(version)
        if bits is None or not bits.reserved:
            continue
        low = bits.reserved & -bits.reserved
        high = 1 << bits.reserved.bit_length() - 1
        for bit in sorted({low, high}):
            changed = _with(valid, row.name, getattr(valid, row.name) | bit)
            name = f"{row.name} reserved bit {bit.bit_length() - 1}"
            yield Case(name, head, encode(changed, version), one(Status.INVALID_PARAMETERS))


def _numbers(head: int, command: AnyCommand, valid: Message, version: int) -> Iterator[Case]:
    declared = ANY_COMMAND | frozenset(command.errors)
    counted = {_counter(row.count) for row in fields_of(type(valid)) if row.count}
    for row in layout(type(valid), version).rows:
        if row.count or row.is_text or row.name in counted:
            continue
        now = getattr(valid, row.name)
        low, high = EDGES[row.code][0], EDGES[row.code][-1]
        for number in sorted({*EDGES[row.code], now - 1, now + 1} - {now}):
            if low <= number <= high:
                changed = _with(valid, row.name, number)
                yield Case(f"{row.name} = {number:#x}", head, encode(changed, version), declared)


def _counter(count: str) -> str:
    return count.partition("[")[0]


def _with(message: Message, name: str, value: Any) -> Message:
    return msgspec.structs.replace(message, **{name: value})
