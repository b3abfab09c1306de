"""What the platform says unasked: the P2A page, delayed responses and who waits for them, the inbox.

A message is read once into a private snapshot, FREE is set, the interrupt is ended, and then the message is
judged. It knows no time but what it is told, and not how calls are made.
"""

from collections import deque
from typing import Final

import msgspec

from bus import frames, shmem
from bus.scmi import header
from bus.scmi.header import MessageType
from nodes.contract import Received
from nodes.guest.binding import WayBack
from nodes.guest.calls import Ask, Flight, Outcome
from nodes.guest.channel import FREE_WORD, response
from nodes.limits import DELAYED_CALLS, DELAYED_TIMEOUT_NS, INBOX_MESSAGES, TAKE_BYTES
from nodes.meters import Meters

VERSION: Final = frames.PROTOCOL_VERSION
MESSAGE_OVERHEAD_BYTES = 16  # of one message in a console answer
Message = tuple[int, bytes]
Key = tuple[int, int, int]


def call_of(head: int) -> Key:
    """What a delayed response has in common with its command: protocol, message, token."""
    return header.protocol_id(head), header.message_id(head), header.token(head)


class Promise:
    """A call whose delayed response is awaited. ``due_ns`` None: its immediate one has not come yet.

    ``early`` is a delayed response that overtook it.
    """

    __slots__ = ("ask", "due_ns", "early", "flight")

    def __init__(self, flight: Flight, ask: Ask) -> None:
        self.flight = flight
        self.ask = ask
        self.due_ns: int | None = None
        self.early: Outcome | None = None


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A call that its delayed response, or the lack of it, has ended."""

    flight: Flight
    outcome: Outcome


class Receiver:
    """``page`` is the guest's view of its P2A page. ``pending`` by protocol, message and token."""

    def __init__(
        self, name: str, way_back: WayBack, page: shmem.Buffer, carried: bool, meters: Meters
    ) -> None:
        self._name = name
        self._way_back = way_back
        self._page = page
        self._carried = carried
        self.pending: dict[Key, Promise] = {}
        self._inbox: deque[Message] = deque()
        self._received = meters.counter("trapline_guest_received_total")
        self._drops = meters.counter("trapline_bus_dropped_total")

    @property
    def interrupt(self) -> int:
        return self._way_back.interrupt

    # ---- a message ----------------------------------------------------------------------------

    def receive(self, event: Received, now_ns: int) -> tuple[frames.EndOfInterrupt, bytes, Ended | None]:
        """Take the message; gives the end of the interrupt, the page behind it, and the call it ends."""
        frame = event.frame
        # What travels is another page's where the P2A page is not what EL3 wrote to: then ours is as it was.
        ours = self._carried and frame.page == self._way_back.shmem
        snapshot = event.page if ours else bytes(self._page)
        ended = self._judge(snapshot, now_ns)
        address = self._way_back.shmem
        end = frames.EndOfInterrupt(VERSION, frame.request, frame.cause, frame.intid, address)
        return end, self._release(snapshot), ended

    def _release(self, snapshot: bytes) -> bytes:
        """Set FREE: the platform may write the next one."""
        if self._carried:
            kept = min(len(snapshot), len(self._page))
            self._page[:kept] = snapshot[:kept]
        self._page[shmem.STATUS_AT : shmem.STATUS_AT + 4] = FREE_WORD
        return bytes(self._page[: shmem.PAYLOAD_AT]) if self._carried else b""

    def _judge(self, snapshot: bytes, now_ns: int) -> Ended | None:
        try:
            head, payload = shmem.read_message(snapshot)
        except shmem.PageError:
            self._count("malformed")
            return None
        kind = header.message_type(head)
        known = kind in (MessageType.DELAYED_RESPONSE, MessageType.NOTIFICATION)
        if shmem.status_of(snapshot) & shmem.FREE or not known:
            self._count("malformed")
        elif kind == MessageType.NOTIFICATION:
            self._count("notification")
            self._keep((head, payload))
        else:
            return self._delayed(head, payload, now_ns)
        return None

    def _delayed(self, head: int, payload: bytes, now_ns: int) -> Ended | None:
        key = call_of(head)
        promise = self.pending.get(key)
        if promise is None or promise.early is not None:
            self._count("unasked")
            self._keep((head, payload))
            return None
        self._count("delayed_response")
        elapsed_ns = now_ns - promise.flight.started_ns
        try:
            outcome = response(promise.ask, head, payload, elapsed_ns)
        except ValueError as error:
            outcome = Outcome("bad-response", False, 0, b"", str(error), elapsed_ns)
        if promise.due_ns is None:
            promise.early = outcome
            return None
        del self.pending[key]
        return Ended(promise.flight, outcome)

    def _count(self, kind: str) -> None:
        self._received[self._name, kind] += 1

    # ---- calls that wait ----------------------------------------------------------------------

    def refusal(self, head: int) -> tuple[str, str] | None:
        """Why a call cannot wait for a delayed response: (code, detail), or None when it can."""
        if len(self.pending) >= DELAYED_CALLS:
            return "queue-full", f"{DELAYED_CALLS} calls wait for delayed responses already"
        if call_of(head) in self.pending:
            return "token-in-use", "a call with this header waits for its delayed response already"
        return None

    def expect(self, flight: Flight, ask: Ask) -> None:
        self.pending[call_of(flight.head)] = Promise(flight, ask)

    def immediate(self, flight: Flight, outcome: Outcome, now_ns: int) -> Outcome | None:
        """The call's own answer came, or none will. Gives how the call ends, None if it goes on waiting.

        SUCCESS promises a delayed response. One that came before it stands in for a lost answer, too.
        """
        key = call_of(flight.head)
        promise = self.pending.get(key)
        if promise is None:
            return outcome
        accepted = outcome.answered and not outcome.status
        if accepted and promise.early is None:
            promise.due_ns = now_ns + DELAYED_TIMEOUT_NS
            return None
        del self.pending[key]
        if promise.early is not None and (accepted or not outcome.answered):
            return promise.early
        return outcome

    def due_ns(self) -> int | None:
        """When the first of them has waited long enough. They were accepted in the order they were made."""
        for promise in self.pending.values():
            return promise.due_ns
        return None

    def expired(self, now_ns: int) -> list[Ended]:
        """The calls whose delayed response did not come in time; it may still happen."""
        over = [key for key, one in self.pending.items() if one.due_ns is not None and one.due_ns <= now_ns]
        detail = "accepted, but its delayed response did not come in time"
        return [_given_up(self.pending.pop(key), "delayed-timeout", detail, now_ns) for key in over]

    def abandoned(self, now_ns: int) -> list[Ended]:
        """All that wait: nothing will come any more."""
        over, self.pending = list(self.pending.values()), {}
        detail = "accepted, but Xen is gone before its delayed response came"
        return [_given_up(promise, "xen-lost", detail, now_ns) for promise in over]

    def forget_work(self) -> None:
        """The workload that waits is no more."""
        self.pending = {key: one for key, one in self.pending.items() if one.flight.console}

    # ---- the inbox ----------------------------------------------------------------------------

    def _keep(self, message: Message) -> None:
        """The newest are kept: what they say of the platform's state is true, whatever was lost before."""
        if len(self._inbox) >= INBOX_MESSAGES:
            self._inbox.popleft()
            self._drops[("overflow",)] += 1
        self._inbox.append(message)

    def take(self) -> tuple[tuple[Message, ...], int]:
        """The oldest messages, as many as fit one console answer, and how many are left."""
        taken: list[Message] = []
        room = TAKE_BYTES
        while self._inbox and room >= len(self._inbox[0][1]) + MESSAGE_OVERHEAD_BYTES:
            taken.append(self._inbox.popleft())
            room -= len(taken[-1][1]) + MESSAGE_OVERHEAD_BYTES
        return tuple(taken), len(self._inbox)


def _given_up(promise: Promise, code: str, detail: str, now_ns: int) -> Ended:
    elapsed_ns = now_ns - promise.flight.started_ns
    return Ended(promise.flight, Outcome(code, False, 0, b"", detail, elapsed_ns))
