"""Observing what is somebody else's: ``trapline observe``, and runs that are over before one has looked."""

import json
import signal
from pathlib import Path

import pytest

from tests.system.cluster import Cluster
from tests.system.processes import eventually, kill, marked
from tests.system.prometheus import Asked


def test_every_cluster_of_a_user_is_watched(cluster: Cluster) -> None:
    """Until the observer is killed; then nothing of it is left, and the clusters go on."""
    here = {"XDG_RUNTIME_DIR": str(cluster.folder)}
    parent = cluster.folder / "trapline"
    assert cluster.trapline("up", "--idle", "--detach", "--name", "one", **here).returncode == 0
    started = cluster.begin("observe", "--port", "0", "--json", **here)
    assert started.stdout is not None
    told = json.loads("".join(iter(started.stdout.readline, "}\n")) + "}")
    assert told["clusters"] == [str(parent / "one")]
    prometheus = Asked(told["observe"]["prometheus"])
    assert cluster.trapline("up", "--idle", "--detach", "--name", "two", **here).returncode == 0
    both = 'count by (cluster) (up{job="trapline"} == 1)'
    found = {("one",): 7.0, ("two",): 7.0}
    eventually(lambda: prometheus.by(both, "cluster") == found, "two clusters", pause_s=0.1)
    assert cluster.trapline("down", "--name", "two", **here).returncode == 0
    started.stdout.close()
    kill(started.pid)
    started.wait()
    eventually(lambda: [one.name for one in parent.iterdir()] == ["one"], "only the cluster")
    assert cluster.trapline("down", "--name", "one", **here).returncode == 0
    assert not parent.exists()


def test_what_a_run_showed_stays_until_ctrl_c(cluster: Cluster, tmp_path: Path) -> None:
    here = {"XDG_RUNTIME_DIR": str(cluster.folder), "XDG_DATA_HOME": str(tmp_path)}
    words = ("--engine", "local", "--seconds", "0.2", "--no-report", "--out", cluster.folder / "out")
    seen = ("--observe", "--observe-port", "0", "--observe-hold", "600")
    started = cluster.begin("run", "hello", *words, *seen, **here)
    assert started.stderr is not None
    said = "".join(iter(started.stderr.readline, "The dashboards stay until Ctrl-C or for 600 s.\n"))
    assert "http://127.0.0.1:" in said
    (path,) = (cluster.folder / "trapline").iterdir()
    assert path.name.startswith("observe-")
    started.send_signal(signal.SIGINT)
    done = cluster.ended()
    verdict = json.loads((cluster.folder / "out" / "report.json").read_bytes())["verdict"]
    assert (done.returncode, done.stderr) == (0 if verdict == "pass" else 1, "")
    assert done.stdout.startswith(verdict.upper())
    assert not path.exists()
    assert not marked(cluster.mark)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "hello", "--engine", "sim", "--observe"), "--engine local"),
        (("run", "hello", "--engine", "local", "--observe", "--repeat", "2"), "'trapline observe'"),
        (("run", "hello", "--observe-hold", "1"), "goes with --observe"),
        (("demo", "--alerts"), "go with --observe"),
    ],
)
def test_what_cannot_be_observed_is_the_users_mistake(
    cluster: Cluster, words: tuple[str, ...], told: str
) -> None:
    done = cluster.trapline(*words, XDG_DATA_HOME=str(cluster.folder / "data"))
    assert done.returncode == 2
    assert told in done.said
    assert not list(cluster.folder.glob("data/*/runs/*"))
