"""Rows to events: what travelled, decoded from the bytes, whatever the bytes are.

It trusts no node: a domain is who its link proved it to be, a page is read as its receiver got it, and whose
trap an SMC stems from is found by matching the two. What is no frame, or not this link's to send, is Noted.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from bus import frames, shmem
from bus.scmi.status import STATUS_BYTES
from deploy.recording import rows
from deploy.recording.events import (
    Asked,
    Began,
    Ended,
    Event,
    Executed,
    Forwarded,
    Interrupted,
    Lived,
    Missed,
    Noted,
    Replied,
    Returned,
    Trapped,
)
from deploy.recording.rows import Row, is_domain
from nodes.contract import Note

TRAPS_MAX: Final = 65_536  # remembered until their SMC or their end is seen; the oldest is forgotten first
FUNCTION: Final = 0xFFFF_FFFF
XEN, FIRMWARE, TOOLSTACK = "xen", "firmware", "toolstack"
MALFORMED, UNEXPECTED, REFUSED, WELCOMED = "malformed", "unexpected", "refused", "welcomed"
ENDINGS: Final = (frames.Return, frames.Undef, frames.Error)  # what ends a trap
CALL: Final = "call"
CALL_NUMBERS: Final = 5
Page = tuple[int, int, int, bytes]  # channel status, length, header (-1 without a page), payload
NO_PAGE: Final[Page] = (0, 0, -1, b"")

_frame = frames.decode
_note = msgspec.msgpack.Decoder(Note).decode


def page_of(page: bytes) -> Page:
    """What a snapshot holds. A length beyond the snapshot gives what there is."""
    if len(page) < shmem.PAYLOAD_AT:
        return NO_PAGE
    status, _, length, head = shmem.fields(page)
    return status, length, head, page[shmem.PAYLOAD_AT : max(shmem.PAYLOAD_AT, shmem.HEADER_AT + length)]


def _status(payload: bytes) -> int | None:
    if len(payload) < STATUS_BYTES:
        return None
    return int.from_bytes(payload[:STATUS_BYTES], "little", signed=True)


class Traps:
    """Traps that may still become an SMC, by (cause, function id); at most TRAPS_MAX.

    ``owners`` are the domains whose doorbell a function id is, by the notes of their starts.
    """

    def __init__(self) -> None:
        self.owners: dict[int, str] = {}
        self._by_key: dict[tuple[int, int], list[tuple[str, int]]] = {}
        self._open: dict[tuple[str, int], tuple[int, int]] = {}

    def add(self, domain: str, request: int, cause: int, function: int) -> None:
        if len(self._open) >= TRAPS_MAX:
            self.ended(*next(iter(self._open)))
        who, key = (domain, request), (cause, function)
        if self._open.get(who, key) != key:
            self.ended(domain, request)
        self._open[who] = key
        self._by_key.setdefault(key, []).append(who)

    def ended(self, domain: str, request: int) -> None:
        """The trap was answered, or is too old: what is still there of it never became an SMC."""
        who = (domain, request)
        key = self._open.pop(who, None)
        waiting = self._by_key.get(key, ()) if key is not None else ()
        if key is not None and who in waiting:
            left = [one for one in waiting if one != who]
            if left:
                self._by_key[key] = left
            else:
                del self._by_key[key]

    def forwarded(self, cause: int, function: int) -> tuple[str, int]:
        """(domain, its request) of the trap that this SMC carries on, or ("", cause).

        With two of the same numbers it is that of the doorbell's owner, else the older one.
        """
        key = (cause, function)
        waiting = self._by_key.get(key)
        if waiting is None:
            return "", cause
        owner = self.owners.get(function)
        who = next((one for one in waiting if one[0] == owner), waiting[0])
        waiting.remove(who)
        if not waiting:
            del self._by_key[key]
        return who


class Decoder:
    """``events`` in one pass; the memory it takes has a bound.

    ``origin_ns``: what a guest's own clock said when the run began, 0 on virtual time. Times that guests tell
    are given on the run's clock, as those of rows.
    """

    def __init__(self, origin_ns: int = 0) -> None:
        self._origin_ns = origin_ns
        self._traps = Traps()
        self._received: dict[type, Callable[[int, Row, Any], Event | None]] = {
            frames.Welcome: self._welcome,
            frames.Trap: self._trap,
            frames.Smc: self._smc,
            frames.SmcReturn: self._smc_return,
            frames.Return: self._return,
            frames.Undef: self._undef,
            frames.Error: self._error,
            frames.Domctl: self._domctl,
            frames.DomctlReply: self._domctl_reply,
            frames.Lifecycle: self._lifecycle,
            frames.Interrupt: self._interrupt,
            frames.EndOfInterrupt: self._interrupt,
        }
        self._others: dict[int, Callable[[int, Row], Event | None]] = {
            rows.BOOTED: lambda number, row: Began(number, row[0], row[1]),
            rows.TICKED: lambda number, row: None,
            rows.UNDELIVERED: self._missed,
            rows.LOST: self._missed,
            rows.NOTE: self._noted,
        }

    def events(self, recorded: Iterable[Row], first: int = 0) -> Iterator[Event]:
        """At most one event per row, with the row's number; ``first`` is that of the first row.

        A history may come in pieces, in order.
        """
        received = self._received
        for number, row in enumerate(recorded, first):
            if row[3] == rows.RECEIVED:
                try:
                    frame = _frame(row[4])
                except frames.BadFrame as error:
                    yield Noted(number, row[0], row[1], MALFORMED, 0, (), str(error))
                    continue
                make = received.get(type(frame))
                event = make(number, row, frame) if make is not None else None
            else:
                other = self._others.get(row[3])
                event = other(number, row) if other is not None else None
            if event is not None:
                yield event

    # ---- frames -------------------------------------------------------------------------------

    def _welcome(self, number: int, row: Row, frame: frames.Welcome) -> Event | None:
        if not frame.incarnation:
            return None  # it says no epoch
        if row[2] != XEN:
            return _unexpected(number, row, frame)
        return Noted(number, row[0], row[1], WELCOMED, frame.request, (frame.incarnation,), "")

    def _trap(self, number: int, row: Row, frame: frames.Trap) -> Event:
        at_ns, node, peer, _, _, page = row
        if node != XEN or not is_domain(peer):
            return _unexpected(number, row, frame)
        x = frame.x
        self._traps.add(peer, frame.request, frame.cause, x[0] & FUNCTION)
        status, length, head, payload = page_of(page)
        return Trapped(
            number, at_ns, peer, frame.request, frame.ec, frame.immediate, x, status, length, head, payload
        )

    def _smc(self, number: int, row: Row, frame: frames.Smc) -> Event:
        if row[1] != FIRMWARE or row[2] != XEN:
            return _unexpected(number, row, frame)
        function = frame.x[0] & FUNCTION
        domain, cause = self._traps.forwarded(frame.cause, function)
        _, _, head, payload = page_of(row[5])
        return Forwarded(number, row[0], frame.request, cause, function, domain, head, payload)

    def _smc_return(self, number: int, row: Row, frame: frames.SmcReturn) -> Event:
        if row[1] != XEN or row[2] != FIRMWARE:
            return _unexpected(number, row, frame)
        status, _, head, payload = page_of(row[5])
        return Executed(number, row[0], frame.request, frame.x[0], status, head, payload, _status(payload))

    def _return(self, number: int, row: Row, frame: frames.Return) -> Event:
        at_ns, node, peer, _, _, page = row
        if not is_domain(node) or peer != XEN:
            return _unexpected(number, row, frame)
        self._traps.ended(node, frame.request)
        status, _, head, payload = page_of(page)
        return Returned(
            number,
            at_ns,
            node,
            frame.request,
            "return",
            frame.x[0],
            "",
            False,
            status,
            head,
            payload,
            _status(payload),
        )

    def _undef(self, number: int, row: Row, frame: frames.Undef) -> Event:
        if not is_domain(row[1]) or row[2] != XEN:
            return _unexpected(number, row, frame)
        self._traps.ended(row[1], frame.request)
        return Returned(number, row[0], row[1], frame.request, "undef", 0, "", True, *_NOTHING)

    def _error(self, number: int, row: Row, frame: frames.Error) -> Event:
        if not is_domain(row[1]) or row[2] != XEN:
            text = f"{frame.code}: {frame.detail}"
            return Noted(number, row[0], row[1], REFUSED, frame.request, (int(frame.definite),), text)
        self._traps.ended(row[1], frame.request)
        return Returned(
            number, row[0], row[1], frame.request, "error", 0, frame.code, frame.definite, *_NOTHING
        )

    def _domctl(self, number: int, row: Row, frame: frames.Domctl) -> Event:
        if row[1] != XEN or row[2] != TOOLSTACK:
            return _unexpected(number, row, frame)
        fields = msgspec.structs.asdict(frame.op)
        domid = fields.pop("domid", -1)
        text = " ".join(f"{name}={value}" for name, value in fields.items())
        return Asked(number, row[0], frame.request, str(type(frame.op).__struct_config__.tag), domid, text)

    def _domctl_reply(self, number: int, row: Row, frame: frames.DomctlReply) -> Event:
        if row[1] != TOOLSTACK or row[2] != XEN:
            return _unexpected(number, row, frame)
        return Replied(number, row[0], frame.request, frame.rc, frame.domid, frame.detail)

    def _lifecycle(self, number: int, row: Row, frame: frames.Lifecycle) -> Event:
        if row[1] != TOOLSTACK or row[2] != XEN:
            return _unexpected(number, row, frame)
        return Lived(number, row[0], frame.domid, frame.name, frame.event, frame.detail)

    def _interrupt(self, number: int, row: Row, frame: frames.Interrupt | frames.EndOfInterrupt) -> Event:
        _, _, head, payload = page_of(row[5])
        end = type(frame) is frames.EndOfInterrupt
        return Interrupted(number, row[0], row[1], frame.intid, end, head, payload)

    # ---- other rows ---------------------------------------------------------------------------

    def _missed(self, number: int, row: Row) -> Event:
        kind, request = MALFORMED if row[4] else "", 0
        try:
            frame = _frame(row[4])
        except frames.BadFrame:
            pass
        else:
            kind, request = type(frame).__name__.lower(), frame.request
            if isinstance(frame, ENDINGS) and row[1] == XEN:
                self._traps.ended(row[2], request)
        return Missed(number, row[0], row[1], row[2], rows.EVENTS[row[3]], kind, request)

    def _noted(self, number: int, row: Row) -> Event:
        try:
            note = _note(row[4])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Noted(number, row[0], row[1], MALFORMED, 0, (), str(error))
        if note.what == CALL and len(note.numbers) == CALL_NUMBERS and is_domain(row[1]):
            head, intended_ns, started_ns, definite, status = note.numbers
            return Ended(
                number,
                row[0],
                row[1],
                note.request,
                head,
                intended_ns - self._origin_ns,
                started_ns - self._origin_ns,
                note.text,
                bool(definite),
                status,
            )
        if note.what == "domain" and row[1] == "run" and len(note.numbers) == 4:
            _, incarnation, _, function = note.numbers
            name = note.text if is_domain(note.text) else rows.incarnate(note.text, incarnation)
            self._traps.owners[function & FUNCTION] = name
        numbers = note.numbers
        if note.what == "arrival_dropped" and numbers:
            numbers = (numbers[0] - self._origin_ns, *numbers[1:])
        elif note.what == "stale" and len(numbers) > 1 and numbers[1]:
            numbers = (numbers[0], numbers[1] - self._origin_ns, *numbers[2:])
        return Noted(number, row[0], row[1], note.what, note.request, numbers, note.text)


_NOTHING: Final = (0, -1, b"", None)  # of a page that did not come: status, header, payload, SCMI status


def _unexpected(number: int, row: Row, frame: frames.Frame) -> Noted:
    """A frame that this link may not send, or not to this node."""
    kind = type(frame).__name__.lower()
    return Noted(number, row[0], row[1], UNEXPECTED, frame.request, (), f"{kind} from {row[2]}")
