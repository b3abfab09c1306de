"""The simulated link: one process, virtual time, delays drawn from a seed.

The same bytes travel as over ZeroMQ. Messages are due at (time, number); between two nodes they keep
their order. Equal seeds give equal deliveries.
"""

import heapq
import random

from bus.links import XEN, Delivery

HOP_NS = 20_000
JITTER_NS = 10_000
QUEUE_MESSAGES = 1024


class Network:
    """All messages under way. ``now_ns`` is the virtual time; ``next`` takes the earliest delivery out."""

    def __init__(self, seed: int, hop_ns: int = HOP_NS, jitter_ns: int = JITTER_NS) -> None:
        self.now_ns = 0
        self._random = random.Random(seed)
        self._hop_ns = hop_ns
        self._jitter_ns = jitter_ns
        self._due: list[tuple[int, int, SimulatedLink, Delivery]] = []
        self._number = 0
        self._last: dict[tuple[bytes, bytes], int] = {}
        self._ends: dict[bytes, SimulatedLink] = {}
        self._waiting: dict[bytes, int] = {}
        self.answer_ns: dict[bytes, int] = {}  # what a sender takes before each of its messages leaves

    def open(self, identity: bytes) -> "SimulatedLink":
        """An end with a proven identity; XEN for Xen's own."""
        end = SimulatedLink(self, identity)
        self._ends[identity] = end
        return end

    def close(self, end: "SimulatedLink") -> None:
        """The end is gone; what was under way to it is lost, what is sent to it is refused.

        A newer end with the same identity stays open.
        """
        if self._ends.get(end.identity) is end:
            del self._ends[end.identity]

    def post(self, sender: bytes, receiver: bytes, envelope: bytes, page: bytes) -> bool:
        """Put a message under way; False when nobody has that identity, or too much waits for it."""
        end = self._ends.get(receiver)
        if end is None or self._waiting.get(receiver, 0) >= QUEUE_MESSAGES:
            return False
        delay_ns = self._hop_ns + int(self._random.random() * self._jitter_ns)
        delay_ns += self.answer_ns.get(sender, 0)
        way = (sender, receiver)
        due_ns = max(self.now_ns + delay_ns, self._last.get(way, 0))
        self._last[way] = due_ns
        self._number += 1
        self._waiting[receiver] = self._waiting.get(receiver, 0) + 1
        heapq.heappush(self._due, (due_ns, self._number, end, (sender, envelope, page)))
        return True

    def next_ns(self) -> int | None:
        """When the earliest message is due."""
        return self._due[0][0] if self._due else None

    def next(self) -> "tuple[SimulatedLink, Delivery] | None":
        """The earliest message and the end it is for; moves time there. None when nothing is under way."""
        while self._due:
            due_ns, _, end, delivery = heapq.heappop(self._due)
            self._waiting[end.identity] -= 1
            self.now_ns = max(self.now_ns, due_ns)
            if self._ends.get(end.identity) is end:
                return end, delivery
        return None


class SimulatedLink:
    """One node's end of the network."""

    def __init__(self, network: Network, identity: bytes) -> None:
        self._network = network
        self.identity = identity
        self._inbox: list[Delivery] = []

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        return self._network.post(self.identity, peer, envelope, page)

    def receive(self) -> Delivery | None:
        """What ``put`` left here; the engine hands messages over itself, tests may poll."""
        return self._inbox.pop(0) if self._inbox else None

    def put(self, delivery: Delivery) -> None:
        self._inbox.append(delivery)

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        """Virtual time has no waiting."""

    def close(self) -> None:
        self._network.close(self)


__all__ = ["XEN", "Network", "SimulatedLink"]
