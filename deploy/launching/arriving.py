"""A launcher that starts nothing: something else does (Kubernetes), and nodes come by themselves.

A process that comes knows its role and name, and its key proves them; it waits at the registry until the
supervisor expects somebody of that name. Then it is accepted as the incarnation that is due, with its
specification and lease, like any other. To end one is to end its membership: it ends itself when it hears of
that, or when its lease lapses, whichever comes first.

It does not know why processes come and go, nor which domain should be there (``deploy.arrivals``).
"""

import signal
import time
from collections import deque
from typing import Final

from deploy.errors import UserError
from deploy.launching import messages as m
from deploy.launching.config import NodeConfig
from deploy.launching.identity import Identity
from deploy.launching.keyring import Keys
from deploy.launching.launcher import LaunchFailed
from deploy.launching.registered import LEASE_S, TURN_S, RegisteredHandle, RegisteredLauncher
from deploy.launching.registry import Asks, Said, Who
from deploy.launching.registry_link import News
from deploy.launching.signals import Flag
from deploy.launching.starter import Place

FRESH_S: Final = 3 * m.RENEW_S  # who has not asked for so long is gone
RETURN_S: Final = 5.0  # for a process that was ended to be back, if somebody waits for that
SOMEWHERE: Final = "?"  # the machine, until the node says which
ASKING: Final = 4096  # names that are remembered


class Arriving:
    """The starter of processes that come by themselves: whoever is killed is no member any more."""

    def __init__(self) -> None:
        self.shared = False
        self._there = Flag()
        self.source = self._there.fd
        self._ended: deque[tuple[Identity, int | None]] = deque()
        self._closed = False

    def start(self, identity: Identity, config: NodeConfig, key: bytes) -> Place:
        return Place(SOMEWHERE, 0)

    def kill(self, identity: Identity) -> None:
        self._ended.append((identity, None))
        self._there.raise_()

    def signal(self, identity: Identity, number: int) -> bool:
        """Not through a registry; raises UserError for what an operator asked for."""
        if number != signal.SIGCONT:
            raise UserError(
                f"{identity.name} was not started here, so no signal reaches it; "
                "use what started it, as 'kubectl delete pod'"
            )
        return False

    def ended(self) -> list[tuple[Identity, int | None]]:
        self._there.lower()
        found = list(self._ended)
        self._ended.clear()
        return found

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._there.close()


class ArrivingLauncher(RegisteredLauncher):
    """A ``Launcher``. While ``patient`` a start waits for the process as long as it takes, later RETURN_S."""

    def __init__(
        self,
        keys: Keys,
        address: str,
        port: int,
        lease_s: float = LEASE_S,
    ) -> None:
        super().__init__(lambda _folder: Arriving(), keys, address=address, lease_s=lease_s, port=port)
        self.patient = True
        self._asking: dict[Who, float] = {}

    def waits(self, role: str, name: str) -> bool:
        """Whether such a process is there and waits to be expected."""
        return time.monotonic() - self._asking.get((role, name), -FRESH_S) < FRESH_S

    def start(self, identity: Identity, spec: bytes) -> RegisteredHandle:
        self._await(identity)
        self._asking.pop((identity.role, identity.name), None)
        return super().start(identity, spec)

    def _await(self, identity: Identity) -> None:
        deadline = time.monotonic() + RETURN_S
        told = False
        while not self.waits(identity.role, identity.name):
            gone = next((one.name for one in self._handles.values() if one.ended is not None), None)
            if self.interrupted:
                raise LaunchFailed(f"stopped while waiting for {identity.name}")
            if self.patient and gone is not None:
                raise LaunchFailed(f"{gone} ended while the platform waited for {identity.name}")
            if not self.patient and time.monotonic() > deadline:
                raise LaunchFailed(f"no process of {identity.name} is there; it begins when one comes")
            if not told and self._ground is not None:
                self._ground.log("info", f"waiting for {identity.role} {identity.name}")
                told = True
            self.turn(TURN_S)

    def _asked(self, one: Asks) -> None:
        who = (one.role, one.name)
        if who not in self._asking and len(self._asking) < ASKING and self._ground is not None:
            how = ", while another one of that name is not over yet" if one.taken else ""
            level = "warning" if one.taken else "info"
            self._ground.log(level, f"{one.role} {one.name} on {one.host[:64]} is there and waits{how}")
        if who in self._asking or len(self._asking) < ASKING:
            self._asking[who] = time.monotonic()

    def _hear(self, one: News) -> None:
        super()._hear(one)
        if isinstance(one, Said) and isinstance(one.message, m.Leave):
            handle = self._handles.get(one.identity)
            code = handle.ending[0] if handle is not None and handle.ending is not None else None
            self._end(one.identity, code)
