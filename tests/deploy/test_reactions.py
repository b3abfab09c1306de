"""What follows the end of a guest, as its xl.cfg wants it."""

import msgspec
import pytest

from bus.frames import Lifecycle
from deploy import generated
from deploy.engines.simulated import SimulatedEngine
from deploy.reactions import Reactions
from deploy.toolstack import Toolstack, Work
from deploy.topology import Topology
from nodes.guest import console


class Played:
    """A platform of two guests, the first with the given endings; ``told`` is what was said."""

    def __init__(self, restart: bool = False, **endings: str) -> None:
        made = generated.topology(2)
        guest = msgspec.structs.replace(made.guests[0], **endings)
        topology: Topology = msgspec.structs.replace(made, guests=(guest, *made.guests[1:]))
        self.told: list[tuple[str, ...]] = []
        self.over: list[tuple[str, bool]] = []
        self.engine = SimulatedEngine(topology, 1, lambda *_: None)
        self.toolstack = Toolstack(self.engine, topology, Work())
        self.toolstack.start()
        self.shutdowns: list[Lifecycle] = []
        self.engine.on_lifecycle = lambda frame: (
            self.shutdowns.append(frame) if frame.event == "shutdown" else None
        )
        self.reactions = Reactions(
            self.toolstack,
            lambda *told: self.told.append(told),
            lambda reason, failed: self.over.append((reason, failed)),
            restart,
        )

    def shut_down(self, name: str, reboot: bool) -> None:
        self.toolstack.ask(name, console.Poweroff(reboot))
        self.engine.run(10_000_000)
        self.reactions.shut_down(self.shutdowns.pop())

    def guest0(self) -> tuple[str, int] | None:
        rows = {info.name: (info.state, info.incarnation) for info in self.toolstack.list()}
        return rows.get("guest0")


@pytest.mark.parametrize(
    ("on_crash", "always", "then"),
    [
        ("destroy", False, None),
        ("restart", False, ("running", 2)),
        ("preserve", False, ("running", 1)),
        ("destroy", True, ("running", 2)),
    ],
)
def test_a_crash(on_crash: str, always: bool, then: tuple[str, int] | None) -> None:
    played = Played(always, on_crash=on_crash)
    played.engine.stop_guest("guest0")
    played.reactions.exited("guest0")
    assert played.guest0() == then


@pytest.mark.parametrize(
    ("reboot", "endings", "then"),
    [
        (False, {"on_poweroff": "destroy"}, None),
        (False, {"on_poweroff": "restart"}, ("running", 2)),
        (True, {"on_reboot": "restart"}, ("running", 2)),
        (True, {"on_reboot": "destroy"}, None),
        (True, {"on_reboot": "preserve"}, ("shutdown", 1)),
    ],
)
def test_a_shutdown(reboot: bool, endings: dict[str, str], then: tuple[str, int] | None) -> None:
    played = Played(**endings)
    played.shut_down("guest0", reboot)
    assert played.guest0() == then


def test_a_failure_is_told_and_nothing_more() -> None:
    played = Played()
    played.toolstack.destroy("guest0")
    played.reactions.exited("guest0")
    assert [told[:2] for told in played.told] == [("guest0", "failed")]
    assert not played.over


def test_without_dom0_the_platform_is_over() -> None:
    played = Played()
    played.reactions.exited("dom0")
    played.shut_down("dom0", False)
    assert played.over == [("Dom0 is gone", True), ("Dom0 poweroff", False)]
