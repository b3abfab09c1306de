"""One node's process: has its core and link built from a spec, then lets frames in until told to stop.

Runs in a child of the supervisor, or as a command that gets its spec from the registry
(``python -m deploy.node``, see ``deploy.launching.joining``). It ends when told to (SIGTERM), when its core
halts, or when its supervisor is gone; it never outlives it. In an experiment it records what it saw, its link
obeys rules, and it opens the link again when Xen was started again.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from bus import frames
from bus.faults import Rule
from bus.links import XEN, Delivery, Link, LinkError
from bus.links.faulty import FaultyLink
from bus.links.stamped import Time
from bus.links.zeromq import DealerLink
from deploy import assembly
from deploy.engines.building import Builder, Built
from deploy.engines.driver import Driver
from deploy.engines.node_log import NodeLog
from deploy.engines.scribbler import Scribbler
from deploy.logs import level_of
from deploy.memory import MappedMemory
from deploy.metrics.exporter import serve, snapshot
from deploy.metrics.exposition import Page
from deploy.recording import ring
from deploy.recording.segments import Recorder
from deploy.specs import GuestSpec, NodeSpec, epoch_of
from nodes.contract import REPLACED, Core
from nodes.epochs import hello
from nodes.guest.core import GuestCore

INTERNAL_ERROR = 70
TICK_NS = 20_000
Clock = Callable[[], int]
decoded = msgspec.msgpack.Decoder(NodeSpec).decode  # made once, by the fork server: it takes 10 ms
IDLE_NS = 500_000_000  # the longest wait: a signal may reach another thread, or just miss the wait


class Stop(Exception):  # noqa: N818 - an order, not an error
    """A signal arrived while the loop waited for a message."""


class Loop:
    """Receive, step, perform, until told to stop. The signals may interrupt only the wait itself.

    ``orders`` are carried out between two messages. ``clock`` is the supervisor's CLOCK_MONOTONIC.
    """

    def __init__(self, driver: Driver, link: Link, clock: Clock = time.monotonic_ns) -> None:
        self.clock = clock
        self._driver = driver
        self._link = link
        self._waiting = False
        self.stopping = False
        self.orders: deque[Callable[[], None]] = deque()

    def order(self, what: Callable[[], None]) -> None:
        """Have the main thread do something soon; from another thread."""
        self.orders.append(what)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    def wake(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        if self._waiting and self.orders:
            raise Stop

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self.stopping = True
        if self._waiting:
            raise Stop

    def _wait(self) -> Delivery | None:
        try:
            self._waiting = True
            if self.stopping or self.orders:
                return None
            return self._link.receive()
        except Stop:
            return None
        finally:
            self._waiting = False

    def _over(self) -> bool:
        return self._driver.halted is not None

    def run(self) -> None:
        """Until stopped or halted. The receive timeout moves only when it would fire too late.

        Between two Ticks a message is let in if there is one, even if the deadlines outrun the clock.
        """
        driver, core, link, wait = self._driver, self._driver.core, self._link, self._wait
        clock = self.clock
        armed_ns = IDLE_NS
        link.set_timeout_ns(armed_ns)
        driver.boot(clock())
        while not self.stopping and driver.halted is None:
            while self.orders:
                self.orders.popleft()()
            deadline_ns = core.deadline_ns()
            if deadline_ns is not None:
                remaining_ns = deadline_ns - clock()
                if remaining_ns <= 0:
                    driver.tick(clock())
                    if self._over():
                        return
                    deadline_ns = core.deadline_ns()
                    remaining_ns = IDLE_NS if deadline_ns is None else deadline_ns - clock()
                    remaining_ns = max(0, remaining_ns)
                if armed_ns > remaining_ns + TICK_NS:
                    armed_ns = remaining_ns
                    link.set_timeout_ns(armed_ns)
            delivery = wait()
            if delivery is not None:
                driver.deliver(delivery, clock())
            elif armed_ns != IDLE_NS:
                armed_ns = IDLE_NS
                link.set_timeout_ns(armed_ns)


class Supervisor:
    """The other end of the pipe. Two threads speak: what they say must not be mixed up."""

    def __init__(self, control: Any) -> None:
        self._control = control
        self._speaking = threading.Lock()

    def tell(self, *message: Any) -> bool:
        """False when the supervisor is gone."""
        try:
            with self._speaking:
                self._control.send(message)
        except OSError:
            return False
        return True

    def watch(self, words: Mapping[str, Callable[..., None]]) -> None:
        """Do what it says; die with it, whatever the main thread is doing."""
        while True:
            try:
                word, *rest = self._control.recv()
            except (EOFError, OSError):
                break
            words[word](*rest)
        os.kill(os.getpid(), signal.SIGKILL)


class Nowhere:
    """A link while there is nobody at its other end: what is sent is gone, nothing comes."""

    def __init__(self) -> None:
        self._timeout_ns = IDLE_NS

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        return True

    def receive(self) -> Delivery | None:
        time.sleep(self._timeout_ns / 1e9)
        return None

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        self._timeout_ns = IDLE_NS if timeout_ns is None else timeout_ns

    def close(self) -> None:
        """Nothing was opened."""


class Obedience:
    """What a supervisor may say to a node: a method per word. Runs in the thread that watches the pipe."""

    def __init__(
        self, spec: NodeSpec, built: Built, loop: Loop, supervisor: Supervisor, log: NodeLog
    ) -> None:
        self._spec = spec
        self._built = built
        self._loop = loop
        self._supervisor = supervisor
        self._said: Page | None = None
        self._scribbler: Scribbler | None = None
        self.words: Mapping[str, Callable[..., None]] = {
            "stats": self._stats,
            "page": self._page,
            "rules": self._rules,
            "relink": self._relink,
            "scribble": self._scribble,
            "log_level": log.set_level,
        }

    def _stats(self) -> None:
        link = self._built.link
        applied = dict(link.applied) if isinstance(link, FaultyLink) else {}
        core = self._built.core
        outstanding = getattr(core, "outstanding", 0)
        self._supervisor.tell("stats", snapshot(core.meters), applied, outstanding)

    def _page(self, number: int, is_open: bool) -> None:
        """The metrics of a node that serves none."""
        page = self._said = self._said or Page(self._built.core.meters)
        self._supervisor.tell("page", number, page.open_text() if is_open else page.text())

    def _rules(self, encoded: bytes) -> None:
        """Rules for what this node sends, from now on."""
        if isinstance(self._built.link, FaultyLink):
            self._built.link.obey(msgspec.msgpack.decode(encoded, type=tuple[Rule, ...]))

    def _relink(self, endpoint: str) -> None:
        """Xen is started again at ``endpoint``: EL3 says who it is. Or, without one, Xen has just ended: what
        it had sent is still done, for on a board EL3 has it already; the answers are nobody's. What comes of
        it after the next Xen's Welcome is not (PROTOCOL.md, "Epochs").
        """
        self._loop.order(partial(self._connect, endpoint) if endpoint else self._finish)

    def _connect(self, endpoint: str) -> None:
        spec, link = self._spec, self._built.link
        if isinstance(link, FaultyLink):
            link.exchange(self._built.stamped(DealerLink(endpoint, spec.token, spec.server_key)))
            link.send(XEN, frames.encode(hello(epoch_of(spec.identity), spec.name)), b"")

    def _finish(self) -> None:
        socket, link = self._built.socket, self._built.link
        if isinstance(link, FaultyLink) and isinstance(socket, DealerLink):
            socket.resume()
            link.set_timeout_ns(TICK_NS)
            while (delivery := link.receive()) is not None:
                self._built.driver.deliver(delivery, self._loop.clock())
            link.exchange(Nowhere())

    def _scribble(self, what: str, likelihood: float, seed: int) -> None:
        """Have a second thread write into the guest's shared page; an empty word ends it."""
        if self._scribbler is not None:
            self._scribbler.stop()
            self._scribbler = None
        role = self._spec.role
        if what and isinstance(role, GuestSpec) and role.config.binding is not None:
            memory = MappedMemory(Path(self._spec.run) / "shmem")
            page = assembly.guest_page(role.config.binding.shmem, role.mapped, memory)
            if page is not None:
                self._scribbler = Scribbler(page, what, likelihood, seed)


def main(encoded: bytes, control: Any) -> None:
    """Where a child of the fork server begins; ``control`` is its pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    run(decoded(encoded), control)


def run(
    spec: NodeSpec,
    control: Any,
    with_log: Callable[[NodeLog], None] = lambda log: None,
    shared: Time | None = None,
) -> None:
    """A node's life: says ("ready", facts), answers stats, ends with ("exit", code, why, stats).

    ``with_log`` is told of the log as soon as there is one. ``shared``: what all nodes of a platform on
    several machines count by; else they have one clock anyway.
    """
    clock = time.monotonic_ns if shared is None else shared.now_ns
    Path("/proc/self/comm").write_text(f"trapline:{spec.name}"[:15], encoding="utf-8")
    supervisor = Supervisor(control)
    log = NodeLog(Path(spec.run) / "log", spec.name, level_of(spec.name, spec.options.log_levels), clock)
    with_log(log)
    try:
        recorder = recorder_of(spec, log)
        built = Builder(spec, log, recorder, time=shared).build()
        core = built.core
        port, _ = serve(core.meters, access=spec.options.metrics)
    except (LinkError, OSError) as error:
        supervisor.tell("failed", str(error))
        return
    loop = Loop(built.driver, built.link, clock)
    signal.signal(signal.SIGTERM, loop.stop)
    signal.signal(signal.SIGUSR1, loop.wake)
    target = spec.options.metrics.target(port)
    endpoints = getattr(built.socket, "endpoints", [])
    facts = {"pid": os.getpid(), "port": port, "target": target, "endpoints": endpoints}
    supervisor.tell("ready", facts)
    words = Obedience(spec, built, loop, supervisor, log).words
    threading.Thread(target=supervisor.watch, args=(words,), name="watch", daemon=True).start()
    try:
        loop.run()
    except Exception as error:
        crashed(spec.name, core, error)
        supervisor.tell("exit", INTERNAL_ERROR, f"internal error: {error!r}", snapshot(core.meters))
        sys.exit(INTERNAL_ERROR)
    _end(built.driver, supervisor, log, clock)
    built.link.close()
    log.close()
    if recorder is not None:
        recorder.close()
    if built.driver.halted is not None and built.driver.halted.code == REPLACED:
        sys.exit(REPLACED)


def recorder_of(spec: NodeSpec, log: NodeLog) -> Recorder | None:
    """What a run needs it must have; a flight recorder is done without if it cannot be made."""
    if spec.recording is None:
        return None
    try:
        return ring.recorder(spec.recording)
    except OSError as error:
        if not spec.recording.ring:
            raise
        log.line("error", f"no flight recorder: {error.strerror}; this node's calls cannot be traced")
        return None


def crashed(name: str, core: Core, error: Exception) -> None:
    """An invariant broke: the traceback and the node's story, for whoever has to find out why."""
    lines = [*traceback.format_exception(error), f"the story of {name}, oldest first:\n"]
    sys.stderr.write("".join(lines) + "\n".join(core.story.lines()) + "\n")


def _end(driver: Driver, supervisor: Supervisor, log: NodeLog, clock: Clock) -> None:
    """What is still outstanding ends with an explicit error; the last numbers go to the supervisor."""
    halted = driver.halted
    if halted is None:
        if isinstance(driver.core, GuestCore):
            driver.give_up(XEN, clock())
        code, reason = 0, "stopped"
    else:
        code, reason = halted.code, halted.reason
        log.line("error" if code else "info", reason)
    if not supervisor.tell("exit", code, reason, snapshot(driver.core.meters)):
        log.line("error", "the supervisor is gone")


if __name__ == "__main__":
    from deploy.launching.joining import command

    sys.exit(command(sys.argv[1:]))
