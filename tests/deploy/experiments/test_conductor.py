"""One run from a scenario to its verdict, on virtual time: phases, faults, the account, what is kept."""

from pathlib import Path

import msgspec
import pytest

from deploy.errors import UserError
from deploy.experiments import conductor
from deploy.experiments.conductor import run
from deploy.experiments.describing.scenario import (
    Fault,
    Load,
    Phases,
    PlatformChoice,
    Scenario,
    Threshold,
    WhatIf,
)
from deploy.experiments.history import recorded
from deploy.experiments.history.files import read_rows
from deploy.experiments.keeping import folders
from deploy.experiments.result import RunResult
from nodes.xen.core import XenCore

SHORT = Phases(warm_up_ms=5, faults_ms=30, heal_ms=15, drain_ms=10)


def scenario(**keys: object) -> Scenario:
    usual: dict[str, object] = {
        "title": "A try",
        "platform": PlatformChoice(guests=2),
        "load": (Load("guests", kind="closed", think_us=100.0),),
        "phases": SHORT,
    }
    return Scenario(**(usual | keys))  # type: ignore[arg-type]


def agent(result: RunResult, name: str) -> object:
    return next(one for one in result.agents if one.domain == name)


def test_a_run_in_which_nothing_is_broken_passes_and_accounts_for_every_call() -> None:
    found = run(scenario(), 1, "sim")
    assert (found.verdict, found.account["lost"], found.account["outstanding"]) == ("pass", 0, 0)
    assert found.account["issued"] == found.account["answered"] > 200
    assert [phase.name for phase in found.phases] == ["boot", "warm_up", "faults", "heal", "drain"]
    assert found.phases[2].end_ns - found.phases[2].begin_ns == 30_000_000
    assert "all accounted for" in found.reason
    assert found.command.endswith("--seed 1 --engine sim")


def test_equal_seeds_give_equal_runs_and_another_seed_another() -> None:
    one, same, other = (run(scenario(), seed, "sim") for seed in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    still = {"started_at": 0.0, "wall_s": 0.0}
    assert msgspec.structs.replace(one, **still) == msgspec.structs.replace(same, **still)


def test_a_killed_guest_comes_back_and_its_call_is_accounted_for() -> None:
    found = run(scenario(fault=(Fault("process.kill", where="guest1", at_ms=10.0),)), 3, "sim")
    assert found.verdict == "pass", found.reason
    assert [one.planned.kind for one in found.faults] == ["process.kill"]
    assert found.faults[0].planned.begin_ns == found.phases[2].begin_ns + 10_000_000
    victim = agent(found, "guest1")
    assert victim.resets == 1  # type: ignore[attr-defined]
    account = found.account
    assert (
        account["issued"]
        == account["answered"] + account["definite"] + account["indefinite"] + account["killed"]
    )
    assert account["lost"] == 0


def test_faults_can_be_left_out_and_the_command_says_so() -> None:
    faults = tuple(Fault("process.kill", where="guest1", at_ms=at) for at in (5.0, 15.0))
    found = run(scenario(fault=faults), 3, "sim", keep=(2,))
    assert [one.planned.number for one in found.faults] == [2]
    assert found.command.endswith("--faults 2")


def test_a_threshold_that_does_not_hold_is_the_reason() -> None:
    broken = Threshold("p99_us", domain="guest0", at_most=1.0)
    found = run(scenario(threshold=(Threshold("rate", at_least=10.0), broken)), 1, "sim")
    assert found.verdict == "fail"
    assert found.reason.startswith("p99_us of guest0 in faults at most 1: it was ")
    assert [one.held for one in found.thresholds] == [True, False]


def test_a_domain_is_compared_with_itself_alone() -> None:
    load = (Load("guests", kind="closed", think_us=0.0),)
    bound = Threshold("p99_us", domain="guest0", at_most=1.05, times_solo=True)
    found = run(scenario(load=load, platform=PlatformChoice(guests=4), threshold=(bound,)), 1, "sim")
    assert found.verdict == "fail"
    assert " alone)" in found.thresholds[0].bound
    kind = msgspec.structs.replace(bound, at_most=50.0)
    assert run(scenario(load=load, threshold=(kind,)), 1, "sim").verdict == "pass"


def test_what_a_limit_would_have_done() -> None:
    load = (Load("guests", kind="closed", think_us=0.0),)
    asked = WhatIf("guest1", (200.0, 100_000.0), "guest0")
    found = run(scenario(load=load, what_if=asked), 1, "sim")
    tight, loose = found.what_if
    assert tight.refused > 0
    assert loose.refused == 0
    assert min(tight.value, loose.value) > 0


def test_the_history_and_what_it_takes_to_replay_are_kept(tmp_path: Path) -> None:
    folder = folders.given_folder(tmp_path / "run")
    found = run(scenario(), 1, "sim", folder=folder)
    assert found.fingerprint == run(scenario(), 1, "sim").fingerprint
    assert sum(1 for _ in read_rows(folder)) > 1_000
    made = recorded.load(folder)
    assert (made.run_id, made.seed, made.engine) == ("run", 1, "sim")
    folders.save(found, folder)
    kept = msgspec.json.decode((folder / "report.json").read_bytes(), type=RunResult)
    assert (kept.verdict, kept.account) == (found.verdict, found.account)
    with pytest.raises(UserError, match="not empty"):
        folders.given_folder(folder)


def test_a_recorded_run_can_be_a_load(tmp_path: Path) -> None:
    folder = folders.given_folder(tmp_path / "run")
    first = run(scenario(), 1, "sim", folder=folder)
    again = Load("guests", kind="replay", trace=str(folder))
    found = run(scenario(load=(again,)), 2, "sim")
    assert found.verdict == "pass", found.reason
    assert abs(found.account["issued"] - first.account["issued"]) < first.account["issued"] / 4


def test_an_open_loop_asks_whether_or_not_it_is_answered() -> None:
    load = (Load("guests", kind="open", rate=2_000.0, backlog=4),)
    slow = conductor.run(scenario(load=load), 1, "sim")
    assert slow.account["issued"] + slow.account["dropped_arrivals"] == pytest.approx(
        2 * 2_000 * 0.05, rel=0.1
    )


def test_boards_side_by_side_are_judged_each_by_itself() -> None:
    found = run(scenario(platform=PlatformChoice(guests=2, boards=3)), 1, "sim")
    assert found.verdict == "pass", found.reason
    assert [one.domain for one in found.agents if one.issued] == [f"guest{at}" for at in range(6)]


def test_a_core_that_breaks_is_a_failed_run_with_its_story(monkeypatch: pytest.MonkeyPatch) -> None:
    step = XenCore.step
    seen: list[int] = []

    def broken(self: XenCore, event: object, now_ns: int) -> object:
        seen.append(now_ns)
        assert len(seen) < 500, "a planted bug"
        return step(self, event, now_ns)  # type: ignore[arg-type]

    monkeypatch.setattr(XenCore, "step", broken)
    found = run(scenario(), 1, "sim")
    assert found.verdict == "fail"
    assert "a core broke an invariant, AssertionError: a planted bug" in found.reason
    assert any("a planted bug" in line for line in found.notes)


def test_names_that_no_domain_has_are_the_users_mistake() -> None:
    with pytest.raises(UserError, match="no domain 'guest9'"):
        run(scenario(load=(Load("guest9"),)), 1, "sim")
    with pytest.raises(UserError, match="there are sim"):
        run(scenario(), 1, "cluster")


def test_a_run_has_a_folder_of_its_own_with_a_name_that_tells_it(tmp_path: Path) -> None:
    one = folders.new_folder("Noisy neighbour: what if?", 7, tmp_path)
    two = folders.new_folder("Noisy neighbour: what if?", 7, tmp_path)
    assert one.name.startswith("noisy-neighbour-what-if-s7-")
    assert one != two
    assert folders.slug("***") == "run"
