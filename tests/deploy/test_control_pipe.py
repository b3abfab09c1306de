"""What a node tells its supervisor: two threads speak on one pipe, one at a time."""

import threading
import time
from typing import Any

from deploy.node import Supervisor


class Pipe:
    """Notes when two sends overlap."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.overlaps = 0
        self._inside = 0

    def send(self, message: Any) -> None:
        self._inside += 1
        time.sleep(0.001)
        self.overlaps += self._inside > 1
        self._inside -= 1
        self.sent.append(message)


class Broken:
    def send(self, message: Any) -> None:
        raise BrokenPipeError


def test_messages_do_not_mix() -> None:
    pipe = Pipe()
    supervisor = Supervisor(pipe)
    threads = [threading.Thread(target=supervisor.tell, args=("stats", number)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pipe.overlaps == 0
    assert sorted(pipe.sent) == [("stats", number) for number in range(20)]


def test_a_supervisor_that_is_gone_is_no_error() -> None:
    assert not Supervisor(Broken()).tell("ready", {})
