"""The swarm: silent on the shipped cores, and a planted bug is found, shrunk and replayed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.cli import swarm as screen
from deploy.engines.simulated import SimulatedEngine
from deploy.experiments.describing.scenario import Phases, Scenario, Swarm, Timing
from deploy.experiments.searching import swarm
from deploy.experiments.searching.swarm import Tried, hunt, reduce, try_seed
from tests.plants import xen as plants

SMALL = Scenario(
    "small",
    phases=Phases(10, 60, 60, 200),
    timing=Timing(patience_ms=40),
    swarm=Swarm(guests=(2,), faults=("process.kill", "process.pause", "link.delay"), faults_max=6),
)


@contextmanager
def planted(monkeypatch: pytest.MonkeyPatch, bug: str) -> Iterator[None]:
    """Every Xen that is built meanwhile has the bug."""
    build: Callable[..., Any] = SimulatedEngine.build_xen

    def spoiled(engine: SimulatedEngine, *arguments: Any) -> Any:
        core = build(engine, *arguments)
        plants.plant(core, bug, 1)
        return core

    with monkeypatch.context() as patch:
        patch.setattr(SimulatedEngine, "build_xen", spoiled)
        yield


def first_failure(seeds: range) -> Tried:
    return next(one for one in hunt(SMALL, seeds, 1) if one.verdict != "pass")


def test_seeds_pass_and_are_tried_once_each() -> None:
    tried = list(hunt(SMALL, range(1, 13), 2))
    assert sorted(one.seed for one in tried) == list(range(1, 13))
    assert {(one.verdict, one.reason) for one in tried if one.verdict != "pass"} == set()
    assert all(one.issued > 0 for one in tried)


def test_a_seed_is_enough() -> None:
    first, second = (try_seed(SMALL, 5) for _ in range(2))
    assert first.fingerprint == second.fingerprint != try_seed(SMALL, 6).fingerprint


def test_a_bug_that_needs_a_crash_keeps_one_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    with planted(monkeypatch, "dead-incarnation"):
        tried = first_failure(range(1, 60))
        found = reduce(SMALL, tried)
        assert found.kept
        assert len(found.kept) <= found.faults
        assert "process.kill" in {one.kind for one in found.kept}
        numbers = {one.number for one in found.kept}
        again = try_seed(SMALL, tried.seed, numbers)
        assert again.verdict == "fail"
        assert try_seed(SMALL, tried.seed, ()).verdict == "pass"
    line = swarm.command("small", found)
    assert line.startswith(f"trapline run small --drawn --seed {tried.seed}")


def test_a_bug_that_needs_no_fault_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with planted(monkeypatch, "answers-twice"):
        tried = first_failure(range(1, 60))
        found = reduce(SMALL, tried)
    assert found.kept == ()
    if found.faults:
        assert swarm.command("small", found).endswith("--faults none")


def test_the_command_prints_knobs_and_says_that_all_held() -> None:
    done = CliRunner().invoke(screen.swarm, ["--seeds", "2", "-j", "1"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["seed=1", "seed=2"]
    assert all("platform.guests=" in line for line in lines[:2])
    assert "2 seeds from 1" in lines[-1]


def test_the_command_tells_a_failure_with_its_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    with planted(monkeypatch, "answers-twice"):
        done = CliRunner().invoke(screen.swarm, ["--seeds", "50", "-j", "1", "--quiet", "--no-shrink"])
    assert done.exit_code == 1
    assert done.stdout.startswith("fail")
    assert "trapline run swarm --drawn --seed" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seeds", "0"], "--seeds 0"),
        (["-j", "0"], "--jobs 0"),
        (["--first", "-1"], "--first -1"),
        (["teardown-race"], "explore"),
        (["no-such-scenario"], "no-such-scenario"),
    ],
)
def test_wrong_words_are_one_error(words: list[str], told: str) -> None:
    done = CliRunner().invoke(screen.swarm, words)
    assert done.exit_code != 0
    assert told in str(done.exception)
