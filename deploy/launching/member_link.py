"""A node's membership as it runs: a thread that owns the link to the registry and steps the core.

What the node says waits in an outbox with a bound: log lines beyond it are dropped and counted, what has to
arrive waits for its sender. When the membership is over, the process is: at once, whatever else it does.
"""

import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec
import zmq

from deploy.launching import membership as core
from deploy.launching import messages as m
from deploy.launching.clock import NodeClock
from deploy.launching.signals import Flag
from deploy.launching.wires import DealerWire

OUTBOX: Final = 256
RETRY_MS: Final = 50  # what could not be sent is tried again
LOSABLE: Final = (m.Stats, m.Page, m.Lines)


class MemberLink:
    """``before_end`` is called before the process ends against its will, with the reason.

    ``accepted``, ``orders`` and ``acknowledged`` take what the registry says.
    """

    def __init__(self, membership: core.Membership, wire: DealerWire) -> None:
        self.before_end: Callable[[str], None] = lambda why: None
        self.accepted: queue.SimpleQueue[m.Accepted] = queue.SimpleQueue()
        self.orders: queue.SimpleQueue[m.Order] = queue.SimpleQueue()
        self.acknowledged: queue.SimpleQueue[m.Took | m.Parted] = queue.SimpleQueue()
        self.dropped = 0
        self._core = membership
        self._wire = wire
        self._outbox: deque[m.FromNode] = deque()
        self._come = Flag()
        self._stop = False
        self._clock: NodeClock | None = None
        self._measured = threading.Event()
        self._poller = zmq.Poller()
        self._poller.register(wire.socket, zmq.POLLIN)
        self._poller.register(self._come.fd, zmq.POLLIN)
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)
        self._thread.start()

    def tell(self, message: m.FromNode) -> bool:
        """From any thread; False if there was no room."""
        if len(self._outbox) >= OUTBOX and isinstance(message, LOSABLE):
            self.dropped += 1
            return False
        self._outbox.append(message)
        self._come.raise_()
        return True

    def clock(self) -> NodeClock:
        """The registry's time here; waits until it is known."""
        self._measured.wait()
        assert self._clock is not None
        return self._clock

    def close(self) -> None:
        """The process ends by its own will; nothing is heard or said any more."""
        self._stop = True
        self._come.raise_()
        self._thread.join()
        self._wire.close()
        self._come.close()

    def _run(self) -> None:
        try:
            self._step(core.Boot())
            while not self._stop:
                self._turn()
        except Exception as error:  # without it there is no lease
            self._end(core.LAPSED, f"the link to the registry broke: {error!r}")

    def _turn(self) -> None:
        deadline_ns = self._core.deadline_ns()
        left_ms = 0 if deadline_ns is None else (deadline_ns - time.monotonic_ns()) // 1_000_000 + 1
        self._poller.poll(max(0, min(left_ms, RETRY_MS) if self._outbox else left_ms))
        self._come.lower()
        while (received := self._wire.receive()) is not None:
            self._step(core.Heard(_parsed(received)))
        self._step(core.Tick(self.dropped))
        while self._outbox and self._wire.send(m.encode(self._outbox[0])):
            self._outbox.popleft()

    def _step(self, event: core.Event) -> None:
        for effect in self._core.step(event, time.monotonic_ns()):
            self._perform(effect)

    def _perform(self, effect: core.Effect) -> None:
        if isinstance(effect, core.Give):
            self._wire.send(m.encode(effect.message))  # it is said again, or the lease lapses
        elif isinstance(effect, core.Begin):
            self.accepted.put(effect.accepted)
        elif isinstance(effect, core.Measured):
            self._set_clock(effect.offset_ns)
        elif isinstance(effect, core.Halt):
            self._end(effect.code, effect.why)
        elif isinstance(effect.message, m.Order):
            self.orders.put(effect.message)
        else:
            self.acknowledged.put(effect.message)

    def _set_clock(self, offset_ns: int) -> None:
        if self._clock is None:
            self._clock = NodeClock(offset_ns)
            self._measured.set()
        else:
            self._clock.aim(offset_ns)

    def _end(self, code: int, why: str) -> None:
        if self._stop:
            return
        try:
            sys.stderr.write(f"trapline: {why}\n")
            sys.stderr.flush()
            self.before_end(why)
        finally:
            os._exit(code)


def _parsed(received: bytes) -> m.ToNode | None:
    try:
        found: m.ToNode = m.to_node(received)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found


class Control:
    """The link as ``deploy.node`` knows a pipe to its supervisor: tuples out, words in.

    ``end`` is called when an orderly end is asked for. ``address``: where others find this machine's ports.
    """

    def __init__(self, link: MemberLink, end: Callable[[], None], address: str = "") -> None:
        self._link = link
        self._address = address
        self._end = end
        self._made: dict[str, Callable[..., m.FromNode]] = {
            "ready": self._ready,
            "failed": m.Failed,
            "stats": lambda told, applied, open_: m.Stats(m.Numbers.of(told), applied, open_),
            "page": m.Page,
            "exit": lambda code, why, told: m.Exit(code, why, m.Numbers.of(told)),
        }

    def send(self, message: tuple[Any, ...]) -> None:
        kind, *rest = message
        self._link.tell(self._made[kind](*rest))

    def _ready(self, facts: dict[str, Any]) -> m.Ready:
        if self._address and facts["target"]:
            facts = {**facts, "target": f"{self._address}:{facts['port']}"}
        return m.Ready(facts)

    def recv(self) -> tuple[Any, ...]:
        """The next word; waits for it."""
        while True:
            order = self._link.orders.get()
            if order.word != "end":
                return order.word, *order.arguments
            self._end()
