"""One child process as its supervisor sees it: a pipe, a sentinel, the last numbers it told."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from deploy.engines.pids import runs, send_signal, started_at

START_S = 20.0
STOP_S = 3.0
UNKNOWN = 255  # the exit code that multiprocess makes up when the fork server cannot tell it


class ChildFailed(Exception):  # noqa: N818 - what happened, not what to catch
    """A child that did not come up; the text is what it said."""


class Child:
    """``facts``: what it said when ready; ``stats``: its latest numbers; ``ending``: how it said it ended.

    ``node``: its name in a history. ``applied``: how often each rule of its link had an effect.
    ``outstanding``: a guest's calls that have begun and not ended.
    """

    def __init__(self, context: Any, name: str, target: Callable[..., None], argument: Any) -> None:
        self.name = self.node = name
        self.facts: dict[str, Any] = {}
        self.stats: dict[str, Any] = {}
        self.stats_at = 0.0
        self.applied: dict[int, int] = {}
        self.outstanding = 0
        self.asked = False
        self.stopping = False
        self.ending: tuple[int, str] | None = None
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=target, args=(argument, theirs), name=f"trapline-{name}")
        self.process.start()
        self.pid = int(self.process.pid)
        self._since = started_at(self.pid)
        theirs.close()

    def is_alive(self) -> bool:
        """Whether it runs, also when the fork server, which should know, is gone."""
        return self.process.is_alive() or (self.orphaned and runs(self.pid, self._since))

    @property
    def orphaned(self) -> bool:
        """Whether the fork server ended before it could tell how this child ended, or whether it did."""
        return bool(self.process.exitcode == UNKNOWN)

    def _wait(self, timeout_s: float) -> None:
        """Wait for the end, at most so long."""
        deadline = time.monotonic() + timeout_s
        self.process.join(timeout_s)
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)

    def wait_ready(self) -> None:
        """Block until the child is ready; raises ChildFailed if it says otherwise, dies or takes too long."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.pipe.poll(0.05):
                try:
                    kind, *rest = self.pipe.recv()
                except (EOFError, OSError):
                    break
                if kind == "ready":
                    self.facts = rest[0]
                    self.stats_at = time.monotonic()
                    return
                raise ChildFailed(str(rest[0]))
            if not self.is_alive():
                break
        self.kill()
        raise ChildFailed(f"{self.name} ended while starting ({self.how_it_ended()})")

    def ask_stats(self) -> None:
        """Ask for numbers, unless an earlier question is still open."""
        if not self.asked:
            with suppress(OSError):
                self.pipe.send(("stats",))
                self.asked = True

    def order(self, *message: Any) -> None:
        """Tell it something that it does not answer; one that has just ended will be noticed."""
        with suppress(OSError):
            self.pipe.send(message)

    def read(self) -> bool:
        """Take in one message from the pipe; False at its end."""
        try:
            kind, *rest = self.pipe.recv()
        except (EOFError, OSError):
            return False
        if kind == "stats":
            self.asked = False
            self.stats, self.applied, self.outstanding = rest
            self.stats_at = time.monotonic()
        elif kind == "exit":
            self.ending = (rest[0], rest[1])
            self.stats = rest[2]
        return True

    def drain(self) -> None:
        """Take in all that the child still said."""
        with suppress(OSError):
            while self.pipe.poll(0) and self.read():
                pass

    def signal(self, number: int) -> bool:
        """Send it a signal; False if it has ended already, be it that nobody has noticed yet."""
        return send_signal(self.pid, self._since, number)

    def end(self, hard: bool = False) -> None:
        """Tell it to end, or kill -9; ``join`` waits for that."""
        self.stopping = True
        send_signal(self.pid, self._since, signal.SIGKILL if hard else signal.SIGTERM)

    def join(self) -> None:
        """Wait for an orderly end (a pause would keep it from that: it is continued), then insist."""
        deadline = time.monotonic() + STOP_S
        send_signal(self.pid, self._since, signal.SIGCONT)
        while self.is_alive() and time.monotonic() < deadline:
            if self.pipe.poll(0.02):
                if not self.read():
                    self._wait(0.05)
            else:
                self._wait(0.02)
        self.kill()
        self.drain()

    def kill(self) -> None:
        self.stopping = True
        send_signal(self.pid, self._since, signal.SIGKILL)
        self._wait(STOP_S)

    def close(self) -> None:
        self.pipe.close()
        if not self.process.is_alive():
            self.process.close()

    def how_it_ended(self) -> str:
        """For people: "signal 9 (SIGKILL)", or what it said itself, or its exit code."""
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"signal {-code} ({signal.Signals(-code).name})"
        if self.ending is not None and self.ending[0]:
            return self.ending[1]
        return f"exit code {code}"
