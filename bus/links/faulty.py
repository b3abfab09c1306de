"""A link that obeys rules: what its node sends is late, lost, doubled or overtaken, as ``bus.faults`` says.

It wraps any link, at the sender: the n-th message on a way meets the fate that it meets on the simulated
link. Without rules it is the wrapped link's own methods. Real time is waited for in whole milliseconds, as
sockets wait: a message is late by up to one more. It does not know what a message says, but for its kind.
"""

import heapq
import time
from collections.abc import Callable, Sequence
from typing import Final

from bus import frames
from bus.faults import Rule, Way
from bus.links import Delivery, Link

HELD_MESSAGES: Final = 1024  # held back by one node; beyond it a message is refused, as by a full socket
_KINDS: Final = {
    int(kind.__struct_config__.tag): kind.__name__.lower()  # type: ignore[arg-type]
    for kind in frames.FRAME_TYPES
}
_ARRAY = 0x90  # msgpack's head of an array of up to 15 items: all envelopes are such
Lost = Callable[[bytes, bytes, bytes], None]


def kind_of(envelope: bytes) -> str:
    """The kind of a frame as rules name it, from its second byte alone; "" for what is none."""
    if len(envelope) < 2 or envelope[0] & 0xF0 != _ARRAY:
        return ""
    return _KINDS.get(envelope[1], "")


class FaultyLink:
    """``node`` is its sender's name, ``name_of`` a peer's. ``on_lost`` hears of all that rules take.

    ``applied`` counts by rule number what was done, ``refused`` messages that were held back for a peer that
    is gone when they are due. ``obey`` may be called from another thread.
    """

    def __init__(
        self,
        inner: Link,
        node: str,
        name_of: Callable[[bytes], str],
        on_lost: Lost = lambda peer, envelope, page: None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._inner = inner
        self._node = node
        self._name_of = name_of
        self._on_lost = on_lost
        self._clock = clock
        self._timeout_ns: int | None = None
        self._rules: tuple[Rule, ...] = ()
        self._ordered: tuple[Rule, ...] | None = None  # what ``obey`` was told and nobody looked at yet
        self._ways: dict[str, Way] = {}
        self._held: list[tuple[int, int, bytes, bytes, bytes]] = []  # due_ns, number, peer, envelope, page
        self._last: dict[bytes, int] = {}  # when the last message in order to a peer is due, while held
        self._number = 0
        self.applied: dict[int, int] = {}
        self.refused = 0
        self._step_aside()

    def obey(self, rules: Sequence[Rule]) -> None:
        """From now on these rules and no others; one that stays goes on counting where it was."""
        self._ordered = tuple(rules)
        vars(self).pop("send", None)
        vars(self).pop("receive", None)

    def _adopt(self) -> None:
        ordered, self._ordered = self._ordered, None
        if ordered is not None:
            self._rules = ordered
            self._ways = {
                name: Way(ordered, self._node, name, earlier) for name, earlier in self._ways.items()
            }

    def _step_aside(self) -> None:
        """Nothing to do: callers reach the wrapped link without a detour."""
        vars(self).update(send=self._inner.send, receive=self._inner.receive)
        if self._ordered is not None:  # just now
            self.obey(self._ordered)

    # ---- out ----------------------------------------------------------------------------------

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        if self._ordered is not None:
            self._adopt()
        way = self._way(peer)
        fate = way.fate(kind_of(envelope)) if way else None
        if fate is None:
            if peer not in self._last:
                return self._inner.send(peer, envelope, page)
            return self._hold(self._last[peer], peer, envelope, page)
        for number in fate.rules:
            self.applied[number] = self.applied.get(number, 0) + 1
        if not fate.delays_ns:
            self._on_lost(peer, envelope, page)
            return True
        now_ns = self._clock()
        taken = False
        for delay_ns in fate.delays_ns:
            due_ns = now_ns + delay_ns
            if not fate.overtaken:
                due_ns = max(due_ns, self._last.get(peer, 0))
            if due_ns <= now_ns:
                taken |= self._inner.send(peer, envelope, page)
            elif self._hold(due_ns, peer, envelope, page):
                taken = True
                if not fate.overtaken and delay_ns == fate.delays_ns[0]:
                    self._last[peer] = due_ns
        return taken

    def _way(self, peer: bytes) -> Way:
        name = self._name_of(peer)
        way = self._ways.get(name)
        if way is None:
            way = Way(self._rules, self._node, name)
            if name:
                self._ways[name] = way
        return way

    def _hold(self, due_ns: int, peer: bytes, envelope: bytes, page: bytes) -> bool:
        if len(self._held) >= HELD_MESSAGES:
            return False
        self._number += 1
        heapq.heappush(self._held, (due_ns, self._number, peer, envelope, page))
        return True

    def flush(self) -> None:
        """Send what is due; what its peer does not take any more is counted."""
        now_ns = self._clock()
        while self._held and self._held[0][0] <= now_ns:
            due_ns, _, peer, envelope, page = heapq.heappop(self._held)
            if self._last.get(peer, -1) <= due_ns:
                self._last.pop(peer, None)
            self.refused += not self._inner.send(peer, envelope, page)

    # ---- in -----------------------------------------------------------------------------------

    def receive(self) -> Delivery | None:
        """As the wrapped link, and what is held back leaves when it is due."""
        if self._ordered is not None:
            self._adopt()
        timeout_ns = self._timeout_ns
        until_ns = None if timeout_ns is None else self._clock() + timeout_ns
        try:
            while True:
                self.flush()
                if not self._held:
                    break
                now_ns = self._clock()
                wake_ns = self._held[0][0] if until_ns is None else min(self._held[0][0], until_ns)
                self._inner.set_timeout_ns(max(1, wake_ns - now_ns))
                delivery = self._inner.receive()
                if delivery is not None:
                    return delivery
                if until_ns is not None and self._clock() >= until_ns:
                    self.flush()
                    return None
        finally:
            self._inner.set_timeout_ns(timeout_ns)
        if not self._rules:
            self._step_aside()
        if until_ns is not None:
            self._inner.set_timeout_ns(max(1, until_ns - self._clock()))
        try:
            return self._inner.receive()
        finally:
            self._inner.set_timeout_ns(timeout_ns)

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        self._timeout_ns = timeout_ns
        self._inner.set_timeout_ns(timeout_ns)

    def exchange(self, inner: Link) -> None:
        """Go on with another link; what was held back for the peers of this one is given up with it."""
        self._held.clear()
        self._last.clear()
        self._inner.close()
        self._inner = inner
        inner.set_timeout_ns(self._timeout_ns)
        self.obey(self._rules if self._ordered is None else self._ordered)

    def close(self) -> None:
        self._held.clear()
        self._inner.close()
