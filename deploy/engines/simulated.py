"""The simulated engine: every core in one process, virtual time, delays from a seed.

The same cores, driver and toolstack as in the real cluster. Its fingerprint covers each message: when,
from whom, to whom, every byte.
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from typing import Final

from bus import frames
from bus.links.simulated import XEN, Network, SimulatedLink
from bus.shmem import PrivateMemory
from deploy import assembly
from deploy.engines.driver import Driver
from deploy.toolstack import ToolstackError
from deploy.topology import Topology
from nodes.contract import Halt
from nodes.guest.core import GuestConfig
from nodes.xen.config import XenConfig

VERSION: Final = frames.PROTOCOL_VERSION
FIRMWARE = b"firmware"
TOOLSTACK = b"toolstack"
PATIENCE_NS = 30_000_000_000


class SimulatedEngine:
    """Boots on construction. ``log`` takes (node, level, text). Raises ToolstackError if Xen panics.

    ``network`` is one with other delays than usual; ``on_message`` is told of each message that arrives:
    the receiver's identity and the envelope.
    """

    def __init__(
        self,
        topology: Topology,
        seed: int,
        log: Callable[[str, str, str], None],
        network: Network | None = None,
    ) -> None:
        self.network = network or Network(seed)
        self.on_message: Callable[[bytes, bytes], None] = lambda receiver, envelope: None
        self.on_lifecycle: Callable[[frames.Lifecycle], None] = lambda frame: None
        self.messages = 0
        self._identities = _identities(random.Random(seed ^ 0x7261_706C))
        self._log = log
        self._hash = hashlib.blake2b(digest_size=16)
        self._drivers: dict[bytes, Driver] = {}
        self._names: dict[str, bytes] = {}
        self._replies: dict[int, frames.Frame] = {}
        self._awaited: set[int] = set()
        self._request = 0
        self._toolstack = self.network.open(TOOLSTACK)
        config = XenConfig(
            topology.host,
            topology.partials,
            profile=topology.profile,
            strict=topology.strict,
            command_line=topology.xen_cmdline,
            tuning=topology.tuning,
        )
        self.xen = assembly.xen(config, PrivateMemory(), self._identities, (FIRMWARE, TOOLSTACK))
        self.firmware = assembly.firmware(
            topology.platform, PrivateMemory(), topology.firmware, record=topology.tuning.record
        )
        self._add("xen", XEN, self.xen)
        self._add("firmware", FIRMWARE, self.firmware)

    def _add(self, name: str, identity: bytes, core: object) -> Driver:
        link = self.network.open(identity)
        driver = Driver(core, link, lambda level, text: self._log(name, level, text))  # type: ignore[arg-type]
        self._drivers[identity] = driver
        self._names[name] = identity
        driver.boot(self.network.now_ns)
        return driver

    # ---- time ---------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self.network.now_ns

    def _once(self, until_ns: int) -> bool:
        """Let the next thing happen if it is due by ``until_ns``."""
        due_ns = self.network.next_ns()
        deadline = self._earliest_deadline()
        if deadline is not None and (due_ns is None or deadline[0] < due_ns):
            at_ns, driver = deadline
            if at_ns > until_ns:
                return False
            self.network.now_ns = max(self.network.now_ns, at_ns)
            driver.tick(self.network.now_ns)
            return True
        if due_ns is None or due_ns > until_ns:
            return False
        found = self.network.next()
        if found is None:
            return False
        self._deliver(*found)
        return True

    def _earliest_deadline(self) -> tuple[int, Driver] | None:
        found: tuple[int, Driver] | None = None
        for driver in self._drivers.values():
            at_ns = driver.core.deadline_ns()
            if at_ns is not None and (found is None or at_ns < found[0]):
                found = (at_ns, driver)
        return found

    def _deliver(self, end: SimulatedLink, delivery: tuple[bytes, bytes, bytes]) -> None:
        self.messages += 1
        sender, envelope, page = delivery
        head = b"%d %s %s " % (self.network.now_ns, sender.hex().encode(), end.identity.hex().encode())
        self._hash.update(head + envelope + page)
        self.on_message(end.identity, envelope)
        driver = self._drivers.get(end.identity)
        if driver is not None:
            driver.deliver(delivery, self.network.now_ns)
            self._check(driver.halted, end.identity)
        elif end is self._toolstack:
            self._to_toolstack(frames.decode(envelope))

    def _check(self, halted: Halt | None, identity: bytes) -> None:
        if halted is not None and identity in (XEN, FIRMWARE):
            raise ToolstackError(halted.reason)

    def run(self, duration_ns: int) -> None:
        """Let virtual time pass."""
        until_ns = self.network.now_ns + duration_ns
        while self._once(until_ns):
            pass
        self.network.now_ns = until_ns

    def fingerprint(self) -> str:
        return self._hash.hexdigest()

    # ---- the toolstack's requests -------------------------------------------------------------

    def _to_toolstack(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.Lifecycle):
            self.on_lifecycle(frame)
        elif frame.request in self._awaited:
            self._replies[frame.request] = frame

    def _send(self, frame: frames.Frame) -> frames.Frame:
        self._awaited.add(frame.request)
        self._toolstack.send(XEN, frames.encode(frame), b"")
        until_ns = self.network.now_ns + PATIENCE_NS
        while frame.request not in self._replies:
            if not self._once(until_ns):
                self._awaited.discard(frame.request)
                raise ToolstackError(f"no answer to {type(frame).__name__}", definite=False)
        self._awaited.discard(frame.request)
        answer = self._replies.pop(frame.request)
        if isinstance(answer, frames.Error):
            raise ToolstackError(answer.detail, answer.definite)
        return answer

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
        core = assembly.guest(config, info.mapped, PrivateMemory())
        self._add(info.name, info.link, core)
        until_ns = self.network.now_ns + PATIENCE_NS
        while not core.welcome:
            if not self._once(until_ns):
                raise ToolstackError(f"Xen did not welcome {info.name}")

    def stop_guest(self, name: str) -> None:
        identity = self._names.pop(name, None)
        if identity is not None:
            self._drivers.pop(identity).link.close()

    def drivers(self) -> dict[str, Driver]:
        """The nodes that run now, by name."""
        return {name: self._drivers[identity] for name, identity in self._names.items()}


def _identities(source: random.Random) -> Iterator[bytes]:
    while True:
        yield b"S" + source.randbytes(31)
