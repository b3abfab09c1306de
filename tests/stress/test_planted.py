"""Every bug that can be planted in EL3, Xen or a checker is found by the swarm, within five hundred seeds."""

import pytest

from tests.plants.checkers import FALSE_ALARMS, ONLY_EYES
from tests.stress.planted import BUGS, first_false_alarm, first_seed_that_finds

pytestmark = [pytest.mark.stress, pytest.mark.timeout(600)]


@pytest.mark.parametrize(("node", "name"), BUGS)
def test_it_is_found(node: str, name: str) -> None:
    assert first_seed_that_finds(node, name) is not None


@pytest.mark.parametrize("name", FALSE_ALARMS)
def test_a_checker_that_sees_wrong_is_found(name: str) -> None:
    assert first_false_alarm(FALSE_ALARMS[name]) is not None


@pytest.mark.parametrize("checker", ONLY_EYES)
def test_a_checker_that_is_blind_is_found(checker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its eyes find the bug that is theirs to find; closed, the same seeds pass it by."""
    kind, node, bug = ONLY_EYES[checker]
    found = first_seed_that_finds(node, bug, by=checker)
    assert found is not None
    monkeypatch.setattr(kind, "on", lambda self: {})
    monkeypatch.setattr(kind, "missing", lambda self: iter(()))
    assert first_seed_that_finds(node, bug, found[0], by=checker) is None
