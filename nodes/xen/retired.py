"""Links that were somebody's: of domains that are gone and of an EL3 that was replaced.

Who still speaks through one is told that it is stale, once per frame: counted, noted, logged the first time.
At most RETIRED_LINKS are known by name; an older one is nobody's link, and is refused as such.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from bus import frames
from nodes.contract import Effect, Log, Note, Send
from nodes.limits import RETIRED_LINKS
from nodes.meters import Meters
from nodes.xen.answers import error

DID: Final[dict[Any, str]] = {
    frames.Hello: "tried to open its link again",
    frames.Trap: "tried to ring its doorbell",
    frames.SmcReturn: "tried to answer an SMC",
    frames.Interrupt: "tried to raise an interrupt",
    frames.EndOfInterrupt: "tried to end an interrupt",
    frames.ConsoleReply: "tried to answer its console",
}


class Past(msgspec.Struct, frozen=True, gc=False):
    """Whose link it was. ``why`` and ``ended_ns``: how and when it ended being that, on Xen's clock."""

    domid: int
    name: str
    role: str
    incarnation: int
    why: str
    ended_ns: int


class Retired:
    """``record``: each refusal is noted. ``toolstack`` is told of the first of each link, ``on_forgotten`` of
    each that became nobody's.
    """

    def __init__(self, meters: Meters, toolstack: bytes, record: bool) -> None:
        self.on_forgotten: Callable[[bytes], None] = lambda link: None
        self._toolstack = toolstack
        self._links: dict[bytes, Past] = {}
        self._heard: set[bytes] = set()  # of them, those that have spoken since
        self._record = record
        self._drops = meters.counter("trapline_bus_dropped_total")
        self._ledger = meters.counter("trapline_trap_ledger_total")

    def add(self, link: bytes, past: Past) -> None:
        """From now on what comes through ``link`` is stale."""
        self._links[link] = past
        if len(self._links) > RETIRED_LINKS:
            oldest = next(iter(self._links))
            del self._links[oldest]
            self._heard.discard(oldest)
            self.on_forgotten(oldest)

    def refuse(self, link: bytes, frame: Any, now_ns: int) -> list[Effect] | None:
        """What follows from a frame of such a link; None if it is not one."""
        past = self._links.get(link)
        return None if past is None else self._stale(link, frame, past, now_ns)

    def _stale(self, link: bytes, frame: Any, past: Past, now_ns: int) -> list[Effect]:
        self._drops[("stale",)] += 1
        self._ledger[("refused",)] += isinstance(frame, frames.Trap)
        ago_ms = (now_ns - past.ended_ns) / 1e6
        who = f"{past.name}#{past.incarnation}, {past.why} {ago_ms:.3f} ms ago,"
        text = f"{who} {DID.get(type(frame), f'sent a {type(frame).__name__}')}"
        effects: list[Effect] = []
        if link not in self._heard:
            self._heard.add(link)
            effects.append(Log("warning", f"refused what is stale: {text}"))
            told = frames.Lifecycle(frames.PROTOCOL_VERSION, 0, 0, past.domid, past.name, "stale", text)
            effects.append(Send(self._toolstack, told))
        if self._record:
            function = frame.x[0] & 0xFFFF_FFFF if isinstance(frame, frames.Trap) else 0
            effects.append(Note("stale", frame.request, (past.incarnation, past.ended_ns, function), text))
        if not isinstance(frame, frames.Error):
            self._ledger[("error",)] += 1
            detail = f"{past.name}#{past.incarnation} was {past.why}; its link is retired"
            effects.append(error(link, frame, frames.STALE, True, detail))
        return effects
