"""Xen, EL3 and guests that are started by the role command line and heard through the registry, over tcp."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from deploy import generated
from deploy.experiments.stages.local import LocalStage
from deploy.launching.config import NodeConfig
from deploy.recording.rows import NOTE, Row
from deploy.toolstack import Work
from tests.system import metrics
from tests.system.cluster import Cluster
from tests.system.processes import VARIABLE, eventually, kill, marked, ports_of
from tests.system.registered_platform import options

ROOT = Path(__file__).parents[2]
LEASE_S = 1.5
GUEST = "guest0"


def start(cluster: Cluster, guests: int) -> None:
    program = (sys.executable, "-m", "tests.system.registered_platform")
    begun = cluster.begin(
        cluster.run, guests, LEASE_S, program=program, PYTHONPATH=str(ROOT), TMPDIR=str(cluster.folder)
    )
    eventually(lambda: cluster._ready(begun.pid) or begun.poll() is not None, "ready", 60)
    assert begun.poll() is None, begun.communicate()
    cluster.ports = ports_of(list(marked(cluster.mark)))


def nodes(cluster: Cluster) -> set[int]:
    """All processes but the supervisor, its fork server and their like."""
    names = ("trapline:xen", "trapline:firmware"[:15], "trapline:dom0", "trapline:guest")
    return {pid for pid, name in marked(cluster.mark).items() if name.startswith(names)}


def resets(cluster: Cluster) -> dict[str, int]:
    return {row["name"]: row["resets"] for row in cluster.status()["domains"]}


def test_calls_are_answered_a_killed_guest_is_reset_and_no_node_outlives_its_lease(cluster: Cluster) -> None:
    start(cluster, 2)
    assert len(nodes(cluster)) == 5
    assert cluster.call(GUEST, "base.PROTOCOL_VERSION")["status"] == "SUCCESS"
    supervisor = cluster.supervisor
    assert supervisor is not None
    # the numbers and log lines of nodes come over the link, and their pages are served by the supervisor
    told = cluster.status()["nodes"]
    served = told["supervisor"]["port"]
    assert {name: facts["port"] for name, facts in told.items()} == dict.fromkeys(told, 0) | {
        "supervisor": served
    }
    target = cluster.run / "sd" / f"{GUEST}.json"
    (announced,) = json.loads(target.read_text())
    assert announced["targets"] == [f"127.0.0.1:{served}"]
    assert announced["labels"]["__metrics_path__"] == f"/metrics/{GUEST}"
    assert "trapline_guest_calls_total{" in metrics.read(served, GUEST)
    assert "trapline_smc_traps_total{" in metrics.read(served, "xen")
    assert list((cluster.run / "log").glob("xen.*.log"))
    target.unlink()
    kill(cluster.pid(GUEST))
    eventually(lambda: cluster.events(GUEST, "process ended"), "the end is noticed")
    assert "SIGKILL" in cluster.events(GUEST, "process ended")[0]
    eventually(lambda: len(cluster.events(GUEST, "reset")) == 1, "the agent's reset")
    eventually(lambda: target.exists(), "it comes back")
    eventually(lambda: len(nodes(cluster)) == 5 and resets(cluster).get(GUEST) == 1, "Xen's numbers")
    # a supervisor that does nothing for longer than the lease is as good as gone
    kill(supervisor.pid, signal.SIGSTOP)
    eventually(lambda: not nodes(cluster), "nodes whose lease lapsed end themselves", 10)
    kill(supervisor.pid, signal.SIGCONT)
    done = cluster.ended()
    assert done.returncode == 1
    # whichever it hears of first when it goes on: the process that ended, or that nobody renewed
    assert re.search(r"is gone: (exit code 75|its lease lapsed)", done.stderr.splitlines()[-1])
    assert "the lease of 1.5 s lapsed" in done.stderr
    cluster.expect_nothing_left()
    assert not list(cluster.folder.iterdir()), "no private folder of a node is left"


def test_kill_9_of_the_supervisor_leaves_nothing(cluster: Cluster) -> None:
    start(cluster, 1)
    assert len(nodes(cluster)) == 4
    kill(cluster.pid(GUEST), signal.SIGSTOP)  # it cannot end itself
    assert cluster.supervisor is not None
    kill(cluster.supervisor.pid)
    cluster.expect_nothing_left()
    assert not list(cluster.folder.iterdir())


def test_what_nodes_recorded_comes_over_the_link(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, cluster.mark)
    rows: list[Row] = []
    stage = LocalStage(
        generated.topology(1),
        work=Work(run=True, think_ns=1_000_000, record=True),
        run=cluster.run,
        sink=rows,
        options=options(),
    )
    try:
        stage.start()
        stage.advance(stage.now_ns() + 300_000_000)
        told = stage.stats()
    finally:
        stage.stop()
    cluster.expect_nothing_left()
    assert {"xen", "firmware", f"{GUEST}#1", "toolstack"} <= {row[1] for row in rows}
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    answered = told[f"{GUEST}#1"]["counters"]["trapline_guest_calls_total"][GUEST, "answered"]
    assert answered > 0
    calls = sum(row[1] == f"{GUEST}#1" and row[3] == NOTE for row in rows)
    assert calls >= answered
    assert stage.truncated == 0


CONFIG = NodeConfig("ab" * 16, "guest", "ivi", "tcp://127.0.0.1:9", "x" * 40, "ivi.key")


@pytest.mark.parametrize(
    ("words", "mode", "content", "said"),
    [
        ((), 0o600, "", "required"),
        (("--role", "guest", "--config", "none.json"), 0o600, "", "no such file"),
        (("--role", "guest", "--config", "node.json"), 0o640, "{}", "chmod 600"),
        (("--role", "guest", "--config", "node.json"), 0o600, "{", "node.json"),
    ],
)
def test_a_wrong_command_line_or_file_is_one_line(
    cluster: Cluster, words: tuple[str, ...], mode: int, content: str, said: str
) -> None:
    if content:
        path = cluster.folder / "node.json"
        path.write_text(content)
        path.chmod(mode)
    program = (sys.executable, "-m", "deploy.node")
    done = cluster.trapline(*words, program=program, PYTHONPATH=str(ROOT))
    assert done.returncode == 2
    assert said in done.said


def test_a_node_that_nobody_accepts_gives_up(cluster: Cluster) -> None:
    path = cluster.folder / "node.json"
    key = cluster.folder / "ivi.key"
    for file, text in (
        (path, msgspec.json.encode(msgspec.structs.replace(CONFIG, key_file=str(key), patience_s=0.2))),
        (key, b"0" * 40),
    ):
        file.write_bytes(text)
        os.chmod(file, 0o600)
    program = (sys.executable, "-m", "deploy.node", "--role", "guest", "--config", str(path))
    done = cluster.trapline(program=program, PYTHONPATH=str(ROOT))
    assert done.returncode == 75
    assert "not accepted within 0.2 s" in done.said
