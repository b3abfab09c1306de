"""Junk of many shapes at every socket of a platform: counted, dropped, never the end of a node."""

import random
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from bus import frames
from deploy import control
from deploy.errors import UserError
from deploy.rundir import RunDirectory
from tests.system import metrics
from tests.system.cluster import Cluster
from tests.system.processes import eventually

PACK = msgspec.msgpack.encode
DEEP = b"\x91" * 50_000 + b"\xc0"
GOOD = frames.encode(frames.Hello(frames.PROTOCOL_VERSION, 0, 0, "guest"))
TRAP = PACK([3, 1, 1, 1, 0x17, 0, [0] * 8, 0])

ENVELOPES: tuple[bytes, ...] = (
    b"",
    b"\0",
    b"\xc1",
    b"GET / HTTP/1.1\r\n\r\n",
    DEEP,
    PACK([]),
    PACK([99, 1, 0, 0]),
    PACK([1, 2, 0, 0, "guest"]),
    PACK([1, 1, -1, 0, "guest"]),
    PACK([1, 1, 1 << 63, 0, "x" * 65]),
    PACK([1, 1, 0, 0, "guest", 0]),
    PACK([1, 1, 0, 0, b"guest"]),
    PACK([3, 1, 1, 1, 0x17, 0, [0] * 7, 0]),
    PACK([3, 1, 1, 1, 0x17, 0, [0.5] * 8, 0]),
    PACK({"kind": 1}),
    GOOD + b"\0",
    GOOD[:-1],
    b"\x95\x01\x01\x00\x00\xa1\xff",
    b"\xdd\xff\xff\xff\xff",
    bytes(65_537),
)
MESSAGES: tuple[list[bytes], ...] = (
    *([envelope, b""] for envelope in ENVELOPES),
    [GOOD],
    [GOOD, b"", b""],
    [GOOD] * 40,
    [GOOD, bytes(4097)],
    [TRAP, bytes(60_000)],
)
TO_CONTROL: tuple[list[bytes], ...] = (
    [b""],
    [b"", b"", b""],
    *([b"", body] for body in ENVELOPES),
    [b"", b"\x82\xa4type\xa6status\xa1x" + DEEP],
    [b"", PACK({"type": "call", "name": "ivi", "protocol_id": 1 << 63, "message_id": -1, "payload": b""})],
    [b"", PACK({"type": "call", "name": "ivi", "protocol_id": 0x10, "message_id": 300, "payload": b""})],
    [
        b"",
        PACK({"type": "call", "name": "ivi", "protocol_id": 16, "message_id": 0, "payload": bytes(9000)}),
    ],
    [b"", PACK({"type": "trap", "name": "ivi", "ec": -1, "immediate": 0, "x": [0] * 8})],
    [b"", PACK({"type": "trap", "name": "ivi", "ec": 1 << 40, "immediate": 0, "x": [0] * 8})],
    [b"", PACK({"type": "trap", "name": "ivi", "ec": 0x17, "immediate": 0, "x": [0]})],
    [b"", PACK({"type": "create", "config": "\0"})],
    [b"", PACK({"type": "create", "config": "/dev/zero"})],
    [b"", PACK({"type": "create", "config": "x" * 5000})],
    [b"", PACK({"type": "destroy", "name": "x" * 5000})],
    [b"", PACK({"type": "kill", "node": "nobody", "signal": "KILL"})],
    [b"", PACK({"type": "nothing"})],
)
TO_METRICS = (
    b"\0" * 100,
    b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/9.9\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    b"GET /metrics?name[]=\xff HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /metrics HTTP/1.1\r\n",
)


def raw_bytes() -> Iterator[bytes]:
    """What a client sends that is not even ZeroMQ."""
    source = random.Random(7)
    yield b""
    yield b"GET / HTTP/1.0\r\n\r\n"
    yield b"\xff" + b"\0" * 8 + b"\x7f" + b"\3\0NULL" + b"\0" * 48 + b"\xff" * 64
    for _ in range(10):
        yield source.randbytes(source.randrange(1, 4000))


def throw(address: Any, content: bytes, *, reset: bool = False) -> None:
    """Send bytes to a Unix path or to a local port; ``reset`` breaks the connection off at once."""
    unix = isinstance(address, Path)
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as stream, suppress(OSError):
        stream.settimeout(10)
        stream.connect(str(address) if unix else ("127.0.0.1", address))
        if reset and not unix:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.sendall(content)
        if not reset and not unix:
            stream.shutdown(socket.SHUT_WR)
            while stream.recv(65_536):
                pass


def throw_messages(path: Path, kind: int, messages: tuple[list[bytes], ...], answers: int = 0) -> None:
    """Send ZeroMQ messages from one peer, each by itself, and wait for so many answers."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    link = context.socket(kind)
    link.setsockopt(zmq.LINGER, 500)
    link.connect(f"ipc://{path}")
    try:
        for message in messages:
            link.send_multipart(message)
        for _ in range(answers):
            assert link.poll(20_000), "no answer"
            link.recv_multipart()
    finally:
        context.destroy()


@pytest.fixture
def quiet(cluster: Cluster) -> Iterator[Cluster]:
    """A running platform that must not have said a word on stderr, and must end with exit code 0."""
    cluster.up("--idle")
    yield cluster
    assert cluster.works()
    assert cluster.here("down").returncode == 0
    done = cluster.ended()
    assert (done.returncode, done.stderr) == (0, "")


def test_xens_socket(quiet: Cluster) -> None:
    port = quiet.status()["nodes"]["xen"]["port"]
    throw_messages(quiet.run / "xen.sock", zmq.DEALER, MESSAGES)
    eventually(
        lambda: metrics.value(port, "trapline_bus_dropped_total", cause="malformed") == len(MESSAGES),
        "every message counted",
    )
    for content in raw_bytes():
        throw(quiet.run / "xen.sock", content)
    throw_messages(quiet.run / "xen.sock", zmq.DEALER, ([GOOD, b""],), answers=1)
    throw_messages(quiet.run / "xen.sock", zmq.PUSH, ([GOOD, b""],))
    throw_messages(quiet.run / "xen.sock", zmq.DEALER, ([bytes(200_000), b""],))


def test_the_control_socket(quiet: Cluster) -> None:
    for content in raw_bytes():
        throw(quiet.run / "control.sock", content)
    answered = sum(len(message) == 2 for message in TO_CONTROL)
    throw_messages(quiet.run / "control.sock", zmq.DEALER, TO_CONTROL, answers=answered)
    with pytest.raises(UserError, match="not a request"):
        control.ask(RunDirectory(quiet.run), 17)  # type: ignore[arg-type]


def test_the_metrics_ports(quiet: Cluster) -> None:
    nodes = quiet.status()["nodes"]
    for facts in (nodes["xen"], nodes["ivi"], nodes["supervisor"]):
        for content in (*TO_METRICS, *raw_bytes()):
            throw(facts["port"], content)
            throw(facts["port"], content, reset=True)
        assert "trapline_build_info" in metrics.read(facts["port"])


def test_junk_while_guests_work(cluster: Cluster) -> None:
    cluster.up("--pause-ms", "1")
    port = cluster.status()["nodes"]["xen"]["port"]
    before = metrics.value(port, "trapline_smc_traps_total", verdict="forwarded")
    for _ in range(20):
        throw_messages(cluster.run / "xen.sock", zmq.DEALER, MESSAGES)
    eventually(
        lambda: metrics.value(port, "trapline_smc_traps_total", verdict="forwarded") > before, "more calls"
    )
    assert cluster.works()
    rows = cluster.status()["domains"]
    assert sum(row["errors"] for row in rows) == 0
