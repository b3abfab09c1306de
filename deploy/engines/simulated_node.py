"""One node of the simulated engine: a core, the driver around it, its end of the network.

It tells rows of all that goes into the core; who else there is it asks the engine.
"""

from typing import TYPE_CHECKING, Final

from bus.links import Delivery
from bus.links.simulated import NEVER, TICK, SimulatedLink
from deploy.engines.driver import Driver
from deploy.recording.rows import RECEIVED
from nodes.contract import Core

if TYPE_CHECKING:
    from deploy.engines.simulated import SimulatedEngine

NOBODY: Final = "nobody"  # how rows name a peer that was never there


class SimNode:
    """One node: its core behind a driver, its end of the network, and its name in rows."""

    def __init__(self, engine: "SimulatedEngine", name: str, link: SimulatedLink, core: Core) -> None:
        self.name = name
        self.link = link
        self.core = core
        self._engine = engine
        self._rows = engine.record.rows
        self._names = engine.row_names
        self._deadline_ns = core.deadline_ns
        log = engine.log
        self.driver = Driver(core, link, lambda level, text: log(link.name, level, text), self._tap)
        self._take = self.driver.take
        link.owner = self.take

    def _tap(self, now_ns: int, peer: bytes, event: int, envelope: bytes, page: bytes) -> None:
        name = self._names.get(peer, NOBODY) if peer else ""
        self._rows.append((now_ns, self.name, name, event, envelope, page))

    def boot(self, now_ns: int) -> None:
        self.driver.boot(now_ns)
        self.link.wants(self._deadline_ns())

    def take(self, delivery: Delivery, now_ns: int) -> None:
        """A message, or the node's own deadline."""
        if delivery is TICK:
            self.driver.tick(now_ns)
        else:
            peer, envelope, page = delivery
            self._rows.append((now_ns, self.name, self._names.get(peer, NOBODY), RECEIVED, envelope, page))
            self._take(peer, envelope, page, now_ns)
        deadline_ns = self._deadline_ns()
        if deadline_ns is None:
            self.link.due_ns = NEVER
        else:
            self.link.wants(deadline_ns)
        if self.driver.halted is not None:
            self._engine.halted(self)
