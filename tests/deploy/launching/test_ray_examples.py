"""What ``trapline ray-example`` writes: scripts that parse, JSON, pods that Kubernetes takes."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from deploy.cli.ray_example import ray_example
from deploy.launching.ray_examples import EXAMPLES, HEALTH, VERSION

ROOT = Path(__file__).parents[3]


def written(kind: str) -> str:
    done = CliRunner().invoke(ray_example, [kind])
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("kind", ["static", "slurm"])
def test_scripts_parse_and_their_resources_are_json(kind: str) -> None:
    text = written(kind)
    checked = subprocess.run(("bash", "-n"), input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    found = [json.loads(one) for one in re.findall(r"\{\"[^}]*\}", text)]
    assert {"el3board": 1} in found
    assert {"lab": 4} in found
    for name, value in HEALTH:
        assert f"export {name}={value}" in text


@pytest.mark.parametrize("kind", EXAMPLES)
def test_each_says_what_was_not_tried(kind: str) -> None:
    assert "Not tried:" in written(kind)


def test_a_ray_cluster_of_kuberay_has_pods_that_kubernetes_takes() -> None:
    made = yaml.safe_load(written("kuberay"))
    assert (made["apiVersion"], made["kind"]) == ("ray.io/v1", "RayCluster")
    spec = made["spec"]
    assert spec["rayVersion"] == VERSION
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, **group["template"]}
        kubernetes_validate.validate(pod, "1.37", strict=True)
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    told = [
        json.loads(shlex.split(one["rayStartParams"]["resources"])[0]) for one in spec["workerGroupSpecs"]
    ]
    assert told == [{"el3board": 1}, {"lab": 4}]


def test_versions_and_health_checks_are_those_that_are_tried_and_told() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["ray"] == [f"ray=={VERSION}"]
    page = (ROOT / "deploy/launching/RAY.md").read_text(encoding="utf-8")
    assert f"internal knobs of Ray {VERSION}," in page
    told = re.findall(r"^\| `(RAY_\w+)` \| (\d+) \|$", page, re.MULTILINE)
    assert told == [(name, str(value)) for name, value in HEALTH]
