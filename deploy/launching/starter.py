"""Starters: how a node's process comes to be on some machine. The registered launcher does all the rest.

A starter has to

* ``start(identity, config, key)``: have ``python -m deploy.node --role ROLE --config FILE`` run somewhere,
  FILE written there by ``config.write(folder, config, key)``; gives where (a ``Place``), without waiting;
* ``kill(identity)``: end it for good, without asking it; nothing if it has ended;
* ``signal(identity, number)``: a signal to it; False if it has ended, or where that cannot be done;
* ``ended()``: whose processes have ended since it was asked last, and how (the exit code as subprocess has
  it, None where nobody knows); ``source`` is a file descriptor that is readable when there are any;
* ``close()``: end all of them, leave nothing. Safe to call twice.

``shared``: nodes see the supervisor's files under the same paths, so logs and rows are written there at once.
Everything is called from one thread. Of a machine that is gone it may say ``ended`` before that is true: the
registry hears nothing of that process any more, and its lease ends it. ``Subprocesses`` is the starter of
this machine.
"""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final, Protocol

import msgspec

from deploy.launching import config as node_config
from deploy.launching.config import NodeConfig
from deploy.launching.identity import Identity

EVENTS: Final = 64


class Place(msgspec.Struct, frozen=True):
    """``host``: the machine, "" for the supervisor's own; then ``pid`` is the process there, else 0."""

    host: str
    pid: int


class Starter(Protocol):
    """See above."""

    shared: bool
    source: int

    def start(self, identity: Identity, config: NodeConfig, key: bytes) -> Place:
        """Raises OSError."""
        ...

    def kill(self, identity: Identity) -> None: ...

    def signal(self, identity: Identity, number: int) -> bool: ...

    def ended(self) -> list[tuple[Identity, int | None]]: ...

    def close(self) -> None: ...


def command(role: str, config: Path, parent: int = 0) -> list[str]:
    """The role command line; with ``parent`` the process dies with that one, which starts it."""
    words = [sys.executable, "-m", "deploy.node", "--role", role, "--config", str(config)]
    return [*words, "--parent", str(parent)] if parent else words


def environment() -> dict[str, str]:
    """For a child that imports what this process does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(word for word in sys.path if word)}


class Subprocesses:
    """Processes of this machine that die with this one, whatever state they are in.

    ``folder`` takes the configs and keys, and the nodes' private folders. ``shared`` False: as if they were
    on another machine.
    """

    def __init__(self, folder: Path, shared: bool = True) -> None:
        self.shared = shared
        self._folder = folder
        self._epoll = select.epoll()
        self.source = self._epoll.fileno()
        self._there: dict[int, tuple[Identity, subprocess.Popen[bytes], Path]] = {}  # by pidfd

    def start(self, identity: Identity, config: NodeConfig, key: bytes) -> Place:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = node_config.write(self._folder, msgspec.structs.replace(config, folder=str(self._folder)), key)
        words = command(identity.role, path, os.getpid())
        nothing = subprocess.DEVNULL
        process = subprocess.Popen(
            words, stdin=nothing, stdout=nothing, env=environment(), start_new_session=True
        )
        fd = os.pidfd_open(process.pid)
        self._there[fd] = (identity, process, path)
        self._epoll.register(fd, select.EPOLLIN)
        return Place("", process.pid)

    def _process(self, identity: Identity) -> "subprocess.Popen[bytes] | None":
        return next((one for who, one, _ in self._there.values() if who == identity), None)

    def kill(self, identity: Identity) -> None:
        self.signal(identity, signal.SIGKILL)

    def signal(self, identity: Identity, number: int) -> bool:
        process = self._process(identity)
        if process is None or process.poll() is not None:
            return False
        process.send_signal(number)
        return True

    def ended(self) -> list[tuple[Identity, int | None]]:
        found: list[tuple[Identity, int | None]] = []
        for fd, _ in self._epoll.poll(0, EVENTS):
            identity, process, path = self._there.pop(fd)
            self._epoll.unregister(fd)
            os.close(fd)
            path.unlink(missing_ok=True)
            path.with_suffix(".key").unlink(missing_ok=True)
            found.append((identity, process.wait()))
        return found

    def close(self) -> None:
        if self._epoll.closed:
            return
        for fd, (_, process, _) in self._there.items():
            process.kill()
            process.wait()
            os.close(fd)
        self._there.clear()
        self._epoll.close()
