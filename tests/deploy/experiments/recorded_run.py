"""A run on virtual time with every node's rows, and what its cores were made of."""

from functools import cache
from pathlib import Path

import msgspec

from bus import frames
from bus.faults import Rule
from bus.links.simulated import Timeline
from deploy.engines.simulated import SimulatedEngine
from deploy.engines.worlds import Times, World
from deploy.experiments.history import recorded as what
from deploy.experiments.history.files import Writer
from deploy.experiments.history.recorded import Recorded
from deploy.recording.record import Record
from deploy.recording.rows import NOTE, Row, incarnate
from deploy.toolstack import Toolstack, Work
from deploy.topology import Topology, load_shipped
from nodes.contract import Note
from nodes.guest.core import GuestConfig

WORK = Work(run=True, think_ns=50_000)
TIMES = Times(guest_ns=8_000, xen_ns=12_000, el3_ns=20_000)


class RecordingEngine(SimulatedEngine):
    """``rows`` is everything that any node saw, ``guests`` what they were started with."""

    def __init__(self, topology: Topology, seed: int, *, carried: bool = True) -> None:
        self.rows: list[Row] = []
        self.guests: dict[str, GuestConfig] = {}
        self._started: dict[str, int] = {}
        world = World(Timeline(seed), Record(self.rows))
        super().__init__(topology, seed, lambda *_: None, TIMES, carried=carried, world=world)

    def start_guest(self, info: frames.DomainInfo, config: GuestConfig) -> None:
        life = self._started[info.name] = self._started.get(info.name, 0) + 1
        what.remember(self.guests, incarnate(info.name, life), config)
        super().start_guest(info, config)

    def note(self, kind: str, request: int, numbers: tuple[int, ...], text: str) -> None:
        """A note of the run itself."""
        note = frames.encode(Note(kind, request, numbers, text))
        self.rows.append((self.now_ns, "run", "", NOTE, note, b""))


class Run(msgspec.Struct, frozen=True):
    rows: tuple[Row, ...]
    made: Recorded

    def save(self, folder: Path) -> Path:
        """A folder as a run leaves it."""
        folder.mkdir(parents=True, exist_ok=True)
        what.save(folder, self.made)
        writer = Writer(folder, {"run": self.made.run_id})
        writer.rows.extend(self.rows)
        writer.close()
        return folder


def record(
    seed: int = 1,
    duration_ns: int = 20_000_000,
    *,
    carried: bool = True,
    rules: tuple[Rule, ...] = (),
    restart: bool = False,
) -> Run:
    """The automotive platform at work, with a reboot and a destruction halfway.

    ``rules`` hold in the second half; ``restart``: there EL3 starts again, too.
    """
    topology = load_shipped()
    topology = msgspec.structs.replace(topology, tuning=msgspec.structs.replace(topology.tuning, record=True))
    engine = RecordingEngine(topology, seed, carried=carried)
    toolstack = Toolstack(engine, topology, WORK, carried)
    toolstack.start()
    for info in toolstack.list():
        if info.smc_id is not None:
            numbers = (info.domid, info.incarnation, info.agent_id or 0, info.smc_id)
            engine.note("domain", 0, numbers, info.name)
    engine.run(duration_ns)
    toolstack.reboot("ivi")
    toolstack.destroy("tcu")
    engine.network.obey(rules)
    if restart:
        engine.end_firmware()
        engine.start_firmware()
    engine.run(duration_ns)
    kinds = [f"link.{rule.action}" for rule in rules]
    made = what.describe(
        topology,
        engine.guests,
        run_id=f"r{seed}",
        seed=seed,
        engine="sim",
        carried=carried,
        faults=kinds,
        cluster=engine.cluster.hex(),
    )
    return Run(tuple(engine.rows), made)


@cache
def recorded() -> Run:
    """``record()``, made once for all tests of a process."""
    return record()
