"""The chart: what helm renders is what Kubernetes takes, and what the page says; wrong values are refused."""

import copy
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest

from deploy.cli.up import up
from deploy.kubernetes import secrets
from tests.deploy.kubernetes import chart
from tests.deploy.kubernetes.chart import Object

pytestmark = pytest.mark.skipif(chart.FOLDER is None, reason=chart.WITHOUT)
EVERYTHING: Object = {
    "domains": ["dom0", "ivi"],
    "platform": {"configMap": "board", "arguments": ["--host-dt", "/platform/host.dts"]},
    "image": {"repository": "registry.example/lab/trapline", "tag": "1", "pullSecrets": ["pull"]},
    "keys": {"prefix": "mine"},
    "supervisor": {"arguments": ["--idle", "--meter", "ivi=40/1"], "startSeconds": 60},
    "placement": {
        "core": "apart",
        "nodeSelector": {"board": "yes"},
        "tolerations": [{"key": "lab", "operator": "Exists"}],
    },
    "networkPolicy": {"metricsNamespaceLabels": {"team": "monitoring"}},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboards": {"enabled": True},
}
LEAST: Object = {
    "domains": ["dom0"],
    "placement": {"core": "any", "spreadDomains": False},
    "networkPolicy": {"enabled": False},
}
VALUES = {"default": {}, "everything": EVERYTHING, "least": LEAST}
CRD = "ServiceMonitor"


@pytest.fixture(params=VALUES)
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> list[Object]:
    return chart.rendered(tmp_path, VALUES[request.param])


def problem(manifest: Object) -> str:
    try:
        kubernetes_validate.validate(manifest, "1.37", strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error.message)
    return ""


def test_helm_finds_nothing_wrong() -> None:
    done = chart.helm("lint", "--strict", chart.CHART)
    assert done.returncode == 0, done.stdout


def test_kubernetes_takes_every_object(objects: list[Object]) -> None:
    assert {
        one["metadata"]["name"]: problem(one) for one in objects if one["kind"] != CRD and problem(one)
    } == {}
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(set(names)) == len(names)


def spoiled(manifest: Object, *path: Any, value: Any) -> Object:
    found = copy.deepcopy(manifest)
    inner = found
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return found


POD = ("spec", "template", "spec")
FAULTS: list[tuple[tuple[Any, ...], Any]] = [
    ((*POD, "restartPolicyy"), "Always"),
    ((*POD, "containers", 0, "env"), [{"name": "A", "value": 1}]),
    ((*POD, "containers", 0, "securityContext", "readOnlyRootFilesystem"), "yes"),
    ((*POD, "containers", 0, "ports", 0, "containerPort"), "metrics"),
    ((*POD, "volumes", 0, "secret", "defaultMode"), "0440"),
    (("spec", "replicas"), "1"),
]


@pytest.mark.parametrize(("path", "value"), FAULTS)
def test_a_planted_mistake_is_found(tmp_path: Path, path: tuple[Any, ...], value: Any) -> None:
    whole = next(iter(chart.of_kind(chart.rendered(tmp_path, {}), "StatefulSet")))
    assert not problem(whole)
    assert problem(spoiled(whole, *path, value=value))


WRONG: list[tuple[str, Object, str]] = [
    ("a key that there is not", {"domain": {"resource": {}}}, "resource"),
    ("one at the top", {"guests": ["ivi"]}, "guests"),
    ("no Dom0", {"domains": ["ivi"]}, "domains"),
    ("a domain twice", {"domains": ["dom0", "ivi", "ivi"]}, "domains"),
    ("a name that no pod can have", {"domains": ["dom0", "IVI"]}, "domains"),
    ("one that is too long", {"domains": ["dom0", "a" * 21]}, "domains"),
    ("a number for a word", {"supervisor": {"arguments": [5]}}, "arguments"),
    ("a word for a number", {"supervisor": {"startSeconds": "900"}}, "startSeconds"),
    ("too short a start", {"supervisor": {"startSeconds": 59}}, "startSeconds"),
    ("no quantity", {"xen": {"resources": {"limits": {"memory": "much"}}}}, "memory"),
    ("a place that there is not", {"placement": {"core": "near"}}, "core"),
    ("a key among values", {"keys": {"registry": "secret"}}, "registry"),
    ("no duration", {"serviceMonitor": {"interval": "5"}}, "interval"),
    ("a policy that is no yes or no", {"networkPolicy": {"enabled": "no"}}, "enabled"),
]


@pytest.mark.parametrize(("values", "key"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_values_are_refused(tmp_path: Path, values: Object, key: str) -> None:
    assert key in chart.refusal(tmp_path, values)


def test_names_of_releases_have_a_limit(tmp_path: Path) -> None:
    assert "at most 20 characters" in chart.refusal(tmp_path, {}, "a" * 21)
    assert not chart.refusal(tmp_path, {}, "a" * 20)
    longest = chart.rendered(tmp_path, {"domains": ["dom0", "b" * 20]}, "a" * 20)
    assert max(len(one) for one in chart.pods(longest)) <= 52, "Kubernetes adds 11 to make a label of it"


def test_no_pod_has_more_than_it_needs(objects: list[Object]) -> None:
    for template in chart.pods(objects).values():
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(spec)
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"requests", "limits"} == set(container["resources"])
        assert container["resources"]["limits"]["memory"]
        assert container["readinessProbe"]
        kinds = {key for volume in spec["volumes"] for key in volume if key != "name"}
        assert kinds <= {"secret", "emptyDir", "configMap"}
        read_only = {one["mountPath"] for one in container["volumeMounts"] if one.get("readOnly")}
        assert read_only >= {"/keys"}


def test_each_pod_has_its_own_keys(objects: list[Object]) -> None:
    """The Secrets that pods name are those that are made, each of one pod, with a config that fits."""
    prefix = "mine" if any("mine" in str(one) for one in objects) else "lab-keys"
    domains = [
        one["metadata"]["labels"]["trapline/process"]
        for one in chart.pods(objects).values()
        if one["metadata"]["labels"]["trapline/role"] == "guest"
    ]
    made = {one["metadata"]["name"]: one for one in secrets.manifests("lab", domains)["items"]}
    named = []
    for template in chart.pods(objects).values():
        (name,) = (one["secret"]["secretName"] for one in template["spec"]["volumes"] if "secret" in one)
        named.append(name.replace(prefix, "lab-keys"))
        role = template["metadata"]["labels"]["trapline/role"]
        if role != "supervisor":
            config = secrets.config_of(
                "lab", (role, template["metadata"]["labels"]["trapline/process"]), bytes(32)
            )
            command = template["spec"]["containers"][0]["command"]
            assert command[2:] == ["deploy.node", f"--role={config.role}", "--config=/keys/node.json"]
            ports = {one["name"]: one["containerPort"] for one in template["spec"]["containers"][0]["ports"]}
            assert ports["metrics"] == config.metrics_port
    assert sorted(named) == sorted(made)
    (service,) = (
        one for one in chart.of_kind(objects, "Service") if one["metadata"]["name"] == "lab-supervisor"
    )
    assert service["spec"]["ports"][0]["port"] == secrets.REGISTRY_PORT
    assert service["spec"]["publishNotReadyAddresses"] is True, "nodes come before the platform is ready"


def test_the_supervisor_is_started_with_options_that_there_are(objects: list[Object]) -> None:
    container = chart.pods(objects)["lab-supervisor"]["spec"]["containers"][0]
    assert container["command"] == ["python3.11", "-m", "deploy.entry", "up"]
    context = up.make_context("up", list(container["args"]), resilient_parsing=False)
    assert isinstance(context, click.Context)
    assert context.params["engine"] == "kubernetes"
    assert context.params["tcp_port"] == 5556
    assert context.params["metrics_port"] == 9470


NODES = ("firmware", "guest", "xen")
EDGES = {
    *((role, "supervisor", 5555) for role in NODES),
    *((role, "xen", 5556) for role in ("firmware", "guest", "supervisor")),
    *((role, "names", 53) for role in NODES),
}


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
def test_policies_let_pods_reach_xen_and_the_registry_only(tmp_path: Path, values: Object) -> None:
    assert chart.allowed(chart.rendered(tmp_path, values)) == EDGES


def test_without_a_policy_much_more_would_be_let_through(tmp_path: Path) -> None:
    objects = chart.rendered(tmp_path, {})
    for missing in ("lab-nobody", "lab-into-xen", "lab-to-supervisor"):
        rest = [one for one in objects if one["metadata"]["name"] != missing]
        assert chart.allowed(rest) != EDGES, missing


def test_who_may_read_metrics_is_named(tmp_path: Path) -> None:
    objects = chart.rendered(tmp_path, EVERYTHING)
    (policy,) = (
        one["spec"]
        for one in objects
        if one["metadata"]["name"] == "lab-metrics" and one["kind"] == "NetworkPolicy"
    )
    (rule,) = policy["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}]
    assert [one["port"] for one in rule["ports"]] == [9470]


def test_prometheus_finds_every_pod_with_the_labels_of_the_dashboards(tmp_path: Path) -> None:
    objects = chart.rendered(tmp_path, EVERYTHING)
    (monitor,) = chart.of_kind(objects, CRD)
    assert chart.service_monitor_problems(monitor) == []
    strange = set(chart.keys_of(monitor["spec"])) - chart.words_of_the_operator()
    labels = set(monitor["spec"]["selector"]["matchLabels"])
    assert strange == {"matchLabels"} | labels, "which are Kubernetes' and our own"
    (service,) = (
        one for one in chart.of_kind(objects, "Service") if one["metadata"]["labels"].get("trapline/service")
    )
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    assert wanted <= service["metadata"]["labels"].items()
    assert {
        one["metadata"]["name"]
        for one in chart.of_kind(objects, "Service")
        if wanted <= one["metadata"]["labels"].items()
    } == {"lab-metrics"}
    for template in chart.pods(objects).values():
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        assert {"trapline/process", "trapline/role"} <= set(template["metadata"]["labels"])
    targets = {one["targetLabel"] for one in monitor["spec"]["endpoints"][0]["relabelings"]}
    assert targets == {"job", "cluster", "process", "role"}


@pytest.mark.parametrize(
    ("path", "value"),
    [(("interval",), 5), (("relabelings", 0, "action"), "swap"), (("port",), ["metrics"])],
)
def test_a_mistake_in_a_service_monitor_is_found(tmp_path: Path, path: tuple[Any, ...], value: Any) -> None:
    (monitor,) = chart.of_kind(chart.rendered(tmp_path, {"serviceMonitor": {"enabled": True}}), CRD)
    assert chart.service_monitor_problems(spoiled(monitor, "spec", "endpoints", 0, *path, value=value))


def test_dashboards_are_grafanas_own(tmp_path: Path) -> None:
    files = sorted((chart.ROOT / "grafana" / "dashboards").glob("*.json"))
    found = {}
    for one in chart.of_kind(chart.rendered(tmp_path, EVERYTHING), "ConfigMap"):
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        found |= one["data"]
    assert found == {f"trapline-{file.name}": file.read_text().rstrip("\n") for file in files}


def test_no_secret_is_in_the_chart(objects: list[Object]) -> None:
    assert not chart.of_kind(objects, "Secret")
