"""The race explorer: silent on the shipped cores, and it finds bugs that need one order of messages."""

import pytest

from deploy.engines.simulated import SimulatedEngine
from deploy.experiments.explore import EL3, OPERATIONS, Prepare, Race, Start, _topology, race, run
from nodes.xen import plants


def explored(operation: str, el3: str = "fast", prepare: Prepare | None = None) -> Race:
    start = Start(_topology(operation), operation, el3)
    if prepare is not None:
        start = Start(start.topology, operation, el3, prepare=prepare)
    return race(start)


@pytest.mark.parametrize("el3", EL3)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_order_of_messages_breaks_anything(operation: str, el3: str) -> None:
    found = explored(operation, el3)
    assert found.violations == ()
    assert found.complete
    assert found.schedules >= 2


def test_a_slow_el3_leaves_fewer_orders() -> None:
    assert explored("create", "slow").schedules < explored("create").schedules


def test_a_bound_is_told() -> None:
    found = race(Start(_topology("assign"), "assign"), schedules_max=10)
    assert (found.schedules, found.complete) == (10, False)


def test_a_neighbours_call_makes_more_orders() -> None:
    alone, both = (
        race(Start(_topology("destroy"), "destroy", "slow", neighbour=neighbour)).schedules
        for neighbour in (False, True)
    )
    assert both > alone


def test_equal_races_are_played_alike() -> None:
    first, second = (list(run(["destroy"], ["fast", "reset-fails"])) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("bug", "operation"),
    [
        ("releases-early", "create"),
        ("forgets-reset", "destroy"),
        ("keeps-lock", "destroy"),
    ],
)
def test_a_planted_bug_is_found(bug: str, operation: str) -> None:
    def prepare(engine: SimulatedEngine) -> None:
        plants.plant(engine.xen, bug, 1)

    found = explored(operation, "fast", prepare)
    if not found.violations:
        found = explored(operation, "reset-fails", prepare)
    assert found.violations
    assert found.trail
    assert found.rows
