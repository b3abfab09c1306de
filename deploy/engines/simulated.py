"""The simulated engine: every core of a board in one process, virtual time, delays from a seed.

The same cores, driver and toolstack as in the real cluster. Several boards may share one timeline and one
record. The fingerprint covers all that happened: when, to whom, from whom, every byte.
"""

import random
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Final

import msgspec

from bus import frames
from bus.links import Delivery
from bus.links.simulated import TICK, XEN, Network, SimulatedLink, Timeline
from bus.shmem import Memory, PrivateMemory
from deploy import assembly
from deploy.engines.driver import Driver
from deploy.engines.scribbled import ScribbledMemory
from deploy.engines.simulated_node import NOBODY, SimNode
from deploy.engines.worlds import FIRMWARE, Times, World, cluster_of, firmware_link, identities
from deploy.recording.record import BATCH_ROWS, Record
from deploy.recording.rows import LOST, RECEIVED, incarnate, retired_name
from deploy.toolstack import ToolstackError
from deploy.topology import Topology
from nodes.contract import Core, Epoch
from nodes.epochs import hello
from nodes.firmware.core import FirmwareCore
from nodes.guest.core import GuestConfig, GuestCore
from nodes.guest.hostile import Scribble
from nodes.xen.config import XenConfig, XenEpoch
from nodes.xen.core import XenCore

VERSION: Final = frames.PROTOCOL_VERSION
TOOLSTACK = b"toolstack"
PATIENCE_NS = 30_000_000_000
SOON_NS: Final = 1_000_000_000  # ``step`` looks no further ahead
NAMES_MAX: Final = 4096  # of nodes that run or have run, for what they sent before they ended


class SimulatedEngine:
    """Boots on construction. ``log`` takes (node, level, text). Raises ToolstackError if Xen panics.

    ``times``: how long things take. ``carried``: pages travel in frames, else all nodes share one memory.
    ``world``: that of another board, to be on its timeline. ``on_guest_start``, ``on_guest_halt`` (it ended
    by itself) and ``on_end`` (any node) tell of nodes that come and go.
    """

    def __init__(
        self,
        topology: Topology,
        seed: int,
        log: Callable[[str, str, str], None],
        times: Times | None = None,
        *,
        carried: bool = True,
        world: World | None = None,
        patience_ns: int = PATIENCE_NS,
    ) -> None:
        self.world = world or World(Timeline(seed), Record())
        self.times = times or Times()
        self.topology = topology
        self.timeline, self.record = self.world.timeline, self.world.record
        self.network = Network(seed, self.times.hop_ns, self.times.jitter_ns, self.timeline)
        self.network.on_lost = self._lost
        self.on_lifecycle: Callable[[frames.Lifecycle], None] = lambda frame: None
        self.on_guest_start: Callable[[frames.DomainInfo, GuestConfig, SimNode], None] = lambda *_: None
        self.on_guest_halt: Callable[[str], None] = lambda name: None
        self.on_end: Callable[[SimNode], None] = lambda node: None
        self.waiting = 0  # requests of the toolstack, one within the other
        self._patience_ns = patience_ns
        self.log = log
        self.carried = carried
        self._cores: dict[int, GuestCore] = {}  # the guests that run, by the address of their pages
        self.memory = None if carried else ScribbledMemory(self._scribble)
        self._guests = {guest.name for guest in topology.guests}
        self._suffix = f".{self.world.board}" if self.world.board else ""
        self.row_names = {
            identity: identity.decode() + self._suffix for identity in (XEN, FIRMWARE, TOOLSTACK)
        }
        self._identities = identities(random.Random(seed ^ 0x7261_706C ^ self.world.board << 32))
        self.cluster = cluster_of(seed)
        self.firmware_incarnation = 1
        self._firmware_link = FIRMWARE
        self.nodes: dict[str, SimNode] = {}
        self.stranded: dict[str, SimNode] = {}  # replaced while they were cut off, by their names in rows
        self._lives: dict[str, int] = {}
        self._replies: dict[int, frames.Frame] = {}
        self._awaited: set[int] = set()
        self._request = 0
        self._toolstack = self.network.open(TOOLSTACK)
        self._toolstack.owner = self._to_toolstack
        self.xen = self.build_xen()
        self.firmware = self.build_firmware()
        self.add("xen", XEN, self.xen, self.times.xen_ns)
        self.add("firmware", FIRMWARE, self.firmware, self.times.el3_ns)

    def build_xen(self, first_request: int = 0, domains: Mapping[str, int] | None = None) -> XenCore:
        """Xen's core, as at power-on; ``domains``: the last incarnation of each under the Xen before."""
        topology = self.topology
        tuning = topology.tuning
        if first_request:
            tuning = msgspec.structs.replace(tuning, first_request=first_request)
        config = XenConfig(
            topology.host,
            topology.partials,
            carried=self.carried,
            profile=topology.profile,
            strict=topology.strict,
            command_line=topology.xen_cmdline,
            tuning=tuning,
            epoch=XenEpoch(self.cluster, self.firmware_incarnation, domains or {}),
        )
        links = (self._firmware_link, TOOLSTACK)
        return assembly.xen(config, self._memory(), self._identities, links, firmware_link)

    def build_firmware(self) -> FirmwareCore:
        """EL3's core, as at power-on."""
        topology = self.topology
        return assembly.firmware(
            topology.platform,
            self._memory(),
            topology.firmware,
            carried=self.carried,
            record=topology.tuning.record,
            epoch=Epoch(self.cluster, self.firmware_incarnation),
        )

    def _scribble(self, address: int) -> Scribble | None:
        core = self._cores.get(address)
        return core.scribble if core is not None else None

    def _memory(self) -> Memory:
        return self.memory or PrivateMemory()

    def add(self, name: str, identity: bytes, core: Core, work_ns: int) -> SimNode:
        """A node that runs from now on. In rows a domain is named with its incarnation, and what boards have
        each, such as Dom0, with the board.
        """
        link = self.network.open(identity, name)
        link.work_ns = work_ns
        if identity not in self.row_names:
            self._lives[name] = self._lives.get(name, 0) + 1
            row_name = name if name in self._guests else name + self._suffix
            self.row_names[identity] = incarnate(row_name, self._lives[name])
            if len(self.row_names) > NAMES_MAX:
                kept = (XEN, TOOLSTACK, self._firmware_link)
                del self.row_names[next(known for known in self.row_names if known not in kept)]
        node = self.nodes[name] = SimNode(self, self.row_names[identity], link, core)
        node.boot(self.timeline.now_ns)
        return node

    def remove(self, name: str) -> SimNode | None:
        """The node is gone at once, if there is one."""
        node = self.nodes.pop(name, None)
        if node is not None:
            node.link.close()
            self.on_end(node)
        return node

    # ---- time ---------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self.timeline.now_ns

    def step(self) -> bool:
        """Let the next thing happen, unless it is an action planned for later; False if there is none."""
        return self._once(self.timeline.now_ns + SOON_NS)

    def _once(self, until_ns: int) -> bool:
        """Let the next thing happen if it is due by ``until_ns``."""
        found = self.timeline.take(until_ns)
        if found is None:
            return False
        end, what = found
        if end is None:
            what()
        else:
            end.owner(what, self.timeline.now_ns)
        self.record.look()
        return True

    def run(self, duration_ns: int) -> None:
        """Let virtual time pass."""
        self.run_until(self.timeline.now_ns + duration_ns)

    def run_until(self, until_ns: int) -> None:
        """Let things happen until then, on every board of this world."""
        timeline = self.timeline
        happening = timeline.until(until_ns)
        seen = True
        while seen:
            seen = False
            for end, what in islice(happening, BATCH_ROWS):
                seen = True
                if end is None:
                    what()
                else:
                    end.owner(what, timeline.now_ns)
            self.record.look()
        timeline.now_ns = max(timeline.now_ns, until_ns)

    @property
    def messages(self) -> int:
        """How many arrived so far."""
        return self.record.messages

    def fingerprint(self) -> str:
        return self.record.fingerprint()

    def observe(self, told: Callable[[bytes, bytes], None]) -> None:
        """Tell of each message that a node which runs now receives: its identity and the envelope."""

        def watched(link: SimulatedLink, owner: Callable[[Delivery, int], None]) -> None:
            def receive(delivery: Delivery, now_ns: int) -> None:
                if delivery is not TICK:
                    told(link.identity, delivery[1])
                owner(delivery, now_ns)

            link.owner = receive

        for node in self.nodes.values():
            watched(node.link, node.take)

    def halted(self, node: SimNode) -> None:
        """A node said that it is done."""
        halt = node.driver.halted
        if halt is None:
            return
        if self.stranded.get(node.link.name) is node:
            self.log(node.link.name, "error", halt.reason)
            del self.stranded[node.link.name]
            node.link.close()
            return
        if node.link.identity in (XEN, self._firmware_link):
            raise ToolstackError(halt.reason)
        self.on_guest_halt(node.link.name)

    def _lost(self, end: SimulatedLink, peer: bytes, envelope: bytes, page: bytes) -> None:
        names = self.row_names
        row = (self.now_ns, names[end.identity], names.get(peer, NOBODY), LOST, envelope, page)
        self.record.rows.append(row)

    # ---- the toolstack's requests -------------------------------------------------------------

    def _to_toolstack(self, delivery: Delivery, now_ns: int) -> None:
        names = self.row_names
        self.record.rows.append(
            (now_ns, names[TOOLSTACK], names.get(delivery[0], NOBODY), RECEIVED, *delivery[1:])
        )
        frame = frames.decode(delivery[1])
        if isinstance(frame, frames.Lifecycle):
            self.on_lifecycle(frame)
        elif frame.request in self._awaited:
            self._replies[frame.request] = frame

    def tell(self, op: frames.Op) -> None:
        """A domctl whose answer nobody waits for."""
        self._request += 1
        self._say(frames.Domctl(VERSION, self._request, self._request, op))

    def tell_console(self, domid: int, body: bytes) -> None:
        """A console request whose answer nobody waits for."""
        self._request += 1
        self._say(frames.Console(VERSION, self._request, self._request, domid, body))

    def _say(self, frame: frames.Frame) -> None:
        self._toolstack.send(XEN, frames.encode(frame), b"")

    def _send(self, frame: frames.Frame) -> frames.Frame:
        self._awaited.add(frame.request)
        try:
            self._say(frame)
            if not self._wait(lambda: frame.request in self._replies):
                raise ToolstackError(f"no answer to {type(frame).__name__}", definite=False)
        finally:
            self._awaited.discard(frame.request)
        answer = self._replies.pop(frame.request)
        if isinstance(answer, frames.Error):
            raise ToolstackError(answer.detail, answer.definite)
        return answer

    def _wait(self, done: Callable[[], bool]) -> bool:
        """Let things happen until ``done``; False when patience is at its end first."""
        until_ns = self.timeline.now_ns + self._patience_ns
        self.waiting += 1
        try:
            while not done():
                if not self._once(until_ns):
                    return False
            return True
        finally:
            self.waiting -= 1

    def domctl(self, op: frames.Op) -> frames.DomctlReply:
        self._request += 1
        answer = self._send(frames.Domctl(VERSION, self._request, self._request, op))
        assert isinstance(answer, frames.DomctlReply)
        return answer

    def console(self, domid: int, body: bytes) -> bytes:
        self._request += 1
        answer = self._send(frames.Console(VERSION, self._request, self._request, domid, body))
        assert isinstance(answer, frames.ConsoleReply)
        return answer.body

    # ---- guests -------------------------------------------------------------------------------

    def start_guest(self, info: frames.DomainInfo, config: GuestConfig) -> None:
        epoch = Epoch(self.cluster, info.incarnation)
        core = assembly.guest(config, info.mapped, self._memory(), epoch)
        node = self.add(info.name, info.link, core, self.times.guest_ns)
        if info.shmem is not None:
            self._cores[info.shmem] = core
        self.on_guest_start(info, config, node)
        self._wait(lambda: core.welcome or not node.link.is_open)
        if not core.welcome:
            raise ToolstackError(f"Xen did not welcome {info.name}")

    def stop_guest(self, name: str) -> None:
        self.remove(name)

    def drivers(self) -> dict[str, Driver]:
        """The nodes that run now, by name."""
        return {name: node.driver for name, node in self.nodes.items()}

    # ---- EL3 and Xen start again --------------------------------------------------------------

    def end_firmware(self) -> None:
        """EL3 is gone, and Xen is told, as a supervisor does: not by a message that a rule could take."""
        self.remove("firmware")
        self._tell_xen(frames.NodeLost("firmware"))

    def _tell_xen(self, op: frames.Op) -> None:
        self._request += 1
        asked = frames.Domctl(VERSION, self._request, self._request, op)
        self.nodes["xen"].take((TOOLSTACK, frames.encode(asked), b""), self.now_ns)

    def start_firmware(self) -> None:
        """EL3 as at power-on: every grant, vote and page is forgotten. Its link is another one."""
        before = self._firmware_link
        name = self.row_names[before]
        self.row_names[before] = retired = retired_name("firmware", self.firmware_incarnation) + self._suffix
        if retired in self.stranded:
            self.stranded[retired].name = retired
        self.firmware_incarnation += 1
        self._firmware_link = firmware_link(self.firmware_incarnation)
        self.row_names[self._firmware_link] = name
        self._tell_xen(frames.NodeExpected("firmware", self.firmware_incarnation))
        self.firmware = self.build_firmware()
        with self.network.spared():
            self.add("firmware", self._firmware_link, self.firmware, self.times.el3_ns)

    def strand(self, name: str) -> SimNode:
        """A node is cut off where nobody can end it: it goes on, another one may take its place. Rules call
        it by its incarnation from now on ("ivi#1", "firmware~1"); so do rows, EL3's once it is replaced.
        """
        node = self.nodes.pop(name)
        retired = retired_name("firmware", self.firmware_incarnation) + self._suffix
        self.network.rename(node.link, retired if name == "firmware" else node.name)
        self.stranded[node.link.name] = node
        return node

    def restart_xen(self, first_request: int) -> None:
        """Xen and all domains end; a new Xen boots, which EL3, going on, greets."""
        for name in [name for name in self.nodes if name != "firmware"]:
            self.remove(name)
        for request in self._awaited:
            self._replies[request] = frames.Error(VERSION, request, request, "xen-lost", False, "Xen is gone")
        self.xen = self.build_xen(first_request, dict(self.xen.hypervisor.incarnations))
        self.add("xen", XEN, self.xen, self.times.xen_ns)
        firmware = self.nodes.get("firmware")
        if firmware is not None:
            with self.network.spared():
                said = hello(Epoch(self.cluster, self.firmware_incarnation), "firmware")
                firmware.link.send(XEN, frames.encode(said), b"")
