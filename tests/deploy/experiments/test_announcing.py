"""What an experiment tells of itself in metrics."""

import pytest

from deploy.experiments.conductor import shifted
from deploy.experiments.describing.faults import BY_NAME
from deploy.experiments.describing.plan import Planned, draw
from deploy.experiments.stages.announcing import INJECTED, RUNNING, Announcing, targets
from nodes.meters import Meters
from nodes.metric_labels import PHASE, TARGET
from tests.deploy.experiments.test_plan import DOMAINS, scenario


def planned(kind: str, *where: str) -> Planned:
    return Planned(1, kind, where, 0, 0)


@pytest.fixture
def meters() -> Meters:
    return Meters("supervisor")


def test_one_phase_at_a_time(meters: Meters) -> None:
    announcing = Announcing(meters)
    for phase in ("boot", "faults", "boot"):
        announcing.phase(phase)
        assert {key for key, value in meters.counter(RUNNING).items() if value == 1} == {(phase,)}
    assert meters.counter(RUNNING)[("faults",)] == 0


def test_planned_faults_count_from_nothing(meters: Meters) -> None:
    announcing = Announcing(meters)
    kill = planned("process.kill", "ivi", "tcu")
    announcing.expect([kill, planned("el3.busy", "ivi")])
    assert dict(meters.counter(INJECTED)) == {("process.kill", "guest"): 0, ("el3.busy", "firmware"): 0}
    announcing.fault(kill)
    announcing.expect([kill])
    assert dict(meters.counter(INJECTED)) == {("process.kill", "guest"): 1, ("el3.busy", "firmware"): 0}


@pytest.mark.parametrize("kind", BY_NAME)
def test_every_kind_hits_a_role_of_the_catalogue(kind: str) -> None:
    assert set(targets(planned(kind, "ivi"))) <= set(TARGET.values)


def test_a_process_is_hit_by_what_it_plays() -> None:
    assert targets(planned("process.pause", "xen", "ivi", "firmware", "tcu")) == ["firmware", "guest", "xen"]


def test_all_phases_are_there_from_the_start_and_are_those_of_plans(meters: Meters) -> None:
    """``boot`` is put before what a scenario describes."""
    Announcing(meters).expect([])
    assert dict(meters.counter(RUNNING)) == {(phase,): 0 for phase in PHASE.values}
    plan = draw(scenario(), DOMAINS, 1)
    assert tuple(phase.name for phase in shifted(plan, 5).phases) == PHASE.values
