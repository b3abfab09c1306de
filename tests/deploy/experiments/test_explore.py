"""The race explorer: silent on the shipped cores, and it finds bugs that need one order of messages."""

from pathlib import Path
from typing import Any

import pytest

from deploy.engines.simulated import SimulatedEngine
from deploy.errors import UserError
from deploy.experiments import conductor
from deploy.experiments.describing.scenario import Explore, PlatformChoice, Scenario
from deploy.experiments.history.files import read_rows
from deploy.experiments.searching.explore import (
    EL3,
    OPERATIONS,
    Prepare,
    Race,
    Start,
    race,
    run,
    topology_for,
)
from tests.plants import xen as plants


def explored(operation: str, el3: str = "fast", prepare: Prepare | None = None) -> Race:
    start = Start(topology_for(operation), operation, el3)
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
    found = race(Start(topology_for("assign"), "assign"), schedules_max=10)
    assert (found.schedules, found.complete) == (10, False)


def test_a_neighbours_call_makes_more_orders() -> None:
    alone, both = (
        race(Start(topology_for("destroy"), "destroy", "slow", neighbour=neighbour)).schedules
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


RACES = Scenario("Races", explore=Explore(operations=("destroy", "create"), el3=("slow",)))


def test_a_scenario_with_races_has_a_verdict(tmp_path: Path) -> None:
    told: list[str] = []
    result = conductor.run(RACES, 1, folder=tmp_path, progress=lambda what, part: told.append(what))
    assert result.verdict == "pass"
    assert told == ["destroy / slow", "create / slow"]
    assert [one.name for one in result.checkers] == told
    assert result.account["schedules"] == sum(one.facts["orders"] for one in result.checkers)
    assert not list(tmp_path.iterdir())


def test_an_order_that_breaks_something_is_shown_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = SimulatedEngine.build_xen

    def spoiled(engine: SimulatedEngine, *arguments: Any) -> Any:
        core = build(engine, *arguments)
        plants.plant(core, "keeps-lock", 1)
        return core

    monkeypatch.setattr(SimulatedEngine, "build_xen", spoiled)
    races = Scenario("Races", explore=Explore(operations=("destroy",), el3=("fast", "reset-fails")))
    result = conductor.run(races, 1, folder=tmp_path)
    assert result.verdict == "fail"
    assert "order" in result.reason
    assert result.diagram
    assert list(read_rows(tmp_path))


def test_races_are_run_on_the_firmware_that_the_scenario_names() -> None:
    """One that frees nothing leaves what the dead domain wished, in every order."""
    races = Scenario(
        "Races",
        platform=PlatformChoice(guests=2, firmware="scp-firmware"),
        explore=Explore(operations=("destroy",), el3=("slow",)),
    )
    result = conductor.run(races, 1)
    assert result.verdict == "fail"
    assert "still holds" in result.reason


def test_races_are_for_virtual_time_only() -> None:
    with pytest.raises(UserError, match="--engine local"):
        conductor.run(RACES, 1, "local")
