"""One recorded message in a line of words, for people who compare two of them."""

from typing import Any, Final

import msgspec

from bus import frames
from bus.scmi import trace
from bus.scmi.tables import STANDARD, Tables
from deploy.recording.decode import page_of

CHARACTERS_MAX: Final = 400
_ASKING: Final = (frames.Trap, frames.Smc)
_HEAD: Final = ("version", "request", "cause")


def tell(envelope: bytes, page: bytes, tables: Tables = STANDARD) -> str:
    """``trap 12 x0=0x82000011: clock.CLOCK_RATE_GET(clock_id=3)``."""
    try:
        frame = frames.decode(envelope)
    except frames.BadFrame as error:
        return f"{len(envelope)} bytes that are no frame ({error})"
    text = f"{type(frame).__name__.lower()} {frame.request}"
    fields = _fields(frame)
    said = _message(frame, page, tables)
    whole = " ".join(part for part in (text, fields) if part) + (f": {said}" if said else "")
    return whole if len(whole) <= CHARACTERS_MAX else whole[: CHARACTERS_MAX - 3] + "..."


def _fields(frame: Any) -> str:
    told = []
    for name in frame.__struct_fields__:
        if name in _HEAD:
            continue
        value = getattr(frame, name)
        if name == "x":
            told.append(f"x0={value[0]:#x}")
        elif name == "op":
            told.append(_operation(value))
        elif isinstance(value, bytes):
            told.append(f"{name}={len(value)} bytes")
        elif isinstance(value, int) and name == "page":
            told.append(f"page={value:#x}")
        elif value or not isinstance(value, (str, tuple)):
            told.append(f"{name}={value}")
    return " ".join(told)


def _operation(op: Any) -> str:
    fields = " ".join(f"{name}={value}" for name, value in msgspec.structs.asdict(op).items())
    return f"{op.__struct_config__.tag} {fields}".rstrip()


def _message(frame: Any, page: bytes, tables: Tables) -> str:
    _, _, head, payload = page_of(page)
    if head < 0:
        return ""
    if isinstance(frame, _ASKING):
        return trace.request_line(head, payload, tables)
    if isinstance(frame, frames.Interrupt):
        return trace.notification_line(head, payload, tables)
    return f"{trace.message_name(head, tables)} {trace.reply_line(head, payload, tables)}"


def difference(one: bytes, other: bytes) -> str:
    """Where two contents differ first, "" if they do not."""
    if one == other:
        return ""
    at = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if at is None:
        return f"{len(one)} bytes, not {len(other)}"
    return f"byte {at} is {one[at]:#04x}, not {other[at]:#04x}"
