"""Who a peer of the ZeroMQ link is: what its link proves, never what it claims."""

import zmq
from zmq.utils import monitor, z85

from bus.links import XEN
from bus.links.zeromq import TOKEN_BYTES, public_key, routing_id

from .zeromq_bench import PATIENCE_S, Bench, Pair, deliveries, first, token


def test_on_ipc_an_identity_that_was_not_issued_is_no_known_peer(bench: Bench) -> None:
    ipc = Pair(bench, "ipc")
    guess = bench.raw(ROUTING_ID=b"xen")
    nameless = bench.raw()
    for socket in (guess, nameless):
        socket.connect(ipc.endpoint)
        socket.send_multipart([b"envelope", b"page"])
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
    for socket in (bench.raw(**options), bench.raw(**options, ROUTING_ID=thief)):
        socket.connect(tcp.endpoint)
        socket.send_multipart([b"envelope", b""])
    found = deliveries(tcp.router, lambda found: len(found) == 2)
    assert all(peer.startswith(b"?") for peer, _, _ in found)


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
