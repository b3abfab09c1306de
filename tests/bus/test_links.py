"""The ZeroMQ link, on ipc and on tcp with CURVE: messages both ways, malformed ones, opening and closing."""

import secrets
import threading
import time

import pytest
import zmq

from bus.frames import ENVELOPE_BYTES_MAX, PAGE_FRAME_BYTES_MAX
from bus.links import XEN, LinkError
from bus.links.zeromq import IPC_PATH_BYTES_MAX, QUEUE_MESSAGES, TOKEN_BYTES, check_ipc_path

from .zeromq_bench import PATIENCE_S, SECOND_NS, TCP, Bench, Pair, deliveries, first, token

# ---- delivery ---------------------------------------------------------------------------------


def test_both_ways_byte_for_byte(pair: Pair) -> None:
    assert pair.dealer.send(XEN, b"envelope", b"page")
    assert first(pair.router) == (pair.token, b"envelope", b"page")
    assert pair.router.send(pair.token, b"answer", b"")
    assert pair.dealer.receive() == (XEN, b"answer", b"")


def test_frames_of_the_largest_size_and_of_none(pair: Pair) -> None:
    envelope, page = bytes(ENVELOPE_BYTES_MAX), secrets.token_bytes(PAGE_FRAME_BYTES_MAX)
    assert pair.dealer.send(XEN, envelope, page)
    assert pair.dealer.send(XEN, b"", b"")
    assert deliveries(pair.router, lambda found: len(found) == 2) == [
        (pair.token, envelope, page),
        (pair.token, b"", b""),
    ]
    assert pair.router.send(pair.token, envelope, page)
    assert pair.dealer.receive() == (XEN, envelope, page)


def test_messages_keep_their_order_and_their_sender(pair: Pair) -> None:
    other, second = pair.another()
    for number in range(50):
        assert pair.dealer.send(XEN, b"%d" % number, b"")
        assert second.send(XEN, b"%d" % number, b"page")
    found = deliveries(pair.router, lambda found: len(found) == 100)
    for sender in (pair.token, other):
        assert [envelope for peer, envelope, _ in found if peer == sender] == [b"%d" % n for n in range(50)]


def test_nothing_there_is_none_after_the_timeout(pair: Pair) -> None:
    pair.router.set_timeout_ns(1)
    pair.dealer.set_timeout_ns(SECOND_NS // 1000)
    assert pair.router.receive() is None
    assert pair.dealer.receive() is None


def test_what_is_sent_to_nobody_is_refused(pair: Pair) -> None:
    assert not pair.router.send(token(), b"envelope", b"page")
    assert not pair.router.send(b"?", b"envelope", b"page")
    assert pair.dealer.send(XEN, b"envelope", b"")
    assert first(pair.router)[0] == pair.token


def test_a_peer_that_went_is_refused_after_a_while(pair: Pair) -> None:
    pair.dealer.send(XEN, b"here", b"")
    first(pair.router)
    pair.bench.shut(pair.dealer)
    until = time.monotonic() + PATIENCE_S
    while pair.router.send(pair.token, b"still there?", b""):
        assert time.monotonic() < until
        pair.router.receive()


def test_a_peer_that_came_back_is_the_same_peer(pair: Pair) -> None:
    pair.dealer.send(XEN, b"before", b"")
    first(pair.router)
    pair.bench.shut(pair.dealer)
    again = pair.bench.dealer(pair.endpoint, pair.token, pair.server_key)
    again.send(XEN, b"after", b"")
    assert first(pair.router) == (pair.token, b"after", b"")
    assert pair.router.send(pair.token, b"answer", b"")
    assert again.receive() == (XEN, b"answer", b"")


def test_beyond_the_queue_a_message_is_refused_and_none_is_lost(pair: Pair) -> None:
    pair.dealer.send(XEN, b"here", b"")
    first(pair.router)
    page = bytes(PAGE_FRAME_BYTES_MAX)
    accepted = 0
    while pair.router.send(pair.token, b"%d" % accepted, page):
        accepted += 1
        assert accepted < 100 * QUEUE_MESSAGES
    assert accepted >= QUEUE_MESSAGES
    for number in range(accepted):
        assert pair.dealer.receive() == (XEN, b"%d" % number, page)
    pair.dealer.set_timeout_ns(1)
    assert pair.dealer.receive() is None


def test_a_dealer_with_no_xen_refuses_beyond_its_queue(bench: Bench) -> None:
    alone = bench.dealer(f"ipc://{bench.folder}/nobody.sock", token())
    accepted = 0
    while alone.send(XEN, b"envelope", b"page"):
        accepted += 1
        assert accepted <= QUEUE_MESSAGES
    assert accepted == QUEUE_MESSAGES


# ---- malformed messages -----------------------------------------------------------------------

MALFORMED = {
    "one frame": ([b"alone"], "a message without a page frame"),
    "no bytes at all": ([b""], "a message without a page frame"),
    "three frames": ([b"one", b"two", b"three"], "a message of more than two frames"),
    "many frames": ([b""] * 40, "a message of more than two frames"),
    "a long page": ([b"one", bytes(PAGE_FRAME_BYTES_MAX + 1)], "a page frame of 4097 bytes"),
}


@pytest.mark.parametrize(("parts", "report"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_message_is_reported_and_others_stay_in_step(
    pair: Pair, parts: list[bytes], report: str
) -> None:
    hostile = pair.raw(token())
    for number in range(20):
        hostile.send_multipart(parts)
        pair.dealer.send(XEN, b"envelope %d" % number, b"page %d" % number)
    found = deliveries(pair.router, lambda found: len(found) == 20 and len(pair.bench.reports) == 20)
    assert found == [(pair.token, b"envelope %d" % n, b"page %d" % n) for n in range(20)]
    assert set(pair.bench.reports) == {report}


def test_a_malformed_sender_may_get_it_right_next_time(pair: Pair) -> None:
    identity = token()
    hostile = pair.raw(identity)
    hostile.send_multipart([b"alone"])
    hostile.send_multipart([b"envelope", b"page"])
    hostile.send_multipart([b"1", b"2", b"3"])
    hostile.send_multipart([b"envelope", b""])
    found = deliveries(pair.router, lambda found: len(found) == 2)
    assert found == [(identity, b"envelope", b"page"), (identity, b"envelope", b"")]
    assert len(pair.bench.reports) == 2


def test_a_frame_beyond_all_bounds_costs_its_sender_the_connection(pair: Pair) -> None:
    hostile = pair.raw(token())
    watch = hostile.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    hostile.send_multipart([bytes(ENVELOPE_BYTES_MAX + PAGE_FRAME_BYTES_MAX + 1), b""])
    assert watch.poll(int(PATIENCE_S * 1000))
    hostile.disable_monitor()
    watch.close()
    pair.dealer.send(XEN, b"envelope", b"page")
    assert first(pair.router) == (pair.token, b"envelope", b"page")
    assert pair.bench.reports == []


# ---- opening and closing ----------------------------------------------------------------------


def test_a_socket_path_too_long_is_refused(bench: Bench) -> None:
    longest = "x" * IPC_PATH_BYTES_MAX
    check_ipc_path(longest)
    with pytest.raises(LinkError, match="choose a shorter run directory"):
        check_ipc_path(longest + "x")
    with pytest.raises(LinkError, match="the socket path has 113 bytes, the kernel takes 107"):
        bench.router(f"ipc:///tmp/{'é' * 54}")


def test_the_longest_socket_path_works(bench: Bench) -> None:
    room = IPC_PATH_BYTES_MAX - len(str(bench.folder)) - 1
    endpoint = f"ipc://{bench.folder}/{'x' * room}"
    bench.router(endpoint)
    assert (bench.folder / ("x" * room)).is_socket()


def test_a_port_that_is_taken_is_refused(bench: Bench) -> None:
    taken = bench.router(TCP).endpoints[0]
    with pytest.raises(LinkError, match=rf"{taken}: cannot listen there: .*; choose another"):
        bench.router(taken)


def test_a_folder_that_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(LinkError, match="cannot listen there"):
        bench.router(f"ipc://{bench.folder}/missing/xen.sock")


def test_a_refused_link_with_curve_leaves_nothing_open(bench: Bench) -> None:
    taken = bench.router(TCP).endpoints[0]
    before = threading.active_count()
    with pytest.raises(LinkError):
        bench.router(taken, secrets.token_bytes(TOKEN_BYTES))
    assert threading.active_count() == before


def test_the_socket_is_the_owners_alone_and_goes_with_the_link(bench: Bench) -> None:
    link = bench.router(f"ipc://{bench.folder}/xen.sock")
    path = bench.folder / "xen.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    bench.shut(link)
    assert not path.exists()


def test_the_system_chooses_the_port(bench: Bench) -> None:
    one, two = bench.router(TCP), bench.router(TCP)
    ports = {int(link.endpoints[0].rpartition(":")[2]) for link in (one, two)}
    assert len(ports) == 2
    assert 0 not in ports
