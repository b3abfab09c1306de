"""The only process of a fleet that talks to Ray: a child of the coordinator, which has jobs done by it.

Each job is a task of its own, never tried again by Ray: what an attempt costs is the book's business. It ends
when its stdin does; with it Ray ends the tasks. What both say is in ``ray_messages``.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from deploy import __version__
from deploy.errors import UserError
from deploy.fleet import ray_messages as m
from deploy.fleet.ray_task import digest, work_there
from deploy.fleet.working import order_of
from deploy.launching.ray_driver import MISSING, reached, short
from deploy.launching.starter import die_with

GRACE_S: Final = 2.0  # for Ray to leave a cluster that may be gone


class Driver:
    """``say`` takes messages for the coordinator."""

    def __init__(self, ray: Any, say: Callable[[m.FromDriver], None]) -> None:
        self._ray = ray
        self._say = say
        self._task = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(work_there)
        self._tasks: dict[tuple[int, int], Any] = {}
        self._texts: dict[str, str] = {}

    def connect(self, asked: m.Connect) -> None:
        """Raises UserError."""
        reached(asked.address)
        try:
            self._ray.init(
                address=asked.address, log_to_driver=False, logging_level="CRITICAL", configure_logging=False
            )
        except Exception as error:  # Ray raises whatever it finds
            raise UserError(
                f"--address {asked.address}: cannot be joined from this machine, which must run Ray too "
                f"('ray start --address={asked.address}'): {short(error)}"
            ) from None
        cpus = int(self._ray.cluster_resources().get("CPU", 0))
        if cpus < asked.size:
            raise UserError(
                f"-j {asked.size}: the cluster has {cpus} CPUs, and a platform takes one; give less"
            )

    def hear(self, message: m.ToDriver) -> None:
        if isinstance(message, m.Give):
            self._give(message)
        elif isinstance(message, m.End):
            task = self._tasks.get((message.job, message.attempt))
            if task is not None:
                self._ray.cancel(task, force=True)

    def _give(self, message: m.Give) -> None:
        key = message.job, message.attempt
        scenario = order_of(message.order).scenario
        if scenario not in self._texts:
            self._texts[scenario] = digest(scenario)
        task = self._tasks[key] = self._task.remote(message.order, __version__, self._texts[scenario])

        def done(future: Any) -> None:
            self._tasks.pop(key, None)
            error = future.exception()
            self._say(m.Done(*key, future.result()) if error is None else m.Lost(*key, _how(error)))

        task.future().add_done_callback(done)


def _how(error: BaseException) -> str:
    name = type(error).__name__
    if name in ("TaskCancelledError", "WorkerCrashedError", "NodeDiedError", "LocalRayletDiedError"):
        return f"Ray lost its worker or its machine ({name})"
    return short(error)


def _leave() -> None:
    time.sleep(GRACE_S)
    os._exit(0)


def main() -> int:
    """``python -m deploy.fleet.ray_driver PARENT``"""
    if not die_with(int(sys.argv[1])):
        return 1
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of GPUs
    pipe, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what Ray prints is not for the coordinator
    lock = threading.Lock()

    def say(message: m.FromDriver) -> None:
        with lock:
            out.write(m.line(message))

    first = m.to_driver(pipe.readline())
    assert isinstance(first, m.Connect)
    try:
        import ray  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415
    except ImportError:
        say(m.Refused(MISSING))
        return 1
    driver = Driver(ray, say)
    try:
        driver.connect(first)
    except UserError as error:
        say(m.Refused(str(error)))
        return 1
    say(m.Connected())
    for line in pipe:
        driver.hear(m.to_driver(line))
    threading.Thread(target=_leave, daemon=True).start()  # Ray may hang with a cluster that is gone
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
