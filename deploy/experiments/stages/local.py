"""An experiment on real processes: a platform of its own in a run directory, gone when the run is over.

What a fault does to processes is in ``local_faults.py``; this leads the engine, time and the record. Rows are
kept in files while it runs and are in the sink after ``stop``. A guest that ended is a crashed domain: its
domain is destroyed, and it comes back after a while.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

from bus import frames
from bus.frames import DomainInfo, Lifecycle
from deploy.engines.breaking import Breaker
from deploy.engines.driver import Tap
from deploy.engines.histories import Histories
from deploy.engines.local import FIRMWARE, XEN_NODE, LocalEngine, Options
from deploy.engines.pids import held_kib
from deploy.engines.supervision import SUPERVISOR
from deploy.errors import UserError
from deploy.experiments.describing.plan import Planned
from deploy.experiments.history.recorded import remember
from deploy.experiments.stages.announcing import Announcing
from deploy.experiments.stages.local_faults import LocalFaults
from deploy.experiments.stages.operations import Operations
from deploy.experiments.stages.stage import Numbers
from deploy.launching.launcher import Handle
from deploy.reactions import Reactions
from deploy.recording import segments
from deploy.recording.rows import NOTE, Row, incarnation_of, is_domain
from deploy.rundir import RunDirectory, default_path
from deploy.toolstack import DOM0, Toolstack, ToolstackError, Work
from deploy.topology import Topology
from nodes.contract import Note
from nodes.guest.core import GuestConfig
from nodes.metrics import LATENCY_BUCKETS_NS

ROWS_MAX: Final = 65_536  # in the sink before ``on_full`` must take them
LINES_KEPT: Final = 256
REVIVE_S: Final = 0.02  # between tries to bring a domain back
REVIVALS_MAX: Final = 64  # tries, for one end of a guest
ANSWER_S: Final = 0.5  # that a node is given to answer a question about now, asked once more if need be
REFRESH_S: Final = 0.1  # that a node is given to tell its numbers; one that is stopped does not
LAST_S: Final = 2.0  # the same at the end, when nobody is stopped: the account needs the last numbers
TURN_S: Final = 0.05
NONE: Final = -1  # no agent, no doorbell
CALLS: Final = "trapline_guest_calls_total"
DURATIONS: Final = "trapline_scmi_call_duration_seconds"
_numbers = count()


def own_run_directory() -> Path:
    """One that no other stage of this machine has."""
    return default_path(f"run-{os.getpid()}-{next(_numbers)}")


class LocalStage:
    """A ``Stage``. ``work`` is what guests do, ``pages`` "carried" or "mapped", ``record`` as in a scenario.

    ``run``: its run directory, one of its own unless said. ``kept_in``: where nodes keep their rows until the
    end; in the run directory unless said. ``sink`` takes all rows in ``stop``, in order, and ``on_full`` is
    called when it holds ROWS_MAX of them and has to empty it. ``truncated`` counts rows that had no room.

    ``configs``: with what domains were started; ``first_requests``: of each start of Xen. ``origin_ns``: what
    every node's clock said when the run began. ``lines``: what a toolstack was refused, (node, what, text).
    """

    def __init__(
        self,
        topology: Topology,
        *,
        work: Work,
        pages: str = "carried",
        record: str = "frames",
        run: Path | None = None,
        kept_in: Path | None = None,
        sink: list[Row] | None = None,
        on_full: Callable[[], None] | None = None,
        options: Options | None = None,
    ) -> None:
        self.topology = topology
        self.on_lifecycle: Callable[[Any], None] = lambda frame: None
        self.configs: dict[str, GuestConfig] = {}
        self.lines: deque[tuple[str, str, str]] = deque(maxlen=LINES_KEPT)
        self.truncated = 0
        directory = RunDirectory(run or own_run_directory())
        self._sink = sink
        self._on_full = on_full
        self._histories = Histories(kept_in or directory.tmp / "rows", record)  # type: ignore[arg-type]
        carried = pages == "carried"
        self.engine = LocalEngine(topology, directory, options or Options(carried=carried), self._histories)
        self.toolstack = Toolstack(self.engine, topology, work, carried)
        self.operations = Operations(self.engine, self.toolstack, self.note_failure)
        self.breaker = Breaker(self.engine)
        self._faults = LocalFaults(self)
        self.announcing = Announcing(self.engine.meters)
        self._reactions = Reactions(
            self.toolstack, lambda name, _, detail: self.note_failure(name, detail), self.over, restart=True
        )
        self._errands: deque[Callable[[], None]] = deque()
        self._busy = False
        self._running = False
        self._tell: Tap = lambda now_ns, peer, event, envelope, page: None
        self.engine.on_lifecycle = self._on_lifecycle
        self.engine.on_guest_start = self._on_guest_start
        self.engine.on_guest_exit = lambda name, how: self._ended(name, REVIVALS_MAX)
        self.engine.before_removal = self._collect

    # ---- a run --------------------------------------------------------------------------------

    @property
    def origin_ns(self) -> int:
        return self._histories.origin_ns

    @property
    def cluster(self) -> str:
        """As hex."""
        return self.engine.identities.cluster

    @property
    def clocks(self) -> dict[str, str]:
        """Of nodes whose clock is not the supervisor's: "OFFSET +- UNCERTAINTY ns" by "NODE~LIFE"."""
        found = self._histories.clocks.items()
        return {f"{node}~{life}": str(one) for (node, life), one in found}

    @property
    def first_requests(self) -> list[int]:
        return self.breaker.first_requests

    @property
    def failure(self) -> str | None:
        """Why it is over, or None."""
        return self.engine.failure

    def over(self, reason: str, failed: bool) -> None:
        """The platform ends: Dom0 has gone."""
        self.engine.failure = self.engine.failure or reason

    def note_failure(self, name: str, detail: str) -> None:
        """A toolstack's request was refused; an operator would see the same."""
        self.lines.append((name, "toolstack", detail))

    def start(self) -> None:
        """Boot everything and every guest; raises UserError for what does not boot. Then nothing is left."""
        self.engine.start()
        try:
            self._tell = self._histories.own("run")
            if self._histories.rows != "none":
                self.engine.run.flight.symlink_to(self._histories.folder.absolute())
            self._running = True
            self.errand(self.toolstack.start)
        except ToolstackError as error:
            self.stop()
            raise UserError(str(error)) from None
        except BaseException:
            self.stop()
            raise

    def now_ns(self) -> int:
        """Time since the start of the run."""
        return time.monotonic_ns() - self.origin_ns

    def advance(self, until_ns: int) -> None:
        """Let things happen until then, or until the platform is over."""
        while self.failure is None and (left_ns := until_ns - self.now_ns()) > 0:
            self.engine.pump(min(TURN_S, left_ns / 1e9))

    def at(self, at_ns: int, action: Callable[[], None]) -> None:
        """Let ``action`` happen then, also while a toolstack waits."""
        self.engine.agenda.add((self.origin_ns + at_ns) / 1e9, action)

    def operate(self, name: str, action: Callable[[Toolstack], None]) -> None:
        """Let the toolstack do something."""
        self.errand(lambda: action(self.toolstack))

    def toolstacks(self) -> Sequence[Toolstack]:
        """There is one board."""
        return [self.toolstack]

    def begin(self, fault: Planned) -> None:
        """Break it; raises UserError for a fault that real processes cannot play."""
        self._faults.begin(fault)
        self.announcing.fault(fault)

    def end(self, fault: Planned) -> None:
        """Stop breaking it; nothing for what is instant."""
        self._faults.end(fault)

    def applied(self, fault: Planned) -> int | None:
        """How often it had an effect; None if nobody counts."""
        return self._faults.applied(fault)

    def mark(self, what: str, request: int, numbers: tuple[int, ...], text: str) -> None:
        """A row about the run itself."""
        if what == "phase":
            self.announcing.phase(text)
        note = frames.encode(Note(what, request, numbers, text))
        self._tell(time.monotonic_ns(), b"", NOTE, note, b"")

    # ---- what follows -------------------------------------------------------------------------

    def errand(self, action: Callable[[], None]) -> None:
        """Something for the toolstack: at once, or when it is done with what it does now."""
        self._errands.append(action)
        if self._busy:
            return
        self._busy = True
        try:
            while self._errands and self.failure is None:
                self._errands.popleft()()
        finally:
            self._busy = False

    def _on_lifecycle(self, frame: Lifecycle) -> None:
        self.on_lifecycle(frame)
        if frame.event == "shutdown":
            shut_down = self._reactions.shut_down
            self.engine.agenda.add(0.0, lambda: self.errand(lambda: shut_down(frame)))

    def _on_guest_start(self, info: DomainInfo, config: GuestConfig) -> None:
        node = self._histories.describe(info)
        remember(self.configs, node, config)
        agent = NONE if info.agent_id is None else info.agent_id
        smc_id = NONE if info.smc_id is None else info.smc_id
        life = incarnation_of(node)
        self.mark("domain", 0, (info.domid, life, agent, smc_id), info.name)

    def _ended(self, name: str, tries: int) -> None:
        """What played a domain has ended: the domain crashed."""
        self.errand(lambda: self._revive(name, tries))

    def _revive(self, name: str, tries: int) -> None:
        """Destroy what is left and create the domain again; unless somebody did, or the run is over."""
        if not self._running or name in self.engine.children:
            return
        try:
            if name == DOM0 or any(info.name == name for info in self.toolstack.list()):
                self._reactions.exited(name)
            elif name in self.toolstack.guests:
                self.operations.recreate(name)
        except ToolstackError as error:
            self.note_failure(name, str(error))
        if name not in self.engine.children and name in self.toolstack.guests and tries > 1:
            self.engine.agenda.add(time.monotonic() + REVIVE_S, lambda: self._ended(name, tries - 1))

    def bring_back(self, start: int) -> None:
        """After that start of Xen: what plays Dom0 and the boot domains, then every guest.

        If Xen has started again since, that is left to whoever follows the later start.
        """
        starts = self.first_requests
        if start != len(starts):
            return
        try:
            self.toolstack.start_boot_domains()
        except ToolstackError as error:
            if start == len(starts):
                self.over(f"Xen does not start again: {error}", True)
            return
        for guest in self.topology.guests:
            if start == len(starts):
                self._revive(guest.name, REVIVALS_MAX)

    # ---- looking ------------------------------------------------------------------------------

    def refresh(self, patience_s: float = REFRESH_S) -> None:
        """Have every node tell its numbers; one that does not answer has those it told last."""
        children = list(self.engine.children.values())
        for child in children:
            child.ask_stats()
        self.breaker.wait(lambda: not any(child.asked for child in children), patience_s)

    def outstanding(self) -> int:
        """Calls that have begun and not ended, as guests say who were asked now; who does not answer in time
        counts as one that has a call.
        """
        children, since = list(self.engine.children.values()), time.monotonic()

        def silent() -> list[Handle]:
            late = [child for child in children if child.fresh_at < since and child.is_alive()]
            for child in late:
                child.ask_stats()
            return late

        self.breaker.wait(lambda: not silent(), ANSWER_S)
        late = silent()
        return sum(max(child.outstanding, child in late) for child in children)

    def numbers(self) -> list[Numbers]:
        """For people who watch."""
        firmware = self.engine.children.get(FIRMWARE)
        answers = firmware.stats.get("counters", {}).get("trapline_scmi_calls_total", {}) if firmware else {}
        denied: dict[str, int] = {}
        for (agent, _, _, status), calls in answers.items():
            denied[agent] = denied.get(agent, 0) + calls * (status == "DENIED")
        return [
            self._numbers_of(name, child.node, child.stats, denied)
            for name, child in self.engine.children.items()
            if name not in (FIRMWARE, XEN_NODE)
        ]

    def _numbers_of(self, name: str, node: str, stats: dict[str, Any], denied: dict[str, int]) -> Numbers:
        calls = stats.get("counters", {}).get(CALLS, {})
        buckets = [0] * (len(LATENCY_BUCKETS_NS) + 1)
        for counts in stats.get("histograms", {}).get(DURATIONS, {}).values():
            buckets = [a + b for a, b in zip(buckets, counts, strict=True)]
        config = self.configs.get(node) or self.configs.get(name)
        agent = config.agent if config is not None else ""
        return Numbers(
            name,
            int(agent) if agent.isdigit() else None,
            incarnation_of(node),
            calls.get((name, "answered"), 0),
            denied.get(agent, 0),
            calls.get((name, "definite_error"), 0),
            calls.get((name, "indefinite_error"), 0),
            tuple(buckets),
        )

    def memory(self) -> dict[str, int]:
        """Of every process of this machine, the supervisor's among them."""
        pids = {name: child.pid for name, child in self.engine.children.items() if not child.host}
        held = {name: held_kib(pid) for name, pid in (pids | {SUPERVISOR: os.getpid()}).items()}
        return {name: kib for name, kib in held.items() if kib}

    def stats(self) -> dict[str, dict[str, Any]]:
        """Every node's counters by its name in rows; an earlier Xen or EL3 has "~" and a number behind it.

        Of a process that was killed they are what it told last.
        """
        if self._running:
            self.refresh(LAST_S)
        found: dict[str, dict[str, Any]] = {}
        for number, (name, stats) in enumerate(self.engine.ended):
            found[name if is_domain(name) else f"{name}~{number}"] = stats
        return found | {child.node: child.stats for child in self.engine.children.values()}

    def fingerprint(self) -> str:
        """Equal seeds do not give equal runs here."""
        return ""

    # ---- the end ------------------------------------------------------------------------------

    def stop(self) -> None:
        """End every process, give all rows to the sink, remove every file. Safe to call twice."""
        self._running = False
        self.engine.stop()

    def _collect(self) -> None:
        """All nodes have ended: their rows, by time."""
        self._histories.close()
        folder = self._histories.folder
        if self._histories.rows == "none" or not folder.exists():
            return
        self.truncated = sum(segments.dropped(folder).values()) + self._histories.incomplete
        known = self._histories
        for row in segments.read_segments(folder, known.names, True):
            if self._sink is None:
                continue
            self._sink.append(row)
            if self._on_full is not None and len(self._sink) >= ROWS_MAX:
                self._on_full()
        with suppress(OSError):
            folder.rmdir()
