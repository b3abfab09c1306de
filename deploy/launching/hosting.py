"""The launcher of ``--guests-per-process``: guests in processes of many, everybody else in one of their own.

Such a process is ``deploy.engines.host``. Dom0 is not hosted: with it the platform ends. A handle is still
one guest: a signal to it reaches the guest and not its neighbours, and the end of a process is the end of all
of its guests, each told once.
"""

import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

import msgspec

from deploy.engines import host
from deploy.engines.host import HostSpec
from deploy.launching.child import Child
from deploy.launching.forked import ForkedLauncher
from deploy.launching.identity import Identity
from deploy.launching.launcher import START_S, STOP_S, Ground, Handle, LaunchFailed, ended_by
from deploy.metrics.exporter import announce
from deploy.rundir import RunDirectory
from deploy.specs import NodeOptions
from deploy.toolstack import DOM0

MESSAGES: Final = 256  # that one process says, taken at once
WORDS: Final = {signal.SIGKILL: "drop", signal.SIGSTOP: "hold", signal.SIGCONT: "go"}


class Process:
    """A process with guests: ``guests`` by number; ``over`` are those that ended since anybody looked.

    ``silent``: nothing more will come. ``asked``: a question for numbers is open.
    ``withdraw`` takes its scrape target back.
    """

    def __init__(self, name: str, child: Child) -> None:
        self.name = name
        self.child = child
        self.guests: dict[int, Hosted] = {}
        self.over: deque[Hosted] = deque()
        self.silent = self.asked = False
        self.withdraw: Callable[[], None] = lambda: None

    def hear(self, wait_s: float) -> "list[Hosted]":
        """Take in one message, waiting so long for it; whose it was. Empty: there is none."""
        found: list[Hosted] = []
        try:
            while not found and self.child.pipe.poll(wait_s):
                found, wait_s = self._take(*self.child.pipe.recv()), 0
        except (EOFError, OSError):
            self.silent = True
        return found

    def _take(self, number: int, kind: str, *rest: Any) -> "list[Hosted]":
        """What is said of guests that are known."""
        if number != host.ALL:
            told = {number: rest}
        else:
            self.asked, told = False, rest[0]
            for guest in self.guests.values():  # who came after the question, or is held, is not in it
                guest.asked = False
        found = [(self.guests[one], said) for one, said in told.items() if one in self.guests]
        for guest, said in found:
            guest.take(kind, *said)
        return [guest for guest, _ in found]

    def ask_stats(self) -> bool:
        """One question for all of its guests, unless an earlier one is still open."""
        self.asked = self.asked or self.child.order("stats")
        return self.asked

    def gone(self) -> bool:
        """Whether it has ended."""
        return not self.child.is_alive()


class Hosted(Handle):
    """One guest of a process. ``over``: it is not there any more."""

    def __init__(self, process: Process, number: int, name: str) -> None:
        super().__init__(name)
        self.process, self.number = process, number
        self.pid = process.child.pid
        self.over = False
        self._killed = False
        self._failed: str | None = None

    def take(self, kind: str, *rest: Any) -> None:
        if kind == "over":
            self.over = True
            self.process.over.append(self)
        elif kind == "failed":
            self.over, self._failed = True, str(rest[0])
        else:
            super().take(kind, *rest)

    def _hear_until(self, done: Callable[[], Any], patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        while not done() and time.monotonic() < deadline:
            if not self.process.hear(0.02) and self.process.gone():
                while self.process.hear(0):
                    pass
                break
        return bool(done())

    def wait_ready(self) -> None:
        if self._hear_until(lambda: self.facts or self.over, START_S) and self.facts:
            return
        self.stopping = True
        self.order("drop")
        raise LaunchFailed(self._failed or f"{self.name} ended while starting ({self.how_it_ended()})")

    def order(self, *message: Any) -> bool:
        if message == ("stats",):
            return self.process.ask_stats()
        return self.process.child.order("to", self.number, *message)

    def signal(self, number: int) -> bool:
        if not self.is_alive():
            return False
        self._killed = self._killed or number == signal.SIGKILL
        return self.order(WORDS.get(signal.Signals(number), "end"))

    def end(self, hard: bool = False) -> None:
        self.stopping = True
        self._killed = self._killed or hard
        self.order("drop" if hard else "end")

    def join(self) -> None:
        """A process that does not even drop a guest is none to keep."""
        self.process.child.signal(signal.SIGCONT)
        for word in ("", "drop"):
            if word:
                self.order(word)
            if self._hear_until(lambda: self.over, STOP_S) or self.process.gone():
                return
        self.process.child.kill()

    def is_alive(self) -> bool:
        return not self.over and not self.process.gone()

    def how_it_ended(self) -> str:
        if not self.over and self.process.gone():
            return f"the process of {self.process.name} ended: {self.process.child.how_it_ended()}"
        return ended_by(-signal.SIGKILL if self._killed else self.ending and self.ending[0], self.ending)


class HostingLauncher(ForkedLauncher):
    """A ``Launcher``: at most ``guests`` guests in a process. ``options``: what such a process is told."""

    def __init__(self, guests: int, options: NodeOptions) -> None:
        super().__init__()
        self._guests_max = guests
        self._options = options
        self._ground: Ground | None = None
        self._processes: dict[str, Process] = {}
        self._sources_of: dict[Any, Process] = {}
        self._started = 0  # processes
        self._numbers = 0  # guests

    def open(self, ground: Ground) -> None:
        super().open(ground)
        self._ground = ground

    def start(self, identity: Identity, spec: bytes) -> Any:
        if identity.role != "guest" or identity.name == DOM0:
            return super().start(identity, spec)
        process = self._with_room()
        self._numbers += 1
        guest = process.guests[self._numbers] = Hosted(process, self._numbers, identity.name)
        process.child.order("guest", guest.number, spec)
        return guest

    def _with_room(self) -> Process:
        for process in self._processes.values():
            if len(process.guests) < self._guests_max and not process.gone():
                return process
        return self._new()

    def _new(self) -> Process:
        assert self._ground is not None
        self._started += 1
        name = f"host{self._started}"
        spec = msgspec.msgpack.encode(HostSpec(name, self._options))
        child = Child(self._ground.context, name, host.main, spec)
        child.wait_ready()
        process = self._processes[name] = Process(name, child)
        for source in (child.pipe.fileno(), child.process.sentinel):
            self._sources_of[source] = process
            self._ground.sources.add(source)
        labels = {"cluster": self._ground.run.name, "experiment": "", **self._options.labels}
        targets = RunDirectory(self._ground.run).targets
        process.withdraw = announce(targets, name, host.ROLE, child.facts["target"], labels)
        return process

    def watch(self, handle: Handle) -> None:
        if not isinstance(handle, Hosted):
            super().watch(handle)

    def heard(self, ready: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
        yield from super().heard(ready)
        found = dict.fromkeys(self._sources_of[one] for one in ready if one in self._sources_of)
        spoke: deque[Hosted] = deque()
        for process in found:
            for _ in range(MESSAGES):
                guests = process.hear(0)
                if not guests:
                    break
                spoke.extend(guests)
            if process.silent or process.child.process.sentinel in ready:
                self._ended(process)
        yield from ((guest, False) for guest in spoke)
        for process in list(self._processes.values()):
            while process.over:
                guest = process.over.popleft()
                if not guest.stopping:
                    yield guest, True

    def _ended(self, process: Process) -> None:
        """It is at its end: so are its guests, once all that it still said is taken in."""
        process.child.process.join(0.2)
        if not process.gone():
            return
        while process.hear(0):
            pass
        self._unwatch_process(process)
        process.over.extend(guest for guest in process.guests.values() if not guest.over)

    def _unwatch_process(self, process: Process) -> None:
        assert self._ground is not None
        for source in [source for source, one in self._sources_of.items() if one is process]:
            del self._sources_of[source]
            self._ground.sources.drop(source)
        process.withdraw()

    def lost(self, handle: Handle) -> str | None:
        return handle.process.child.orphaned_by() if isinstance(handle, Hosted) else super().lost(handle)

    def release(self, handle: Handle) -> None:
        if not isinstance(handle, Hosted):
            super().release(handle)
            return
        process = handle.process
        process.guests.pop(handle.number, None)
        if not process.guests and process.gone():
            self._close(process)

    def _close(self, process: Process) -> None:
        self._unwatch_process(process)
        self._processes.pop(process.name, None)
        with suppress(OSError):
            process.child.close()

    def close(self) -> None:
        for process in list(self._processes.values()):
            process.child.end()
        for process in list(self._processes.values()):
            process.child.join()
            self._close(process)
        super().close()
