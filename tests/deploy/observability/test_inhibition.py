"""While an experiment runs on a cluster, Alertmanager mutes what its faults may set off, and no more.

A real Alertmanager judges; the alerts are ours, with the labels that the rules give them.
"""

import json
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.observability import alertmanager, rules
from deploy.observability.ports import candidates
from deploy.observability.programs import ALERTMANAGER, find
from deploy.observability.server import Recipe, Server
from tests.system.processes import eventually

LOUD = [alert.name for alert in rules.ALERTS if alert.in_experiment == "loud"]
EXPECTED = [alert.name for alert in rules.ALERTS if alert.in_experiment == "expected"]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / alertmanager.CONFIG).write_bytes(alertmanager.config())
    words = partial(alertmanager.words, find(ALERTMANAGER).path, tmp_path)
    recipe = Recipe("Alertmanager", "alertmanager", words, alertmanager.READY, tmp_path)
    server = Server(recipe, candidates(0, 0), lambda _pid: None)
    server.begin()
    server.wait()
    yield server
    server.end()


def fire(server: Server, cluster: str, names: list[str]) -> None:
    """The alerts of that cluster, as Prometheus would send them."""
    fired = [
        {"labels": {"alertname": one.name, "cluster": cluster, "in_experiment": one.in_experiment}}
        for one in rules.ALERTS
        if one.name in names
    ]
    request = urllib.request.Request(
        f"{server.url}/api/v2/alerts", json.dumps(fired).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()


def told(server: Server) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{server.url}/api/v2/alerts", timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


def muted(server: Server) -> set[tuple[str, str]]:
    return {
        (one["labels"]["cluster"], one["labels"]["alertname"])
        for one in told(server)
        if one["status"]["inhibitedBy"]
    }


def test_an_experiment_mutes_the_expected_alerts_of_its_cluster(manager: Server) -> None:
    quiet = [name for name in LOUD if name != rules.RUNNING]
    fire(manager, "calm", EXPECTED + quiet)
    fire(manager, "broken", EXPECTED + quiet)
    everything = 2 * (len(EXPECTED) + len(quiet))
    eventually(lambda: len(told(manager)) == everything, "all alerts")
    assert muted(manager) == set()
    fire(manager, "broken", [rules.RUNNING])
    eventually(lambda: bool(muted(manager)), "inhibition")
    assert muted(manager) == {("broken", name) for name in EXPECTED}
