"""Rows as nodes would record them, written by hand: a call, step by step, at times in microseconds."""

from typing import Any

from bus import frames, shmem
from bus.scmi import header
from deploy.recording.decode import Decoder
from deploy.recording.rows import BOOTED, NOTE, RECEIVED, UNDELIVERED, Row
from deploy.tracing.assembling import stories
from deploy.tracing.calls import Story
from deploy.tracing.lines import moment, parts, plain
from nodes.contract import Note

IVI, TCU = 0x8200_0005, 0x8200_0006
MINUS_ONE = (1 << 64) - 1


def word(value: int) -> bytes:
    return (value & 0xFFFF_FFFF).to_bytes(4, "little")


def got(at_us: float, node: str, peer: str, frame: frames.Frame, page: bytes = b"") -> Row:
    return int(at_us * 1000), node, peer, RECEIVED, frames.encode(frame), page


def note(at_us: float, node: str, what: str, request: int = 0, *told: Any) -> Row:
    """``told``: its numbers and its text."""
    return int(at_us * 1000), node, "", NOTE, frames.encode(Note(what, request, *told)), b""


def began(at_us: float, node: str) -> Row:
    return int(at_us * 1000), node, "", BOOTED, b"", b""


def lost(at_us: float, node: str, peer: str, frame: frames.Frame) -> Row:
    return int(at_us * 1000), node, peer, UNDELIVERED, frames.encode(frame), b""


DOMAINS = (
    note(0, "run", "domain", 0, (1, 1, 3, IVI), "ivi#1"),
    note(0, "run", "domain", 0, (2, 2, 4, TCU), "tcu#2"),
)


class Asked:
    """A call of a domain's, by default ivi's, that begins at ``at_us``; each step is 100 us after the last.

    ``page``: whether pages travel.
    """

    def __init__(
        self, at_us: float, message: int, payload: bytes, *, protocol: int = 0x14, **other: Any
    ) -> None:
        self.at_us = at_us
        self.domain = other.get("domain", "ivi#1")
        self.request = other.get("request", 7)
        self.function = other.get("function", IVI)
        self.head = header.pack(protocol, message, token=self.request)
        self._carried = other.get("page", True)
        self._payload = payload

    def _page(self, made: bytes) -> bytes:
        return made if self._carried else b""

    def trap(self) -> Row:
        frame = frames.Trap(
            1, self.request, self.request, 0x17, 0, (self.function, 0, 0, 0, 0, 0, 0, 0), 0x1000
        )
        page = self._page(shmem.request(self.head, self._payload))
        return got(self.at_us + 100, "xen", self.domain, frame, page)

    def smc(self, number: int = 900) -> Row:
        frame = frames.Smc(1, number, self.request, (self.function, 0, 0, 0, 0, 0, 0, 0), 0x2000)
        return got(
            self.at_us + 200, "firmware", "xen", frame, self._page(shmem.request(self.head, self._payload))
        )

    def done(self, answer: bytes, number: int = 900) -> Row:
        frame = frames.SmcReturn(1, number, self.request, (0, 0, 0, 0))
        return got(self.at_us + 300, "xen", "firmware", frame, self._page(shmem.reply(self.head, answer)))

    def returned(self, answer: bytes | None, x0: int = 0) -> Row:
        frame = frames.Return(1, self.request, self.request, (x0, 0, 0, 0))
        page = b"" if answer is None else self._page(shmem.reply(self.head, answer))
        return got(self.at_us + 400, self.domain, "xen", frame, page)

    def ended(self, status: int = 0, code: str = "", definite: bool = True, intended_us: float = 0) -> Row:
        begun = int(self.at_us * 1000)
        numbers = (self.head, begun - int(intended_us * 1000), begun, int(definite), status)
        return note(self.at_us + 400, self.domain, "call", self.request, numbers, code)

    def whole(self, answer: bytes, status: int = 0) -> tuple[Row, ...]:
        """From the trap to the guest's own word."""
        return (
            self.trap(),
            self.smc(),
            self.done(answer),
            self.returned(answer),
            self.ended(status),
        )


def told(*rows: Row) -> list[Story]:
    return list(stories(Decoder().events((*DOMAINS, *rows))))


def lines(*rows: Row, columns: int = 0, legs: bool = False) -> list[str]:
    """As ``trapline trace --clock run`` shows them."""
    shown = ((moment(story, "run", 0).strip(), parts(story, columns, legs=legs)) for story in told(*rows))
    return [f"{at} {plain(made)}" for at, made in shown]
