"""Nodes that come and go by themselves: who is away is a crashed domain, who comes back a new incarnation."""

import signal
import socket
from collections.abc import Iterator

import pytest

from tests.system.arrivals import Arrivals
from tests.system.cluster import Cluster
from tests.system.processes import eventually

APART_S = 100_000
DOMAINS = ("dom0", "cluster", "ivi", "tcu")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def arrivals(cluster: Cluster) -> Iterator[Arrivals]:
    made = Arrivals(cluster, DOMAINS, free_port())
    yield made
    cluster.stop()
    made.leave()


def incarnations(cluster: Cluster) -> dict[str, int]:
    return {row["name"]: row["incarnation"] for row in cluster.status()["domains"]}


def test_who_goes_is_reset_and_who_comes_back_begins_again(cluster: Cluster, arrivals: Arrivals) -> None:
    for role, name in (("firmware", ""), ("guest", "dom0"), ("guest", "cluster"), ("guest", "ivi")):
        arrivals.come(role, name)
    cluster.start(*arrivals.options, "--pause-ms", "1")
    arrivals.come("xen")
    assert cluster.supervisor is not None
    pid = cluster.supervisor.pid
    eventually(lambda: cluster._ready(pid) or cluster.supervisor.poll() is not None, "ready")  # type: ignore[union-attr]
    eventually(lambda: set(incarnations(cluster)) == {"dom0", "cluster", "ivi"}, "ivi came, tcu did not")
    assert cluster.works()
    assert arrivals.come("guest", "tcu")
    eventually(lambda: "tcu" in incarnations(cluster), "tcu came")
    # killed: known when its lease has lapsed, though the next process is there before
    arrivals.there["ivi"].kill()
    arrivals.there["ivi"].wait()
    arrivals.come("guest", "ivi")
    eventually(lambda: cluster.events("ivi", "process ended"), "the end of ivi")
    assert "its lease lapsed" in cluster.events("ivi", "process ended")[0]
    eventually(lambda: incarnations(cluster).get("ivi") == 2, "ivi is there again")
    assert len(cluster.events("ivi", "reset")) == 1
    eventually(cluster.works, "ivi's calls are answered")
    # told to end, as kubelet does: known at once
    arrivals.there["tcu"].send_signal(signal.SIGTERM)
    assert arrivals.there["tcu"].wait() == 0
    eventually(lambda: "tcu" not in incarnations(cluster), "tcu is gone")
    assert cluster.events("tcu", "process ended") == ["exit code 0"], "nobody waited for its lease to lapse"
    # an operator's destroy holds, though its process comes back
    assert cluster.here("xl", "destroy", "ivi").returncode == 0
    assert arrivals.there["ivi"].wait() == 0
    arrivals.come("guest", "ivi")
    arrivals.come("guest", "tcu")
    eventually(lambda: incarnations(cluster).get("tcu") == 2, "tcu is there again")
    assert "ivi" not in incarnations(cluster)
    refused = cluster.here("kill", "tcu")
    assert refused.returncode == 2
    assert "kubectl delete pod" in refused.said
    # EL3's end is the platform's; whoever was a member ends itself, and who waits goes on waiting
    arrivals.there["firmware"].send_signal(signal.SIGTERM)
    done = cluster.ended()
    assert done.returncode == 1
    assert "EL3 is gone" in done.stderr
    assert {arrivals.there[name].wait(10) for name in ("dom0", "cluster", "tcu", "xen")} == {0}
    assert arrivals.there["ivi"].poll() is None
    arrivals.leave()
    cluster.expect_nothing_left()


def test_calls_are_told_whole_though_every_machine_has_a_clock_of_its_own(
    cluster: Cluster, arrivals: Arrivals
) -> None:
    for number, (role, name) in enumerate((("firmware", ""), ("guest", "dom0"), ("guest", "cluster"))):
        arrivals.come(role, name, APART_S * (1 + number))
    arrivals.come("guest", "ivi", 9 * APART_S)
    cluster.start(*arrivals.options, "--idle")
    arrivals.come("xen", ahead_s=5)
    eventually((cluster.run / "ready").exists, "ready")
    eventually(lambda: "ivi" in incarnations(cluster), "ivi came")
    denied = ("ivi", "clock.CLOCK_RATE_SET", "flags=0", "clock_id=0", "rate=1000")
    assert cluster.here("call", *denied, "--json").returncode == 1
    found = cluster.here("why", "--agent", "ivi", "--json").json
    assert (found["call"]["status"], found["rung"]) == ("DENIED", 8)
    legs = {leg["name"]: leg["took_ns"] for leg in found["legs"]}
    assert {"to_xen", "to_el3", "el3", "back"} <= set(legs)
    assert all(0 <= took_ns < APART_S * 1_000_000_000 // 2 for took_ns in legs.values()), legs
    cluster.stop()
    arrivals.leave()
    cluster.expect_nothing_left()


def test_who_waits_for_nodes_can_be_stopped(cluster: Cluster, arrivals: Arrivals) -> None:
    started = cluster.start(*arrivals.options)
    eventually(lambda: list(cluster.run.glob("log/*supervisor*")), "it waits")
    started.send_signal(signal.SIGTERM)
    done = cluster.ended()
    assert "stopped while waiting for xen" in done.stderr
    cluster.expect_nothing_left()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "kubernetes"), "--listen"),
        (("--listen", "127.0.0.1:1"), "--listen: is for --engine kubernetes"),
        (("--engine", "kubernetes", "--listen", "here", "--keys", "."), "ADDRESS:PORT"),
        (("--engine", "kubernetes", "--listen", "127.0.0.1:5555", "--keys", "."), "registry.key"),
    ],
)
def test_wrong_words(cluster: Cluster, words: tuple[str, ...], said: str) -> None:
    done = cluster.here("up", *words)
    assert done.returncode == 2
    assert said in done.said
