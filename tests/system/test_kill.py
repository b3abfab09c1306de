"""kill -9 of each kind of process: what has to end ends with an explanation, the rest goes on working."""

import os
import signal

import pytest

from tests.system.cluster import IVI, Cluster
from tests.system.processes import alive, eventually, kill, marked

LINKS = pytest.mark.parametrize("link", [(), ("--tcp", "--mapped")], ids=["ipc", "tcp-mapped"])
NODES = {"firmware": "EL3", "xen": "Xen"}


def resets(cluster: Cluster) -> dict[str, int]:
    return {row["name"]: row["resets"] for row in cluster.status()["domains"]}


@LINKS
def test_a_killed_guest_is_reset_and_can_be_created_again(cluster: Cluster, link: tuple[str, ...]) -> None:
    cluster.up("--pause-ms", "1", *link)
    cluster.kill("ivi")
    eventually(lambda: "ivi" not in resets(cluster), "Xen's list without ivi")
    assert "SIGKILL" in cluster.events("ivi", "process ended")[0]
    assert cluster.events("ivi", "dying") == ["crash"]
    assert len(cluster.events("ivi", "reset")) == 1
    assert cluster.works("tcu", 7)
    assert cluster.here("xl", "create", IVI).returncode == 0
    assert cluster.works()
    assert eventually(lambda: resets(cluster)["ivi"], "the reset in Xen's numbers") == 1


def test_a_killed_boot_domain_is_reset(cluster: Cluster) -> None:
    cluster.up("--idle")
    cluster.kill("cluster")
    eventually(lambda: "cluster" not in resets(cluster), "Xen's list without the boot domain")
    assert len(cluster.events("cluster", "reset")) == 1
    assert cluster.works()
    refused = cluster.here("call", "cluster", "base.PROTOCOL_VERSION")
    assert refused.returncode == 2
    assert "cluster" in refused.said


def test_without_dom0_the_platform_goes_down(cluster: Cluster) -> None:
    cluster.up("--idle")
    cluster.kill("dom0")
    done = cluster.ended()
    assert done.returncode == 1
    assert "Dom0" in done.said
    cluster.expect_nothing_left()


@LINKS
@pytest.mark.parametrize("node", NODES)
def test_without_el3_or_xen_the_platform_ends(cluster: Cluster, node: str, link: tuple[str, ...]) -> None:
    cluster.up("--pause-ms", "1", *link)
    cluster.kill(node)
    done = cluster.ended()
    assert done.returncode == 1
    assert NODES[node] in done.said
    assert "signal 9 (SIGKILL)" in done.said
    cluster.expect_nothing_left()


def test_a_platform_says_how_el3_was_terminated(cluster: Cluster) -> None:
    cluster.up("--idle")
    cluster.kill("firmware", signal.SIGTERM)
    done = cluster.ended()
    assert done.returncode == 1
    assert "EL3" in done.said


def test_a_killed_janitor_is_replaced(cluster: Cluster) -> None:
    cluster.up("--idle")
    first = cluster.kill("janito")
    second = eventually(
        lambda: [
            pid for pid, name in marked(cluster.mark).items() if name == "trapline:janito" and pid != first
        ],
        "another janitor",
    )
    assert len(second) == 1
    assert cluster.works()
    cluster.kill("tcu", signal.SIGSTOP)
    assert cluster.supervisor is not None
    kill(cluster.supervisor.pid)
    cluster.expect_nothing_left()


def test_a_janitor_killed_right_before_the_end_changes_nothing(cluster: Cluster) -> None:
    cluster.up("--idle")
    assert cluster.supervisor is not None
    os.kill(cluster.supervisor.pid, signal.SIGSTOP)
    cluster.kill("janito")
    os.kill(cluster.supervisor.pid, signal.SIGTERM)
    os.kill(cluster.supervisor.pid, signal.SIGCONT)
    done = cluster.ended()
    assert (done.returncode, done.stderr) == (0, "")
    cluster.expect_nothing_left()


@pytest.mark.parametrize("paused", [(), ("ivi",), ("firmware", "xen")], ids=["running", "guest", "platform"])
def test_without_the_fork_server_the_platform_ends(cluster: Cluster, paused: tuple[str, ...]) -> None:
    cluster.up("--pause-ms", "1")
    for node in paused:
        cluster.kill(node, signal.SIGSTOP)
    cluster.kill("fork server")
    done = cluster.ended()
    assert done.returncode == 1
    assert "fork server" in done.said
    cluster.expect_nothing_left()


@pytest.mark.parametrize("link", [(), ("--tcp", "--mapped")], ids=["ipc", "tcp-mapped"])
@pytest.mark.parametrize("paused", [(), ("firmware", "xen", "ivi", "tcu", "cluster", "dom0")])
def test_nothing_outlives_a_killed_supervisor(
    cluster: Cluster, paused: tuple[str, ...], link: tuple[str, ...]
) -> None:
    cluster.up("--pause-ms", "1", *link)
    for node in paused:
        cluster.kill(node, signal.SIGSTOP)
    assert cluster.supervisor is not None
    kill(cluster.supervisor.pid)
    cluster.expect_nothing_left()


def test_an_ordinary_end_continues_a_paused_guest(cluster: Cluster) -> None:
    cluster.up("--pause-ms", "1")
    pid = cluster.kill("ivi", signal.SIGSTOP)
    assert cluster.here("down").returncode == 0
    assert not alive(pid)
    assert cluster.ended().returncode == 0
    cluster.expect_nothing_left()
