"""The loop of a node's process: messages and Ticks take turns, whatever the core's deadlines are."""

from collections.abc import Sequence

from bus import frames
from bus.links import XEN, Delivery
from deploy.engines.driver import Driver
from deploy.node import Loop
from nodes.contract import Effect, Event, Halt, Received, Tick
from nodes.meters import Meters
from nodes.story import Story


class Link:
    """Messages that wait already; ``timeouts`` are those that were asked for."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self.timeouts: list[int | None] = []

    def receive(self) -> Delivery | None:
        if not self.waiting:
            return None
        self.waiting -= 1
        return XEN, frames.encode(frames.Welcome(1, 0, 0, 0, "firmware")), b""

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        return True

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        self.timeouts.append(timeout_ns)

    def close(self) -> None:
        pass


class Late:
    """A core that is always late; it halts after so many messages, or far too many Ticks."""

    def __init__(self, messages: int) -> None:
        self.meters, self.story = Meters("firmware"), Story()
        self.left = messages
        self.ticks = 0

    def deadline_ns(self) -> int | None:
        return 0

    def step(self, event: Event, now_ns: int) -> Sequence[Effect]:
        self.left -= isinstance(event, Received)
        self.ticks += isinstance(event, Tick)
        return (Halt(0, "done"),) if not self.left or self.ticks > 100 else ()


def test_a_core_that_is_always_late_takes_its_messages() -> None:
    core, link = Late(20), Link(20)
    Loop(Driver(core, link, lambda level, text: None), link).run()
    assert (core.left, link.waiting) == (0, 0)
    assert 18 <= core.ticks <= 22, "one Tick between two messages"


def test_a_halt_in_a_tick_ends_the_loop() -> None:
    core, link = Late(20), Link(0)
    core.ticks = 100
    Loop(Driver(core, link, lambda level, text: None), link).run()
    assert core.ticks == 101
