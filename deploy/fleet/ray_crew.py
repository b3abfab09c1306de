"""A crew on the machines of a Ray cluster: each job is a task there, and Ray tells who was lost.

Runs are not kept: they would be on another machine. The line that a failure is told with plays it again.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from deploy.fleet import ray_messages as m
from deploy.fleet.crew import Answered, Gone
from deploy.fleet.working import encode, order_of
from deploy.launching.ray_pipe import RayPipe


class RayCrew:
    """``address``: HOST:PORT of the cluster's head. Raises UserError if it cannot be joined."""

    def __init__(self, size: int, address: str) -> None:
        self._size = size
        self._address = address
        self._busy: set[tuple[int, int]] = set()
        self._driver = self._joined()

    @property
    def room(self) -> int:
        return self._size - len(self._busy)

    def give(self, job: int, attempt: int, order: bytes) -> None:
        if self._driver.ended:
            self._driver.close()
            self._driver = self._joined()
        there = msgspec.structs.replace(order_of(order), keep="none", folder="")
        self._busy.add((job, attempt))
        self._driver.say(m.Give(job, attempt, encode(there)))

    def _joined(self) -> RayPipe[m.FromDriver]:
        driver = RayPipe("deploy.fleet.ray_driver", m.from_driver)
        driver.join(m.Connect(self._address, self._size))
        return driver

    def wait(self, timeout_s: float) -> Sequence[Answered | Gone]:
        found = [
            self._taken(said) for said in self._driver.hear(timeout_s) if isinstance(said, m.Done | m.Lost)
        ]
        if self._driver.ended:
            found += [Gone(*key, "what talks to Ray has ended") for key in sorted(self._busy)]
            self._busy.clear()
        return found

    def _taken(self, said: m.Done | m.Lost) -> Answered | Gone:
        self._busy.discard((said.job, said.attempt))
        return Answered(said.answer) if isinstance(said, m.Done) else Gone(said.job, said.attempt, said.how)

    def end(self, job: int, attempt: int) -> None:
        self._driver.say(m.End(job, attempt))

    def run_directories(self) -> Sequence[Path]:
        return ()

    def close(self) -> None:
        self._busy.clear()
        self._driver.close()
