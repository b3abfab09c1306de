"""A run on virtual time with every node's rows, made with a tap on each driver."""

from functools import cache

from bus import frames
from bus.links.simulated import XEN, SimulatedLink
from deploy.engines.driver import Driver
from deploy.engines.simulated import FIRMWARE, TOOLSTACK, SimulatedEngine
from deploy.experiments.history.rows import NOTE, RECEIVED, Row, incarnate
from deploy.toolstack import Toolstack, Work
from deploy.topology import Topology, load_shipped
from nodes.contract import Core, Note

NAMES = {XEN: "xen", FIRMWARE: "firmware", TOOLSTACK: "toolstack", b"": ""}


class RecordingEngine(SimulatedEngine):
    """``rows`` is everything that any node saw."""

    def __init__(self, topology: Topology, seed: int) -> None:
        self.rows: list[Row] = []
        self.names = dict(NAMES)
        self.lives: dict[str, int] = {}
        super().__init__(topology, seed, lambda *_: None)

    def _add(self, name: str, identity: bytes, core: Core) -> Driver:
        if identity not in NAMES:
            life = self.lives[name] = self.lives.get(name, 0) + 1
            self.names[identity] = incarnate(name, life)
        node = self.names[identity]

        def tap(now_ns: int, peer: bytes, event: int, envelope: bytes, page: bytes) -> None:
            self.rows.append((now_ns, node, self.names.get(peer, "nobody"), event, envelope, page))

        driver = Driver(core, self.network.open(identity), lambda *_: None, tap)
        self._drivers[identity] = driver
        self._names[name] = identity
        driver.boot(self.network.now_ns)
        return driver

    def _deliver(self, end: SimulatedLink, delivery: tuple[bytes, bytes, bytes]) -> None:
        if end is self._toolstack:
            self.rows.append((self.now_ns, "toolstack", "xen", RECEIVED, delivery[1], delivery[2]))
        super()._deliver(end, delivery)

    def note(self, what: str, request: int, numbers: tuple[int, ...], text: str) -> None:
        """A note of the run itself."""
        self.rows.append(
            (self.now_ns, "run", "", NOTE, frames.encode(Note(what, request, numbers, text)), b"")
        )


def record(seed: int = 1, duration_ns: int = 20_000_000) -> RecordingEngine:
    """The automotive platform at work, with a reboot and a destruction halfway."""
    topology = load_shipped()
    engine = RecordingEngine(topology, seed)
    toolstack = Toolstack(engine, topology, Work(run=True, think_ns=50_000))
    toolstack.start()
    for info in toolstack.list():
        if info.smc_id is not None:
            numbers = (info.domid, info.incarnation, info.agent_id or 0, info.smc_id)
            engine.note("domain", 0, numbers, info.name)
    engine.run(duration_ns)
    toolstack.reboot("ivi")
    toolstack.destroy("tcu")
    engine.run(duration_ns)
    return engine


@cache
def recorded() -> tuple[Row, ...]:
    """The rows of ``record()``, made once for all tests of a process."""
    return tuple(record().rows)
