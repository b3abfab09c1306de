"""A running platform: the local engine, its toolstack, and what an operator asks through the control socket.

What follows when a guest's process ends or a guest shuts itself down is in ``reactions.py``. Screens and
arguments are in ``deploy.cli``.
"""

import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import msgspec

from bus.frames import EL3_DOMID, DomainInfo, Lifecycle
from deploy import control
from deploy.engines.flights import Flights
from deploy.engines.local import LocalEngine, Options
from deploy.errors import UserError
from deploy.holdings import holdings
from deploy.reactions import Reactions
from deploy.resets import LastResets
from deploy.rundir import RunDirectory
from deploy.summary import agent_row, buckets_of, calls_of, latency_of
from deploy.toolstack import RefusedByFirmwareError, Toolstack, ToolstackError, Work, told
from deploy.topology import Guest, Topology, read_guest
from nodes.firmware import console as el3
from nodes.guest import console
from nodes.guest.core import GuestConfig

EVENTS_KEPT = 200
LOOK_S = 1.0  # EL3's time to tell what agents hold
SIGNALLED = {"KILL": "fault", "STOP": "fault", "CONT": "continued"}  # the event that tells of it
SILENT_S = 1.5  # a node that told no numbers for so long is not asked for more


def _plain(value: Any) -> Any:
    """Structs as dictionaries, for msgpack: bytes stay bytes."""
    return msgspec.to_builtins(value, builtin_types=(bytes,))


class Event(msgspec.Struct, frozen=True):
    """A life-cycle event as it is shown: ``at_s`` seconds after the start."""

    at_s: float
    domain: str
    event: str
    detail: str


class Companion(Protocol):
    """What runs beside a platform and ends with it. What it keeps is in the run directory."""

    def start(self, adopt: Callable[[int], None]) -> None:
        """Begin, while the platform boots; ``adopt`` takes the id of each process. Raises UserError."""

    def wait(self) -> None:
        """Until it can be used. Raises UserError."""

    def stop(self) -> None:
        """End it, also after it failed; safe to call twice."""

    def urls(self) -> dict[str, str]:
        """Where to look, by name."""

    def losses(self) -> list[tuple[str, str]]:
        """Who of it ended by itself since the last call, and how."""


class Platform:
    """``start`` boots everything, ``run`` keeps it until ``stopping``, ``stop`` ends it.

    ``signal`` is the one that asked for the end, with ``stop_on_signals``. ``flight``: every node records its
    newest rows in the run directory, and guests note how their calls ended.
    """

    def __init__(
        self,
        topology: Topology,
        run: RunDirectory,
        options: Options,
        work: Work,
        *,
        flight: bool = True,
        companion: Companion | None = None,
    ) -> None:
        if flight:
            tuning = msgspec.structs.replace(topology.tuning, record=True)
            topology = msgspec.structs.replace(topology, tuning=tuning)
            work = msgspec.structs.replace(work, record=True)
        self.topology = topology
        self.run_directory = run
        self.companion = companion
        self.flights = Flights(run.flight) if flight else None
        self.on_guest_start: Callable[[str, GuestConfig], None] = lambda node, config: None
        self.engine = LocalEngine(topology, run, options, self.flights)
        self.toolstack = Toolstack(self.engine, topology, work, options.carried)
        self._reactions = Reactions(self.toolstack, self._note, self._over, recreate=self._recreate)
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.resets = LastResets()
        self._untold = 0  # events since ``fresh_events`` was asked last
        self.stopping = False
        self.signal: int | None = None
        self._started = time.monotonic()
        self._pending: deque[Lifecycle] = deque()
        self._control: control.ControlServer | None = None
        self._acts: dict[type, Callable[[Any], Any]] = {
            control.Status: lambda asked: self.status(),
            control.Create: self._create,
            control.Destroy: self._destroy,
            control.Reboot: self._reboot,
            control.Call: self._call,
            control.Message: self._message,
            control.Take: self._take,
            control.Trap: self._trap,
            control.Ledger: self._ledger,
            control.Tally: self._tally,
            control.Calls: self._calls,
            control.Inject: self._inject,
            control.Kill: self._kill,
            control.LogLevel: self._log_level,
            control.Down: self._down,
        }
        self.engine.interrupted = lambda: self.stopping
        self.engine.on_lifecycle = self._on_lifecycle
        self.engine.on_guest_exit = self._on_guest_exit
        self.engine.on_guest_start = self._on_guest_start
        self._prepare()

    def _prepare(self) -> None:
        """What kinds of platforms keep beside that."""

    def _recreate(self, guest: Guest) -> None:
        """A guest that ended is to begin again."""
        self.toolstack.create(guest)

    def start(self, guests: bool = True) -> None:
        """Boot EL3, Xen, Dom0 and the boot domains, then create the guests of the topology."""
        self.engine.start()
        try:
            if self.companion is not None:
                self.companion.start(self.engine.caretaker.look_after_other)
            self._control = control.ControlServer(self.run_directory.control_socket, self._handle)
            self.engine.register(self._control.socket, self._control.serve_one)
            self.toolstack.start_boot_domains()
            for guest in self.topology.guests if guests else ():
                self.toolstack.create(guest)
            if self.companion is not None:
                self.companion.wait()
            self.run_directory.mark_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._control is not None:
            self.engine.unregister(self._control.socket)
            self._control.close()
            self._control = None
        if self.companion is not None:
            self.companion.stop()
        self.engine.stop()

    @property
    def failure(self) -> str | None:
        """Why the platform is over, if it is."""
        return self.engine.failure

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def stop_on_signals(self) -> None:
        """Let SIGINT, SIGTERM and SIGHUP end ``run`` in an orderly way."""

        def stop(number: int, _frame: FrameType | None) -> None:
            self.signal = number
            self.stopping = True

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGHUP, stop)

    def run(self, duration_s: float | None = None) -> None:
        """Keep going until stopped, failed, or for ``duration_s``."""
        end = None if duration_s is None else time.monotonic() + duration_s
        while not self.stopping and self.failure is None:
            left = 0.25 if end is None else min(0.25, end - time.monotonic())
            if left <= 0:
                return
            self.pump(left)

    def pump(self, timeout_s: float) -> None:
        """One turn: what happened, and what has to follow."""
        self.engine.pump(timeout_s)
        for name, how in self.companion.losses() if self.companion is not None else ():
            self._note(name, "process ended", how)
        while self._pending:
            frame = self._pending.popleft()
            if not self.failure or frame.domid == 0:
                self._reactions.shut_down(frame)

    # ---- what follows -------------------------------------------------------------------------

    def _note(self, domain: str, event: str, detail: str) -> None:
        self.engine.logbook.line("info", f"{domain}: {event} {detail}".rstrip())
        self.events.append(Event(self.elapsed_s(), domain, event, detail))
        self._untold += 1

    def fresh_events(self) -> list[Event]:
        """The events since the last call, as far as they are kept."""
        untold, self._untold = self._untold, 0
        return list(self.events)[-untold:] if untold else []

    def _on_lifecycle(self, frame: Lifecycle) -> None:
        self.resets.hear(self.elapsed_s(), frame)
        self._note(frame.name, frame.event, frame.detail)
        if frame.event == "shutdown":
            self._pending.append(frame)

    def _on_guest_start(self, info: DomainInfo, config: GuestConfig) -> None:
        if self.flights is not None:
            node = self.flights.describe(info)
            self.on_guest_start(node, config)

    def _on_guest_exit(self, name: str, how: str) -> None:
        self._note(name, "process ended", how)
        if not self.failure:
            self._reactions.exited(name)

    def _over(self, reason: str, failed: bool) -> None:
        """Dom0 has ended: in good order, or not."""
        if failed:
            self.engine.failure = reason
        else:
            self.stopping = True

    # ---- the operator's requests --------------------------------------------------------------

    def _handle(self, request: control.Request) -> Any:
        return self._acts[type(request)](request)

    def _create(self, request: control.Create) -> Any:
        return _plain(self.toolstack.create(read_guest(Path(request.config), self.topology.profile)))

    def _destroy(self, request: control.Destroy) -> None:
        self._known(request.name)
        self.toolstack.destroy(request.name)

    def _reboot(self, request: control.Reboot) -> Any:
        self._known(request.name)
        return _plain(self.toolstack.reboot(request.name))

    def _ask(self, name: str, request: console.Request) -> Any:
        """Have a domain do something."""
        self._known(name)
        return _plain(self.toolstack.ask(name, request))

    def _call(self, asked: control.Call) -> Any:
        return self._ask(asked.name, console.Call(asked.protocol_id, asked.message_id, asked.payload))

    def _message(self, asked: control.Message) -> Any:
        return self._ask(asked.name, console.Message(asked.header, asked.payload, asked.wait_delayed))

    def _take(self, asked: control.Take) -> Any:
        return self._ask(asked.name, console.Take())

    def _trap(self, asked: control.Trap) -> Any:
        return self._ask(asked.name, console.RawTrap(asked.ec, asked.immediate, asked.x))

    def _ledger(self, asked: control.Ledger) -> Any:
        return _plain(holdings(self._ask_el3, self.toolstack.list(), asked.who))

    def _log_level(self, asked: control.LogLevel) -> list[str]:
        return self.engine.logbook.set_level(asked.node, asked.level, self.engine.children)

    def _down(self, _asked: control.Down) -> None:
        self.stopping = True

    def _tally(self, request: control.Tally) -> tuple[tuple[int, int, int], ...]:
        """What agents hold, counted by EL3."""
        return self._ask_el3(el3.Tally(request.agents)).tallies

    def _ask_el3(self, request: el3.Request) -> el3.Answer:
        """For those who only look, again and again: a short wait, and none while EL3 is silent.

        Nobody else is served meanwhile. Raises ToolstackError.
        """
        silent_s = self.engine.silent_s().get("firmware", 0.0)
        if silent_s > SILENT_S:
            raise ToolstackError(
                f"EL3 has been silent for {silent_s:.0f} s; 'trapline status' tells whether it runs, "
                "'trapline kill firmware --signal CONT' lets a paused one go on"
            )
        return told(self.engine.console(EL3_DOMID, el3.encode_request(request), LOOK_S))

    def _calls(self, request: control.Calls) -> dict[str, Any]:
        """A domain's calls and latency since its start, as far as nodes have told them."""
        self._known(request.name)
        info = self.toolstack.find(request.name)
        stats = self.engine.stats()
        calls = [] if info.agent_id is None else calls_of(stats, info.agent_id)
        return {"calls": _plain(calls), "latency": latency_of(stats, info.name)}

    def _inject(self, request: control.Inject) -> None:
        """A fault on purpose in what EL3 drives; to name what it has not is the user's mistake."""
        try:
            self.toolstack.ask_firmware(el3.Inject(request.what, request.id, request.broken))
        except RefusedByFirmwareError as error:
            raise UserError(f"{error}; give one that there is") from None
        self._note("firmware", "fault" if request.broken else "mended", f"{request.what} {request.id}")

    def _kill(self, request: control.Kill) -> dict[str, int]:
        """A fault on purpose: the process of a node killed, stopped or continued."""
        if request.node not in self.engine.children:
            there = ", ".join(self.engine.children)
            raise UserError(f"there is no node {request.node!r}; there are {there}")
        pid = self.engine.inject(request.node, request.signal)
        self._note(request.node, SIGNALLED[request.signal], f"SIG{request.signal}")
        return {"pid": pid}

    def _known(self, name: str) -> None:
        """An unknown domain is the user's mistake, not a failure."""
        try:
            self.toolstack.find(name)
        except ToolstackError as error:
            if self.failure:
                raise
            raise UserError(str(error)) from None

    def status(self) -> dict[str, Any]:
        """Everything about the platform as plain data: what, who, how it does, where to look.

        ``told_at_s``: when each node told its numbers; ``buckets``: latencies by domain, for who wants more
        than the quantiles; ``resets``: the last one of each domain's agent.
        """
        now_s = self.elapsed_s()
        infos, stats = self.toolstack.list(), self.engine.stats()
        resets = {info.name: self.resets.of(info.agent_id) for info in infos}
        return {
            "platform": self.topology.name,
            "firmware": self.topology.firmware.name,
            "profile": self.topology.profile.name,
            "run": str(self.run_directory.path),
            "uptime_s": round(now_s, 3),
            "link": "ipc" if self.engine.options.tcp_port is None else "tcp",
            "pages": "carried" if self.engine.options.carried else "mapped",
            "xen": self.engine.endpoint,
            "observe": self.companion.urls() if self.companion is not None else {},
            "nodes": self.engine.nodes(),
            "told_at_s": {name: round(now_s - ago, 3) for name, ago in self.engine.silent_s().items()},
            "domains": [_plain(agent_row(info, stats)) for info in infos],
            "buckets": {info.name: _plain(buckets_of(info, stats)) for info in infos},
            "resets": {name: _plain(one) for name, one in resets.items() if one is not None},
            "events": [_plain(event) for event in self.events],
        }
