"""Some seeds of the swarm on real processes: Xen starts again, links have faults, and no claim breaks."""

import pytest

from deploy.experiments import conductor
from deploy.experiments.describing import problems
from deploy.experiments.searching.vary import vary

SEEDS = (2, 4, 18)
pytestmark = [pytest.mark.stress, pytest.mark.timeout(120)]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_claim_breaks_on_real_processes(seed: int) -> None:
    scenario, _, _ = problems.read("swarm")
    found = conductor.run(vary(scenario, seed), seed, "local")
    assert found.verdict == "pass", found.reason
