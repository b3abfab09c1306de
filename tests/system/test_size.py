"""Platforms of many domains: one process each, or many in one; all of them work, and nothing is left."""

import os

import pytest

from deploy import control, generated
from deploy.errors import UserError
from deploy.rundir import RunDirectory
from nodes.limits import DOMAINS
from tests.deploy.commands import run
from tests.system.cluster import Cluster

pytestmark = pytest.mark.timeout(120)


def sizes(cluster: Cluster) -> dict[int, list[str]]:
    """The names of nodes by process."""
    found: dict[int, list[str]] = {}
    for name, facts in cluster.status()["nodes"].items():
        found.setdefault(facts["pid"], []).append(name)
    return found


def every_call_is_answered(cluster: Cluster, guests: int) -> None:
    """Each asks for the rate of the clock that only it has."""
    for at in range(guests):
        request = control.Call(f"guest{at}", 0x14, 0x6, at.to_bytes(4, "little"))
        answer = control.ask(RunDirectory(cluster.run), request)
        assert not answer["code"], (at, answer)
        assert not answer["status"], (at, answer)


def test_forty_eight_domains_have_a_process_each(cluster: Cluster) -> None:
    cluster.up("--domains", 48, "--idle")
    assert sorted(map(len, sizes(cluster).values())) == [1] * (48 + 3)
    every_call_is_answered(cluster, 47)
    assert cluster.here("down").returncode == 0
    assert cluster.ended().returncode == 0
    cluster.expect_nothing_left()


def test_two_hundred_domains_share_four_processes(cluster: Cluster) -> None:
    cluster.up("--domains", 200, "--guests-per-process", 50, "--idle")
    assert sorted(map(len, sizes(cluster).values())) == [1, 1, 1, 1, 49, 50, 50, 50]
    every_call_is_answered(cluster, 199)
    shown = cluster.here("status").stdout
    assert "/metrics/guest198\n" in shown.replace(" ", "")
    assert "/metrics/metrics" not in shown
    assert shown.count("/metrics/guest") == 199
    assert cluster.here("down").returncode == 0
    assert cluster.ended().returncode == 0
    cluster.expect_nothing_left()


def test_guests_that_share_a_process_end_with_a_supervisor_that_is_killed(cluster: Cluster) -> None:
    started = cluster.up("--domains", 6, "--guests-per-process", 4).supervisor
    assert started is not None
    os.kill(started.pid, 9)
    cluster.expect_nothing_left()


def test_what_is_too_many_is_refused_with_the_reason() -> None:
    for words, why in (
        (("--domains", str(DOMAINS + 1)), "has 2 to 255 with Dom0"),
        (("--domains", "1"), "has 2 to 255 with Dom0"),
        (("--domains", "4", "--xl", "some.cfg"), "without files"),
    ):
        with pytest.raises(UserError, match=why):
            run("up", *words)
    assert run("up", "--guests-per-process", "256").exit_code == 2
    assert generated.GUESTS_MAX == DOMAINS - 1
