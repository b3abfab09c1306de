"""A launcher whose nodes run on the machines of a Ray cluster: Ray finds room and tells who was lost.

All else is a registered launcher's. It has the driver (``ray_driver``) do what needs Ray, and gives nodes no
keys: each makes its own on its machine, and is known by the public one from then on. The key of a node that
was replaced opens nothing any more.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

from deploy.errors import UserError
from deploy.launching import config as node_config
from deploy.launching import ray_messages as m
from deploy.launching.config import NodeConfig
from deploy.launching.identity import Identity
from deploy.launching.launcher import Ground, LaunchFailed
from deploy.launching.ray_placing import Placing
from deploy.launching.registered import RegisteredLauncher
from deploy.launching.registry import Who
from deploy.launching.starter import PR_SET_PDEATHSIG, Place
from deploy.launching.wires import new_keys

JOIN_S: Final = 60.0  # for the driver to join the cluster
LEAVE_S: Final = 4.0
SOMEWHERE: Final = "?"  # the machine, until Ray has found one
READ_BYTES: Final = 1 << 16


class RayKeys:
    """``Keys`` that nodes make themselves: of each name the last one counts."""

    def __init__(self) -> None:
        self.public, self.secret = new_keys()
        self._whose: dict[bytes, Who] = {}
        self._last: dict[Who, bytes] = {}

    def node(self, role: str, name: str) -> bytes:
        return b""

    def who(self, key: bytes) -> Who | None:
        return self._whose.get(key)

    def learn(self, role: str, name: str, key: bytes) -> None:
        self._whose.pop(self._last.pop((role, name), b""), None)
        self._whose[key] = (role, name)
        self._last[role, name] = key


class RayStarter:
    """A ``Starter``. ``connect`` first. ``address`` is this machine's then, as the cluster knows it."""

    shared = False

    def __init__(self, address: str, placing: Placing, keys: RayKeys) -> None:
        self.address = ""
        self._placing = placing
        self._keys = keys
        self._starts: dict[int, tuple[Identity, NodeConfig]] = {}
        self._why: dict[Identity, str] = {}
        self._number = 0
        self._left = b""
        self._ended: deque[tuple[Identity, int | None]] = deque()
        pipe = subprocess.PIPE
        self._driver = subprocess.Popen(
            (sys.executable, "-m", "deploy.launching.ray_driver"),
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(word for word in sys.path if word)},
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads are there yet that could hold a lock
        )
        assert self._driver.stdout is not None
        self.source = self._driver.stdout.fileno()
        self._say(m.Connect(address, placing))

    def connect(self) -> None:
        """Wait until the cluster is joined. Raises UserError."""
        while not self.address:
            if not select.select([self.source], [], [], JOIN_S)[0]:
                raise UserError(
                    f"--engine ray: the cluster was not joined within {JOIN_S:.0f} s; is its head well?"
                )
            messages, there = self._read()
            for message in messages:
                if isinstance(message, m.Refused):
                    raise UserError(message.why)
                if isinstance(message, m.Connected):
                    self.address = message.address
            if not there and not self.address:
                raise UserError(
                    f"--engine ray: Ray ended, exit code {self._driver.wait()}; see /tmp/ray's logs"
                )

    def _read(self) -> tuple[list[m.FromDriver], bool]:
        """What was said, and whether the driver is still there."""
        data = os.read(self.source, READ_BYTES)
        *lines, self._left = (self._left + data).split(b"\n")
        return [m.from_driver(line) for line in lines], bool(data)

    def _say(self, message: m.ToDriver) -> None:
        assert self._driver.stdin is not None
        with suppress(BrokenPipeError):  # its end is heard
            self._driver.stdin.write(m.line(message))
            self._driver.stdin.flush()

    # ---- a starter ----------------------------------------------------------------------------

    def start(self, identity: Identity, config: NodeConfig, key: bytes) -> Place:
        if self._driver.poll() is not None:
            raise LaunchFailed(f"{identity.name} cannot be started: the Ray cluster is lost")
        self._number += 1
        self._starts[self._number] = (identity, config)
        title = f"{identity.cluster}/{identity.role}/{identity.name}/{identity.incarnation}"
        self._say(m.Prepare(self._number, title, self._placing.demand(identity)))
        return Place(SOMEWHERE, 0)

    def _number_of(self, identity: Identity) -> int | None:
        return next((number for number, (who, _) in self._starts.items() if who == identity), None)

    def kill(self, identity: Identity) -> None:
        number = self._number_of(identity)
        if number is not None:
            self._say(m.Kill(number))

    def signal(self, identity: Identity, number: int) -> bool:
        start = self._number_of(identity)
        if start is not None:
            self._say(m.Signal(start, number))
        return start is not None

    def ended(self) -> list[tuple[Identity, int | None]]:
        if self._driver.stdout is None or self._driver.stdout.closed:
            return []
        while select.select([self.source], [], [], 0)[0]:
            messages, there = self._read()
            for message in messages:
                self._hear(message)
            if not there:
                for number in list(self._starts):
                    self._hear(m.Ended(number, None, "the Ray cluster is lost"))
                break
        found = list(self._ended)
        self._ended.clear()
        return found

    def _hear(self, message: m.FromDriver) -> None:
        if isinstance(message, m.Prepared):
            identity, config = self._starts[message.number]
            self._keys.learn(identity.role, identity.name, node_config.raw_key(message.public))
            self._say(m.Begin(message.number, identity.role, config))
        elif isinstance(message, m.Ended):
            identity, _ = self._starts.pop(message.number)
            self._why[identity] = message.why
            self._ended.append((identity, message.code))

    def why(self, identity: Identity) -> str:
        """What there is to say of an end beside its code; once."""
        return self._why.pop(identity, "")

    def close(self) -> None:
        driver = self._driver
        if driver.stdin is None or driver.stdin.closed:
            return
        with suppress(BrokenPipeError):
            driver.stdin.close()
        try:
            driver.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            driver.kill()
            driver.wait()
        if driver.stdout is not None:
            driver.stdout.close()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class RayLauncher(RegisteredLauncher):
    """A ``Launcher``. ``cluster`` is HOST:PORT of its head. ``lease_s``: the nodes'."""

    def __init__(self, cluster: str, placing: Placing, **how: float) -> None:
        self._made = RayKeys()
        self._cluster = cluster
        self._placing = placing
        self._ray: RayStarter | None = None
        super().__init__(self._starter, self._made, **how)  # type: ignore[arg-type]

    def _starter(self, _folder: Path) -> RayStarter:
        assert self._ray is not None
        return self._ray

    def open(self, ground: Ground) -> None:
        self._ray = RayStarter(self._cluster, self._placing, self._made)
        try:
            self._ray.connect()
        except BaseException:
            self._ray.close()
            raise
        self._address = self._ray.address
        self._listen = f"tcp://{self._address}:*"
        super().open(ground)

    def _end(self, identity: Identity, code: int | None, why: str = "") -> None:
        told = self._ray.why(identity) if self._ray is not None else ""
        super()._end(identity, code, why or told)
