"""The chart as helm renders it (``tests/kubernetes_tools.sh``), and what is read off its objects."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

VARIABLE = "TRAPLINE_KUBERNETES_TOOLS"
FOLDER = os.environ.get(VARIABLE)
WITHOUT = f"{VARIABLE} is not set; fill a folder with tests/kubernetes_tools.sh and name it"
ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "kubernetes" / "trapline"
JUDGE = ROOT / "tests" / "service_monitor.mjs"
Object = dict[str, Any]


def helm(*words: object) -> "subprocess.CompletedProcess[str]":
    """A helm that asks nobody and keeps nothing."""
    program = Path(str(FOLDER)) / "helm"
    return subprocess.run(
        [str(program), *map(str, words)], capture_output=True, text=True, check=False, timeout=60
    )


def rendered(folder: Path, values: Object, release: str = "lab") -> list[Object]:
    """All objects; fails with what helm says."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = helm("template", release, CHART, "--namespace", "boards", "--values", file)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def refusal(folder: Path, values: Object, release: str = "lab") -> str:
    """Why helm does not render it; empty if it does."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = helm("template", release, CHART, "--values", file)
    return done.stderr if done.returncode else ""


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


def pods(objects: list[Object]) -> dict[str, Object]:
    """The pod templates by the name of their StatefulSet."""
    return {one["metadata"]["name"]: one["spec"]["template"] for one in of_kind(objects, "StatefulSet")}


def service_monitor_problems(manifest: Object) -> list[Object]:
    """What is wrong with it, by the operator's types."""
    done = subprocess.run(
        ["node", str(JUDGE), str(FOLDER)],
        input=json.dumps(manifest),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: list[Object] = json.loads(done.stdout)
    return found


def words_of_the_operator() -> set[str]:
    """Every field that its types have: they refuse no field that they do not know."""
    folder = Path(str(FOLDER)) / "node_modules" / "@kubernetes-models" / "prometheus-operator"
    text = " ".join(file.read_text() for file in (folder / "monitoring.coreos.com" / "v1").glob("*.d.ts"))
    return set(re.findall(r'"(\w+)"\??:', text))


# ---- network policies, as a cluster that has an implementation would apply them ----------------


def allowed(objects: list[Object]) -> set[tuple[str, str, int]]:
    """(role, role, port) of every connection between pods of the release that both ends' policies allow;
    "outside" is a pod of a namespace without labels, "names" the one that answers DNS.
    """
    roles = sorted({one["metadata"]["labels"]["trapline/role"] for one in pods(objects).values()})
    labels = {
        role: next(
            one["metadata"]["labels"]
            for one in pods(objects).values()
            if one["metadata"]["labels"]["trapline/role"] == role
        )
        for role in roles
    }
    ports = (53, 5555, 5556, 9470, 22)
    policies = [one["spec"] for one in of_kind(objects, "NetworkPolicy")]
    found = set()
    for one in [*roles, "outside"]:
        for other in [*roles, "outside", "names"]:
            for port in ports:
                out = one == "outside" or _lets(
                    policies, "egress", labels[one], labels.get(other, other), port
                )
                into = other in ("outside", "names") or _lets(
                    policies, "ingress", labels[other], labels.get(one, one), port
                )
                if out and into and (one, other) != ("outside", "outside") and one != other:
                    found.add((one, other, port))
    return {one for one in found if one[:2] != ("outside", "names")}


def _lets(policies: list[Object], way: str, me: Object, peer: Object | str, port: int) -> bool:
    mine = [
        one for one in policies if way.capitalize() in one["policyTypes"] and _selects(one["podSelector"], me)
    ]
    return not mine or any(_rule_lets(rule, way, peer, port) for one in mine for rule in one.get(way, ()))


def _rule_lets(rule: Object, way: str, peer: Object | str, port: int) -> bool:
    peers = rule["to" if way == "egress" else "from"]
    return any(one["port"] == port for one in rule["ports"]) and any(_is(one, peer) for one in peers)


def _is(selector: Object, peer: Object | str) -> bool:
    if isinstance(peer, str):
        return peer == "names" and "kubernetes.io/metadata.name" in str(selector.get("namespaceSelector"))
    return "namespaceSelector" not in selector and _selects(selector["podSelector"], peer)


def _selects(selector: Object, labels: Object) -> bool:
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", ())
    )


def keys_of(manifest: Any) -> Iterator[str]:
    """Every key of nested objects."""
    if isinstance(manifest, dict):
        for key, value in manifest.items():
            yield key
            yield from keys_of(value)
    elif isinstance(manifest, list):
        for value in manifest:
            yield from keys_of(value)
