"""A launcher whose nodes run on the machines of a Ray cluster: Ray finds room and tells who was lost.

All else is a registered launcher's. It has the driver (``ray_driver``) do what needs Ray, and gives nodes no
keys: each makes its own on its machine, and is known by the public one from then on. The key of a node that
was replaced opens nothing any more.
"""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.launching import config as node_config
from deploy.launching import ray_messages as m
from deploy.launching.config import NodeConfig
from deploy.launching.identity import Identity
from deploy.launching.launcher import Ground
from deploy.launching.ray_pipe import RayPipe
from deploy.launching.ray_placing import Placing
from deploy.launching.registered import RegisteredLauncher
from deploy.launching.registry import Who
from deploy.launching.starter import Place
from deploy.launching.wires import new_keys

SOMEWHERE: Final = "?"  # the machine, until Ray has found one


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
    """A ``Starter``. ``cluster``: HOST:PORT of its head; ``address``: this machine's, as that knows it.

    Raises UserError if it cannot be joined.
    """

    shared = False

    def __init__(
        self, cluster: str, placing: Placing, keys: RayKeys, interrupted: Callable[[], bool]
    ) -> None:
        self._placing = placing
        self._keys = keys
        self._starts: dict[int, tuple[Identity, NodeConfig]] = {}
        self._why: dict[Identity, str] = {}
        self._number = 0
        self._ended: deque[tuple[Identity, int | None]] = deque()
        self._driver = RayPipe("deploy.launching.ray_driver", m.from_driver)
        self.source = self._driver.source
        self.address = self._driver.join(m.Connect(cluster, placing), interrupted).address

    # ---- a starter ----------------------------------------------------------------------------

    def start(self, identity: Identity, config: NodeConfig, key: bytes) -> Place:
        if not self._driver.runs():
            raise ConnectionError("the Ray cluster is lost")
        self._number += 1
        self._starts[self._number] = (identity, config)
        title = f"{identity.cluster}/{identity.role}/{identity.name}/{identity.incarnation}"
        self._driver.say(m.Prepare(self._number, title, self._placing.demand(identity)))
        return Place(SOMEWHERE, 0)

    def _number_of(self, identity: Identity) -> int | None:
        return next((number for number, (who, _) in self._starts.items() if who == identity), None)

    def kill(self, identity: Identity) -> None:
        number = self._number_of(identity)
        if number is not None:
            self._driver.say(m.Kill(number))

    def signal(self, identity: Identity, number: int) -> bool:
        start = self._number_of(identity)
        if start is not None:
            self._driver.say(m.Signal(start, number))
        return start is not None

    def ended(self) -> list[tuple[Identity, int | None]]:
        for message in self._driver.hear():
            self._hear(message)
        if self._driver.ended:
            for number in list(self._starts):
                self._hear(m.Ended(number, None, "the Ray cluster is lost"))
        found = list(self._ended)
        self._ended.clear()
        return found

    def _hear(self, message: m.FromDriver) -> None:
        if isinstance(message, m.Prepared):
            identity, config = self._starts[message.number]
            self._keys.learn(identity.role, identity.name, node_config.raw_key(message.public))
            self._driver.say(m.Begin(message.number, identity.role, config))
        elif isinstance(message, m.Ended):
            identity, _ = self._starts.pop(message.number)
            self._why[identity] = message.why
            self._ended.append((identity, message.code))

    def why(self, identity: Identity) -> str:
        """What there is to say of an end beside its code; once."""
        return self._why.pop(identity, "")

    def close(self) -> None:
        self._driver.close()


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
        self._ray = RayStarter(self._cluster, self._placing, self._made, ground.interrupted)
        self._address = self._ray.address
        self._listen = f"tcp://{self._address}:*"
        super().open(ground)

    def _end(self, identity: Identity, code: int | None, why: str = "") -> None:
        told = self._ray.why(identity) if self._ray is not None else ""
        super()._end(identity, code, why or told)
