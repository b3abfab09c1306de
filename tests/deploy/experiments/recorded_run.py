"""A run on virtual time with every node's rows, made with a tap on each driver."""

from functools import cache

from bus import frames
from bus.links.simulated import Timeline
from deploy.engines.record import Record
from deploy.engines.simulated import SimulatedEngine, World
from deploy.experiments.history.rows import NOTE, Row
from deploy.toolstack import Toolstack, Work
from deploy.topology import Topology, load_shipped
from nodes.contract import Note


class RecordingEngine(SimulatedEngine):
    """``rows`` is everything that any node saw."""

    def __init__(self, topology: Topology, seed: int) -> None:
        self.rows: list[Row] = []
        super().__init__(topology, seed, lambda *_: None, world=World(Timeline(seed), Record(self.rows)))

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
