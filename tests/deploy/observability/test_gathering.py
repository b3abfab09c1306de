"""Targets of several clusters in one file: those that run, whoever comes and goes, at most so many."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.observability import gathering
from deploy.observability.gathering import FILE, Gathering
from deploy.rundir import Cluster, RunDirectory


def claimed(path: Path) -> RunDirectory:
    made = RunDirectory(path)
    made.claim()
    made.write(Cluster(1, "", "", "", "", ""))
    return made


def target(run: RunDirectory, name: str) -> list[dict[str, Any]]:
    groups = [{"targets": ["127.0.0.1:1"], "labels": {"process": name, "cluster": run.path.name}}]
    (run.targets / f"{name}.json").write_text(json.dumps(groups))
    return groups


@pytest.fixture
def clusters(tmp_path: Path) -> Iterator[list[RunDirectory]]:
    made = [claimed(tmp_path / name) for name in ("a", "b")]
    yield made
    for run in made:
        run.remove()


def written(into: Path) -> Any:
    return json.loads((into / FILE).read_bytes())


def test_targets_come_and_go(clusters: list[RunDirectory], tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    found = Gathering(lambda: tmp_path.glob("*/"), into)
    found.update()
    assert written(into) == []
    a, b = clusters
    groups = target(b, "xen") + target(b, "ivi")
    groups = target(a, "xen") + sorted(groups, key=lambda group: group["labels"]["process"])
    (a.targets / "half.json").write_text("[{")
    (a.targets / "wrong.json").write_text('{"targets": []}')
    found.update()
    assert written(into) == groups
    assert found.seen == {a.path: 1, b.path: 2}
    b.remove()
    found.update()
    assert written(into) == groups[:1]
    assert found.seen == {a.path: 1}


def test_nothing_is_written_when_nothing_changed(clusters: list[RunDirectory], tmp_path: Path) -> None:
    found = Gathering(lambda: [run.path for run in clusters], tmp_path)
    target(clusters[0], "xen")
    found.update()
    (tmp_path / FILE).unlink()
    found.update()
    assert not (tmp_path / FILE).exists()


def test_what_a_dead_supervisor_left_is_not_taken(clusters: list[RunDirectory], tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    (dead / "sd").mkdir(parents=True)
    (dead / "lock").touch()
    (dead / "cluster.json").write_text("{}")
    found = Gathering(lambda: [dead, *(run.path for run in clusters)], tmp_path)
    found.update()
    assert sorted(found.seen) == [run.path for run in clusters]


def test_clusters_beyond_the_bound_are_counted(
    clusters: list[RunDirectory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [run.path for run in clusters]
    for bound, left_out in ((2, 0), (1, 1)):
        monkeypatch.setattr(gathering, "CLUSTERS", bound)
        found = Gathering(lambda: paths, tmp_path)
        found.update()
        assert (len(found.seen), found.left_out) == (bound, left_out)


def test_the_file_is_kept_true_until_it_is_stopped(clusters: list[RunDirectory], tmp_path: Path) -> None:
    found = Gathering(lambda: [run.path for run in clusters], tmp_path)
    found.stop()
    found = Gathering(lambda: [run.path for run in clusters], tmp_path)
    found.start()
    assert written(tmp_path) == []
    found.stop()
    found.stop()
