"""A crew on the machines of a Ray cluster: each job is a task there, and Ray tells who was lost.

Runs are not kept: they would be on another machine. The line that a failure is told with plays it again.
"""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.errors import UserError
from deploy.fleet import ray_messages as m
from deploy.fleet.crew import Answered, Gone
from deploy.fleet.working import encode, order_of

JOIN_S: Final = 60.0
LEAVE_S: Final = 5.0


class RayCrew:
    """``address``: HOST:PORT of the cluster's head. Raises UserError if it cannot be joined."""

    def __init__(self, size: int, address: str) -> None:
        self._size = size
        self._address = address
        self._busy: set[tuple[int, int]] = set()
        self._heard: queue.SimpleQueue[m.FromDriver | None] = queue.SimpleQueue()
        self._driver: subprocess.Popen[bytes] | None = None
        self._join()

    @property
    def room(self) -> int:
        return self._size - len(self._busy)

    def give(self, job: int, attempt: int, order: bytes) -> None:
        if self._driver is None:  # it has ended
            self._join()
        there = msgspec.structs.replace(order_of(order), keep="none", folder="")
        self._busy.add((job, attempt))
        self._say(m.Give(job, attempt, encode(there)))

    def _join(self) -> None:
        pipe = subprocess.PIPE
        self._driver = subprocess.Popen(
            (sys.executable, "-m", "deploy.fleet.ray_driver", str(os.getpid())),
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(word for word in sys.path if word)},
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=(self._driver.stdout,), daemon=True).start()
        self._say(m.Connect(self._address, self._size))
        try:
            said = self._heard.get(timeout=JOIN_S)
        except queue.Empty:
            said = None
        if isinstance(said, m.Connected):
            return
        self.close()
        slow = f"--address {self._address}: could not be joined within {JOIN_S:.0f} s; see 'ray status' there"
        raise UserError(said.why if isinstance(said, m.Refused) else slow)

    def _listen(self, pipe: Any) -> None:
        for line in pipe:
            self._heard.put(m.from_driver(line))
        self._heard.put(None)

    def _say(self, message: m.ToDriver) -> None:
        """One that cannot be said any more: its driver has ended, and ``wait`` tells of that."""
        if self._driver is not None and self._driver.stdin is not None:
            with suppress(OSError):
                self._driver.stdin.write(m.line(message))
                self._driver.stdin.flush()

    def wait(self, timeout_s: float) -> Sequence[Answered | Gone]:
        found: list[Answered | Gone] = []
        with suppress(queue.Empty):
            found += self._taken(self._heard.get(timeout=timeout_s))
            while True:
                found += self._taken(self._heard.get_nowait())
        return found

    def _taken(self, said: m.FromDriver | None) -> Sequence[Answered | Gone]:
        if isinstance(said, m.Done):
            self._busy.discard((said.job, said.attempt))
            return [Answered(said.answer)]
        if isinstance(said, m.Lost):
            self._busy.discard((said.job, said.attempt))
            return [Gone(said.job, said.attempt, said.how)]
        if said is None:
            gone = [Gone(*key, "what talks to Ray has ended") for key in sorted(self._busy)]
            self.close()
            return gone
        return []

    def end(self, job: int, attempt: int) -> None:
        self._say(m.End(job, attempt))

    def run_directories(self) -> Sequence[Path]:
        return ()

    def close(self) -> None:
        driver, self._driver = self._driver, None
        self._busy.clear()
        if driver is None:
            return
        if driver.stdin is not None:
            with suppress(OSError):
                driver.stdin.close()
        try:
            driver.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            driver.kill()
            driver.wait()
        if driver.stdout is not None:
            driver.stdout.close()
