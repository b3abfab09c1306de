"""``trapline logs`` on real processes: who says what, levels at the start and later, following."""

import json
import subprocess

from tests.system.cluster import Cluster


def test_logs_of_a_platform(cluster: Cluster) -> None:
    cluster.up("--idle", "--log-level", "xen=debug")
    said = cluster.here("logs", "--json")
    found = [json.loads(line) for line in said.stdout.splitlines()]
    assert {"xen", "supervisor"} <= {line["node"] for line in found}
    assert [line["at_ns"] for line in found] == sorted(line["at_ns"] for line in found)
    cluster.here("trap", "ivi", "0x82000003")
    told = cluster.here("logs", "xen", "--level", "debug").stdout
    assert "0x82000003" in told
    request = next(
        json.loads(line)["request"]
        for line in cluster.here("logs", "xen", "--json").stdout.splitlines()
        if "0x82000003" in line
    )
    assert "0x82000003" in cluster.here("logs", "--request", str(request)).stdout
    assert cluster.here("logs", "--set", "xen=error").returncode == 0
    before = cluster.here("logs", "xen").stdout
    cluster.here("trap", "ivi", "0x82000003")
    assert cluster.here("logs", "xen").stdout == before


def test_follow_ends_with_the_platform(cluster: Cluster) -> None:
    cluster.up("--idle")
    words = [cluster.program(), "logs", "--follow", "--json", "--run-dir", str(cluster.run)]
    follower = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=cluster.environment())
    assert follower.stdout is not None
    with follower, follower.stdout:
        assert json.loads(follower.stdout.readline())["node"]
        assert cluster.here("kill", "ivi").returncode == 0
        assert any("ivi ended" in line for line in follower.stdout)
        assert cluster.here("down").returncode == 0
        follower.stdout.read()
        assert follower.wait(20) == 0


def test_mistakes(cluster: Cluster) -> None:
    said = cluster.here("logs")
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    cluster.up("--idle")
    for words in (("nobody",), ("--set", "nobody=info"), ("--set", "loud"), ("--level", "loud")):
        said = cluster.here("logs", *words)
        assert said.returncode == 2, words
        assert "Traceback" not in said.stderr
