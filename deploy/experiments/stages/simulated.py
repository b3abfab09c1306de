"""An experiment on virtual time: the deterministic twin of a platform of real processes, or of several.

What a fault does to nodes is in ``simulated_faults.py``; this leads boards, time and the record. A guest that
ended is a crashed domain: its domain is destroyed, and it comes back after a while.
"""

import gc
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from bus import frames
from bus.frames import DomainInfo, Lifecycle
from bus.links.simulated import Timeline
from deploy.engines.simulated import SimulatedEngine
from deploy.engines.simulated_node import SimNode
from deploy.engines.worlds import Times, World
from deploy.errors import UserError
from deploy.experiments.describing.plan import Planned
from deploy.experiments.describing.scenario import Timing
from deploy.experiments.history.recorded import remember
from deploy.experiments.stages.operations import Operations
from deploy.experiments.stages.simulated_faults import SimulatedFaults
from deploy.experiments.stages.stage import Numbers
from deploy.metrics.exporter import snapshot
from deploy.reactions import Reactions
from deploy.recording.record import Record
from deploy.recording.rows import NOTE, Row, incarnation_of, is_domain
from deploy.toolstack import DOM0, Toolstack, ToolstackError, Work
from deploy.topology import Topology
from nodes.contract import Note
from nodes.guest.core import GuestConfig, GuestCore
from nodes.metrics import LATENCY_BUCKETS_NS

ENDED_KEPT: Final = 4096  # last numbers of nodes that are gone
LINES_KEPT: Final = 256  # of what nodes logged, for people
CRASH_NS: Final = 5_000_000  # from the end of a guest to xl's destroying it
REVIVE_NS: Final = 20_000_000  # between tries to bring a domain back
TURN_NS: Final = 500_000  # how often a toolstack looks whether another one is done
REVIVALS_MAX: Final = 64  # tries, for one end of a guest
PATIENCE_NS: Final = 10_000_000_000  # of the toolstack
GARBAGE: Final = (100_000, 50, 100)  # rows are many and never in a cycle: looking for one costs a tenth
NONE: Final = -1  # no agent, no doorbell


def times_of(timing: Timing) -> Times:
    """A scenario's microseconds."""
    us = (timing.hop_us, timing.jitter_us, timing.guest_us, timing.xen_us, timing.el3_us)
    return Times(*(int(one * 1000) for one in us))


class StagedBoard:
    """One platform: its engine, its toolstack, and what follows when a guest ends."""

    def __init__(
        self, stage: "SimulatedStage", topology: Topology, engine: SimulatedEngine, work: Work
    ) -> None:
        self.engine = engine
        self.topology = topology
        self.toolstack = Toolstack(engine, topology, work, engine.carried)
        self.operations = Operations(engine, self.toolstack, stage.note_failure)
        self.reactions = Reactions(
            self.toolstack, lambda name, _, detail: stage.note_failure(name, detail), stage.over, restart=True
        )
        self.domids: dict[str, int] = {}
        self._stage = stage
        engine.on_lifecycle = self._on_lifecycle
        engine.on_guest_start = self._on_guest_start
        engine.on_guest_halt = self.ended
        engine.on_end = stage.keep

    def start(self) -> None:
        self.toolstack.start()

    def tell(self, name: str, body: bytes) -> None:
        """A console request to a domain that runs, whose answer nobody waits for."""
        if name in self.engine.nodes and name in self.domids:
            self.engine.tell_console(self.domids[name], body)

    def tell_firmware(self, body: bytes) -> None:
        """The same to EL3."""
        self.engine.tell_console(frames.EL3_DOMID, body)

    def errand(self, action: Callable[[], None]) -> None:
        """Something for the toolstack: at once, or when it is done with what it does now."""
        if self.engine.waiting:
            self.engine.timeline.at(self.engine.now_ns + TURN_NS, lambda: self.errand(action))
        else:
            action()

    # ---- what follows -------------------------------------------------------------------------

    def _on_lifecycle(self, frame: Lifecycle) -> None:
        self._stage.on_lifecycle(frame)
        if frame.event == "shutdown":
            timeline = self.engine.timeline
            timeline.at(timeline.now_ns, lambda: self.errand(lambda: self.reactions.shut_down(frame)))

    def _on_guest_start(self, info: DomainInfo, config: GuestConfig, node: SimNode) -> None:
        self.domids[info.name] = info.domid
        remember(self._stage.configs, node.name, config)
        life = incarnation_of(node.name)
        agent = NONE if info.agent_id is None else info.agent_id
        smc_id = NONE if info.smc_id is None else info.smc_id
        self._stage.mark("domain", 0, (info.domid, life, agent, smc_id), info.name)

    def ended(self, name: str) -> None:
        """What plays a domain has ended: the domain crashed."""
        self.engine.remove(name)
        if name == DOM0:
            self.reactions.exited(name)
        else:
            self._revive_at(name, self.engine.now_ns + CRASH_NS, REVIVALS_MAX)

    def _revive_at(self, name: str, at_ns: int, tries: int) -> None:
        self.engine.timeline.at(at_ns, lambda: self.errand(lambda: self._revive(name, tries)))

    def _revive(self, name: str, tries: int) -> None:
        """Destroy what is left and create the domain again; unless somebody did, or the run is over."""
        if name in self.engine.nodes or self._stage.failure is not None:
            return
        try:
            if any(info.name == name for info in self.toolstack.list()):
                self.reactions.exited(name)
            elif name in self.toolstack.guests:
                self.operations.recreate(name)
        except ToolstackError as error:
            self._stage.note_failure(name, str(error))
        if name not in self.engine.nodes and name in self.toolstack.guests and tries > 1:
            self._revive_at(name, self.engine.now_ns + REVIVE_NS, tries - 1)

    def bring_back(self, start: int) -> None:
        """After that start of Xen: what plays Dom0 and the boot domains, then every guest.

        If Xen has started again since, that is left to whoever follows the later start.
        """
        starts = self._stage.first_requests
        if start != len(starts):
            return
        try:
            self.toolstack.start_boot_domains()
        except ToolstackError as error:
            if start == len(starts):
                self._stage.over(f"Xen does not start again: {error}", True)
            return
        for guest in self.topology.guests:
            if start == len(starts):
                self._revive(guest.name, REVIVALS_MAX)

    # ---- numbers ------------------------------------------------------------------------------

    def numbers(self) -> list[Numbers]:
        """Of every domain that runs."""
        found = []
        for node in self.engine.nodes.values():
            core = node.core
            if isinstance(core, GuestCore):
                found.append(self._numbers(node, core))
        return found

    def _numbers(self, node: SimNode, core: GuestCore) -> Numbers:
        agent, name = core.config.agent, core.config.name
        calls = core.meters.counter("trapline_guest_calls_total")
        answers = self.engine.firmware.meters.counter("trapline_scmi_calls_total")
        buckets = [0] * (len(LATENCY_BUCKETS_NS) + 1)
        for one in core.meters.histogram("trapline_scmi_call_duration_seconds").values():
            buckets = [a + b for a, b in zip(buckets, one.counts, strict=True)]
        return Numbers(
            name,
            int(agent) if agent.isdigit() else None,
            incarnation_of(node.name),
            calls[name, "answered"],
            sum(count for key, count in answers.items() if key[0] == agent and key[3] == "DENIED"),
            calls[name, "definite_error"],
            calls[name, "indefinite_error"],
            tuple(buckets),
        )


class SimulatedStage:
    """A ``Stage``. ``topology``: one platform, or several, boards side by side; ``toolstack`` is the first's.

    ``sink`` takes the rows, and ``on_full`` is called when it holds ``record.ROWS_MAX`` of them and has to
    empty it; nobody else may, before ``stop``. ``configs``: with what domains were started;
    ``first_requests``: of each start of Xen. ``lines``: the last that nodes logged, (node, level, text).
    """

    def __init__(
        self,
        topology: Topology | Sequence[Topology],
        *,
        seed: int,
        timing: Timing,
        work: Work,
        pages: str = "carried",
        sink: list[Row] | None = None,
        on_full: Callable[[], None] | None = None,
    ) -> None:
        self.on_lifecycle: Callable[[Any], None] = lambda frame: None
        self.configs: dict[str, GuestConfig] = {}
        self.first_requests: list[int] = [0]
        self.lines: deque[tuple[str, str, str]] = deque(maxlen=LINES_KEPT)
        self._failure: str | None = None
        self._ended: dict[str, dict[str, Any]] = {}
        self._record = Record(sink, on_full)
        self._timeline = Timeline(seed)
        topologies = [topology] if isinstance(topology, Topology) else topology
        self.boards = []
        for number, one in enumerate(topologies):
            engine = SimulatedEngine(
                one,
                seed,
                self._log,
                times_of(timing),
                carried=pages == "carried",
                world=World(self._timeline, self._record, number),
                patience_ns=PATIENCE_NS,
            )
            self.boards.append(StagedBoard(self, one, engine, work))
        self.toolstack = self.boards[0].toolstack
        self._faults = SimulatedFaults(self)

    def _log(self, node: str, level: str, text: str) -> None:
        if level != "debug":
            self.lines.append((node, level, text))

    @property
    def cluster(self) -> str:
        """As hex."""
        return self.boards[0].engine.cluster.hex()

    @property
    def failure(self) -> str | None:
        """Why it is over, or None."""
        return self._failure

    def over(self, reason: str, failed: bool) -> None:
        """The platform ends: Dom0 has gone, or Xen or EL3 cannot go on."""
        self._failure = self._failure or reason

    def note_failure(self, name: str, detail: str) -> None:
        """A toolstack's request was refused; an operator would see the same."""
        self.lines.append((name, "toolstack", detail))

    # ---- a run --------------------------------------------------------------------------------

    def start(self) -> None:
        """Boot everything and every guest; raises UserError for what does not boot."""
        try:
            for board in self.boards:
                board.start()
        except ToolstackError as error:
            raise UserError(str(error)) from None

    def now_ns(self) -> int:
        """Virtual time since power-on."""
        return self._timeline.now_ns

    def advance(self, until_ns: int) -> None:
        """Let things happen until then."""
        if self._failure is not None:
            return
        before = gc.get_threshold()
        gc.set_threshold(*GARBAGE)
        try:
            self.boards[0].engine.run_until(until_ns)
        except ToolstackError as error:
            self._failure = str(error)
        finally:
            gc.set_threshold(*before)

    def at(self, at_ns: int, action: Callable[[], None]) -> None:
        """Let ``action`` happen then, also while a toolstack waits."""
        self._timeline.at(at_ns, action)

    def operate(self, name: str, action: Callable[[Toolstack], None]) -> None:
        """Let the toolstack of the domain's board do something."""
        board = self.board_of(name)
        board.errand(lambda: action(board.toolstack))

    def toolstacks(self) -> Sequence[Toolstack]:
        """One for each board."""
        return [board.toolstack for board in self.boards]

    def begin(self, fault: Planned) -> None:
        """Break it; raises UserError for a fault that virtual time cannot play."""
        self._faults.begin(fault)

    def end(self, fault: Planned) -> None:
        """Stop breaking it; nothing for what is instant."""
        self._faults.end(fault)

    def applied(self, fault: Planned) -> int | None:
        """How often it had an effect; None if nobody counts."""
        return self._faults.applied(fault)

    def mark(self, what: str, request: int, numbers: tuple[int, ...], text: str) -> None:
        """A row about the run itself."""
        note = frames.encode(Note(what, request, numbers, text))
        self._record.rows.append((self._timeline.now_ns, "run", "", NOTE, note, b""))

    def board_of(self, name: str) -> StagedBoard:
        """Where a domain lives; nodes of boards beside the first have names of their own ("xen.1")."""
        for board in self.boards:
            known = (board.engine.nodes, board.toolstack.guests, board.topology.bindings)
            if any(name in there for there in known):
                return board
        raise UserError(f"there is no node {name!r}")

    # ---- looking ------------------------------------------------------------------------------

    def outstanding(self) -> int:
        """Calls that have begun and not ended."""
        return sum(
            node.core.outstanding
            for board in self.boards
            for node in board.engine.nodes.values()
            if isinstance(node.core, GuestCore)
        )

    def numbers(self) -> list[Numbers]:
        """For people who watch."""
        return [one for board in self.boards for one in board.numbers()]

    def keep(self, node: SimNode) -> None:
        """The last numbers of a node that ends."""
        name = node.name
        if not is_domain(name):  # Xen, or EL3: it will start again under the same name
            name = f"{name}~{len(self._ended)}"
        self._ended[name] = snapshot(node.core.meters)
        if len(self._ended) > ENDED_KEPT:
            del self._ended[next(iter(self._ended))]

    def stats(self) -> dict[str, dict[str, Any]]:
        """Every node's counters by its name in rows; an earlier Xen or EL3 has "~" and a number behind it."""
        running = [node for board in self.boards for node in board.engine.nodes.values()]
        return self._ended | {node.name: snapshot(node.core.meters) for node in running}

    def memory(self) -> dict[str, int]:
        """All boards are one process, and it keeps the record too."""
        return {}

    def fingerprint(self) -> str:
        """Of all that happened so far."""
        return self._record.fingerprint()

    def stop(self) -> None:
        """All that happened is in the sink and in the fingerprint; nothing more will."""
        self._record.settle()
        for board in self.boards:
            for name in list(board.engine.nodes):
                board.engine.remove(name)
