"""``trapline trace --save`` on real processes: what is captured is opened by tshark, and replayed."""

import signal
import subprocess
from pathlib import Path

from deploy.errors import UserError
from deploy.recording.rows import BOOTED, TICKED
from deploy.tracing.capture import Capture
from tests.deploy.tracing import shark
from tests.system.cluster import TCU, Cluster
from tests.system.processes import eventually


def holds(path: Path, node: str) -> bool:
    """Whether a capture that is being written has that node's beginning by now."""
    try:
        return any(row[1] == node and row[3] == BOOTED for row in Capture(path).rows())
    except UserError:  # not even its head is there
        return False


def test_a_capture_from_the_start_is_opened_and_replayed(cluster: Cluster) -> None:
    cluster.up("--idle")
    path = cluster.folder / "live.pcapng"
    words = [cluster.program(), "trace", "--follow", "--save", str(path), "--run-dir", str(cluster.run)]
    follower = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=cluster.environment())
    assert follower.stderr is not None
    try:
        assert "capturing until Ctrl-C" in follower.stderr.readline()
        assert cluster.works()
        assert cluster.here("xl", "reboot", "ivi").returncode == 0
        eventually(lambda: holds(path, "ivi#2"), "the reboot in the capture")
        follower.send_signal(signal.SIGINT)
        told = follower.stderr.read()
        assert follower.wait() == 0
    finally:
        follower.kill()
        follower.stderr.close()
        follower.wait()
    assert f"{path}: " in told
    assert " packets" in told
    played = cluster.trapline("replay", path, "--json").json
    assert played["divergence"] is None
    assert played["messages"] > 50
    assert not played["unplayed"]
    packets = shark.dissected(path)
    rows = list(Capture(path).rows())
    assert len(packets) == len(rows) + descriptions(packets)
    assert not any(packet.malformed for packet in packets)
    names = {name for packet in packets for name, _ in packet.fields}
    assert {"trapline.description.json", "scmi.clock.rate", "smccc.x0", "trapline.lifecycle.event"} <= names


def descriptions(packets: list[shark.Packet]) -> int:
    return sum(packet.first("trapline.description.part") is not None for packet in packets)


def test_a_snapshot_has_what_the_rings_hold_and_a_wrong_wish_is_one_line(cluster: Cluster) -> None:
    cluster.up("--idle", "--xl", TCU)
    path = cluster.folder / "snapshot.pcapng"
    assert " packets" in cluster.here("trace", "--save", path).stderr
    assert {"xen", "firmware", "tcu#1"} <= {row[1] for row in Capture(path).rows() if row[3] != TICKED}
    refused = cluster.here("trace", "--save", path, "--denied")
    assert refused.returncode == 2
    assert "leave the filters to Wireshark" in refused.said
    refused = cluster.here("trace", "--save", cluster.folder / "no" / "such.pcapng")
    assert refused.returncode == 2
    assert "cannot be written (No such file or directory)" in refused.said
    assert "Proto(" in cluster.trapline("trace", "--lua").stdout
    assert cluster.here("down").returncode == 0
    gone = cluster.here("trace", "--save", path)
    assert gone.returncode == 2
    assert "no platform runs in" in gone.said
    assert Capture(path).made
