"""The simulated link: one process, virtual time, delays drawn from a seed.

The same bytes travel as over ZeroMQ. Messages are due at (time, number); between two nodes they keep their
order. A node does one thing at a time: while it works or is paused, what arrives waits in its queue, and what
it sends leaves when its work is done. Equal seeds give equal deliveries.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import Any, Final

from bus.faults import Rule, Way
from bus.links import XEN, Delivery
from bus.links.faulty import kind_of

HOP_NS = 20_000
JITTER_NS = 10_000
QUEUE_MESSAGES = 1024  # under way from one node to another, or waiting there
NEVER: Final = 1 << 63
TICK: Final[Delivery] = (b"", b"", b"")  # what ``take`` gives when an end's own deadline has passed
_FIRST: Final = 1 << 62  # actions come before the messages of the same nanosecond, wake-ups after them
Action = Callable[[], None]


class Timeline:
    """Virtual time, and all that is due. Several networks may share one: boards side by side."""

    def __init__(self, seed: int) -> None:
        self.now_ns = 0
        self.random = random.Random(seed).random
        self.due: list[tuple[int, int, Any, Any]] = []
        self.number = 0

    def next_ns(self) -> int | None:
        """When the earliest thing is due."""
        return self.due[0][0] if self.due else None

    def at(self, at_ns: int, action: Action) -> None:
        """Plan ``action``: ``take`` gives it then."""
        self.number += 1
        heappush(self.due, (max(at_ns, self.now_ns), self.number - _FIRST, None, action))

    def wake(self, at_ns: int, end: "SimulatedLink") -> None:
        """Look at ``end`` then, after the messages of that time."""
        self.number += 1
        heappush(self.due, (at_ns, self.number + _FIRST, end, None))

    def take(self, until_ns: int = NEVER) -> "tuple[SimulatedLink | None, Any] | None":
        """The next thing by ``until_ns``, None if there is nothing; see ``until``."""
        return next(self.until(until_ns), None)

    def until(self, until_ns: int) -> "Iterator[tuple[SimulatedLink | None, Any]]":
        """What happens by ``until_ns``, one thing after the other; time moves there.

        It is a message and the end it is for, or (an end, TICK), or (None, an action).
        """
        due = self.due
        while due and due[0][0] <= until_ns:
            at_ns, _, route, delivery = heappop(due)
            self.now_ns = at_ns if at_ns > self.now_ns else self.now_ns
            if delivery is None:
                woken = route.awake(self.now_ns)
                if woken is not None:
                    yield route, woken
            elif route is None:
                yield None, delivery
            else:
                end = route.end
                if end.idle:
                    route.waiting -= 1
                    yield end, delivery
                elif end.accepts(route, delivery, self.now_ns):
                    yield end, delivery


class Route:
    """One direction between two ends: how many messages are ``waiting``, when the last one is due."""

    __slots__ = ("end", "last_ns", "waiting", "way")

    def __init__(self, end: "SimulatedLink", way: Way | None) -> None:
        self.end = end
        self.waiting = 0
        self.last_ns = 0
        self.way = way


class Network:
    """Who can reach whom. ``now_ns`` is the virtual time; ``next`` takes the earliest delivery out.

    ``on_lost`` is told of each message that a rule takes: the sender's end, its peer, envelope and page.
    """

    def __init__(
        self, seed: int, hop_ns: int = HOP_NS, jitter_ns: int = JITTER_NS, timeline: Timeline | None = None
    ) -> None:
        self.timeline = timeline or Timeline(seed)
        self.hop_ns = hop_ns
        self.jitter_ns = jitter_ns
        self.sparing = False
        self.on_lost: Callable[[SimulatedLink, bytes, bytes, bytes], None] = lambda *_: None
        self._ends: dict[bytes, SimulatedLink] = {}
        self._rules: tuple[Rule, ...] = ()
        self._ways: dict[tuple[str, str], Way] = {}
        self.applied: dict[int, int] = {}

    @property
    def now_ns(self) -> int:
        return self.timeline.now_ns

    @now_ns.setter
    def now_ns(self, now_ns: int) -> None:
        self.timeline.now_ns = now_ns

    def open(self, identity: bytes, name: str = "") -> "SimulatedLink":
        """An end with a proven identity, XEN for Xen's own; ``name`` is what rules call it."""
        end = SimulatedLink(self, identity, name or identity.decode("latin-1"))
        self._ends[identity] = end
        return end

    def rename(self, end: "SimulatedLink", name: str) -> None:
        """Rules call it so from now on."""
        end.name = name
        self.obey(self._rules)

    def close(self, end: "SimulatedLink") -> None:
        """The end is gone; what was under way to it is lost, what is sent to it is refused.

        A newer end with the same identity stays open.
        """
        end.shut()
        if self._ends.get(end.identity) is end:
            del self._ends[end.identity]
            for other in self._ends.values():
                other.routes.pop(end.identity, None)

    def route(self, sender: "SimulatedLink", peer: bytes) -> Route | None:
        """A new route to whoever has that identity now."""
        end = self._ends.get(peer)
        return Route(end, self._way(sender.name, end.name)) if end is not None else None

    # ---- rules --------------------------------------------------------------------------------

    def obey(self, rules: Iterable[Rule]) -> None:
        """These rules from now on, and no others; one that stays goes on counting where it was.

        ``applied`` counts by rule number what was done.
        """
        self._rules = tuple(rules)
        self._ways = {names: Way(self._rules, *names, way) for names, way in self._ways.items()}
        for end in self._ends.values():
            for route in end.routes.values():
                route.way = self._way(end.name, route.end.name)

    @contextmanager
    def spared(self) -> Iterator[None]:
        """Rules do not concern what is sent within."""
        self.sparing = True
        try:
            yield
        finally:
            self.sparing = False

    def _way(self, sender: str, receiver: str) -> Way | None:
        if not self._rules:
            return None
        names = (sender, receiver)
        if names not in self._ways:
            self._ways[names] = Way(self._rules, sender, receiver)
        return self._ways[names] or None

    # ---- for those who take messages one by one -----------------------------------------------

    def next_ns(self) -> int | None:
        """When the earliest message is due."""
        return self.timeline.next_ns()

    def next(self) -> "tuple[SimulatedLink, Delivery] | None":
        """The earliest message and the end it is for; moves time there. None when nothing is under way."""
        end, delivery = self.timeline.take() or (None, TICK)
        return None if end is None else (end, delivery)


class SimulatedLink:
    """One node's end of the network.

    ``due_ns`` is when the node wants to be woken (NEVER: it does not); the engine says so with ``wants``.
    """

    def __init__(self, network: Network, identity: bytes, name: str) -> None:
        self.identity = identity
        self.name = name
        self.idle = True  # what arrives is worked on at once, and takes no time
        self.due_ns = NEVER
        self._work_ns = 0
        self.is_open = True
        self.routes: dict[bytes, Route] = {}
        self.owner: Any = None  # the engine's, for whom this end receives
        self._network = network
        self._timeline = network.timeline
        self._hop_ns = network.hop_ns
        self._jitter_ns = network.jitter_ns
        self._busy_ns = 0  # until then
        self._paused = False
        self._reasons: set[int] = set()  # why it is paused
        self._queue: deque[tuple[Route, Delivery]] = deque()
        self._wakes: list[int] = []  # when this end is looked at; the earliest is the last
        self._inbox: list[Delivery] = []

    @property
    def work_ns(self) -> int:
        """How long the node works on one thing."""
        return self._work_ns

    @work_ns.setter
    def work_ns(self, work_ns: int) -> None:
        self._work_ns = work_ns
        self._judge()

    def _judge(self) -> None:
        self.idle = self.is_open and not (self._work_ns or self._paused or self._queue or self._busy_ns)

    # ---- out ----------------------------------------------------------------------------------

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        """Put a message under way; False when nobody has that identity, or too much waits there already."""
        route = self.routes.get(peer)
        if route is None or not route.end.is_open:
            route = self._network.route(self, peer)
            if route is None:
                return False
            self.routes[peer] = route
        if route.waiting >= QUEUE_MESSAGES:
            return False
        if route.way is not None and not self._network.sparing:
            return self._meddled(route, route.way, peer, (self.identity, envelope, page))
        timeline = self._timeline
        now_ns = timeline.now_ns
        due_ns = self._busy_ns if self._busy_ns > now_ns else now_ns
        due_ns += self._hop_ns + int(timeline.random() * self._jitter_ns)
        if due_ns < route.last_ns:
            due_ns = route.last_ns
        else:
            route.last_ns = due_ns
        route.waiting += 1
        timeline.number = number = timeline.number + 1
        heappush(timeline.due, (due_ns, number, route, (self.identity, envelope, page)))
        return True

    def _meddled(self, route: Route, way: Way, peer: bytes, delivery: Delivery) -> bool:
        """The same on a way with rules: the message is lost, late, doubled, or overtaken by others."""
        network, timeline = self._network, self._timeline
        fate = way.fate(kind_of(delivery[1]))
        delays_ns: tuple[int, ...] = (0,)
        if fate is not None:
            delays_ns = fate.delays_ns
            for number in fate.rules:
                network.applied[number] = network.applied.get(number, 0) + 1
        if not delays_ns:
            network.on_lost(self, peer, delivery[1], delivery[2])
        for copy, delay_ns in enumerate(delays_ns):
            due_ns = max(self._busy_ns, timeline.now_ns) + delay_ns
            due_ns += network.hop_ns + int(timeline.random() * network.jitter_ns)
            if fate is None or not fate.overtaken:
                due_ns = max(due_ns, route.last_ns)
                route.last_ns = route.last_ns if copy else due_ns
            route.waiting += 1
            timeline.number += 1
            heappush(timeline.due, (due_ns, timeline.number, route, delivery))
        return True

    # ---- in -----------------------------------------------------------------------------------

    def accepts(self, route: Route, delivery: Delivery, now_ns: int) -> bool:
        """A message has arrived: True if it can be worked on at once; it waits otherwise, or is lost."""
        if not self.is_open:
            route.waiting -= 1
            return False
        if self._paused or self._queue or self._busy_ns > now_ns:
            self._queue.append((route, delivery))
            self._look_at(max(self._busy_ns, now_ns))
            return False
        route.waiting -= 1
        if self._work_ns:
            self._busy_ns = now_ns + self._work_ns
        return True

    def awake(self, now_ns: int) -> Delivery | None:
        """The time has come to look: what to do now, TICK for the node's own deadline, or nothing."""
        self._wakes.pop()
        if self._paused or not self.is_open:
            return None
        found: Delivery | None = None
        if self._busy_ns <= now_ns:
            if self.due_ns < now_ns or (self.due_ns == now_ns and not self._queue):
                self.due_ns = NEVER
                found = TICK
            elif self._queue:
                route, found = self._queue.popleft()
                route.waiting -= 1
            if not self._work_ns:
                self._busy_ns = 0
                self._judge()
            if found is not None and self._work_ns:
                self._busy_ns = now_ns + self._work_ns
        self._look_again(now_ns)
        return found

    def wants(self, deadline_ns: int | None) -> None:
        """The node's own deadline, after each thing that it did."""
        if deadline_ns is None:
            self.due_ns = NEVER
        else:
            self.due_ns = deadline_ns
            wakes = self._wakes
            if not wakes or deadline_ns < wakes[-1]:
                self._look_at(max(deadline_ns, self._timeline.now_ns))

    def _look_again(self, now_ns: int) -> None:
        if self._queue:
            self._look_at(max(self._busy_ns, now_ns))
        elif self.due_ns != NEVER:
            self._look_at(max(self.due_ns, self._busy_ns, now_ns))

    def _look_at(self, at_ns: int) -> None:
        wakes = self._wakes
        if not self._paused and (not wakes or at_ns < wakes[-1]):
            wakes.append(at_ns)
            self._timeline.wake(at_ns, self)

    def pause(self, reason: int = 0) -> None:
        """Nothing is done until ``resume`` for every reason; what arrives waits."""
        self._reasons.add(reason)
        self._paused = True
        self._judge()

    def resume(self, reason: int = 0) -> None:
        self._reasons.discard(reason)
        if self._paused and not self._reasons:
            self._paused = False
            self._judge()
            self._look_again(self._timeline.now_ns)

    # ---- as every link ------------------------------------------------------------------------

    def receive(self) -> Delivery | None:
        """What ``put`` left here; the engine hands messages over itself, tests may poll."""
        return self._inbox.pop(0) if self._inbox else None

    def put(self, delivery: Delivery) -> None:
        self._inbox.append(delivery)

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        """Virtual time has no waiting."""

    def close(self) -> None:
        self._network.close(self)

    def shut(self) -> None:
        """What arrives is lost."""
        self.is_open = False
        self._judge()


__all__ = ["NEVER", "TICK", "XEN", "Network", "SimulatedLink", "Timeline"]
