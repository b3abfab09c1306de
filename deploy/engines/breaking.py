"""Processes of an engine broken on purpose, and mended: paused, slowed, killed, started again.

Several may break one node at once: it runs when nobody stops it any more. It does not know why or when.
"""

import signal
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

import msgspec

from bus import frames
from bus.faults import Rule
from deploy.engines.local import FIRMWARE, XEN_NODE, LocalEngine
from deploy.engines.slowing import Slowing
from deploy.launching.launcher import Handle

TRIES: Final = 3  # processes for EL3 until Xen hears one: it may not have noticed yet that the last one ended
HEARD_S: Final = 1.0
WELCOME: Final = ("welcome", "in")


class Breaker:
    """``undo`` ends all of it; the engine does that too when it stops.

    ``first_requests``: of each start of Xen.
    """

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._stops: Counter[tuple[str, int]] = Counter()  # how many hold a process, by host and pid
        self._paused: dict[int, list[Handle]] = {}
        self._slow: dict[int, list[Slowing]] = {}
        self._restarts: deque[Callable[[], None]] = deque()  # the one under way, and those that wait
        self.first_requests = [0]
        engine.before_stop = self.undo

    def _children(self, names: tuple[str, ...]) -> list[Handle]:
        """Those that run."""
        return [self._engine.children[name] for name in names if name in self._engine.children]

    def wait(self, done: Callable[[], bool], patience_s: float) -> bool:
        """Let the engine go on until ``done``, or for so long; gives whether it is."""
        deadline = time.monotonic() + patience_s
        while not (reached := done()) and time.monotonic() < deadline and not self._engine.failure:
            self._engine.pump(min(0.01, patience_s), extra=False)
        return reached

    def obey(self, rules: tuple[Rule, ...]) -> None:
        """From now on the links of all nodes, and of those to come, obey these rules."""
        self._engine.rules = rules
        encoded = msgspec.msgpack.encode(rules)
        for child in self._engine.children.values():
            child.order("rules", encoded)

    def scribble(self, name: str, what: str = "", likelihood: float = 0.0, seed: int = 0) -> None:
        """Have a guest's process change its mapped page under EL3's eyes; without ``what`` no longer."""
        for child in self._children((name,)):
            child.order("scribble", what, likelihood, seed)

    # ---- stopped or slow ----------------------------------------------------------------------

    def pause(self, number: int, names: tuple[str, ...]) -> None:
        """SIGSTOP, until ``resume`` of the same number."""
        children = self._paused[number] = self._children(names)
        for child in children:
            self._stops[child.host, child.pid] += 1
            child.signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        for child in self._paused.pop(number, ()):
            self._stops[child.host, child.pid] -= 1
            if not self._stops[child.host, child.pid]:
                del self._stops[child.host, child.pid]
                child.signal(signal.SIGCONT)

    def slow(self, number: int, names: tuple[str, ...], times: int) -> None:
        """One part in ``times`` of the CPU time, until ``usual`` of the same number."""
        self._slow[number] = [Slowing(child, times, self._held) for child in self._children(names)]

    def usual(self, number: int) -> None:
        for slowing in self._slow.pop(number, ()):
            slowing.end()

    def _held(self, child: Handle) -> bool:
        return bool(self._stops[child.host, child.pid])

    def undo(self) -> None:
        """Nobody is stopped or slow any more."""
        for number in list(self._slow):
            self.usual(number)
        for number in list(self._paused):
            self.resume(number)

    # ---- ended --------------------------------------------------------------------------------

    def kill(self, names: tuple[str, ...]) -> None:
        """kill -9 of guests; the engine finds out by itself, as it would of any other end."""
        for child in self._children(names):
            child.signal(signal.SIGKILL)

    def _in_turn(self, restart: Callable[[], None]) -> None:
        """The engine goes on during a restart: another that comes due meanwhile begins when that is over."""
        self._restarts.append(restart)
        if len(self._restarts) > 1:
            return
        try:
            while self._restarts:
                self._restarts[0]()
                self._restarts.popleft()
        finally:
            self._restarts.clear()

    def restart_firmware(self) -> None:
        """kill -9 of EL3, and a new one. Xen is told in between (``start_firmware``): nothing of the last one
        will be answered, and it ends such calls with an explicit error. During another restart: after it.
        """
        self._in_turn(self._restart_firmware)

    def _restart_firmware(self) -> None:
        engine = self._engine
        engine.end(self._children((FIRMWARE,)), hard=True)
        for _ in range(TRIES):
            if engine.failure or self._heard(engine.start_firmware()):
                return
            engine.end(self._children((FIRMWARE,)), hard=True)
        engine.failure = engine.failure or "EL3 was started again, and Xen does not hear it"

    def _heard(self, child: Handle, before: int = 0) -> bool:
        """Whether Xen has welcomed EL3 once more than before; taken for granted while somebody is stopped."""

        def welcomed() -> bool:
            child.ask_stats()
            return _welcomes(child) > before

        return self.wait(welcomed, HEARD_S) or bool(self._paused or self._slow)

    def restart_xen(self, afterwards: Callable[[int], None]) -> None:
        """kill -9 of Xen; every domain's process ends with it. EL3 finishes what it was given, and goes on
        with the new Xen, which has Dom0 and the boot domains, and nobody plays them yet. During another
        restart: after it. ``afterwards`` is told how many starts of Xen there were.

        With mapped pages a call that was under way then may leave its channel unusable, as on a board.
        """

        def restart() -> None:
            self._restart_xen()
            afterwards(len(self.first_requests))

        self._in_turn(restart)

    def _restart_xen(self) -> None:
        engine = self._engine
        domains = tuple(name for name in engine.children if name not in (FIRMWARE, XEN_NODE))
        engine.end(self._children((*domains, XEN_NODE)), hard=True)
        firmware = self._children((FIRMWARE,))
        before = [_welcomes(child) for child in firmware]
        for child in firmware:
            child.order("relink", "")
        self.first_requests.append(frames.first_request(len(self.first_requests) + 1))
        engine.start_xen()
        for child, welcomes in zip(firmware, before, strict=True):
            for _ in range(TRIES):
                if engine.failure or self._heard(child, welcomes):
                    break
                child.order("relink", engine.endpoint)


def _welcomes(child: Handle) -> int:
    """How often Xen has welcomed it, as it told last."""
    counters = child.stats.get("counters", {})
    return int(counters.get("trapline_bus_messages_total", {}).get(WELCOME, 0))
