"""A fleet on a Ray cluster of three machines: one is lost, and every platform has one result all the same."""

import json
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.fleet.ray_task import work_there
from tests.system.processes import eventually, kill, marked, name_of
from tests.system.ray.lab import Lab, missing

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing() or "there can be a lab"),
    pytest.mark.timeout(150),
]
MATRIX = ("hello", "--matrix", "profile=v9,v11,seed=1..6")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    mark = uuid.uuid4().hex
    made = Lab({"head": "{}", "lab1": "{}", "lab2": "{}"}, tmp_path, mark)
    yield made
    made.close()
    eventually(lambda: not marked(mark), "nothing outlives the hosts")


def at_work(lab: Lab, host: str) -> list[int]:
    """The workers of a host that have a job: Ray names them after what they do."""
    there = lab.rig.hosts[host].there()
    return [pid for pid in there if name_of(pid).startswith(f"ray::{work_there.__name__}")]


def held(lab: Lab, host: str) -> bool:
    """Hold a worker of that host in the middle of a job, if there is one."""
    for pid in at_work(lab, host):
        kill(pid, signal.SIGSTOP)
        if pid in at_work(lab, host):
            return True
        kill(pid, signal.SIGCONT)
    return False


def test_a_fleet_survives_a_machine(lab: Lab, tmp_path: Path) -> None:
    ray = ("--engine", "ray", "--address", lab.address)
    refused = lab.trapline("fleet", "run", *MATRIX, "--out", tmp_path / "many", "-j", "9", *ray)
    assert refused.returncode == 2
    assert "-j 9: the cluster has 3 CPUs" in refused.said
    assert not (tmp_path / "many").exists()
    began = lab.begin("fleet", "run", *MATRIX, "--out", tmp_path / "far", "-j", "3", *ray)
    eventually(lambda: held(lab, "lab2") or began.poll() is not None, "lab2 has a job", 60)
    lab.rig.kill("lab2")
    said, errors = began.communicate(timeout=100)
    assert began.returncode == 0, errors
    assert said.startswith("PASS")
    found = json.loads((tmp_path / "far" / "report.json").read_bytes())
    assert found["course"]["workers_lost"] > 0, "what the lost machine had was given again"
    here = lab.trapline("fleet", "run", *MATRIX, "--out", tmp_path / "near")
    assert here.returncode == 0, here.said
    assert json.loads((tmp_path / "near" / "report.json").read_bytes())["merged"] == found["merged"]
