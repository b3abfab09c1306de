"""Every call of a history, followed from the trap through EL3 to the answer: the rows that belong together.

It joins events and judges nothing. What is over is kept for a while, so that what comes a second time can be
told from what nobody asked for.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from bus.shmem import ERROR
from deploy.recording.events import Executed, Forwarded, Missed, Returned, Trapped

KEPT: Final = 4096  # calls that are over
OPEN_MAX: Final = 1 << 16  # calls that are not
FUNCTION: Final = 0xFFFF_FFFF
ANSWERS: Final = ("return", "undef", "error")


def said(event: Executed | Returned) -> int | None:
    """The SCMI status of an answer; None for an area that says ERROR: what is in it may be the question."""
    return None if event.channel_status & ERROR else event.status


class Call:
    """One call. ``trap`` None: Xen's own, or one that nobody trapped. ``missed``: a frame of it was lost.

    ``refused``: an Error "refused" came for its number, which may as well have been about another frame.
    """

    __slots__ = ("answer", "domain", "missed", "refused", "request", "result", "smc", "trap")

    def __init__(self, domain: str, request: int, trap: Trapped | None = None) -> None:
        self.domain = domain
        self.request = request
        self.trap = trap
        self.smc: Forwarded | None = None
        self.answer: Executed | None = None
        self.result: Returned | None = None
        self.missed = False
        self.refused = False

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.domain or 'Xen'}'s call {self.request}"


class Step:
    """What an event means for its call. ``earlier``: the event that was in this place already, if any.

    ``call`` None: nobody asked for it.
    """

    __slots__ = ("call", "earlier")

    def __init__(
        self, call: Call | None, earlier: Trapped | Forwarded | Executed | Returned | None = None
    ) -> None:
        self.call = call
        self.earlier = earlier


class Calls:
    """``step``: what the newest event of a call means. ``lost_smcs``: SMCs that never came to EL3.

    ``unread``: SMCs came without their pages, so that nobody knows what is said (mapped mode).
    ``forgotten``: calls given up because too many were open: their end proves nothing.
    """

    def __init__(self) -> None:
        self.step = Step(None)
        self.lost_smcs = 0
        self.forgotten = 0
        self.unread = False
        self._read = False
        self._traps: dict[tuple[str, int], Call] = {}
        self._rung: dict[tuple[int, int], Call] = {}
        self._smcs: dict[int, Call] = {}
        self._over: deque[Call] = deque()

    def trapped(self, event: Trapped) -> None:
        """A domain asks."""
        key = (event.domain, event.request)
        call = self._traps.get(key)
        if call is not None:
            self.step = Step(call, call.trap)
            return
        self._traps[key] = call = Call(event.domain, event.request, event)
        if event.x:
            self._rung[event.x[0] & FUNCTION, event.request] = call
        self.step = Step(call)
        if len(self._traps) > OPEN_MAX + KEPT:
            self.forgotten += 1
            self._forget(next(iter(self._traps.values())))

    def forwarded(self, event: Forwarded) -> None:
        """EL3 is asked."""
        self._read = self._read or event.head >= 0
        self.unread = not self._read
        known = self._smcs.get(event.request)
        if known is not None:
            self.step = Step(known, known.smc)
            return
        call = self._cause_of(event) if event.cause else None
        earlier = call.smc if call is not None else None
        if call is None or earlier is not None:  # Xen's own, nobody's, or a second execution
            call = Call(call.domain if call else event.domain, event.cause or event.request)
        self._smcs[event.request] = call
        call.smc = event
        self.step = Step(call, earlier)

    def _cause_of(self, event: Forwarded) -> Call | None:
        """The call that an SMC carries on: as the history says, else the last that rang so, be it over."""
        call = self._traps.get((event.domain, event.cause))
        return call if call is not None or event.domain else self._rung.get((event.function, event.cause))

    def executed(self, event: Executed) -> None:
        """EL3 has answered."""
        call = self._smcs.get(event.request)
        if call is None:
            self.step = Step(None)
            return
        self.step = Step(call, call.answer)
        if call.answer is None:
            call.answer = event
            if call.trap is None or call.result is not None:
                self._ended(call)

    def returned(self, event: Returned) -> None:
        """The domain has its answer. An Error "refused" may be about any frame: it ends nothing."""
        call = self._traps.get((event.domain, event.request))
        if call is None or event.code == "refused":
            self.step = Step(call)
            if call is not None:
                call.refused = True
            return
        self.step = Step(call, call.result)
        if call.result is None:
            call.result = event
            if call.smc is None or call.answer is not None:
                self._ended(call)

    def missing(self, event: Missed) -> Call | None:
        """A frame that reached nobody; the call that it belonged to, if that can be told."""
        call = None
        if event.kind in ANSWERS:
            call = self._traps.get((event.peer, event.request))
        elif event.kind == "smcreturn":
            call = self._smcs.get(event.request)
        elif event.kind == "smc":
            self.lost_smcs += 1
        if call is not None:
            call.missed = True
        return call

    def began(self, domain: str) -> None:
        """A domain's name begins to count anew: what is known of it is another life's."""
        for key in [key for key in self._traps if key[0] == domain]:
            self._forget(self._traps[key])

    def restarted(self) -> None:
        """Xen starts again: what was under way is lost with it."""
        for call in self.open():
            call.missed = True

    def open(self) -> Iterator[Call]:
        """Every call that has had no answer."""
        return (call for call in self._traps.values() if call.result is None)

    def _ended(self, call: Call) -> None:
        self._over.append(call)
        if len(self._over) > KEPT:
            self._forget(self._over.popleft())

    def _forget(self, call: Call) -> None:
        key = (call.domain, call.request)
        if self._traps.get(key) is call:
            del self._traps[key]
        rung = (call.trap.x[0] & FUNCTION, call.request) if call.trap is not None and call.trap.x else (0, 0)
        if self._rung.get(rung) is call:
            del self._rung[rung]
        if call.smc is not None and self._smcs.get(call.smc.request) is call:
            del self._smcs[call.smc.request]
