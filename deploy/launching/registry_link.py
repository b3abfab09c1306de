"""The registry as it runs: a thread of the supervisor that owns the socket and steps the core.

It is a thread so that leases go on while the supervisor is busy with something else; if the whole process
stops, they lapse. What nodes say waits in a mailbox with a bound, and the supervisor takes it from there.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import zmq

from deploy.launching import messages as m
from deploy.launching.identity import Identity
from deploy.launching.registry import (
    Asks,
    Counted,
    Effect,
    Event,
    Give,
    Heard,
    Lapsed,
    Registry,
    Said,
    Tick,
)
from deploy.launching.signals import Flag
from deploy.launching.wires import RouterWire

MAILBOX: Final = 4096  # of what the supervisor has not taken; beyond it lines and numbers are lost
AT_ONCE: Final = 64  # messages between two looks at what the supervisor wants
BEHIND: Final = 16  # such rounds, until leases lapse though there are messages that may be renewals
IDLE_MS: Final = 1000
LOSABLE: Final = (m.Stats, m.Lines, m.Renew)

Direct = Mapping[type[m.Message], Callable[[Identity, Any], None]]
News = Said | Lapsed | Counted | Asks


class RegistryLink:
    """``fd`` is readable when ``take`` has something. ``direct``: who takes messages of some kinds, in the
    registry's thread.

    ``dropped`` counts what found no room, by kind. ``failure``: why nothing works any more, or None.
    """

    def __init__(self, registry: Registry, wire: RouterWire, direct: Direct) -> None:
        self.dropped: Counter[str] = Counter()
        self.failure: str | None = None
        self.endpoint = wire.endpoint
        self._registry = registry
        self._wire = wire
        self._direct = direct
        self._events: deque[Event] = deque()
        self._news: deque[News] = deque()
        self._stop = False
        self._behind = 0
        self._come, self._there = Flag(), Flag()
        self.fd = self._there.fd
        self._poller = zmq.Poller()
        self._poller.register(wire.socket, zmq.POLLIN)
        self._poller.register(self._come.fd, zmq.POLLIN)
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)
        self._thread.start()

    # ---- the supervisor's side ----------------------------------------------------------------

    @property
    def strangers(self) -> Counter[str]:
        """Who was not let in, by the words of ``bus.links.entrance``."""
        return self._wire.refused

    def submit(self, event: Event) -> None:
        """Let the registry know, soon."""
        self._events.append(event)
        self._come.raise_()

    def take(self) -> list[News]:
        """What has come since."""
        self._there.lower()
        found = []
        while self._news:
            found.append(self._news.popleft())
        return found

    def close(self) -> None:
        """Safe to call twice."""
        if not self._stop:
            self._stop = True
            self._come.raise_()
            self._thread.join()
            self._wire.close()
            self._come.close()
            self._there.close()

    # ---- the thread's -------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stop:
                self._turn()
        except Exception as error:  # the supervisor says it, and ends the platform
            self.failure = f"the registry broke: {error!r}"
            self._there.raise_()

    def _turn(self) -> None:
        now_ns = time.monotonic_ns()
        deadline_ns = self._registry.deadline_ns()
        wait_ms = IDLE_MS if deadline_ns is None else max(0, (deadline_ns - now_ns) // 1_000_000 + 1)
        self._poller.poll(min(IDLE_MS, wait_ms))
        self._come.lower()
        while self._events:
            self._step(self._events.popleft())
        for _ in range(AT_ONCE):
            received = self._wire.receive()
            if received is None:
                self._behind = 0
                break
            self._step(_parsed(*received))
        else:
            self._behind += 1
        if 0 < self._behind < BEHIND:
            return
        deadline_ns = self._registry.deadline_ns()
        if deadline_ns is not None and deadline_ns <= time.monotonic_ns():
            self._step(Tick())

    def _step(self, event: Event) -> None:
        for effect in self._registry.step(event, time.monotonic_ns()):
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Give):
            if not self._wire.send(effect.link, m.encode(effect.message)):
                self.dropped[type(effect.message).__name__.lower()] += 1
        elif isinstance(effect, Said) and type(effect.message) in self._direct:
            self._direct[type(effect.message)](effect.identity, effect.message)
        elif isinstance(effect, Said) and isinstance(effect.message, LOSABLE) and len(self._news) >= MAILBOX:
            self.dropped[type(effect.message).__name__.lower()] += 1
        elif isinstance(effect, Counted | Asks) and len(self._news) >= MAILBOX:
            self.dropped["refusal"] += 1
        else:
            self._news.append(effect)
            self._there.raise_()


def _parsed(link: bytes, key: bytes, message: bytes) -> Heard:
    try:
        return Heard(link, key, m.from_node(message))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Heard(link, key, None)
