"""Every bug that can be planted in EL3 or Xen is found by the swarm, within five hundred seeds."""

import pytest

from tests.stress.planted import BUGS, first_seed_that_finds

pytestmark = [pytest.mark.stress, pytest.mark.timeout(600)]


@pytest.mark.parametrize(("node", "name"), BUGS)
def test_it_is_found(node: str, name: str) -> None:
    assert first_seed_that_finds(node, name) is not None
