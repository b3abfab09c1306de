"""``up --observe``: Prometheus sees every node, listens on loopback only, and ends with the platform."""

import json
import shutil
import signal
import socket
from typing import Any

import psutil
import pytest

from deploy.observability import assets
from tests.deploy.observability.planted import FAULTS, first, spoiled
from tests.system.cluster import Cluster
from tests.system.processes import alive, eventually, kill, marked
from tests.system.prometheus import Asked

OBSERVED = ("--idle", "--observe", "--observe-port", "0")
NODES = {"cluster", "dom0", "firmware", "ivi", "supervisor", "tcu", "xen"}


def overview() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((assets.folder() / "dashboards" / "overview.json").read_text())
    return found


def nodes_up() -> str:
    """What the overview's panel of that name asks, for every cluster."""
    panel = next(one for one in overview()["panels"] if one["title"] == "Nodes up")
    return str(panel["targets"][0]["expr"]).replace("$cluster", ".*")


def ask_of(board: dict[str, Any]) -> str:
    return str(first(board)["targets"][0]["expr"])


def asked(cluster: Cluster) -> Asked:
    return Asked(cluster.status()["observe"]["prometheus"])


def test_every_node_is_seen_and_one_that_died_is_not(cluster: Cluster) -> None:
    cluster.up(*OBSERVED, "--alerts")
    prometheus = asked(cluster)
    up = dict.fromkeys(NODES, "up")
    eventually(lambda: prometheus.targets() == up, "all nodes up", pause_s=0.1)
    prometheus.seen("supervisor")
    assert prometheus.value(nodes_up()) == len(NODES) - 1, "the supervisor is no node"
    several = next(fault for fault in FAULTS if fault.check == "value")
    assert prometheus.value(ask_of(spoiled(overview(), several))) != len(NODES) - 1, "only a value tells"
    every = marked(cluster.mark)
    assert set(cluster.status()["observe"]) == {"page", "prometheus", "alertmanager"}
    listening = [
        one.laddr.ip
        for pid in every
        for one in psutil.Process(pid).net_connections("inet")
        if one.status == psutil.CONN_LISTEN or one.type == socket.SOCK_DGRAM
    ]
    assert len(listening) == len(NODES) + 3
    assert set(listening) == {"127.0.0.1"}
    cluster.kill("ivi")
    del up["ivi"]
    eventually(lambda: prometheus.targets() == up, "all but the killed one", pause_s=0.1)
    shown = cluster.here("status").stdout
    assert all(url in shown for url in cluster.status()["observe"].values())
    manager = prometheus.get("alertmanagers")["activeAlertmanagers"]
    assert [one["url"].removesuffix("/api/v2/alerts") for one in manager] == [
        cluster.status()["observe"]["alertmanager"]
    ]
    assert cluster.here("down").returncode == 0
    assert cluster.left_behind() == []


@pytest.mark.parametrize("frozen", [False, True])
def test_nothing_outlives_a_killed_supervisor(cluster: Cluster, frozen: bool) -> None:
    cluster.up(*OBSERVED, "--alerts")
    if frozen:
        cluster.kill(next(name for name in marked(cluster.mark).values() if "tsdb" in name), signal.SIGSTOP)
    assert cluster.supervisor is not None
    kill(cluster.supervisor.pid)
    cluster.expect_nothing_left()


def test_interrupted_while_it_starts(cluster: Cluster) -> None:
    started = cluster.start(*OBSERVED)
    eventually(lambda: (cluster.run / "observe" / "data").exists(), "Prometheus' data")
    started.send_signal(signal.SIGINT)
    cluster.ended()
    assert cluster.left_behind() == []


def test_a_platform_goes_on_without_its_prometheus(cluster: Cluster) -> None:
    cluster.up(*OBSERVED)
    name = next(name for name in marked(cluster.mark).values() if "tsdb" in name)
    pid = cluster.kill(name)
    eventually(lambda: "prometheus" not in cluster.status()["observe"], "no more address")
    assert cluster.events("prometheus", "process ended") == ["signal 9"]
    assert not alive(pid)
    assert cluster.works()


def test_a_port_of_somebody_else_is_the_users_mistake(cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cluster.here("up", "--observe", "--observe-port", port)
    assert done.returncode == 2
    assert f"port {port}" in done.said
    assert cluster.left_behind() == []


def test_without_prometheus_it_tells_how_to_get_it(cluster: Cluster) -> None:
    empty = cluster.folder / "bin"
    empty.mkdir()
    for words in (("up", "--observe", "--run-dir", cluster.run),):
        done = cluster.trapline(*words, PATH=str(empty))
        assert done.returncode == 2
        assert "apt-get install --no-install-recommends prometheus;" in done.said
        assert "dnf install" in done.said
    assert cluster.left_behind() == []
    assert shutil.which("prometheus"), "this machine has no Prometheus: apt-get install prometheus"
