"""The engine of real processes: one per node, and a supervisor that has them started, watches and ends them.

Where they run, and how anybody hears of them, is the launcher's business (``deploy.launching``). Everything
happens in ``pump``: messages from Xen, numbers from the nodes, nodes that end, what is due, and whatever else
was registered (the control socket). Nothing here blocks for longer than asked. Breaking nodes on purpose is
in ``breaking.py``.
"""

import os
import signal
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from bus import frames
from bus.faults import Rule
from bus.links import LinkError
from bus.links.zeromq import DealerLink
from deploy import __version__, specs
from deploy.engines.agenda import Agenda
from deploy.engines.caretaker import Caretaker
from deploy.engines.credentials import Credentials
from deploy.engines.driver import Tap
from deploy.engines.histories import Histories, Unrecorded
from deploy.engines.hypercalls import ANSWER_S, Hypercalls, PlatformLostError
from deploy.engines.logbook import Logbook
from deploy.engines.options import Options
from deploy.engines.supervision import SUPERVISOR, Supervision
from deploy.engines.watching import ReadableSources
from deploy.errors import UserError
from deploy.launching import forkserver
from deploy.launching.clock import NodeClock
from deploy.launching.courier import LATE_NS
from deploy.launching.identity import Identities, Identity
from deploy.launching.launcher import Ground, Handle, LaunchFailed
from deploy.memory import MappedMemory
from deploy.metrics.exporter import snapshot
from deploy.rundir import Cluster, RunDirectory
from deploy.specs import NodeOptions
from deploy.toolstack import ToolstackError
from deploy.topology import Topology
from nodes.guest.core import GuestConfig
from nodes.xen.config import XenEpoch

__all__ = ["FIRMWARE", "XEN_NODE", "LocalEngine", "Options"]
HEARTBEAT_S = 0.5
ENDED_KEPT = 256  # last numbers of nodes that are gone
FIRMWARE = "firmware"
XEN_NODE = "xen"
TITLES = {FIRMWARE: "EL3", XEN_NODE: "Xen"}


class LocalEngine:
    """``start`` boots it, ``pump`` keeps it going, ``stop`` leaves nothing behind.

    ``failure`` says why the platform is over, or is None. ``on_guest_exit(name, how)`` is told of a
    guest's process that ended without being asked to. ``before_stop`` ends what was broken on purpose, and
    ``before_removal`` takes what is wanted from the run directory when all nodes have ended.
    ``agenda``: what ``pump`` does at its time, also while a request waits for its answer. ``interrupted``:
    whether a start that waits for a node elsewhere is to be given up; known before ``start``.

    With ``histories`` nodes record; if it is an experiment's, their links obey ``rules`` and ``applied``
    counts what rules did in nodes that are gone.
    """

    def __init__(
        self, topology: Topology, run: RunDirectory, options: Options, histories: Histories | None = None
    ) -> None:
        self.topology = topology
        self.run = run
        self.options = options
        self.histories = histories or Unrecorded()
        self.rules: tuple[Rule, ...] = ()
        self.applied: Counter[int] = Counter()
        own = msgspec.structs.replace(options.node.metrics, port=options.metrics_port)
        self.supervision = Supervision(own)
        self.meters = self.supervision.meters
        self.failure: str | None = None
        self.on_lifecycle: Callable[[frames.Lifecycle], None] = lambda frame: None
        self.on_guest_start: Callable[[frames.DomainInfo, GuestConfig], None] = lambda info, config: None
        self.on_guest_exit: Callable[[str, str], None] = lambda name, how: None
        self.interrupted: Callable[[], bool] = lambda: False
        self.before_stop: Callable[[], None] = lambda: None
        self.before_removal: Callable[[], None] = lambda: None
        self.children: dict[str, Handle] = {}
        self.ended: deque[tuple[str, dict[str, Any]]] = deque(maxlen=ENDED_KEPT)
        self.agenda = Agenda()
        self._tap: Tap | None = None
        self._watching = ReadableSources()
        self._exits: deque[tuple[str, str]] = deque()
        self._next_heartbeat = 0.0
        self._xen: Hypercalls | None = None
        self.caretaker = Caretaker(self._watching)
        self.logbook = Logbook(SUPERVISOR, options.node.log_levels, self.meters)
        self._context: Any = None
        self.launcher = options.launching()
        self.identities = Identities()
        self.endpoint = ""
        self._credentials = Credentials(options.keys)

    # ---- start --------------------------------------------------------------------------------

    def start(self) -> None:
        """Boot EL3 and Xen; raises UserError for what the user must fix. A failure leaves nothing behind."""
        self.run.claim()
        try:
            self._start()
        except (LaunchFailed, LinkError) as error:
            self.stop()
            raise UserError(str(error)) from None
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        self.options.check(self.launcher.remote)
        if self.launcher.remote:
            self.histories.late_ns = LATE_NS
        self._tap = self.histories.open(self._credentials.toolstack)
        self._context = forkserver.acquire(str(self.run.tmp))
        self.logbook.open(self.run.log)
        self.caretaker.start(self._context, self.run.path)
        known = (self.identities.cluster, self._context, self._watching, self.logbook.line, self.meters)
        self.launcher.open(Ground(self.run.path, *known, self.interrupted))
        if not self.options.carried:
            MappedMemory(self.run.shmem).create_for(self.topology.platform.agent)
        self.supervision.serve(self.run.targets, self._node_options().labels)
        self.start_xen()
        self.start_firmware()

    def start_firmware(self) -> Handle:
        """A new process for EL3, on a link of its own. If there was one before, Xen is told first: it ends
        what that one had in hand, and takes nothing from it any more.
        """
        identity = self.identities.next("firmware", FIRMWARE)
        if identity.incarnation > 1:
            with suppress(ToolstackError):  # Xen does not answer: it is broken too, or the platform is over
                self.domctl(frames.NodeExpected(FIRMWARE, identity.incarnation))
        token = self._credentials.firmware(identity.incarnation)
        return self._spawn(identity, specs.firmware(self.topology), token)

    def _tell_where(self) -> None:
        """For whoever looks into the run directory."""
        link = "ipc" if self.options.tcp_port is None else "tcp"
        pages = "carried" if self.options.carried else "mapped"
        self.run.write(Cluster(os.getpid(), __version__, self.topology.name, link, pages, self.endpoint))

    def _connect(self) -> None:
        link = DealerLink(self.endpoint, self._credentials.toolstack, self._credentials.server_key)
        first, cluster = self._xen.request if self._xen else 0, bytes.fromhex(self.identities.cluster)
        shared = NodeClock(0) if self.launcher.remote else None
        self._xen = Hypercalls(
            link, self, self.meters, self._tap, first_request=first, cluster=cluster, shared=shared
        )
        self._watching.add(link.socket)

    def _disconnect(self, why: str) -> None:
        if self._xen is not None and self._xen.lost is None:
            self._watching.drop(self._xen.link.socket)
            self._xen.close(why)

    def start_xen(self) -> None:
        """A new process for Xen, and the toolstack's link to it. EL3 is told where Xen is now, if it runs."""
        self._disconnect("Xen was started again")
        known = self._credentials
        options = self.options
        address = options.address(self.launcher.remote)
        bind = known.bind(self.run.xen_socket, options.tcp_port, address)
        before = dict(self.identities.newest)
        epoch = XenEpoch(bytes.fromhex(self.identities.cluster), before.pop(FIRMWARE, 1), before)
        identity = self.identities.next("xen", XEN_NODE)
        first = frames.first_request(identity.incarnation)
        spec = specs.xen(self.topology, bind, known.links, known.secret, (first, epoch))
        child = self._spawn(identity, spec, b"")
        self.endpoint = child.facts["endpoints"][0]
        self._connect()
        self._tell_where()
        if FIRMWARE in self.children:
            self.children[FIRMWARE].order("relink", self.endpoint)

    def _spawn(self, identity: Identity, role: Any, token: bytes) -> Handle:
        name = identity.name
        node_name, recording = self.histories.node(name, token)
        spec = specs.NodeSpec(
            name,
            role,
            str(self.run.path),
            self.options.carried,
            self.endpoint,
            token,
            self._credentials.server_key,
            self.histories.breakable,
            recording,
            self.rules,
            self._node_options(),
            identity,
        )
        child = self.launcher.start(identity, msgspec.msgpack.encode(spec))
        child.node = node_name
        child.life = recording.life if recording is not None else 0
        self.children[name] = child
        if not child.host:
            self.caretaker.look_after(child.pid)
        child.wait_ready()
        self.launcher.watch(child)
        labels = self._node_options().labels
        target, page = child.facts.get("target", ""), child.page
        child.facts["target"] = self.supervision.started(identity, target, page, self.run.targets, labels)
        return child

    def _node_options(self) -> NodeOptions:
        """Labels are added to every scrape target of this cluster."""
        options = self.options.node
        labels = {"cluster": self.run.path.name, "experiment": "", **options.labels}
        return msgspec.structs.replace(options, labels=labels, log_levels=self.logbook.levels)

    def register(self, source: Any, ready: Callable[[], None]) -> None:
        """Call ``ready`` from ``pump`` when ``source`` (a ZeroMQ socket or a file descriptor) is readable."""
        self._watching.add(source, ready)

    def unregister(self, source: Any) -> None:
        self._watching.drop(source)

    # ---- the loop -----------------------------------------------------------------------------

    def pump(self, timeout_s: float, extra: bool = True) -> None:
        """Handle what is there, waiting at most ``timeout_s`` for something to be."""
        self._heartbeat()
        until = min(time.monotonic() + timeout_s, self._next_heartbeat, self.agenda.next_s())
        ready = self._watching.ready(until - time.monotonic())
        if self._xen is not None and self._xen.link.socket in ready:
            self._xen.hear(self.on_lifecycle)
        self._hear(ready)
        self.agenda.work()
        if extra:
            while self._exits:
                self.on_guest_exit(*self._exits.popleft())
            for source, callback in list(self._watching.sources.items()):
                if source in ready:
                    callback()

    def _heartbeat(self) -> None:
        now = time.monotonic()
        if now < self._next_heartbeat:
            return
        self._next_heartbeat = now + HEARTBEAT_S
        for child in self.children.values():
            child.ask_stats()

    def _hear(self, ready: dict[Any, int]) -> None:
        """What nodes say, and who has ended."""
        for child, over in self.launcher.heard(ready):
            if over:
                self._reap(child)
            elif not child.asked and child.name in self.children:
                self.supervision.heard(child.name)
        try:
            self.caretaker.replace_if_gone(ready, self._here())
        except LaunchFailed as error:
            self.failure = self.failure or str(error)

    def _here(self) -> list[int]:
        """The processes of this machine."""
        return [child.pid for child in self.children.values() if not child.host]

    def _reap(self, child: Handle) -> None:
        """A node ended without being asked to."""
        how = child.how_it_ended()
        lost = self.launcher.lost(child)
        if lost is not None:
            self.failure = self.failure or lost
            return
        self.supervision.lost(child.name)
        self.logbook.line("error", f"{child.name} ended without being asked to: {how}")
        self._forget(child)
        if child.name in (FIRMWARE, XEN_NODE):
            if child.name == FIRMWARE and self._xen is not None:
                self._xen.tell(frames.NodeLost(FIRMWARE))
            self.failure = self.failure or f"{TITLES[child.name]} is gone: {how}"
        else:
            self._exits.append((child.name, how))

    def _forget(self, child: Handle) -> None:
        self.ended.append((child.node, child.stats))
        self.histories.ended(child.name)
        self.histories.told(child.node, child.life, child.clock, child.rows_lost)
        self.applied.update(child.applied)
        self.children.pop(child.name, None)
        self.supervision.ended(child.name)
        self.launcher.release(child)

    # ---- the toolstack's requests -------------------------------------------------------------

    def _hypercalls(self) -> Hypercalls:
        if self._xen is None or self.failure:
            raise PlatformLostError(self.failure or "the platform is not running")
        return self._xen

    def domctl(self, op: frames.Op) -> frames.DomctlReply:
        return self._hypercalls().domctl(op)

    def console(self, domid: int, body: bytes, within_s: float = ANSWER_S) -> bytes:
        return self._hypercalls().console(domid, body, within_s)

    # ---- guests -------------------------------------------------------------------------------

    def start_guest(self, info: frames.DomainInfo, config: GuestConfig) -> None:
        self.on_guest_start(info, config)
        try:
            identity = self.identities.domain(info.name, info.incarnation)
            self._spawn(identity, specs.GuestSpec(config, info.mapped), info.link)
        except LaunchFailed as error:
            child = self.children.pop(info.name, None)
            if child is not None:
                self.launcher.release(child)
            raise ToolstackError(str(error)) from None
        try:
            self._hypercalls().await_welcome(info, lambda: info.name in self.children)
        finally:
            self._exits = deque(one for one in self._exits if one[0] != info.name)

    def stop_guest(self, name: str) -> None:
        child = self.children.get(name)
        if child is not None:
            self.end([child])

    def end(self, ending: list[Handle], hard: bool = False) -> None:
        """End children in an orderly way, or with kill -9; nobody is told that they ended."""
        for child in ending:
            child.end(hard)
        for child in ending:
            child.join()
            self._forget(child)
        gone = {child.name for child in ending}
        self._exits = deque(one for one in self._exits if one[0] not in gone)

    def inject(self, name: str, signal_name: str) -> int:
        """A fault on purpose: a signal to a node's process; gives its pid. UserError if it has ended."""
        child = self.children[name]
        target = name if name in (FIRMWARE, XEN_NODE) else "guest"
        if not child.signal(signal.Signals[f"SIG{signal_name}"]):
            raise UserError(f"the process of {name} has just ended; see 'trapline status'")
        self.supervision.broken(signal_name.lower(), target)
        return child.pid

    # ---- numbers ------------------------------------------------------------------------------

    def stats(self) -> dict[str, dict[str, Any]]:
        """The latest numbers of every node by name, the supervisor's own included."""
        found = {name: child.stats for name, child in self.children.items() if child.stats}
        found[SUPERVISOR] = snapshot(self.meters)
        return found

    def silent_s(self) -> dict[str, float]:
        """How long ago each node told its numbers, in seconds: a node that runs tells every HEARTBEAT_S."""
        now = time.monotonic()
        return {name: now - child.stats_at for name, child in self.children.items()}

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Process id and metrics port of every node by name."""
        found = {name: dict(child.facts) for name, child in self.children.items()}
        found[SUPERVISOR] = {"pid": os.getpid(), "port": self.supervision.port}
        return found

    # ---- stop ---------------------------------------------------------------------------------

    def stop(self) -> None:
        """End every child, remove every file. Safe to call twice, and after a failed start."""
        # SIGINT while stopping would leave the work half done.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self.before_stop()
            platform = [self.children[name] for name in (FIRMWARE, XEN_NODE) if name in self.children]
            self.end([child for child in self.children.values() if child not in platform])
            self.end(platform)
            self.supervision.stop()
            self._disconnect("the platform is stopped")
            self._xen = None
            try:
                signal.signal(signal.SIGINT, previous)  # this may take long
                self.before_removal()
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                self._clear()
        finally:
            signal.signal(signal.SIGINT, previous)

    def _clear(self) -> None:
        """What is left when all nodes have ended."""
        self.launcher.close()
        self.caretaker.end()
        self.logbook.close()
        if self._context is not None:
            self._context = None
            forkserver.release()
        self.run.remove()
