"""Who a peer of the ZeroMQ link is: what its link proves, never what it claims."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
import zmq
from zmq.utils import monitor, z85

from bus.links import XEN, entrance
from bus.links.porch import BUDGET, STRANGERS_MAX
from bus.links.zeromq import TOKEN_BYTES, public_key, routing_id

from .zeromq_bench import PATIENCE_S, Bench, Pair, deliveries, first, token

SO_LOCK_FILTER = 44  # from then on the kernel refuses to attach one


def descriptors(but: int = 0) -> int:
    return len(os.listdir("/proc/self/fd")) - but


def wait(done: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not (reached := done()) and time.monotonic() < until:
        time.sleep(0.01)
    return reached


def test_on_ipc_an_identity_that_was_not_issued_is_no_known_peer(bench: Bench) -> None:
    ipc = Pair(bench, "ipc")
    guess = bench.raw(ROUTING_ID=b"xen")
    nameless = bench.raw()
    for one in (guess, nameless):
        one.connect(ipc.endpoint)
        one.send_multipart([b"envelope", b"page"])
    peers = [peer for peer, _, _ in deliveries(ipc.router, lambda found: len(found) == 2)]
    assert b"xen" in peers
    assert ipc.token not in peers
    assert {len(peer) for peer in peers} == {3, 5}


def test_on_ipc_the_second_of_a_name_is_not_heard(bench: Bench) -> None:
    ipc = Pair(bench, "ipc")
    ipc.dealer.send(XEN, b"the real one", b"")
    first(ipc.router)
    thief = ipc.raw(ipc.token)
    thief.send_multipart([b"stolen", b""])
    other, second = ipc.another()
    second.send(XEN, b"from another", b"")
    ipc.dealer.send(XEN, b"still here", b"")
    found = deliveries(ipc.router, lambda found: len(found) == 2)
    assert sorted(found) == sorted([(other, b"from another", b""), (ipc.token, b"still here", b"")])
    assert ipc.router.receive() is None


def test_on_tcp_a_key_that_was_not_issued_does_not_connect(bench: Bench) -> None:
    tcp = Pair(bench, "tcp")
    stranger = bench.dealer(tcp.endpoint, token(), tcp.server_key)
    stranger.send(XEN, b"let me in", b"")
    assert bench.refused.wait(PATIENCE_S)
    tcp.dealer.send(XEN, b"envelope", b"")
    assert first(tcp.router) == (tcp.token, b"envelope", b"")
    assert tcp.router.receive() is None


def test_on_tcp_a_key_connects_once_it_is_issued(bench: Bench) -> None:
    tcp = Pair(bench, "tcp")
    late = token()
    bench.dealer(tcp.endpoint, late, tcp.server_key).send(XEN, b"too early", b"")
    assert bench.refused.wait(PATIENCE_S)
    tcp.router.admit(late)
    bench.dealer(tcp.endpoint, late, tcp.server_key).send(XEN, b"in time", b"")
    assert (late, b"in time", b"") in deliveries(
        tcp.router, lambda found: any(envelope == b"in time" for _, envelope, _ in found)
    )


def test_on_tcp_nobody_connects_without_a_key(bench: Bench) -> None:
    tcp = Pair(bench, "tcp")
    plain = bench.raw(ROUTING_ID=routing_id(tcp.token))
    watch = plain.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_DISCONNECTED)
    plain.connect(tcp.endpoint)
    plain.send_multipart([b"envelope", b""])
    assert watch.poll(int(PATIENCE_S * 1000))
    assert monitor.recv_monitor_message(watch)["event"]
    plain.disable_monitor()
    watch.close()
    tcp.dealer.send(XEN, b"envelope", b"page")
    assert first(tcp.router) == (tcp.token, b"envelope", b"page")


def test_on_tcp_nobody_is_taken_for_another(bench: Bench) -> None:
    tcp = Pair(bench, "tcp")
    victim, thief = token(), token()
    tcp.router.admit(victim)
    tcp.router.admit(thief)
    assert tcp.server_key is not None
    socket = bench.raw(
        CURVE_SERVERKEY=z85.encode(tcp.server_key),
        CURVE_SECRETKEY=z85.encode(thief),
        CURVE_PUBLICKEY=z85.encode(public_key(thief)),
        ROUTING_ID=routing_id(victim),
    )
    socket.connect(tcp.endpoint)
    socket.send_multipart([b"I am the victim", b""])
    peer, envelope, _ = first(tcp.router)
    assert envelope == b"I am the victim"
    assert peer not in (victim, thief, tcp.token)
    assert not tcp.router.send(peer, b"answer", b"")


def test_on_tcp_a_name_of_ones_own_choice_is_unknown(bench: Bench) -> None:
    tcp = Pair(bench, "tcp")
    thief = token()
    tcp.router.admit(thief)
    assert tcp.server_key is not None
    options = {
        "CURVE_SERVERKEY": z85.encode(tcp.server_key),
        "CURVE_SECRETKEY": z85.encode(thief),
        "CURVE_PUBLICKEY": z85.encode(public_key(thief)),
    }
    for one in (bench.raw(**options), bench.raw(**options, ROUTING_ID=thief)):
        one.connect(tcp.endpoint)
        one.send_multipart([b"envelope", b""])
    found = deliveries(tcp.router, lambda found: len(found) == 2)
    assert all(peer.startswith(b"?") for peer, _, _ in found)


def test_on_tcp_the_second_of_a_key_is_refused_and_comes_in_when_the_first_is_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrance, "HANDSHAKE_MS", 300)
    tcp = Pair(bench, "tcp")
    tcp.dealer.send(XEN, b"the real one", b"")
    first(tcp.router)
    thief = tcp.raw(tcp.token)
    thief.send_multipart([b"stolen", b""])
    assert bench.counted("second_link")
    assert tcp.router.send(tcp.token, b"for the real one", b"")
    assert tcp.dealer.receive() == (XEN, b"for the real one", b"")
    tcp.dealer.send(XEN, b"still here", b"")
    assert first(tcp.router) == (tcp.token, b"still here", b"")
    bench.shut(tcp.dealer)
    assert first(tcp.router) == (tcp.token, b"stolen", b"")
    assert not bench.counts["handshake"]


def test_on_tcp_who_was_dismissed_is_nobody_and_does_not_connect_again(bench: Bench) -> None:
    tcp = Pair(bench, "tcp")
    tcp.dealer.send(XEN, b"before", b"")
    assert first(tcp.router)[0] == tcp.token
    tcp.router.dismiss(tcp.token)
    tcp.dealer.send(XEN, b"after", b"")
    assert first(tcp.router)[0] == tcp.token, "a connection that is there: the core knows no such link"
    bench.shut(tcp.dealer)
    again = bench.dealer(tcp.endpoint, tcp.token, tcp.server_key)
    again.send(XEN, b"again", b"")
    assert wait(bench.refused.is_set)
    tcp.router.dismiss(tcp.token)


def test_on_tcp_the_newest_of_those_that_said_nothing_is_heard(bench: Bench) -> None:
    tcp = Pair(bench, "tcp")
    porch = bench.porch(tcp.router)
    assert wait(lambda: porch.shaken_hands == 1)
    newest = bench.dealer(tcp.endpoint, tcp.token, tcp.server_key)
    newest.send(XEN, b"hello", b"")
    assert first(tcp.router)[:2] == (tcp.token, b"hello")


def test_on_tcp_a_second_connection_cannot_choose_a_name_with_its_next_message(bench: Bench) -> None:
    tcp = Pair(bench, "tcp")
    victim, _ = tcp.another()
    assert wait(lambda: bench.porch(tcp.router).shaken_hands == 2)
    thief = tcp.raw(tcp.token)
    for _ in range(3):
        thief.send_multipart([routing_id(victim), b"page"])
    assert first(tcp.router)[0] != victim
    assert all(peer != victim for peer, _, _ in deliveries(tcp.router, lambda found: len(found) == 2))


def test_on_tcp_strangers_are_counted_and_leave_no_descriptor(bench: Bench) -> None:
    tcp = Pair(bench, "tcp")
    tcp.dealer.send(XEN, b"hello", b"")
    first(tcp.router)
    before = descriptors()
    host, _, port = tcp.endpoint.removeprefix("tcp://").rpartition(":")
    for word in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(60)):
        with socket.create_connection((host, int(port))) as stranger, suppress(OSError):
            stranger.sendall(word)
            stranger.shutdown(socket.SHUT_WR)
            stranger.settimeout(PATIENCE_S)
            while stranger.recv(4096):
                pass
    assert bench.counted("handshake", 3)
    assert bench.counts == {"handshake": 3}
    assert wait(lambda: descriptors() == before)


def test_on_tcp_a_crowd_of_strangers_is_kept_out_and_goes_and_peers_do_not_notice(bench: Bench) -> None:
    tcp = Pair(bench, "tcp")
    tcp.dealer.send(XEN, b"hello", b"")
    first(tcp.router)
    before = descriptors()
    host, _, port = tcp.endpoint.removeprefix("tcp://").rpartition(":")
    crowd: list[socket.socket] = []
    try:
        for _ in range(2 * BUDGET):
            one = socket.socket()
            crowd.append(one)
            one.bind(("127.0.0.2", 0))
            one.setblocking(False)
            one.connect_ex((host, int(port)))
        assert bench.counted("kept_out"), bench.counts
        assert wait(lambda: descriptors(but=len(crowd)) <= before + STRANGERS_MAX)
        tcp.dealer.send(XEN, b"still here", b"")
        assert first(tcp.router) == (tcp.token, b"still here", b"")
        elsewhere, dealer = tcp.another()
        dealer.send(XEN, b"from another address", b"")
        assert first(tcp.router) == (elsewhere, b"from another address", b"")
    finally:
        for one in crowd:
            one.close()
    assert wait(lambda: descriptors() <= before + 16)  # the other dealer, and its connection


def test_on_tcp_a_kernel_that_keeps_nobody_out_still_lets_peers_in(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrance, "STRANGERS_MAX", 16)
    tcp = Pair(bench, "tcp")
    door = tcp.router._entrance
    assert door is not None
    assert door._listening is not None
    door._listening.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)
    host, _, port = tcp.endpoint.removeprefix("tcp://").rpartition(":")
    crowd = [socket.create_connection((host, int(port))) for _ in range(32)]
    assert bench.counted("crowd", 16)
    elsewhere, dealer = tcp.another()
    dealer.send(XEN, b"let me in", b"")
    assert (elsewhere, b"let me in", b"") in deliveries(tcp.router, lambda found: len(found) == 1)
    assert not bench.counts["kept_out"]
    for one in crowd:
        one.close()


def test_a_routing_id_never_starts_with_a_zero() -> None:
    for _ in range(20):
        identity = token()
        assert routing_id(identity)[0] == ord("R")
        assert len(routing_id(identity)) == TOKEN_BYTES


def test_a_routing_id_cannot_be_told_from_the_public_key() -> None:
    identity = token()
    assert public_key(identity) not in routing_id(identity)
    assert identity[:8] not in routing_id(identity)
    assert routing_id(identity) == routing_id(identity) != routing_id(token())
