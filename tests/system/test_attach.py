"""An outside client on a live platform: plain sockets and ``struct``, through a domain's own doorbell."""

import re
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.generate import ROOT
from tests.system.cluster import TRAPLINE, Cluster
from tests.system.processes import alive, eventually

TEXT = (ROOT / "deploy" / "ATTACH.md").read_text(encoding="utf-8")
BASE, CLOCK = 0x10, 0x14
DENIED = -3
SUCCESS = 0


def client_program() -> str:
    """The client that the page shows."""
    (found,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


class Attached:
    """``trapline attach ivi`` in the foreground, ready; ``process`` is the command."""

    def __init__(self, cluster: Cluster, *words: str) -> None:
        self.path = cluster.folder / "ivi.sock"
        self.process = subprocess.Popen(
            [*TRAPLINE, "attach", "ivi", "--socket", str(self.path), "--run-dir", str(cluster.run), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=cluster.environment(),
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"ready: ivi on {self.path}\n"

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(str(self.path))
        return client

    def end(self, number: int | None = signal.SIGINT) -> tuple[int, str, str]:
        """(exit code, stdout, stderr), after a signal or by itself."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


def call(
    client: socket.socket, protocol: int, message: int, payload: bytes = b"", token: int = 1
) -> tuple[int, bytes]:
    """(status, rest) of one message; its response must have its very header."""
    header = token << 18 | protocol << 10 | message
    client.sendall(struct.pack("<II", 4 + len(payload), header) + payload)
    (size,) = struct.unpack("<I", client.recv(4, socket.MSG_WAITALL))
    body = client.recv(size, socket.MSG_WAITALL)
    assert size >= 8, body
    assert struct.unpack_from("<I", body)[0] == header
    return struct.unpack_from("<i", body, 4)[0], body[8:]


def test_an_outside_client_discovers_calls_and_is_denied(cluster: Cluster) -> None:
    cluster.up("--idle")
    attached = Attached(cluster)
    with attached.connect() as client:
        status, version = call(client, BASE, 0)
        assert (status, len(version)) == (SUCCESS, 4)
        status, found = call(client, BASE, 6, struct.pack("<I", 0), token=0x3FF)
        assert status == SUCCESS
        assert CLOCK in found[4 : 4 + struct.unpack_from("<I", found)[0]]
        status, agent = call(client, BASE, 7, struct.pack("<I", 0xFFFF_FFFF))
        assert (status, struct.unpack_from("<I", agent)[0]) == (SUCCESS, 3), "it is ivi's agent"
        status, rate = call(client, CLOCK, 6, struct.pack("<I", 5))
        assert (status, struct.unpack("<Q", rate)[0]) == (SUCCESS, 33_333_333)
        foreign = struct.pack("<IIQ", 0, 7, 50_000_000)
        assert call(client, CLOCK, 5, foreign) == (DENIED, b""), "clock 7 is tcu's"
        assert call(client, CLOCK, 0xEE)[0] < 0
    assert attached.end() == (0, "served 1 client, 6 messages, 0 bad frames\n", "")
    assert not attached.path.exists()
    eventually(lambda: calls(cluster, "ivi") >= 6, "the numbers of EL3")
    assert calls(cluster, "ivi") == 6


def calls(cluster: Cluster, domain: str) -> int:
    """How many messages of the domain's agent EL3 has answered."""
    return int(next(row["calls"] for row in cluster.status()["domains"] if row["name"] == domain))


def test_the_client_of_the_page(cluster: Cluster, folder: Path) -> None:
    cluster.up("--idle")
    attached = Attached(cluster, "--once")
    script = folder / "client.py"
    script.write_text(client_program(), encoding="utf-8")
    assert len(client_program().splitlines()) <= 20
    command = [sys.executable, "-I", str(script), str(attached.path), "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 33333333\n", "")
    assert attached.end(None) == (0, "served 1 client, 1 message, 0 bad frames\n", "")
    assert not attached.path.exists()


def test_a_call_without_an_answer(cluster: Cluster) -> None:
    cluster.up("--idle")
    attached = Attached(cluster)
    with attached.connect() as client:
        cluster.kill("ivi")
        eventually(lambda: "ivi" not in [row["name"] for row in cluster.status()["domains"]], "ivi is gone")
        client.sendall(struct.pack("<II", 4, 0x4000))
        assert client.recv(5, socket.MSG_WAITALL) == b"\1\0\0\0\1", "it surely did not happen"
        assert cluster.here("xl", "create", ROOT / "deploy/platforms/automotive/ivi.cfg").returncode == 0
        assert call(client, BASE, 0)[0] == SUCCESS, "the domain is back, and so is its channel"
        client.sendall(struct.pack("<I", 2))
        assert client.recv(1) == b""
    code, out, err = attached.end(signal.SIGTERM)
    assert (code, out) == (0, "served 1 client, 2 messages, 1 bad frame\n")
    assert [line.startswith("trapline: ") for line in err.splitlines()] == [True, True]
    assert "there is no domain 'ivi'" in err
    assert "a frame of 2 bytes" in err


@pytest.mark.parametrize("how", ["down", "killed"])
def test_the_socket_goes_with_the_platform(cluster: Cluster, how: str) -> None:
    cluster.up("--idle")
    attached = Attached(cluster)
    client = attached.connect()
    assert call(client, BASE, 0)[0] == SUCCESS
    if how == "down":
        assert cluster.here("down").returncode == 0
    else:
        assert cluster.supervisor is not None
        cluster.supervisor.kill()
    code, out, err = attached.end(None)
    assert (code, out) == (1, "served 1 client, 1 message, 0 bad frames\n")
    assert err == "trapline: the platform ended\n"
    assert not attached.path.exists()
    assert client.recv(1) == b""
    client.close()
    assert not alive(attached.process.pid)


def test_what_attach_refuses(cluster: Cluster, folder: Path) -> None:
    path = folder / "s"
    words = ("attach", "--socket", path)
    assert "no platform runs" in cluster.here(*words, "ivi").said
    cluster.up("--idle")
    assert (
        "there is no domain 'nobody'; there are dom0, cluster, ivi, tcu"
        in cluster.here(*words, "nobody").said
    )
    path.write_text("mine", encoding="utf-8")
    refused = cluster.here(*words, "ivi")
    assert (refused.returncode, f"--socket: {path}: there is something already" in refused.said) == (2, True)
    assert path.read_text(encoding="utf-8") == "mine"
