"""The chart is run: an image from scratch, a pod for each node, a guest that is killed and comes back."""

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.pods import USER, Pods, missing
from tests.system.processes import eventually

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")
DOMAINS = ("dom0", "cluster", "ivi")
NODES = ("xen", "firmware", *DOMAINS)
RESETS = "trapline_agent_resets_applied_total"


@pytest.fixture
def pods(folder: Path) -> Iterator[Pods]:
    made = Pods(folder, f"t{secrets.token_hex(4)}", DOMAINS)
    try:
        yield made
    finally:
        made.remove()


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def incarnation(pods: Pods) -> int:
    rows = pods.trapline("status")["domains"]
    return next((row["incarnation"] for row in rows if row["name"] == "ivi"), 0)


def test_a_platform_of_pods(pods: Pods) -> None:
    pods.make_image()
    pods.play({"supervisor": {"arguments": ["--pause-ms", "20"]}})
    try:
        eventually(lambda: "is up in" in pods.logs("supervisor"), "the platform is up", 30, 0.2)
    except AssertionError as error:
        raise AssertionError({name: pods.logs(name) for name in ("supervisor", *NODES)}) from error
    eventually(lambda: incarnation(pods) == 1, "ivi came", 30, 0.2)
    # a guest's call, through three containers
    answer = pods.trapline("call", "ivi", "base.DISCOVER_AGENT", "agent_id=4294967295")
    assert (answer["status"], int(answer["fields"]["agent_id"])) == ("SUCCESS", 3)
    # and why one of its calls failed (this one, or a later one of its work), as three containers saw it
    denied = ("ivi", "clock.CLOCK_RATE_SET", "flags=0", "clock_id=0", "rate=1000")
    assert pods.trapline("call", *denied, check=False)["status"] == "DENIED"
    found = pods.trapline("why", "--agent", "ivi")
    assert (found["call"]["domain"], found["rung"] is None) == ("ivi", False)
    found = pods.trapline("why", f"ivi:{found['call']['request']}")  # it may have been on its way back
    assert {"to_xen", "to_el3", "el3", "back"} <= {leg["name"] for leg in found["legs"]}
    # nobody may do more than the chart says
    for name in ("supervisor", *NODES):
        found = status_of(pods.pid(name))
        assert set(found["Uid"].split()) == {str(USER)}
        assert (int(found["CapEff"], 16), int(found["CapBnd"], 16)) == (0, 0)
        assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
        options = Path(f"/proc/{pods.pid(name)}/mounts").read_text().splitlines()
        (root,) = (line.split()[3].split(",") for line in options if line.split()[1] == "/")
        assert "ro" in root
    # killed: its agent is reset, and it comes back as the next incarnation
    assert pods.metric("firmware", RESETS) == 0
    before = pods.pid("ivi")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: incarnation(pods) == 2, "ivi came back", 30, 0.2)
    assert pods.pid("ivi") not in (0, before)
    told = [one["detail"] for one in pods.trapline("status")["events"] if one["event"] == "process ended"]
    assert len(told) == 1
    assert "its lease lapsed" in told[0]
    assert pods.metric("firmware", RESETS) == 1
    answer = pods.trapline("call", "ivi", "base.DISCOVER_AGENT", "agent_id=4294967295")
    assert (answer["status"], int(answer["fields"]["agent_id"])) == ("SUCCESS", 3)
    assert pods.metric("xen", "trapline_bus_dropped_total") == 0
    pods.down()
    assert not any(pods.left().values()), pods.left()
