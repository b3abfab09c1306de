"""A crew of processes on this machine. Any of them may be killed at any time; the next job has a new one.

They are the workers of ``experiments.pool``, with one job each at a time. It does not know what a job is.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from multiprocess import connection

from deploy.errors import UserError
from deploy.experiments.pool import JobFailed, Worker, WorkerLost
from deploy.fleet.crew import Answered, Gone
from deploy.fleet.working import work
from deploy.launching import forkserver
from deploy.rundir import usual_parent

WORKERS_MAX: Final = 256
GONE_S: Final = 10.0  # until the janitors of platforms whose worker was ended have cleaned up
LOOK_S: Final = 0.02


class LocalCrew:
    """``size`` workers; ``function`` makes an answer of an order, ``in_child`` is called once in each
    worker.
    """

    def __init__(
        self,
        size: int,
        function: Callable[[bytes], bytes] = work,
        in_child: Callable[[], None] = lambda: None,
    ) -> None:
        self._size = size
        self._function = function
        self._in_child = in_child
        self._idle: list[Worker] = []
        self._busy: dict[tuple[int, int], Worker] = {}
        self._ended: list[int] = []  # of whom a platform's end may still be under way

    @property
    def room(self) -> int:
        return self._size - len(self._busy)

    def give(self, job: int, attempt: int, order: bytes) -> None:
        worker = self._idle.pop() if self._idle else self._new()
        self._busy[job, attempt] = worker
        worker.give(order)

    def _new(self) -> Worker:
        ready = False
        in_child = self._in_child

        def function(order: bytes) -> bytes:
            nonlocal ready
            if not ready:
                forkserver.forget()
                os.environ.pop("TRAPLINE_RUN_DIR", None)  # several platforms at once: each has its own
                in_child()
                ready = True
            return self._function(order)

        try:
            return Worker(function, alone=False)
        except OSError as error:
            raise UserError(f"no worker can be started: {error.strerror}; give a smaller -j") from None

    def wait(self, timeout_s: float) -> Sequence[Answered | Gone]:
        having = {worker.pipe: key for key, worker in self._busy.items()}
        for worker in [one for one in self._idle if not one.process.is_alive()]:
            self._idle.remove(worker)  # killed while it had nothing: nobody misses it
            worker.end()
        ready = connection.wait(list(having), timeout_s)
        return [self._taken(having[pipe]) for pipe in ready]

    def _taken(self, key: tuple[int, int]) -> Answered | Gone:
        worker = self._busy.pop(key)
        try:
            _, answer = worker.take()
        except WorkerLost:
            self._bury(worker)
            return Gone(*key, _how(worker.process.exitcode))
        except (JobFailed, UserError) as error:
            self._idle.append(worker)
            return Gone(*key, str(error))
        self._idle.append(worker)
        return Answered(answer)

    def _bury(self, worker: Worker) -> None:
        if worker.process.pid is not None:
            self._ended.append(worker.process.pid)
        worker.end()

    def end(self, job: int, attempt: int) -> None:
        worker = self._busy.get((job, attempt))
        if worker is not None:
            worker.process.kill()

    def pids(self) -> Sequence[int]:
        """Of the workers that have a job."""
        found = (worker.process.pid for worker in list(self._busy.values()))
        return [pid for pid in found if pid is not None]

    def run_directories(self) -> Sequence[Path]:
        return [path for pid in self.pids() for path in usual_parent().glob(f"run-{pid}-*")]

    def close(self) -> None:
        workers = [*self._busy.values(), *self._idle]
        self._busy.clear()
        self._idle.clear()
        for worker in workers:
            self._bury(worker)
        deadline = time.monotonic() + GONE_S
        while time.monotonic() < deadline and any(
            any(usual_parent().glob(f"run-{pid}-*")) for pid in self._ended
        ):
            time.sleep(LOOK_S)
        self._ended.clear()


def _how(code: int | None) -> str:
    """The end of a process, in words."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"its worker was ended by {signal.Signals(-code).name}"
    return f"its worker ended with exit code {code}"
