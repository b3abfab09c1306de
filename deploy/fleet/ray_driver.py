"""The only process of a fleet that talks to Ray: a child of the coordinator, which has jobs done by it.

Each job is a task of its own, never tried again by Ray: what an attempt costs is the book's business. When
this ends, Ray ends the tasks. What both say is in ``ray_messages``.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from deploy import __version__
from deploy.errors import UserError
from deploy.fleet import ray_messages as m
from deploy.fleet.ray_task import digest, work_there
from deploy.fleet.working import order_of
from deploy.launching import ray_process
from deploy.launching.ray_process import short


class Driver:
    """``say`` takes messages for the coordinator."""

    def __init__(self, ray: Any, say: Callable[[m.FromDriver], None]) -> None:
        self._ray = ray
        self._say = say
        self._task = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(work_there)
        self._tasks: dict[tuple[int, int], Any] = {}
        self._texts: dict[str, str] = {}

    def prepare(self, asked: m.Connect) -> None:
        """Raises UserError."""
        cpus = int(self._ray.cluster_resources().get("CPU", 0))
        if cpus < asked.size:
            raise UserError(
                f"-j {asked.size}: the cluster has {cpus} CPUs, and a platform takes one; give less"
            )

    def run(self, messages: Iterable[m.ToDriver]) -> None:
        for message in messages:
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
            self._say(m.Done(*key, future.result()) if error is None else m.Lost(*key, short(error)))

        task.future().add_done_callback(done)


if __name__ == "__main__":
    sys.exit(ray_process.main(Driver, m.to_driver))
