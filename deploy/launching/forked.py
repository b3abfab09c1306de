"""The ``local`` launcher: processes of this machine from the fork server, each with a pipe to its supervisor.

The end of the pipe is what a lease is elsewhere: the kernel tells both sides at once that the other is gone.
"""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from deploy import node
from deploy.launching.child import Child
from deploy.launching.identity import Identity
from deploy.launching.launcher import Ground, Handle, Sources


class ForkedLauncher:
    """A ``Launcher``."""

    remote = False

    def __init__(self) -> None:
        self._context: Any = None
        self._sources: Sources | None = None
        self._whose: dict[Any, tuple[Child, bool]] = {}  # by descriptor; whether it is the pipe

    def open(self, ground: Ground) -> None:
        self._context, self._sources = ground.context, ground.sources

    def start(self, identity: Identity, spec: bytes) -> Child:
        return Child(self._context, identity.name, node.main, spec)

    def watch(self, handle: Handle) -> None:
        child = cast(Child, handle)
        assert self._sources is not None
        for fd, is_pipe in ((child.pipe.fileno(), True), (child.process.sentinel, False)):
            self._whose[fd] = (child, is_pipe)
            self._sources.add(fd)

    def _unwatch(self, child: Child) -> None:
        assert self._sources is not None
        for fd in [fd for fd, (one, _) in self._whose.items() if one is child]:
            del self._whose[fd]
            self._sources.drop(fd)

    def heard(self, ready: Iterable[Any]) -> Iterator[tuple[Child, bool]]:
        for source in ready:
            found = self._whose.get(source)
            if found is None:
                continue
            child, is_pipe = found
            if child.stopping or (is_pipe and child.read()):  # who stops it reads what it says
                yield child, False
                continue
            child.process.join(0.2)
            if not child.process.is_alive():
                self._unwatch(child)
                child.drain()
                yield child, True

    def lost(self, handle: Handle) -> str | None:
        return cast(Child, handle).orphaned_by()

    def release(self, handle: Handle) -> None:
        child = cast(Child, handle)
        self._unwatch(child)
        child.close()

    def close(self) -> None:
        """The fork server is not its own."""
