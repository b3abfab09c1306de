"""The console relay: the toolstack asks a domain or EL3 something, Xen carries it there and back, unread."""

from typing import Final

import msgspec

from bus import frames
from nodes.contract import Send
from nodes.limits import HYPERCALLS
from nodes.meters import Meters
from nodes.xen.domain import Domain

VERSION: Final = frames.PROTOCOL_VERSION


class Asked(msgspec.Struct, frozen=True):
    """Who waits for which answer. ``domain`` None: it is EL3's to give."""

    peer: bytes
    request: int
    cause: int
    domain: Domain | None


class Console:
    """At most HYPERCALLS requests wait; each gets one ConsoleReply or one Error. ``firmware``: EL3's link;
    Xen's numbers of them begin after ``first_request``.
    """

    def __init__(self, meters: Meters, firmware: bytes, first_request: int = 0) -> None:
        self.firmware = firmware
        self._asked: dict[int, Asked] = {}
        self._request = first_request
        self._drops = meters.counter("trapline_bus_dropped_total")
        self._ledger = meters.counter("trapline_trap_ledger_total")

    def request(self, domain: Domain | None, peer: bytes, frame: frames.Console) -> Send:
        """The frame to send on, or the refusal."""
        el3 = frame.domid == frames.EL3_DOMID
        if domain is None and not el3:
            return self._refusal(peer, frame, f"there is no domain {frame.domid}")
        if domain is not None and not domain.link_up:
            return self._refusal(peer, frame, f"domain {domain.name} is not connected")
        if len(self._asked) >= HYPERCALLS:
            return self._refusal(peer, frame, f"{HYPERCALLS} console requests wait already")
        self._request += 1
        self._asked[self._request] = Asked(peer, frame.request, frame.cause, domain)
        onward = frames.Console(VERSION, self._request, frame.cause, frame.domid, frame.body)
        return Send(self.firmware if domain is None else domain.link, onward)

    def reply(self, domain: Domain | None, frame: frames.ConsoleReply) -> list[Send]:
        """A domain's or EL3's answer for whoever asked; what nobody asked of it is counted and dropped."""
        asked = self._asked.get(frame.request)
        if asked is None or asked.domain is not domain:
            self._drops[("late",)] += 1
            return []
        del self._asked[frame.request]
        return [Send(asked.peer, frames.ConsoleReply(VERSION, asked.request, asked.cause, frame.body))]

    def lost(self, request: int, definite: bool) -> list[Send]:
        """Nobody will answer any more; ``definite``: the request did not even reach its domain."""
        asked = self._asked.pop(request, None)
        if asked is None:
            return []
        who = "EL3" if asked.domain is None else f"domain {asked.domain.name}"
        detail = f"{who} is gone"
        self._ledger[("error",)] += 1
        error = frames.Error(VERSION, asked.request, asked.cause, "no-console", definite, detail)
        return [Send(asked.peer, error)]

    def gone(self, domain: Domain | None) -> list[Send]:
        """Everything that waited for a domain which is dead now, or for EL3."""
        waiting = [request for request, asked in self._asked.items() if asked.domain is domain]
        return [send for request in waiting for send in self.lost(request, definite=False)]

    def _refusal(self, peer: bytes, frame: frames.Console, detail: str) -> Send:
        self._ledger[("error",)] += 1
        return Send(peer, frames.Error(VERSION, frame.request, frame.cause, "no-console", True, detail))
