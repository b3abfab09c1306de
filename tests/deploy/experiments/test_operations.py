"""The toolstack's part of a plan, on virtual time: reboots, and toolstacks that end in the middle."""

import pytest

from deploy import generated
from deploy.engines.simulated import SimulatedEngine
from deploy.experiments.describing.plan import Planned
from deploy.experiments.stages.operations import Operations
from deploy.toolstack import Toolstack, Work

NAME = "guest1"
STEPS = ("CreateDomain", "IomemPermission", "MemoryMapping", "AssignDevice", "UnpauseDomain")


class Bench:
    """A platform of two guests, its toolstack, and what failed."""

    def __init__(self) -> None:
        described = generated.topology(2)
        self.engine = SimulatedEngine(described, 1, lambda *_: None)
        self.toolstack = Toolstack(self.engine, described, Work(True, 1_000_000))
        self.toolstack.start()
        self.failed: list[tuple[str, str]] = []
        self.operations = Operations(self.engine, self.toolstack, lambda *told: self.failed.append(told))

    def play(self, kind: str, step: int = 0) -> Planned:
        fault = Planned(1, kind, (NAME,), 0, 0, step=step)
        self.operations.begin(fault)
        return fault

    def state(self) -> tuple[str, int, int] | None:
        """(state, incarnation, devices) of the domain, None if there is none."""
        for info in self.toolstack.list():
            if info.name == NAME:
                return info.state, info.incarnation, len(info.devices)
        return None


def test_a_reboot_gives_it_all_its_devices_again() -> None:
    bench = Bench()
    before = bench.state()
    bench.play("toolstack.reboot")
    assert before is not None
    assert bench.state() == ("running", 2, before[2])
    assert bench.failed == []


def test_what_was_destroyed_comes_back_at_the_end() -> None:
    bench = Bench()
    fault = bench.play("toolstack.destroy")
    assert bench.state() is None
    bench.operations.end(fault)
    assert bench.state() == ("running", 2, 1)


@pytest.mark.parametrize("step", range(len(STEPS) + 1))
def test_a_toolstack_may_die_at_any_step_of_creating(step: int) -> None:
    bench = Bench()
    bench.play("toolstack.dies_creating", step)
    half = bench.state()
    expected = [None, *[("created", 2, 0)] * 3, ("created", 2, 1), ("running", 2, 1)]
    assert half == expected[step]
    assert bench.failed == [(NAME, f"the toolstack ended at {STEPS[max(0, step - 1)]}")]
    bench.play("toolstack.reboot")
    assert bench.state() in (("running", 2, 1), ("running", 3, 1))


def test_a_toolstack_that_lives_long_enough_finishes() -> None:
    bench = Bench()
    bench.play("toolstack.dies_creating", 100)
    assert bench.state() == ("running", 2, 1)
    assert bench.failed == []


@pytest.mark.parametrize(("step", "there"), [(0, True), (1, False)])
def test_a_toolstack_may_die_before_and_after_it_destroyed(step: int, there: bool) -> None:
    bench = Bench()
    bench.play("toolstack.dies_destroying", step)
    assert (bench.state() is not None) == there
    assert bench.failed == [(NAME, "the toolstack ended at DestroyDomain")]
    bench.play("toolstack.reboot")
    assert bench.state() == ("running", 2, 1)
