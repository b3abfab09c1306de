"""Seeds that once failed, and what each found. As the dice change a seed may come to mean something else."""

import pytest

from deploy.experiments.describing import problems
from deploy.experiments.searching.swarm import try_seed

FOUND = (
    (
        111,
        "a Hello lost on a cut link left xl create waiting for its whole patience, and what was to follow",
    ),
    (214, "a call that ended while EL3 was late left its channel busy, and nobody rebooted that domain"),
    (
        2272,
        "Xen restarted while xl still brought back what its last restart had ended: two guests of one name",
    ),
    (4997, "what Xen had still said of a domain before it ended was taken for its successor's word"),
    (5405, "a wish of unknown outcome was forgotten when a later call ended that told nothing of it"),
    (9175, "SMCs that EL3 refused, for their Xen had been replaced, were missing in the account"),
    (2055, "a domain whose every call failed was taken for one that does not call, and was not rebooted"),
)
pytestmark = pytest.mark.stress


@pytest.mark.parametrize(("seed", "what"), FOUND)
def test_it_stays_mended(seed: int, what: str) -> None:
    scenario, _, _ = problems.read("swarm")
    result = try_seed(scenario, seed)
    assert result.verdict == "pass", f"{result.reason}; it once meant: {what}"
