"""A running platform: the local engine, its toolstack, and what an operator asks through the control socket.

What follows when a guest's process ends or a guest shuts itself down is in ``reactions.py``. Screens and
arguments are in ``deploy.cli``.
"""

import signal
import time
from collections import deque
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from bus.frames import Lifecycle
from deploy import control
from deploy.engines.local import LocalEngine, Options
from deploy.errors import UserError
from deploy.holdings import holdings
from deploy.reactions import Reactions
from deploy.rundir import RunDirectory
from deploy.summary import agent_rows
from deploy.toolstack import RefusedByFirmwareError, Toolstack, ToolstackError, Work
from deploy.topology import Topology, read_guest
from nodes.firmware import console as el3
from nodes.guest import console

EVENTS_KEPT = 200


def _plain(value: Any) -> Any:
    """Structs as dictionaries, for msgpack: bytes stay bytes."""
    return msgspec.to_builtins(value, builtin_types=(bytes,))


class Event(msgspec.Struct, frozen=True):
    """A life-cycle event as it is shown: ``at_s`` seconds after the start."""

    at_s: float
    domain: str
    event: str
    detail: str


class Platform:
    """``start`` boots everything, ``run`` keeps it until ``stopping``, ``stop`` ends it.

    ``signal`` is the one that asked for the end, with ``stop_on_signals``.
    """

    def __init__(self, topology: Topology, run: RunDirectory, options: Options, work: Work) -> None:
        self.topology = topology
        self.run_directory = run
        self.engine = LocalEngine(topology, run, options)
        self.toolstack = Toolstack(self.engine, topology, work, options.carried)
        self._reactions = Reactions(self.toolstack, self._note, self._over)
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._untold = 0  # events since ``fresh_events`` was asked last
        self.stopping = False
        self.signal: int | None = None
        self._started = time.monotonic()
        self._pending: deque[Lifecycle] = deque()
        self._control: control.ControlServer | None = None
        self.engine.on_lifecycle = self._on_lifecycle
        self.engine.on_guest_exit = self._on_guest_exit

    def start(self, guests: bool = True) -> None:
        """Boot EL3, Xen, Dom0 and the boot domains, then create the guests of the topology."""
        self.engine.start()
        try:
            self._control = control.ControlServer(self.run_directory.control_socket, self._handle)
            self.engine.register(self._control.socket, self._control.serve_one)
            self.toolstack.start_boot_domains()
            for guest in self.topology.guests if guests else ():
                self.toolstack.create(guest)
            self.run_directory.mark_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._control is not None:
            self.engine.unregister(self._control.socket)
            self._control.close()
            self._control = None
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
        while self._pending:
            frame = self._pending.popleft()
            if not self.failure or frame.domid == 0:
                self._reactions.shut_down(frame)

    # ---- what follows -------------------------------------------------------------------------

    def _note(self, domain: str, event: str, detail: str) -> None:
        self.events.append(Event(self.elapsed_s(), domain, event, detail))
        self._untold += 1

    def fresh_events(self) -> list[Event]:
        """The events since the last call, as far as they are kept."""
        untold, self._untold = self._untold, 0
        return list(self.events)[-untold:] if untold else []

    def _on_lifecycle(self, frame: Lifecycle) -> None:
        self._note(frame.name, frame.event, frame.detail)
        if frame.event == "shutdown":
            self._pending.append(frame)

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
        if isinstance(request, control.Status):
            return self.status()
        if isinstance(request, control.Create):
            guest = read_guest(Path(request.config), self.topology.profile)
            return _plain(self.toolstack.create(guest))
        if isinstance(request, control.Destroy):
            self._known(request.name)
            return self.toolstack.destroy(request.name)
        if isinstance(request, control.Reboot):
            self._known(request.name)
            return _plain(self.toolstack.reboot(request.name))
        if isinstance(request, control.Call):
            self._known(request.name)
            call = console.Call(request.protocol_id, request.message_id, request.payload)
            return _plain(self.toolstack.ask(request.name, call))
        if isinstance(request, control.Message):
            self._known(request.name)
            message = console.Message(request.header, request.payload, request.wait_delayed)
            return _plain(self.toolstack.ask(request.name, message))
        if isinstance(request, control.Take):
            self._known(request.name)
            return _plain(self.toolstack.ask(request.name, console.Take()))
        if isinstance(request, control.Trap):
            self._known(request.name)
            trap = console.RawTrap(request.ec, request.immediate, request.x)
            return _plain(self.toolstack.ask(request.name, trap))
        if isinstance(request, control.Ledger):
            domains = self.toolstack.list()
            return _plain(holdings(self.toolstack.ask_firmware, domains, request.who))
        if isinstance(request, control.Inject):
            self._inject(request)
            return None
        if isinstance(request, control.Kill):
            return self._kill(request)
        self.stopping = True
        return None

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
        self._note(request.node, "fault", f"SIG{request.signal}")
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
        """Everything about the platform as plain data: what, who, how it does, where to look."""
        return {
            "platform": self.topology.name,
            "firmware": self.topology.firmware.name,
            "profile": self.topology.profile.name,
            "run": str(self.run_directory.path),
            "uptime_s": round(self.elapsed_s(), 3),
            "link": "ipc" if self.engine.options.tcp_port is None else "tcp",
            "pages": "carried" if self.engine.options.carried else "mapped",
            "xen": self.engine.endpoint,
            "nodes": self.engine.nodes(),
            "domains": [_plain(row) for row in agent_rows(self.toolstack, self.engine.stats())],
            "events": [_plain(event) for event in self.events],
        }
