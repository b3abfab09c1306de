"""The simulated network: order between two nodes, equal seeds, bounds, and ends that come and go."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bus.links import XEN, Delivery
from bus.links.simulated import HOP_NS, JITTER_NS, QUEUE_MESSAGES, Network

NAMES = (XEN, b"firmware", b"guest")
POSTS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=60)


def delivered(network: Network) -> list[tuple[int, bytes, Delivery]]:
    """(time, receiver, delivery) of everything under way."""
    found = []
    while (due := network.next()) is not None:
        end, delivery = due
        found.append((network.now_ns, end.identity, delivery))
    return found


def played(seed: int, posts: list[tuple[bytes, bytes]]) -> list[tuple[int, bytes, Delivery]]:
    network = Network(seed)
    ends = {name: network.open(name) for name in NAMES}
    for number, (sender, receiver) in enumerate(posts):
        assert ends[sender].send(receiver, b"%d" % number, b"page")
    return delivered(network)


@given(st.integers(0, 1 << 32), POSTS)
def test_everything_arrives_once_in_order_between_two_nodes(
    seed: int, posts: list[tuple[bytes, bytes]]
) -> None:
    found = played(seed, posts)
    assert len(found) == len(posts)
    for way in set(posts):
        sent = [b"%d" % number for number, one in enumerate(posts) if one == way]
        got = [envelope for _, to, (sender, envelope, _) in found if (sender, to) == way]
        assert got == sent
    assert all(before[0] <= after[0] for before, after in pairwise(found))
    assert all(HOP_NS <= at_ns < HOP_NS + JITTER_NS for at_ns, _, _ in found)


@given(st.integers(0, 1 << 32), POSTS)
def test_equal_seeds_give_equal_deliveries(seed: int, posts: list[tuple[bytes, bytes]]) -> None:
    assert played(seed, posts) == played(seed, posts)


def test_another_seed_gives_another_order() -> None:
    posts = [(XEN, b"guest"), (b"guest", XEN), (XEN, b"firmware"), (b"firmware", XEN)] * 5
    orders = {tuple(delivery[1] for _, _, delivery in played(seed, posts)) for seed in range(10)}
    assert len(orders) > 1


def test_a_later_message_does_not_overtake_an_earlier_one() -> None:
    network = Network(0, hop_ns=10, jitter_ns=1_000_000)
    sender, _ = network.open(XEN), network.open(b"guest")
    for number in range(200):
        sender.send(b"guest", b"%d" % number, b"")
    assert [delivery[1] for _, _, delivery in delivered(network)] == [b"%d" % n for n in range(200)]


def test_time_moves_to_each_delivery_and_never_back() -> None:
    network = Network(1)
    sender, _ = network.open(XEN), network.open(b"guest")
    assert network.next_ns() is None
    assert network.next() is None
    sender.send(b"guest", b"one", b"")
    due_ns = network.next_ns()
    assert due_ns is not None
    network.now_ns = due_ns + 5
    assert network.next() is not None
    assert network.now_ns == due_ns + 5


def test_nobody_and_a_closed_end_refuse() -> None:
    network = Network(0)
    sender, receiver = network.open(XEN), network.open(b"guest")
    assert not sender.send(b"nobody", b"envelope", b"")
    receiver.close()
    assert not sender.send(b"guest", b"envelope", b"")


def test_what_is_under_way_to_a_closed_end_is_lost() -> None:
    network = Network(0)
    sender, receiver = network.open(XEN), network.open(b"guest")
    sender.send(b"guest", b"lost", b"")
    receiver.close()
    assert network.next() is None


def test_a_new_end_does_not_get_the_mail_of_the_old_one() -> None:
    network = Network(0)
    sender, old = network.open(XEN), network.open(b"guest")
    sender.send(b"guest", b"for the old one", b"")
    old.close()
    new = network.open(b"guest")
    sender.send(b"guest", b"for the new one", b"")
    assert network.next() == (new, (XEN, b"for the new one", b""))
    assert network.next() is None


def test_closing_an_old_end_leaves_the_new_one_open() -> None:
    network = Network(0)
    sender, old = network.open(XEN), network.open(b"guest")
    new = network.open(b"guest")
    old.close()
    old.close()
    assert sender.send(b"guest", b"envelope", b"")
    assert network.next() == (new, (XEN, b"envelope", b""))


def test_a_full_queue_refuses_its_sender_until_something_was_taken() -> None:
    network = Network(0)
    sender, _, other = network.open(XEN), network.open(b"guest"), network.open(b"firmware")
    for _ in range(QUEUE_MESSAGES):
        assert sender.send(b"guest", b"envelope", b"")
    assert not sender.send(b"guest", b"one too many", b"")
    assert other.send(b"guest", b"of somebody else", b"")
    assert other.send(XEN, b"another queue", b"")
    while (due := network.next()) is not None and due[1][0] != XEN:
        pass
    assert sender.send(b"guest", b"room again", b"")
    assert not sender.send(b"guest", b"one too many", b"")


def test_an_end_hands_out_what_was_put_there() -> None:
    end = Network(0).open(b"guest")
    end.set_timeout_ns(None)
    assert end.receive() is None
    end.put((XEN, b"one", b""))
    end.put((XEN, b"two", b"page"))
    assert [end.receive(), end.receive(), end.receive()] == [(XEN, b"one", b""), (XEN, b"two", b"page"), None]
