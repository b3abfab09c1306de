"""What a toolstack does in an experiment: reboots, destroys, and dies in the middle of it. On either engine.

An operation that Xen or EL3 refuses is noted, never the experiment's end: an operator would see the same.
"""

from collections.abc import Callable
from typing import Any, Final

from bus import frames
from bus.frames import DomainInfo, DomctlReply
from deploy.experiments.describing.plan import Planned
from deploy.toolstack import Engine, Toolstack, ToolstackError
from deploy.topology import Guest
from nodes.guest.core import GuestConfig

Note = Callable[[str, str], None]  # (domain, what became of it)
FREE_OF_CHARGE: Final = (frames.ListDomains, frames.NodeLost)  # questions, not steps


class ToolstackDied(Exception):  # noqa: N818 - what happened, not what to catch
    """The toolstack's process ended in the middle of an operation: nobody undoes what it began."""


class DyingEngine:
    """An engine for a toolstack that ends after ``steps`` hypercalls: the answer to the last one nobody
    reads.
    """

    def __init__(self, engine: Engine, steps: int) -> None:
        self._engine = engine
        self._left = steps
        self.on_lifecycle = engine.on_lifecycle

    def domctl(self, op: frames.Op) -> DomctlReply:
        if isinstance(op, FREE_OF_CHARGE):
            return self._engine.domctl(op)
        if self._left <= 0:
            raise ToolstackDied(type(op).__name__)
        self._left -= 1
        reply = self._engine.domctl(op)
        if not self._left:
            raise ToolstackDied(type(op).__name__)
        return reply

    def console(self, domid: int, body: bytes) -> bytes:
        return self._engine.console(domid, body)

    def start_guest(self, info: DomainInfo, config: GuestConfig) -> None:
        self._engine.start_guest(info, config)

    def stop_guest(self, name: str) -> None:
        self._engine.stop_guest(name)


class Operations:
    """Carries out the toolstack's part of a plan; ``note`` hears what failed and why."""

    def __init__(self, engine: Engine, toolstack: Toolstack, note: Note) -> None:
        self._engine = engine
        self._toolstack = toolstack
        self._note = note

    def begin(self, fault: Planned) -> None:
        """Do it to every domain that it names."""
        for name in fault.where:
            self._carefully(name, BEGINS[fault.kind], fault.step)

    def end(self, fault: Planned) -> None:
        """What is destroyed for a while comes back."""
        if fault.kind == "toolstack.destroy":
            for name in fault.where:
                self._carefully(name, Operations.recreate, 0)

    def _carefully(self, name: str, operation: Callable[..., Any], step: int) -> None:
        try:
            operation(self, name, step)
        except ToolstackDied as died:
            self._note(name, f"the toolstack ended at {died}")
        except ToolstackError as error:
            self._note(name, str(error))

    def reboot(self, name: str, step: int = 0) -> None:
        """xl reboot; of a domain that is not there, or half: xl destroy and xl create."""
        self._config(name)
        self.destroy(name)
        self.recreate(name)

    def destroy(self, name: str, step: int = 0) -> None:
        """xl destroy, if there is such a domain."""
        if self._exists(name):
            self._toolstack.destroy(name)

    def recreate(self, name: str, step: int = 0) -> None:
        """xl create, if there is no such domain."""
        if not self._exists(name):
            self._toolstack.create(self._config(name))

    def die_creating(self, name: str, step: int) -> None:
        """xl create by a toolstack that ends in the middle; what it began stays."""
        config = self._config(name)
        self.destroy(name)
        self._dying(step).create(config)

    def die_destroying(self, name: str, step: int) -> None:
        """xl destroy by a toolstack that ends in the middle."""
        self._dying(step).destroy(name)

    def _config(self, name: str) -> Guest:
        guest = self._toolstack.guests.get(name)
        if guest is None:
            raise ToolstackError(f"{name} was not created from an xl.cfg, so it cannot be created again")
        return guest

    def _dying(self, steps: int) -> Toolstack:
        return self._toolstack.with_engine(DyingEngine(self._engine, steps))

    def _exists(self, name: str) -> bool:
        return any(info.name == name for info in self._toolstack.list())


BEGINS: Final[dict[str, Callable[..., None]]] = {
    "toolstack.reboot": Operations.reboot,
    "toolstack.destroy": Operations.destroy,
    "toolstack.dies_creating": Operations.die_creating,
    "toolstack.dies_destroying": Operations.die_destroying,
}
