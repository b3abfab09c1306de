"""Finding other people's programs: there, not there, too old, another one of that name."""

from pathlib import Path

import pytest

from deploy.errors import UserError
from deploy.observability.programs import ALERTMANAGER, PROMETHEUS, find


def program(folder: Path, name: str, says: str) -> Path:
    made = folder / name
    made.write_text(f"#!/bin/sh\necho '{says}'\n")
    made.chmod(0o700)
    return made


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("text", ["2.42.0", "2.53.3+ds1", "3.0.0-rc.1"])
def test_a_program_is_found_with_its_version(path: Path, text: str) -> None:
    made = program(path, "prometheus", f"prometheus, version {text} (branch: x)")
    found = find(PROMETHEUS)
    assert (found.path, found.version) == (made, text)


def test_debians_name_comes_first(path: Path) -> None:
    program(path, "alertmanager", "alertmanager, version 0.27.0")
    assert find(ALERTMANAGER).path.name == "alertmanager"
    program(path, "prometheus-alertmanager", "alertmanager, version 0.25.0")
    assert find(ALERTMANAGER).path.name == "prometheus-alertmanager"


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("prometheus, version 2.41.9", "older than 2.42"),
        ("prometheus, version 1.99.0", "older than 2.42"),
        ("the titan", "not Prometheus: to --version it said 'the titan'"),
        ("", "said 'nothing'"),
    ],
)
def test_what_cannot_be_used_is_the_users_mistake(path: Path, says: str, told: str) -> None:
    program(path, "prometheus", says)
    with pytest.raises(UserError, match=told):
        find(PROMETHEUS)


def test_what_is_not_there_says_how_to_get_it(path: Path) -> None:
    with pytest.raises(UserError) as caught:
        find(ALERTMANAGER)
    assert not list(path.iterdir())
    text = str(caught.value)
    assert text.startswith("--alerts: Alertmanager is not installed")
    assert "apt-get install --no-install-recommends prometheus-alertmanager" in text
