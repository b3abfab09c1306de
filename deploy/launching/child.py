"""One child process of this machine as its supervisor sees it: from the fork server, at the end of a pipe."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from deploy.engines.pids import runs, send_signal, started_at
from deploy.launching import forkserver
from deploy.launching.launcher import START_S, STOP_S, Handle, LaunchFailed, ended_by

UNKNOWN = 255  # the exit code that multiprocess makes up when the fork server cannot tell it


class Child(Handle):
    """A child process: a pipe, a sentinel, the last numbers it told."""

    def __init__(self, context: Any, name: str, target: Callable[..., None], argument: Any) -> None:
        super().__init__(name)
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=target, args=(argument, theirs), name=f"trapline-{name}")
        self.process.start()
        self.pid = int(self.process.pid)
        self._since = started_at(self.pid)
        theirs.close()

    def is_alive(self) -> bool:
        """Also right when the fork server, which should know, is gone."""
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
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.pipe.poll(0.05):
                try:
                    kind, *rest = self.pipe.recv()
                except (EOFError, OSError):
                    break
                if kind != "ready":
                    raise LaunchFailed(str(rest[0]))
                self.take(kind, *rest)
                return
            if not self.is_alive():
                break
        self.kill()
        raise LaunchFailed(f"{self.name} ended while starting ({self.how_it_ended()})")

    def order(self, *message: Any) -> bool:
        try:
            self.pipe.send(message)
        except OSError:
            return False
        return True

    def read(self) -> bool:
        """Take in one message from the pipe; False at its end."""
        try:
            kind, *rest = self.pipe.recv()
        except (EOFError, OSError):
            return False
        self.take(kind, *rest)
        return True

    def drain(self) -> None:
        """Take in all that the child still said."""
        with suppress(OSError):
            while self.pipe.poll(0) and self.read():
                pass

    def signal(self, number: int) -> bool:
        return send_signal(self.pid, self._since, number)

    def end(self, hard: bool = False) -> None:
        self.stopping = True
        send_signal(self.pid, self._since, signal.SIGKILL if hard else signal.SIGTERM)

    def join(self) -> None:
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
        return ended_by(self.process.exitcode, self.ending)

    def orphaned_by(self) -> str | None:
        """How the fork server ended, if that is why nobody can tell how this child did."""
        how = forkserver.loss() if self.orphaned else None
        return how and f"the fork server is gone: {how}"
