"""A real platform on tcp, and who is hostile on its network: refused, counted, and the others work on."""

import select
import socket
import threading
from contextlib import suppress

import pytest
import zmq
from zmq.utils import z85

from bus import frames
from bus.links import XEN
from bus.links.zeromq import DealerLink, public_key, routing_id
from deploy.engines.local import Options
from deploy.platform import Platform
from deploy.specs import tokens
from tests.system import metrics
from tests.system.door import HELLO, VERSION, counted, intruder, keys_of, place, refused, resources, works
from tests.system.local import Local, pump_until
from tests.system.processes import PATIENCE_S


@pytest.fixture
def platform(local: Local) -> Platform:
    return local.start(Options(0))


def hellos(platform: Platform) -> float:
    """How often somebody has said to Xen who it is."""
    port = platform.engine.children["xen"].facts["port"]
    return metrics.value(port, "trapline_bus_messages_total", kind="hello", direction="in")


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
