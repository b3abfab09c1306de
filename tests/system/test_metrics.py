"""What Prometheus gets to see: where to scrape, what is said there, and that the numbers agree."""

import base64
import json
import re
import urllib.error
from typing import Any

import pytest

import deploy
from deploy.metrics.access import account
from nodes.metrics import BY_NAME
from tests.system import metrics
from tests.system.cluster import IVI, Cluster
from tests.system.processes import eventually, ports_of

EVERYWHERE = "00000000"
LOOPBACK = "0100007F"  # 127.0.0.1 as the kernel writes it
NODES = ["cluster", "dom0", "firmware", "ivi", "supervisor", "tcu", "xen"]
ROLES = {"xen": "xen", "firmware": "firmware", "supervisor": "supervisor"}
FOREIGN = ("process_", "python_gc_")  # of the client library itself
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def targets(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The content of every target file by the process' name, as Prometheus' file_sd reads it."""
    found = {}
    for file in sorted((cluster.run / "sd").glob("*.json")):
        groups = json.loads(file.read_bytes())
        assert len(groups) == 1
        assert set(groups[0]) == {"targets", "labels"}
        assert all(isinstance(value, str) for value in groups[0]["labels"].values())
        found[file.stem] = groups[0]
    return found


def port(target: dict[str, Any]) -> int:
    (address,) = target["targets"]
    host, _, number = address.partition(":")
    assert host == "127.0.0.1"
    return int(number)


@pytest.fixture
def idle(cluster: Cluster) -> Cluster:
    return cluster.up("--idle")


def test_every_process_has_a_target(idle: Cluster) -> None:
    found = targets(idle)
    nodes = idle.status()["nodes"]
    assert sorted(found) == sorted(nodes) == NODES
    for name, target in found.items():
        assert port(target) == nodes[name]["port"]
        wanted = {"job": "trapline", "process": name, "role": ROLES.get(name, "guest")}
        assert target["labels"] == wanted | {"cluster": idle.run.name, "experiment": ""}


def test_what_is_in_a_run_directory_is_for_its_user_alone(idle: Cluster) -> None:
    open_to_others = {
        str(path.relative_to(idle.run)): oct(path.stat().st_mode & 0o777)
        for path in [idle.run, *idle.run.rglob("*")]
        if path.stat().st_mode & 0o077
    }
    assert open_to_others == {}


def test_targets_come_and_go(idle: Cluster) -> None:
    assert idle.here("xl", "destroy", "ivi").returncode == 0
    assert "ivi" not in targets(idle)
    assert idle.here("xl", "create", IVI).returncode == 0
    assert "trapline_build_info" in metrics.read(port(targets(idle)["ivi"]))
    idle.kill("tcu")
    eventually(lambda: not (idle.run / "sd" / "tcu.json").exists(), "no target of a killed guest")
    assert "tcu" not in targets(idle)


def test_ports_listen_on_loopback_only(cluster: Cluster) -> None:
    cluster.up("--idle", "--tcp")
    pids = [facts["pid"] for facts in cluster.status()["nodes"].values()]
    found = ports_of(pids)
    assert len(found) == len(pids) + 1, "a metrics port each, and Xen's own"
    assert {address for address, _ in found.values()} == {LOOPBACK}


def test_ports_listen_elsewhere_when_asked(cluster: Cluster) -> None:
    """With an account, and one line that says so."""
    private = cluster.folder / "account"
    private.touch(0o600)
    private.write_text(account("me", "secret"))
    cluster.up("--idle", "--metrics-address", "0.0.0.0", "--metrics-password-file", "account")
    nodes = cluster.status()["nodes"]
    found = ports_of([facts["pid"] for facts in nodes.values()])
    assert sorted(at for _, at in found.values()) == sorted(facts["port"] for facts in nodes.values())
    assert {address for address, _ in found.values()} == {EVERYWHERE}
    target = targets(cluster)["xen"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        metrics.read(port(target))
    authorization = f"Basic {base64.b64encode(b'me:secret').decode()}"
    assert "trapline_build_info" in metrics.read(port(target), Authorization=authorization)
    assert cluster.supervisor is not None
    cluster.supervisor.terminate()
    assert "every process listens on 0.0.0.0" in cluster.ended().said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--metrics-address", "nowhere"), "--metrics-address nowhere: no IP address"),
        (("--metrics-cert", "c.pem", "--metrics-key", "k.pem"), "--metrics-cert .*c.pem.*No such file"),
        (("--metrics-password-file", "none"), "none: no such file"),
    ],
)
def test_what_cannot_be_served_starts_nothing(cluster: Cluster, words: tuple[str, ...], told: str) -> None:
    done = cluster.trapline("up", "--run-dir", cluster.run, *words)
    assert done.returncode == 2
    assert re.search(told, done.said)
    assert not cluster.run.exists()


def test_names_and_labels_are_in_the_catalogue(cluster: Cluster) -> None:
    cluster.up("--pause-ms", "1")
    cluster.call("ivi", "clock.CLOCK_RATE_GET", "clock_id=5")
    for name, target in targets(cluster).items():
        for family in metrics.families(port(target)):
            if family.name.startswith(FOREIGN):
                continue
            known = BY_NAME.get(family.name) or BY_NAME[f"{family.name}_total"]
            assert (family.type, family.documentation) == (known.type, known.help)
            role = ROLES.get(name, "guest")
            assert known.owner in (role, "every")
            for one in family.samples:
                check_sample(known, one)


def check_sample(known: Any, sample: Any) -> None:
    names = [known.name.removesuffix("_total") + suffix for suffix in SUFFIXES[known.type]]
    assert sample.name in names
    assert set(sample.labels) - {"le"} == {label.name for label in known.labels}
    for label in known.labels:
        assert not label.values or sample.labels[label.name] in label.values
    assert sample.value >= 0


def test_build_info(idle: Cluster) -> None:
    for name, target in targets(idle).items():
        found = metrics.samples(port(target))
        labels = {"version": deploy.__version__}
        assert metrics.total(found, "trapline_build_info", **labels) == 1, name


def test_which_nodes_are_up(idle: Cluster) -> None:
    supervisor = port(targets(idle)["supervisor"])

    def up() -> dict[str, float]:
        found = metrics.samples(supervisor)
        names = [*NODES, "nobody"]
        return {name: metrics.total(found, "trapline_node_up", node=name) for name in names}

    assert up() == {name: float(name not in ("nobody", "supervisor")) for name in [*NODES, "nobody"]}
    assert idle.here("xl", "destroy", "ivi").returncode == 0
    idle.kill("tcu")
    eventually(lambda: not up()["tcu"], "tcu is down")
    assert up()["ivi"] == 0
    assert metrics.value(supervisor, "trapline_node_exits_total", node="tcu") == 1
    assert metrics.value(supervisor, "trapline_node_exits_total", node="ivi") == 0
    eventually(lambda: metrics.value(supervisor, "trapline_node_heartbeats_total", node="xen"), "a heartbeat")


def test_the_numbers_agree(idle: Cluster) -> None:
    """An idle platform after so many calls: each process counted the same ones."""
    ports = {name: port(target) for name, target in targets(idle).items()}
    before = {name: metrics.samples(number) for name, number in ports.items()}
    for words in (("ivi", "clock_id=5"), ("ivi", "clock_id=6"), ("tcu", "clock_id=7"), ("ivi", "clock_id=8")):
        idle.here("call", words[0], "clock.CLOCK_RATE_GET", words[1])
    idle.here("trap", "tcu", "0x82000005")
    after = {name: metrics.samples(number) for name, number in ports.items()}

    def more(node: str, name: str, **labels: str) -> float:
        return metrics.total(after[node], name, **labels) - metrics.total(before[node], name, **labels)

    answered = sum(more(node, "trapline_guest_calls_total", outcome="answered") for node in ("ivi", "tcu"))
    assert answered == 4 + 1, "the raw trap came back as well"
    assert more("firmware", "trapline_scmi_calls_total") == 4
    assert more("firmware", "trapline_scmi_calls_total", status="DENIED") == 1
    assert more("firmware", "trapline_scmi_calls_total", agent="3") == 3
    assert more("xen", "trapline_smc_traps_total", verdict="forwarded") == 4
    assert more("xen", "trapline_smc_traps_total", verdict="refused", domain="tcu") == 1
    assert more("xen", "trapline_scmi_inflight_calls") == 0
    assert more("ivi", "trapline_scmi_call_duration_seconds_count") == 3
    assert more("xen", "trapline_bus_messages_total", kind="smc", direction="out") == 4
    assert more("firmware", "trapline_bus_messages_total", kind="smc", direction="in") == 4
    traps = sum(
        more(node, "trapline_bus_messages_total", kind="trap", direction="out") for node in ("ivi", "tcu")
    )
    assert traps == more("xen", "trapline_bus_messages_total", kind="trap", direction="in") == 5
    for node in ("xen", "firmware", "ivi", "tcu"):
        assert more(node, "trapline_bus_dropped_total") == 0
    assert [row["calls"] for row in idle.status()["domains"]][2:]
