"""What a supervisor waits for at once: its children's pipes and ends, and whatever else was registered."""

from collections.abc import Callable
from typing import Any

import zmq

from deploy.engines.child import Child


class ReadableSources:
    """``sources`` are ZeroMQ sockets or file descriptors, and what is called when they are readable."""

    def __init__(self) -> None:
        self.sources: dict[Any, Callable[[], None]] = {}
        self._poller = zmq.Poller()
        self._fds: dict[int, tuple[Child, bool]] = {}

    def ready(self, wait_s: float) -> dict[Any, int]:
        """What is readable, waiting at most so long for something to be."""
        return dict(self._poller.poll(max(0, int(wait_s * 1000))))

    def child(self, source: Any) -> tuple[Child, bool] | None:
        """Whose descriptor it is, and whether it is the pipe."""
        return self._fds.get(source) if isinstance(source, int) else None

    def add_child(self, child: Child) -> None:
        for fd, is_pipe in ((child.pipe.fileno(), True), (child.process.sentinel, False)):
            self._fds[fd] = (child, is_pipe)
            self._poller.register(fd, zmq.POLLIN)

    def drop_child(self, child: Child) -> None:
        for fd in [fd for fd, (one, _) in self._fds.items() if one is child]:
            del self._fds[fd]
            self._poller.unregister(fd)

    def add(self, source: Any, ready: Callable[[], None] | None = None) -> None:
        """Wait for ``source`` too; without ``ready`` whoever asked for what is readable looks itself."""
        if ready is not None:
            self.sources[source] = ready
        self._poller.register(source, zmq.POLLIN)

    def drop(self, source: Any) -> None:
        self.sources.pop(source, None)
        self._poller.unregister(source)
