"""Many guests in one process: a link, an identity, a log and a flight recorder each, one loop for all.

The supervisor says who comes and who goes (``deploy.launching.hosting``). Whoever has messages gets a turn of
so many, then the next; deadlines are in a heap. A guest that ends, crashes or is dropped takes nobody along;
the end of the process is the end of all of them. It is for platforms: guests of an experiment, whose links
obey rules, have a process each.
"""

import heapq
import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec
import zmq

from bus.links import XEN, LinkError
from bus.links.zeromq import DealerLink
from deploy.engines.building import Builder, Built
from deploy.engines.node_log import NodeLog
from deploy.launching.signals import Flag
from deploy.logs import level_of
from deploy.metrics.exporter import serve, snapshot
from deploy.metrics.exposition import Page
from deploy.metrics.listening import Said
from deploy.node import INTERNAL_ERROR, Supervisor, crashed, decoded, recorder_of
from deploy.recording.segments import Recorder
from deploy.specs import NodeOptions, NodeSpec
from nodes.meters import Meters

ROLE: Final = "host"
ALL: Final = 0  # instead of the number of a guest
TURN_MESSAGES: Final = 16  # that one guest takes before the others have had their turn
IDLE_S: Final = 0.5


class HostSpec(msgspec.Struct, frozen=True):
    """What the process is started with."""

    name: str
    options: NodeOptions


class Lodger:
    """One guest. ``armed_ns``: its entry in the heap that counts; ``held``: it has no turns for now."""

    def __init__(self, number: int, spec: NodeSpec, context: Any) -> None:
        self.number, self.name = number, spec.name
        self.armed_ns: int | None = None
        self.held = False
        self.log = NodeLog(Path(spec.run) / "log", spec.name, level_of(spec.name, spec.options.log_levels))
        self._recorder: Recorder | None = None
        try:
            self._recorder = recorder_of(spec, self.log)
            self.built: Built = Builder(spec, self.log, self._recorder, context).build()
        except BaseException:
            self._close()
            raise
        assert isinstance(self.built.socket, DealerLink)
        self.built.socket.socket.setsockopt(zmq.RCVTIMEO, 0)
        self.descriptor = int(self.built.socket.socket.getsockopt(zmq.FD))
        self.driver = self.built.driver
        self.meters = self.built.core.meters

    def _close(self) -> None:
        if self._recorder is not None:
            self._recorder.close()
        self.log.close()

    def close(self) -> None:
        """What it had under way gets no farewell."""
        self.built.link.close()
        self._close()


class Host:
    """``run`` until SIGTERM, or until the supervisor is gone."""

    def __init__(self, spec: HostSpec, control: Any) -> None:
        self._supervisor = Supervisor(control)
        self._epoll = select.epoll()
        self._flag = Flag()
        self._epoll.register(self._flag.fd, select.EPOLLIN)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._orders: deque[Callable[[], None]] = deque()
        self._lodgers: dict[int, Lodger] = {}
        self._at: dict[int, Lodger] = {}  # by descriptor
        self._due: list[tuple[int, int]] = []
        self._more: dict[int, None] = {}  # whose last turn was not enough, in order
        self._pages: dict[str, Said] = {}
        self._stopping = False
        access = spec.options.metrics
        port, _ = serve(Meters(ROLE), access=access, others=self._pages)
        self._facts = {"pid": os.getpid(), "port": port, "target": access.target(port)}

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        self._supervisor.tell("ready", self._facts)
        words = {"guest": self._guest, "to": self._to, "stats": self._stats}
        threading.Thread(target=self._supervisor.watch, args=(words,), name="watch", daemon=True).start()
        while not self._stopping:
            self._flag.lower()
            while self._orders:
                self._orders.popleft()()
            self._tick(time.monotonic_ns())
            self._turns(self._wait_s())
        for lodger in list(self._lodgers.values()):
            self._end(lodger)
        self._context.term()

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._flag.raise_()

    # ---- turns --------------------------------------------------------------------------------

    def _wait_s(self) -> float:
        if self._more or self._orders:
            return 0.0
        if not self._due:
            return IDLE_S
        return min(IDLE_S, max(0.0, (self._due[0][0] - time.monotonic_ns()) / 1e9))

    def _turns(self, wait_s: float) -> None:
        """A turn for each that has messages; epoll counts milliseconds, select does not."""
        select.select((self._epoll,), (), (), wait_s)
        turns, self._more = self._more, {}
        for descriptor, _ in self._epoll.poll(0):
            found = self._at.get(descriptor)
            if found is not None:
                turns[found.number] = None
        for number in turns:
            lodger = self._lodgers.get(number)
            if lodger is not None:
                self._guarded(lodger, partial(self._take, lodger))

    def _take(self, lodger: Lodger) -> None:
        """The descriptor tells only of what comes after all was taken: who does not get there comes again."""
        driver, receive = lodger.driver, lodger.built.link.receive
        for _ in range(TURN_MESSAGES):
            if lodger.held or driver.halted is not None:
                return
            delivery = receive()
            if delivery is None:
                return
            driver.deliver(delivery, time.monotonic_ns())
        self._more[lodger.number] = None

    def _tick(self, now_ns: int) -> None:
        """Those whose time has come, each once."""
        due: list[Lodger] = []
        while self._due and self._due[0][0] <= now_ns:
            at_ns, number = heapq.heappop(self._due)
            lodger = self._lodgers.get(number)
            if lodger is not None and lodger.armed_ns == at_ns:
                lodger.armed_ns = None
                due.append(lodger)
        for lodger in due:
            self._guarded(lodger, partial(self._late, lodger, now_ns))

    def _late(self, lodger: Lodger, now_ns: int) -> None:
        deadline_ns = lodger.driver.core.deadline_ns()
        if not lodger.held and deadline_ns is not None and deadline_ns <= now_ns:
            lodger.driver.tick(now_ns)
        self._take(lodger)

    def _guarded(self, lodger: Lodger, act: Callable[[], None]) -> None:
        """Let it act, and see what became of it: a broken invariant ends it alone."""
        try:
            act()
        except Exception as error:
            crashed(lodger.name, lodger.driver.core, error)
            self._tell(lodger, "exit", INTERNAL_ERROR, f"internal error: {error!r}", snapshot(lodger.meters))
            self._leave(lodger)
            return
        halted = lodger.driver.halted
        if halted is not None:
            lodger.log.line("error" if halted.code else "info", halted.reason)
            self._tell(lodger, "exit", halted.code, halted.reason, snapshot(lodger.meters))
            self._leave(lodger)
            return
        deadline_ns = lodger.driver.core.deadline_ns()
        if deadline_ns is None or lodger.held:
            return
        if lodger.armed_ns is None or deadline_ns < lodger.armed_ns:
            lodger.armed_ns = deadline_ns
            heapq.heappush(self._due, (deadline_ns, lodger.number))

    # ---- what the supervisor says: in its thread, and what follows in ours ----------------------

    def _order(self, what: Callable[[], None]) -> None:
        self._orders.append(what)
        self._flag.raise_()

    def _guest(self, number: int, encoded: bytes) -> None:
        self._order(partial(self._enter, number, encoded))

    def _to(self, number: int, word: str, *rest: Any) -> None:
        lodger = self._lodgers.get(number)
        if lodger is None:
            return
        if word == "log_level":
            lodger.log.set_level(*rest)
        elif word in self.WORDS:
            self._order(partial(self.WORDS[word], self, lodger))

    def _stats(self) -> None:
        """The numbers of all that have turns, in one message: each alone costs more than what it says."""
        told: dict[int, Any] = {
            lodger.number: (snapshot(lodger.meters), {}, getattr(lodger.driver.core, "outstanding", 0))
            for lodger in list(self._lodgers.values())
            if not lodger.held
        }
        self._supervisor.tell(ALL, "stats", told)

    def _tell(self, lodger: Lodger, *message: Any) -> None:
        self._supervisor.tell(lodger.number, *message)

    def _enter(self, number: int, encoded: bytes) -> None:
        spec = decoded(encoded)
        try:
            if spec.experiment:
                raise LinkError("guests of an experiment have a process each")
            lodger = Lodger(number, spec, self._context)
        except (LinkError, OSError, zmq.ZMQError) as error:
            self._supervisor.tell(number, "failed", str(error))
            return
        self._lodgers[number] = self._at[lodger.descriptor] = lodger
        self._epoll.register(lodger.descriptor, select.EPOLLIN)
        facts = {**self._facts, "endpoints": []}
        if self._facts["port"]:
            path = f"/metrics/{spec.name}"
            self._pages[path] = Page(lodger.meters, process=False)
            facts["target"] = f"{self._facts['target']}{path}"
        self._tell(lodger, "ready", facts)
        self._guarded(lodger, partial(self._boot, lodger))

    def _boot(self, lodger: Lodger) -> None:
        lodger.driver.boot(time.monotonic_ns())
        self._take(lodger)

    def _end(self, lodger: Lodger) -> None:
        """In good order: what is outstanding ends with an explicit error."""
        if lodger.number not in self._lodgers:
            return
        lodger.driver.give_up(XEN, time.monotonic_ns())
        self._tell(lodger, "exit", 0, "stopped", snapshot(lodger.meters))
        self._leave(lodger)

    def _leave(self, lodger: Lodger) -> None:
        """It is gone: now for good, whatever it had under way."""
        if self._lodgers.pop(lodger.number, None) is None:
            return
        del self._at[lodger.descriptor]
        self._more.pop(lodger.number, None)
        self._pages.pop(f"/metrics/{lodger.name}", None)
        if not lodger.held:
            self._epoll.unregister(lodger.descriptor)
        lodger.close()
        self._tell(lodger, "over")

    def _hold(self, lodger: Lodger) -> None:
        """What waits for it must not keep us awake."""
        if lodger.number in self._lodgers and not lodger.held:
            lodger.held = True
            self._epoll.unregister(lodger.descriptor)

    def _go(self, lodger: Lodger) -> None:
        """On it goes; an entry of its own in the heap is made anew."""
        if lodger.number in self._lodgers and lodger.held:
            lodger.held, lodger.armed_ns = False, None
            self._epoll.register(lodger.descriptor, select.EPOLLIN)
            self._guarded(lodger, partial(self._take, lodger))

    WORDS: Final[dict[str, Callable[["Host", Lodger], None]]] = {
        "end": _end,
        "drop": _leave,
        "hold": _hold,
        "go": _go,
    }


def main(encoded: bytes, control: Any) -> None:
    """Where a child of the fork server begins; ``control`` is its pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    spec = msgspec.msgpack.decode(encoded, type=HostSpec)
    Path("/proc/self/comm").write_text(f"trapline:{spec.name}"[:15], encoding="utf-8")
    try:
        host = Host(spec, control)
    except OSError as error:
        Supervisor(control).tell("failed", str(error))
        return
    host.run()
