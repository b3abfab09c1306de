"""A real platform on tcp, and who is hostile on its network: refused, counted, and the others work on.

TRAPLINE_HOSTILE=long: 10,000 half-open connections, and ten seconds of junk. What is compared is measured
side by side: a victim's p99 with nobody there, with the same noise made at another port, and at Xen's.
"""

import base64
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
import zmq
from zmq.utils import z85

from bus import frames
from bus.links import XEN
from bus.links.porch import BUDGET, STRANGERS_MAX
from bus.links.zeromq import DealerLink, public_key, routing_id
from deploy.engines.local import Options
from deploy.keys.authority import create
from deploy.platform import Platform
from deploy.specs import tokens
from nodes.guest import console
from tests.system import metrics
from tests.system.local import Local, counter, pump_until

LONG: Final = os.environ.get("TRAPLINE_HOSTILE") == "long"
CROWD: Final = 10_000 if LONG else 4_000
JUNK_S: Final = 10.0 if LONG else 1.0
BASE_S: Final = 2.0 if LONG else 0.8
ROUNDS: Final = 4
PATIENCE_S: Final = 20.0
VERSION: Final = frames.PROTOCOL_VERSION
RATE: Final = console.Call(0x14, 0x6, (5).to_bytes(4, "little"))
HELLO: Final = frames.Hello(VERSION, 1, 1, "guest")


class Program:
    """One of ``tests.system.hostile``, ready."""

    def __init__(self, *words: object, told: Any = None) -> None:
        command = [sys.executable, "-m", "tests.system.hostile", *map(str, words)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if told is not None:
            self._say(json.dumps(told))
        self.greeting = self._hear()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def ask(self) -> Any:
        self._say("")
        return self._hear()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()


@contextmanager
def program(*words: object, told: Any = None) -> Iterator[Program]:
    made = Program(*words, told=told)
    try:
        yield made
    finally:
        made.close()


def place(platform: Platform) -> tuple[str, int]:
    host, _, port = platform.engine.endpoint.removeprefix("tcp://").rpartition(":")
    return host, int(port)


def refused(platform: Platform, cause: str) -> float:
    return metrics.value(
        platform.engine.children["xen"].facts["port"], "trapline_bus_dropped_total", cause=cause
    )


def hellos(platform: Platform) -> float:
    """How often somebody has said to Xen who it is."""
    port = platform.engine.children["xen"].facts["port"]
    return metrics.value(port, "trapline_bus_messages_total", kind="hello", direction="in")


def counted(platform: Platform, cause: str, least: float) -> None:
    """Wait until Xen has told so; it is not asked, for a scrape costs who is measured."""

    def told() -> bool:
        drops = counter(platform.engine.stats().get("xen", {}), "trapline_bus_dropped_total")
        return drops.get((cause,), 0) >= least

    pump_until(platform, told, f"{least} times {cause}")


def works(platform: Platform) -> None:
    assert platform.toolstack.ask("ivi", RATE).code == ""


def keys_of(platform: Platform) -> bytes:
    found = platform.engine._credentials.server_key
    assert found is not None
    return found


def intruder(platform: Platform) -> bytes:
    """The token of a domain that nobody plays."""
    engine = platform.engine
    domid = engine.domctl(frames.CreateDomain("intruder")).domid
    engine.domctl(frames.UnpauseDomain(domid))
    return next(one.link for one in platform.toolstack.list() if one.domid == domid)


def resources(platform: Platform) -> tuple[int, int]:
    """Descriptors and resident KiB of Xen's process."""
    pid = platform.engine.children["xen"].pid
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kib = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    return len(os.listdir(f"/proc/{pid}/fd")), kib


@pytest.fixture
def platform(local: Local) -> Platform:
    return local.start(Options(0))


# ---- who may not come -------------------------------------------------------------------------


def test_wrong_key_no_key_and_plain_text_are_refused_and_counted(platform: Platform) -> None:
    wrong = DealerLink(platform.engine.endpoint, next(tokens()), keys_of(platform))
    null = DealerLink(platform.engine.endpoint, platform.toolstack.find("ivi").link)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    plain = context.socket(zmq.DEALER)
    plain.setsockopt(zmq.PLAIN_USERNAME, b"xen")
    plain.setsockopt(zmq.PLAIN_PASSWORD, b"xen")
    plain.connect(platform.engine.endpoint)
    try:
        for link in (wrong, null):
            link.send(XEN, frames.encode(HELLO), b"")
        plain.send_multipart([frames.encode(HELLO), b""])
        counted(platform, "handshake", 3)
        for link in (wrong, null):
            link.set_timeout_ns(20_000_000)
            assert link.receive() is None
        assert not plain.poll(20)
        works(platform)
    finally:
        wrong.close()
        null.close()
        plain.close(linger=0)
        context.term()


class Relay:
    """A TCP relay that remembers what the client of its first connection said."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.said = bytearray()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"
        self._target = target
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        client, _ = self._listening.accept()
        with client, socket.create_connection(self._target) as server:
            while True:
                for one in select.select([client, server], [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    if one is client:
                        self.said += data
                    (server if one is client else client).sendall(data)

    def close(self) -> None:
        self._thread.join(PATIENCE_S)
        self._listening.close()


def test_a_recorded_handshake_opens_nothing_when_it_is_played_again(platform: Platform) -> None:
    token = intruder(platform)
    relay = Relay(place(platform))
    link = DealerLink(relay.endpoint, token, keys_of(platform))
    link.set_timeout_ns(int(PATIENCE_S * 1e9))
    link.send(XEN, frames.encode(HELLO), b"")
    assert link.receive() is not None, "the real one is welcome"
    link.close()
    relay.close()
    before = hellos(platform)
    refusals = refused(platform, "handshake")
    with socket.create_connection(place(platform)) as again, suppress(OSError):
        again.sendall(relay.said)
        again.settimeout(PATIENCE_S)
        heard = bytearray()
        while data := again.recv(65536):
            heard += data
        assert b"READY" not in heard
    counted(platform, "handshake", refusals + 1)
    works(platform)
    assert hellos(platform) == before


def test_a_guests_key_opens_no_other_domains_channel(platform: Platform) -> None:
    own, victim = intruder(platform), platform.toolstack.find("ivi")
    assert victim.smc_id is not None
    link = DealerLink(platform.engine.endpoint, own, keys_of(platform))
    link.set_timeout_ns(int(PATIENCE_S * 1e9))
    try:
        link.send(XEN, frames.encode(HELLO), b"")
        welcome = link.receive()
        assert welcome is not None
        told = frames.decode(welcome[1])
        assert isinstance(told, frames.Welcome)
        assert told.name == "intruder"
        registers = (victim.smc_id, 0, 0, 0, 0, 0, 0, 0)
        link.send(XEN, frames.encode(frames.Trap(VERSION, 2, 2, 0x17, 0, registers, 0x2200_1000)), bytes(128))
        answer = link.receive()
        assert answer is not None
        given = frames.decode(answer[1])
        assert isinstance(given, frames.Return)
        assert given.x[0] == 0xFFFF_FFFF_FFFF_FFFF
        link.send(XEN, frames.encode(frames.Console(VERSION, 3, 3, victim.domid, b"")), b"")
        denied = link.receive()
        assert denied is not None
        assert isinstance(frames.decode(denied[1]), frames.Error)
    finally:
        link.close()
    works(platform)


def test_a_guests_key_under_another_domains_name_is_nobodys(platform: Platform) -> None:
    own, victim = intruder(platform), platform.toolstack.find("ivi").link
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket_ = context.socket(zmq.DEALER)
    socket_.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(keys_of(platform)))
    socket_.setsockopt(zmq.CURVE_SECRETKEY, z85.encode(own))
    socket_.setsockopt(zmq.CURVE_PUBLICKEY, z85.encode(public_key(own)))
    socket_.setsockopt(zmq.ROUTING_ID, routing_id(victim)[:-1] + b"!")
    socket_.connect(platform.engine.endpoint)
    try:
        socket_.send_multipart([frames.encode(HELLO), b""])
        counted(platform, "unknown_link", 1)
        assert not socket_.poll(20)
        works(platform)
    finally:
        socket_.close(linger=0)
        context.term()


def test_a_stolen_key_is_refused_while_its_owner_is_there(platform: Platform) -> None:
    thief = DealerLink(platform.engine.endpoint, platform.toolstack.find("ivi").link, keys_of(platform))
    thief.set_timeout_ns(20_000_000)
    try:
        thief.send(XEN, frames.encode(HELLO), b"")
        counted(platform, "second_link", 1)
        assert thief.receive() is None
        works(platform)
    finally:
        thief.close()


def test_a_port_scan_of_everything_that_listens_breaks_nothing(platform: Platform) -> None:
    ports = [place(platform)[1], *(facts["port"] for facts in platform.engine.nodes().values())]
    before = resources(platform)[0]
    for port in ports:
        for word in (
            b"",
            b"\0",
            b"GET / HTTP/1.0\r\n\r\n",
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
            b"SSH-2.0-x\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port)) as one, suppress(OSError):
                one.sendall(word)
    counted(platform, "handshake", 5)
    works(platform)
    pump_until(platform, lambda: resources(platform)[0] <= before + 1, "all descriptors are given back")


# ---- floods, and who works beside them ---------------------------------------------------------


def p99(platform: Platform, victim: Program, seconds: float, cause: str = "") -> float:
    """Of a victim's calls during so long, and until somebody was refused for that ``cause``, microseconds.

    The supervisor does its usual work meanwhile.
    """
    victim.ask()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        platform.pump(0.05)
    if cause:
        counted(platform, cause, 1)
    told = victim.ask()
    assert told["calls"] > 20, told
    return float(told["p99"])


def flooded(
    platform: Platform, words: Callable[[tuple[str, int]], tuple[object, ...]], seconds: float
) -> None:
    """At most twice the victim's p99 of before, or of the same noise at another port: whichever is larger."""
    told = [intruder(platform).hex(), keys_of(platform).hex(), 0]
    rounds = []
    with program("victim", *[platform.engine.endpoint], told=told) as victim, program("sink") as sink:
        p99(platform, victim, 0.2)
        for _ in range(ROUNDS):
            quiet = p99(platform, victim, BASE_S)
            with program(*words(("127.0.0.1", sink.greeting))):
                beside = p99(platform, victim, BASE_S)
            with program(*words(place(platform))) as attacker:
                under = p99(platform, victim, seconds, "kept_out")
                said = attacker.ask()
            rounds.append({"quiet": quiet, "beside": beside, "under": under, **said})
            if under <= 2 * max(quiet, beside):
                break
    sys.stderr.write(f"{json.dumps(rounds)}\n")
    last = rounds[-1]
    assert last["under"] <= 2 * max(last["quiet"], last["beside"]), rounds


def test_half_open_connections_are_bounded_and_victims_work_on(platform: Platform) -> None:
    before, kib = resources(platform)
    peak: list[tuple[int, int]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            peak.append(resources(platform))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        flooded(platform, lambda where: ("crowd", *where, CROWD), BASE_S)
    finally:
        stop.set()
        watching.join()
    most, memory = max(one for one, _ in peak), max(one for _, one in peak)
    sys.stderr.write(f"descriptors {before} -> at most {most}; KiB {kib} -> at most {memory}\n")
    assert most <= before + STRANGERS_MAX + BUDGET, "what the kernel had accepted before the door closed, too"
    assert memory <= kib + 64 * 1024
    pump_until(platform, lambda: resources(platform)[0] <= before + 2, "all descriptors are given back")
    works(platform)


def test_junk_is_refused_and_victims_work_on(platform: Platform) -> None:
    before, kib = resources(platform)
    flooded(platform, lambda where: ("junk", *where), JUNK_S)
    assert refused(platform, "handshake") >= 1
    pump_until(platform, lambda: resources(platform)[0] <= before + 2, "all descriptors are given back")
    assert resources(platform)[1] <= kib + 64 * 1024
    works(platform)


# ---- secrets ----------------------------------------------------------------------------------


def test_no_secret_is_in_a_file_a_command_line_or_an_environment(local: Local, tmp_path: Path) -> None:
    keys = create(tmp_path / "keys", [("xen", "xen"), ("firmware", "firmware"), ("guest", "ivi")])
    platform = local.start(Options(0, keys=keys))
    works(platform)
    credentials = platform.engine._credentials
    assert credentials.secret == keys.node("xen", "xen")
    assert credentials.secret is not None
    secrets = [keys.secret, credentials.secret, keys.node("guest", "ivi"), *credentials.links]
    secrets += [credentials.firmware(1), *(info.link for info in platform.toolstack.list())]
    forms = [
        form for one in secrets for form in (one, one.hex().encode(), z85.encode(one), base64.b64encode(one))
    ]
    run = platform.run_directory.path
    told = {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert any(path.endswith("cluster.json") for path in told)
    with ExitStack() as stack:
        for node in platform.engine.nodes().values():
            for fact in ("cmdline", "environ"):
                path = f"/proc/{node['pid']}/{fact}"
                told[path] = stack.enter_context(open(path, "rb")).read()
            told[f"metrics of {node['pid']}"] = metrics.read(node["port"]).encode()
    assert [path for path, content in told.items() if any(form in content for form in forms)] == []
