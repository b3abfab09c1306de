"""A guest core on the bench: its traps come out, its answers go in."""

from typing import Any

from bus import frames, shmem
from nodes.contract import Boot, Effect, Event, Halt, Received, Send, Tick
from nodes.guest import console
from nodes.guest.binding import Binding, Consumer, WayBack
from nodes.guest.core import GuestConfig, GuestCore

XEN = b"xen"
FID, PAGE = 0x8200_0004, 0x2200_1000
P2A_PAGE, A2P_LINE, P2A_LINE = 0x2200_2000, 111, 112
BINDING = Binding("/scmi", FID, PAGE, False, (Consumer("/dev", (5,), (2,), (1,)),))

WAY_BACK = WayBack(P2A_PAGE, P2A_LINE)


def reply(trap: Send, payload: bytes, *, status: int = shmem.FREE, head: int | None = None) -> bytes:
    """The page as EL3 leaves it for the message of ``trap``."""
    asked = shmem.fields(trap.page)[3]
    page = bytearray(shmem.reply(asked if head is None else head, payload))
    page[4:8] = status.to_bytes(4, "little")
    return bytes(page)


class Bench:
    """``traps`` are the calls not answered yet, ``answers`` what the console was told, by request.

    ``ends`` are the interrupts that were ended.
    """

    def __init__(self, *, binding: Binding | None = BINDING, welcome: bool = True, **config: Any) -> None:
        made = GuestConfig("domu", "2", binding, **config)
        self.page = shmem.PrivateMemory().map(0x47FF_2000)
        self.p2a = shmem.PrivateMemory().map(0x47FF_5000)
        way_back = self.p2a if binding and binding.p2a else None
        self.core = GuestCore(made, self.page if binding else None, XEN, way_back)
        self.ends: list[Send] = []
        self.traps: list[Send] = []
        self.told: list[frames.ConsoleReply] = []
        self.hellos = 0
        self.halted: Halt | None = None
        self.now_ns = 0
        self._console = 0
        self.feed(Boot())
        if welcome:
            self.give(frames.Welcome(1, 0, 0, 3, "domu"))

    def feed(self, event: Event, after_ns: int = 10) -> None:
        self.now_ns += after_ns
        for effect in self.core.step(event, self.now_ns):
            self._sort(effect)

    def _sort(self, effect: Effect) -> None:
        if isinstance(effect, Halt):
            self.halted = effect
            return
        assert isinstance(effect, Send)
        assert effect.peer == XEN
        if isinstance(effect.frame, frames.Trap):
            self.traps.append(effect)
        elif isinstance(effect.frame, frames.ConsoleReply):
            self.told.append(effect.frame)
        elif isinstance(effect.frame, frames.EndOfInterrupt):
            self.ends.append(effect)
        else:
            assert isinstance(effect.frame, frames.Hello)
            self.hellos += 1

    def give(self, frame: Any, page: bytes = b"", after_ns: int = 10) -> None:
        self.feed(Received(XEN, frame, page), after_ns)

    def returned(self, trap: Send, page: bytes = b"", x0: int = 0, after_ns: int = 10) -> None:
        frame = frames.Return(1, trap.frame.request, trap.frame.cause, (x0, 11, 12, 13))
        self.give(frame, page, after_ns)

    def interrupt(self, intid: int, page: bytes = b"", request: int = 0, after_ns: int = 10) -> None:
        self.give(frames.Interrupt(1, request, 5, intid, P2A_PAGE if page else 0), page, after_ns)

    def late(self) -> None:
        """The guest's patience runs out."""
        deadline = self.core.deadline_ns()
        assert deadline is not None
        self.feed(Tick(), deadline - self.now_ns)

    def ask(self, request: console.Request | bytes) -> int:
        """A console request; gives the number its answer will carry."""
        self._console += 1
        body = request if isinstance(request, bytes) else console.encode(request)
        self.give(frames.Console(1, self._console, 0, 3, body))
        return self._console

    def answer(self, number: int) -> console.Answer:
        (found,) = [one for one in self.told if one.request == number]
        return console.decode_answer(found.body)

    def call(self, protocol: int = 0x10, message: int = 0, payload: bytes = b"") -> tuple[int, Send]:
        """One call by console that got as far as its doorbell."""
        number = self.ask(console.Call(protocol, message, payload))
        return number, self.traps.pop(0)

    def counted(self, name: str) -> dict[tuple[str, ...], int]:
        return {labels: count for labels, count in self.core.meters.counter(name).items() if count}
