"""The database of past runs: what it keeps, what it finds, what it survives."""

import multiprocessing
import os
import sqlite3
from pathlib import Path

import msgspec
import pytest

from deploy.errors import UserError
from deploy.experiments.keeping.runs import DATABASE, RESULT, Runs, default_root
from tests.deploy.experiments.results import failing, passing

PROCESSES, EACH = 4, 12


def saved(root: Path, run_id: str, **changes: object) -> Path:
    """A folder as the conductor leaves it."""
    folder = root / run_id
    folder.mkdir(parents=True)
    (folder / RESULT).write_bytes(msgspec.json.encode(passing(run_id, **changes)))
    return folder


def add_some(root: str, number: int) -> None:
    for one in range(EACH):
        run_id = f"p{number}-{one:02}"
        Runs(Path(root)).add(passing(run_id, started_at=float(one)), Path(root) / run_id)


def test_a_run_is_found_by_its_id_and_by_the_beginning_of_it(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    folder = saved(tmp_path, "20261123-a")
    row = runs.add(passing("20261123-a"), folder)
    assert runs.get("20261123-a") == runs.get("2026") == row
    assert row.issued == row.answered + row.failed + row.killed == 24_900
    assert runs.result(row) == passing("20261123-a")


def test_an_id_that_is_also_the_beginning_of_another_means_itself(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    for name in ("run", "run-2"):
        runs.add(passing(name), tmp_path / name)
    assert runs.get("run").run_id == "run"


@pytest.mark.parametrize("wrong", ["run-", "", "rnu-1", "%", "zzz"])
def test_an_id_that_means_none_or_several_is_the_users_mistake_and_names_near_ones(
    tmp_path: Path, wrong: str
) -> None:
    runs = Runs(tmp_path)
    for name in ("run-1", "run-2"):
        runs.add(passing(name), tmp_path / name)
    with pytest.raises(UserError, match="run-1"):
        runs.get(wrong)


def test_without_runs_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="trapline run SCENARIO"):
        Runs(tmp_path / "none").get("x")
    assert not (tmp_path / "none").exists()  # looking makes nothing


def test_the_list_is_newest_first_and_filtered(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.add(passing("a", started_at=1.0, scenario="soak", title="Soak"), tmp_path / "a")
    runs.add(failing(run_id="b", started_at=3.0), tmp_path / "b")
    runs.add(passing("c", started_at=2.0), tmp_path / "c")
    assert [one.run_id for one in runs.list()] == ["b", "c", "a"]
    assert [one.run_id for one in runs.list(verdict="fail")] == ["b"]
    assert [one.run_id for one in runs.list(scenario="noisy", limit=1)] == ["b"]
    assert runs.list(verdict="fail")[0].violations == 2


def test_adding_the_same_run_again_replaces_it(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.add(passing("a"), tmp_path / "a")
    runs.add(failing(run_id="a"), tmp_path / "a")
    assert [one.verdict for one in runs.list()] == ["fail"]


def test_a_seed_of_64_bits_comes_back(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.add(passing("a", seed=2**64 - 1), tmp_path / "a")
    assert runs.get("a").seed == 2**64 - 1


def test_several_processes_add_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add_some, args=(str(tmp_path), one)) for one in range(PROCESSES)]
    for one in processes:
        one.start()
    for one in processes:
        one.join(60)
    assert [one.exitcode for one in processes] == [0] * PROCESSES
    assert len(Runs(tmp_path).list()) == PROCESSES * EACH


def test_a_run_that_crashed_before_it_was_noted_is_found_by_its_folder(tmp_path: Path) -> None:
    saved(tmp_path, "lost")
    assert [one.run_id for one in Runs(tmp_path).list()] == ["lost"]


def test_a_broken_result_is_no_run_and_a_folder_without_one_is_unfinished(tmp_path: Path) -> None:
    saved(tmp_path, "broken").joinpath(RESULT).write_text("{")
    (tmp_path / "under-way").mkdir()
    runs = Runs(tmp_path)
    assert runs.list() == ()
    assert runs.unfinished() == (tmp_path / "under-way",)


def test_a_deleted_or_broken_folder_leaves_the_result_without_its_plots(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    folder = saved(tmp_path, "a")
    row = runs.add(passing("a"), folder)
    (folder / RESULT).write_text("[]")
    small = runs.result(row)
    (folder / RESULT).unlink()
    assert runs.result(row) == small == msgspec.structs.replace(passing("a"), slices=())


def test_a_database_that_is_none_is_put_aside_and_made_from_the_folders(tmp_path: Path) -> None:
    saved(tmp_path, "a")
    (tmp_path / DATABASE).write_bytes(b"no database" * 100)
    assert [one.run_id for one in Runs(tmp_path).list()] == ["a"]
    assert len(list(tmp_path.glob(f"{DATABASE}.broken-*"))) == 1


def test_a_database_that_breaks_in_the_middle_is_put_aside_with_one_error(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    for one in range(40):
        runs.add(passing(f"r{one}"), saved(tmp_path, f"r{one}"))
    whole = (tmp_path / DATABASE).read_bytes()
    (tmp_path / DATABASE).write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) // 2))
    with pytest.raises(UserError, match="next command makes it again"):
        runs.list()
    assert len(runs.list()) == 40


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / DATABASE) as database:
        database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(UserError, match="newer Trapline"):
        Runs(tmp_path).list()
    assert (tmp_path / DATABASE).exists()


def test_a_root_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="TRAPLINE_RUNS"):
        Runs(tmp_path / "file" / "runs").add(passing(), tmp_path)


def test_prune_keeps_the_newest_and_touches_no_folder_outside_the_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "runs", tmp_path / "mine"
    runs = Runs(root)
    outside.mkdir()
    for number, folder in enumerate((outside, root / "b", root / "c")):
        folder.mkdir(parents=True, exist_ok=True)
        runs.add(passing(folder.name, started_at=float(number)), folder)
    assert [one.run_id for one in runs.prune(1)] == ["b", "mine"]
    assert [one.run_id for one in runs.list()] == ["c"]
    assert outside.exists()
    assert not (root / "b").exists()
    assert runs.prune(1) == ()


def test_prune_removes_unfinished_folders_only_when_nothing_was_written_for_long(tmp_path: Path) -> None:
    old, young = tmp_path / "old", tmp_path / "young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "rows").write_text("")
    for one in (old / "rows", old, young):
        os.utime(one, (1.0, 1.0))
    Runs(tmp_path).prune(5)
    assert (old.exists(), young.exists()) == (False, True)


def test_where_runs_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("TRAPLINE_RUNS", raising=False)
    assert default_root() == tmp_path / "trapline/runs"
    monkeypatch.setenv("TRAPLINE_RUNS", str(tmp_path / "elsewhere"))
    assert default_root() == tmp_path / "elsewhere"
    monkeypatch.delenv("TRAPLINE_RUNS")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_root() == Path.home() / ".local/share/trapline/runs"
