"""``trapline up`` on a Ray cluster of two machines: who is where, who comes back, what is refused and how."""

import json
import shutil
import sys
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.topology import shipped
from tests.system.processes import alive, eventually, kill, marked, name_of
from tests.system.ray.lab import Lab, missing

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing() or "there can be a lab"),
    pytest.mark.timeout(150),
]
NODES = ("xen", "firmwa", "dom0", "cluste", "ivi", "tcu")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    mark = uuid.uuid4().hex
    made = Lab({"head": '{"el3board": 1}', "lab1": '{"lab": 2}'}, tmp_path, mark)
    yield made
    made.close()
    eventually(lambda: not marked(mark), "nothing outlives the hosts")


def nodes(lab: Lab, host: str) -> dict[str, int]:
    """The pids of node processes on a host, by name, of which the kernel keeps six letters."""
    found = {name_of(pid).removeprefix("trapline:"): pid for pid in lab.rig.hosts[host].there()}
    return {name: pid for name, pid in found.items() if name in NODES}


def asked(lab: Lab, prometheus: str, query: str) -> float:
    """The one value of a query to the Prometheus on the head's host; 0 for none."""
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    program = f"import urllib.request as r; print(r.urlopen({url!r}, timeout=10).read().decode())"
    found = json.loads(lab.said("head", sys.executable, "-c", program))["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


def test_up(lab: Lab, tmp_path: Path) -> None:
    here = ("--run-dir", tmp_path / "run")
    ray = ("up", *here, "--engine", "ray", "--address")
    for words, said in (
        ((*ray, f"{lab.rig.addresses['head']}:1"), "no Ray cluster there"),
        (
            (*ray, lab.address, "--place", "ivi=gpu"),
            "'gpu' is wanted 1 time by --place; the cluster has el3board: 1",
        ),
    ):
        refused = lab.trapline(*words)
        assert refused.returncode == 2
        assert said in refused.said
        assert not (tmp_path / "run").exists()

    place = "xen=el3board,ivi=lab"
    board = shutil.copytree(shipped(), tmp_path / "board")
    ivi = board / "ivi.cfg"
    ivi.write_text(ivi.read_text().replace('on_crash = "destroy"', 'on_crash = "restart"'))
    files = ("--host-dt", board / "host.dts", "--platform", board / "platform.toml", "--xl", ivi)
    seen = ("--observe", "--observe-port", "0")
    up = lab.begin(*ray, lab.address, "--place", place, "--pause-ms", "1", *seen, *files)
    eventually(lambda: (tmp_path / "run" / "ready").exists() or up.poll() is not None, "ready", 60, 0.1)
    assert up.poll() is None, up.communicate()
    assert set(nodes(lab, "head")) >= {"xen", "firmwa"}
    assert set(nodes(lab, "lab1")) >= {"ivi"}

    def status() -> Any:
        return lab.trapline("status", *here, "--json").json

    told = status()["nodes"]
    assert {name: told[name]["host"] for name in ("xen", "firmware", "ivi")} == {
        "xen": "head",
        "firmware": "head",
        "ivi": "lab1",
    }
    assert "host" in lab.trapline("status", *here).stdout
    prometheus = status()["observe"]["prometheus"]
    # every node is seen, whatever machine it is on, and what a guest counts there comes from it
    wanted = len(told)
    eventually(lambda: asked(lab, prometheus, "count(up == 1)") == wanted, "all are seen", 30, 0.2)
    answered = 'trapline_guest_calls_total{process="ivi", cluster="run"}'
    eventually(lambda: asked(lab, prometheus, f"sum({answered})") > 0, "ivi's calls", 30, 0.2)

    first = nodes(lab, "lab1")["ivi"]
    kill(first)
    eventually(lambda: nodes(lab, "lab1").get("ivi", first) != first, "ivi is back", 30, 0.1)
    call = ("call", *here, "ivi", "base.PROTOCOL_VERSION", "--json")
    eventually(lambda: lab.trapline(*call).returncode == 0, "ivi answers", 30, 0.2)
    assert json.loads(lab.trapline(*call).stdout)["status"] == "SUCCESS"

    assert lab.trapline("down", *here).returncode == 0
    out, err = up.communicate(timeout=30)
    assert (up.returncode, err) == (0, "")
    assert out.endswith("stopped\n")
    for host in ("head", "lab1"):
        assert not nodes(lab, host)
        mnt = Path(f"/proc/{lab.rig.hosts[host].pid}/root/mnt")
        assert not list(mnt.glob("trapline-node-*")), "no folder with a key is left"


def test_kill_9_of_the_supervisor_ends_every_node(lab: Lab, tmp_path: Path) -> None:
    run = tmp_path / "run"
    up = lab.begin("up", "--run-dir", run, "--engine", "ray", "--address", lab.address, "--place", "ivi=lab")
    eventually(lambda: (run / "ready").exists() or up.poll() is not None, "ready", 60, 0.1)
    assert up.poll() is None, up.communicate()
    there = [pid for host in ("head", "lab1") for pid in nodes(lab, host).values()]
    assert len(there) == 6
    every = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in lab.rig.hosts["head"].there()}
    (supervisor,) = (pid for pid, words in every.items() if b"deploy.entry\0up" in words)
    kill(supervisor)
    eventually(lambda: not any(map(alive, there)) and not run.exists(), "nodes and files are gone", 20, 0.1)
    up.communicate()
