"""A node that gets a part of its CPU time only: stopped and continued in turn, by a thread of the supervisor.

Whoever ends it (``end``, the engine's stop, the janitor when the supervisor died) leaves nothing stopped.
"""

import signal
import threading
from collections.abc import Callable
from typing import Final

from deploy.launching.launcher import Handle

PERIOD_S: Final = 0.020
RUNS_S: Final = 0.001  # at least so long in each period, which grows if the node is to be slower than that


class Slowing:
    """Starts at once: the node runs one part of ``times`` of the time.

    ``held`` says whether somebody else keeps it stopped: then it is not continued here.
    """

    def __init__(self, child: Handle, times: int, held: Callable[[Handle], bool]) -> None:
        self.child = child
        self._held = held
        self._times = max(1, times)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"slow-{child.name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        runs_s = max(RUNS_S, PERIOD_S / self._times)
        stopped_s = runs_s * (self._times - 1)
        try:
            while not self._over.wait(runs_s) and self.child.signal(signal.SIGSTOP):
                self._over.wait(stopped_s)
                self._go_on()
        finally:
            self._go_on()

    def _go_on(self) -> None:
        if not self._held(self.child):
            self.child.signal(signal.SIGCONT)

    def end(self) -> None:
        """Let it run again; nothing if it has ended."""
        self._over.set()
        self._thread.join()
