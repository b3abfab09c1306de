"""A launcher whose nodes may run anywhere: a starter brings them up, the registry is where they are heard.

It gives out keys and configs, keeps a handle for each process, and puts log lines and rows of nodes that do
not see the supervisor's files where the supervisor's own are. An end is known from the starter, or from a
lease that lapsed; whichever comes first counts, and the process is killed if it can be.
"""

import select
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from zmq.utils import z85

from deploy.launching import messages as m
from deploy.launching.config import NodeConfig
from deploy.launching.identity import Identity
from deploy.launching.joining import machine
from deploy.launching.keeping import Kept
from deploy.launching.keyring import FreshKeys, Keys
from deploy.launching.launcher import STOP_S, Clock, Ground, Handle, LaunchFailed, ended_by
from deploy.launching.registry import Asks, Counted, Expect, Lapsed, Over, Registry, Tell
from deploy.launching.registry_link import Direct, News, RegistryLink
from deploy.launching.relay import Relay, RelayedPage
from deploy.launching.starter import Starter
from deploy.launching.wires import RouterWire
from deploy.specs import NodeSpec

REFUSED: Final = "trapline_registry_refused_total"
DROPPED: Final = "trapline_registry_dropped_total"
START_S: Final = 60.0  # from the order to start to a node that is ready
LEASE_S: Final = m.LEASE_S
TURN_S: Final = 0.05
ANSWERED_S: Final = 2.0  # a question for numbers; it or the answer may have found no room


class RegisteredHandle(Handle):
    """``ended``: how the process ended, once that is known."""

    lost_s = ANSWERED_S

    def __init__(self, launcher: "RegisteredLauncher", identity: Identity) -> None:
        super().__init__(identity.name)
        self.identity = identity
        self.ended: str | None = None
        self.failed: str | None = None
        self.moved_at = time.monotonic()  # when it last did something towards its end
        self._launcher = launcher

    def wait_ready(self) -> None:
        deadline = time.monotonic() + self._launcher.start_s
        while not self.facts and self.failed is None and self.ended is None:
            if self._launcher.interrupted:
                self.end(hard=True)
                raise LaunchFailed(f"stopped while waiting for {self.name}")
            if time.monotonic() > deadline:
                self.end(hard=True)
                raise LaunchFailed(f"{self.name} was not ready within {self._launcher.start_s:g} s")
            self._launcher.turn(TURN_S)
        if self.failed is not None:
            raise LaunchFailed(self.failed)
        if self.ended is not None:
            raise LaunchFailed(f"{self.name} ended while starting ({self.ended})")

    def order(self, *message: Any) -> bool:
        word, *arguments = message
        return self.ended is None and self._launcher.tell(self.identity, m.Order(word, arguments))

    def signal(self, number: int) -> bool:
        return self.ended is None and self._launcher.starter.signal(self.identity, number)

    def end(self, hard: bool = False) -> None:
        self.stopping = True
        self.moved_at = time.monotonic()
        if hard:
            self._launcher.starter.kill(self.identity)
        else:
            self.order("end")

    def join(self) -> None:
        self.signal(signal.SIGCONT)
        self._wait()
        if self.ended is None:
            self.end(hard=True)
            self._wait()

    def _wait(self) -> None:
        """For the end, as long as there are signs of it."""
        while self.ended is None and time.monotonic() < self.moved_at + STOP_S:
            self._launcher.turn(TURN_S)

    def is_alive(self) -> bool:
        return self.ended is None

    def how_it_ended(self) -> str:
        return self.ended or "it runs"

    # ---- what the launcher hears of it --------------------------------------------------------

    def hear(self, message: m.FromNode) -> None:
        if isinstance(message, m.Register):
            self.pid = self.pid or message.pid
            self.host = self.host and message.host
            self.same_clock = message.machine == machine()
        elif isinstance(message, m.Renew):
            if not self.same_clock and message.uncertainty_ns >= 0:
                self.clock = Clock(message.offset_ns, message.uncertainty_ns)
        elif isinstance(message, m.Leave):
            self.rows_lost = False
        elif isinstance(message, m.Ready):
            self.take("ready", {**message.facts, "host": self.host} if self.host else message.facts)
            self.page = None if message.facts.get("target") else self._launcher.page(self.identity)
        elif isinstance(message, m.Failed):
            self.failed = message.why
        elif isinstance(message, m.Stats):
            self.take("stats", message.numbers.plain, message.applied, message.outstanding)
        elif isinstance(message, m.Exit):
            self.moved_at = time.monotonic()
            self.take("exit", message.code, message.why, message.numbers.plain)

    def over(self, code: int | None, why: str = "") -> bool:
        """It has ended; False if that was known."""
        if self.ended is not None:
            return False
        told = "nobody knows how" if code is None else ended_by(code, self.ending)
        self.ended = why or told
        return True


class RegisteredLauncher:
    """A ``Launcher``. ``make_starter`` is given a folder for its files, which goes with the platform.

    ``start_s``: how long a node may take from the order to start until it is ready.

    The registry is reached at ``address``; it listens there, or on ``listen``, on a ``port`` of the system's
    choice unless said.
    """

    remote = True

    def __init__(
        self,
        make_starter: Callable[[Path], Starter],
        keys: Keys | None = None,
        *,
        address: str = "127.0.0.1",
        lease_s: float = LEASE_S,
        start_s: float = START_S,
        listen: str = "",
        port: int = 0,
    ) -> None:
        self.starter: Starter = cast(Starter, None)
        self.keys = keys or FreshKeys()
        self.endpoint = ""  # where nodes find the registry
        self._make_starter = make_starter
        self._address = address
        self._listen = f"tcp://{listen or address}:{port or '*'}"
        self._lease_ns = int(lease_s * 1e9)
        self.start_s = start_s
        self._ground: Ground | None = None
        self._link: RegistryLink | None = None
        self._kept: Kept | None = None
        self._relay = Relay(self.tell)
        self._handles: dict[Identity, RegisteredHandle] = {}
        self._watched: set[Identity] = set()
        self._events: deque[tuple[Handle, bool]] = deque()
        self._poll = select.poll()
        self._lost: dict[Identity, int] = {}  # what each node had no room for
        self._gone = 0  # the same of nodes that are gone, and orders that had none

    @property
    def interrupted(self) -> bool:
        """Whether nobody waits any more for what is being started."""
        return self._ground is not None and self._ground.interrupted()

    # ---- begin and end ------------------------------------------------------------------------

    def open(self, ground: Ground) -> None:
        self._ground = ground
        self.starter = self._make_starter(ground.run / "tmp" / "nodes")
        registry = Registry(ground.cluster, self.keys.who, self._lease_ns, self.starter.shared, machine())
        keys = self.keys
        wire = RouterWire(self._listen, keys.secret, lambda key: keys.who(key) is not None)
        self.endpoint = f"tcp://{self._address}:{wire.endpoint.rpartition(':')[2]}"
        self._kept = Kept(ground.run / "log")
        direct: Direct = {m.Rows: self._kept.rows, m.Page: self._relay.heard}
        self._link = RegistryLink(registry, wire, direct)
        for source in (self._link.fd, self.starter.source):
            ground.sources.add(source)
            self._poll.register(source, select.POLLIN)

    def close(self) -> None:
        starter, link, ground = self.starter, self._link, self._ground
        if ground is None:
            return
        self._ground = None
        if link is not None:
            ground.sources.drop(link.fd)
            ground.sources.drop(starter.source)
        if starter is not None:
            starter.close()
        if link is not None:
            link.close()
        if self._kept is not None:
            self._kept.close()

    # ---- processes ----------------------------------------------------------------------------

    def start(self, identity: Identity, spec: bytes) -> RegisteredHandle:
        link, kept = self._link, self._kept
        assert link is not None
        assert kept is not None
        if len(spec) > m.MESSAGE_BYTES_MAX // 2:
            raise LaunchFailed(f"{identity.name}: its specification has {len(spec)} bytes, too many to send")
        handle = self._handles[identity] = RegisteredHandle(self, identity)
        recording = msgspec.msgpack.decode(spec, type=NodeSpec).recording
        kept.expect(identity, recording)
        handle.rows_lost = recording is not None and not recording.ring and not self.starter.shared
        key = self.keys.node(identity.role, identity.name)
        link.submit(Expect(identity, spec))
        try:
            place = self.starter.start(identity, self._config(identity, self.endpoint), key)
        except OSError as error:
            self.release(handle)
            raise LaunchFailed(f"{identity.name} cannot be started: {error}") from None
        handle.host, handle.pid = place.host, place.pid
        return handle

    def _config(self, identity: Identity, endpoint: str) -> NodeConfig:
        return NodeConfig(
            identity.cluster,
            identity.role,
            identity.name,
            endpoint,
            z85.encode(self.keys.public).decode(),
            "",
            identity.incarnation,
        )

    def tell(self, identity: Identity, order: m.Order) -> bool:
        if self._link is None:
            return False
        self._link.submit(Tell(identity, order))
        return True

    def page(self, identity: Identity) -> RelayedPage:
        """The metrics of a node that serves none."""
        return RelayedPage(self._relay, identity)

    def watch(self, handle: Handle) -> None:
        self._watched.add(cast(RegisteredHandle, handle).identity)

    def lost(self, handle: Handle) -> str | None:
        return self._link.failure if self._link is not None else None

    def release(self, handle: Handle) -> None:
        identity = cast(RegisteredHandle, handle).identity
        if self._handles.pop(identity, None) is None:
            return
        self._watched.discard(identity)
        self._gone += self._lost.pop(identity, 0)
        if cast(RegisteredHandle, handle).ended is None:
            self.starter.kill(identity)
        if self._link is not None:
            self._link.submit(Over(identity))
        if self._kept is not None:
            self._kept.forget(identity)

    # ---- what happens -------------------------------------------------------------------------

    def heard(self, ready: Iterable[Any]) -> Iterator[tuple[Handle, bool]]:
        self._look()
        self._count()
        while self._events:
            yield self._events.popleft()

    def _count(self) -> None:
        """What other threads counted."""
        if self._ground is not None and self._link is not None and self._kept is not None:
            counter = self._ground.meters.counter
            dropped = sum(self._link.dropped.values()) + self._kept.refused
            counter(DROPPED).put((), dropped + self._gone + sum(self._lost.values()))
            for word, count in list(self._link.strangers.items()):
                counter(REFUSED).put((word,), count)

    def turn(self, wait_s: float) -> None:
        """Let things happen, waiting at most so long for something; whom it is about hears of it in turn."""
        self._poll.poll(wait_s * 1000)
        self._look()

    def _look(self) -> None:
        assert self._link is not None
        for one in self._link.take():
            self._hear(one)
        for identity, code in self.starter.ended():
            self._link.submit(Over(identity))
            self._end(identity, code)

    def _hear(self, one: News) -> None:
        assert self._ground is not None
        if isinstance(one, Counted):
            if one.what in m.REFUSALS:
                self._ground.log("warning", f"registry: refused, {one.what}: {one.detail}")
                self._ground.meters.counter(REFUSED)[(one.what,)] += 1
            else:  # an order for one that has just ended, or has not come up yet
                self._gone += 1
            return
        if isinstance(one, Asks):
            self._asked(one)
            return
        handle = self._handles.get(one.identity)
        if handle is None:
            return
        if isinstance(one, Lapsed):
            self.starter.kill(one.identity)
            self._end(one.identity, None, f"its lease lapsed, silent for {one.silent_ns / 1e9:.1f} s")
        elif isinstance(one.message, m.Lines):
            cast(Kept, self._kept).lines(one.identity, one.message.lines)
        else:
            if isinstance(one.message, m.Renew) and one.message.dropped:
                self._lost[one.identity] = one.message.dropped
            handle.hear(one.message)
            if one.identity in self._watched:
                self._events.append((handle, False))

    def _asked(self, one: Asks) -> None:
        """A process waits to be expected that this launcher has not started."""

    def _end(self, identity: Identity, code: int | None, why: str = "") -> None:
        handle = self._handles.get(identity)
        if handle is None or not handle.over(code, why):
            return
        if identity in self._watched and not handle.stopping:
            self._events.append((handle, True))
