"""Two hundred seeds that nobody has tried before, each a platform, a load and faults of its own."""

import pytest

from deploy.experiments.describing import problems
from deploy.experiments.searching import swarm

PARTS, SEEDS = 20, 10
pytestmark = [pytest.mark.stress, pytest.mark.timeout(300)]


@pytest.mark.parametrize("part", range(PARTS))
def test_no_claim_breaks(part: int, first_seed: int) -> None:
    scenario, _, _ = problems.read("swarm")
    first = first_seed + part * SEEDS
    for tried in swarm.hunt(scenario, range(first, first + SEEDS), 1):
        if tried.verdict != "pass":
            found = swarm.reduce(scenario, tried)
            pytest.fail(f"{tried.reason}\nreplay: {swarm.command('swarm', found)}", pytrace=False)
