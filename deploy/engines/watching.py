"""What a supervisor waits for at once: its nodes' messages and ends, and whatever else was registered."""

from collections.abc import Callable
from typing import Any

import zmq


class ReadableSources:
    """``sources`` are ZeroMQ sockets or file descriptors, and what is called when they are readable."""

    def __init__(self) -> None:
        self.sources: dict[Any, Callable[[], None]] = {}
        self._poller = zmq.Poller()

    def ready(self, wait_s: float) -> dict[Any, int]:
        """What is readable, waiting at most so long for something to be."""
        return dict(self._poller.poll(max(0, int(wait_s * 1000))))

    def add(self, source: Any, ready: Callable[[], None] | None = None) -> None:
        """Wait for ``source`` too; without ``ready`` whoever asked for what is readable looks itself."""
        if ready is not None:
            self.sources[source] = ready
        self._poller.register(source, zmq.POLLIN)

    def drop(self, source: Any) -> None:
        """Wait for it no more. Safe to call twice."""
        self.sources.pop(source, None)
        if source in self._poller:
            self._poller.unregister(source)
