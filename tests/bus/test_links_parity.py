"""A rule means the same on both links: the n-th message of a way meets the same fate."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import frames
from bus.faults import EVERY, Rule
from bus.links import XEN, Delivery
from bus.links.faulty import FaultyLink
from bus.links.simulated import Network

NAMES = {XEN: "xen", b"firmware": "firmware", b"i" * 32: "ivi", b"t" * 32: "tcu"}
KINDS = {
    "trap": frames.encode(frames.Trap(1, 1, 1, 0x17, 0, (0,) * 8, 0)),
    "return": frames.encode(frames.Return(1, 1, 1, (0, 0, 0, 0))),
    "smc": frames.encode(frames.Smc(1, 1, 1, (0,) * 8, 0)),
}
NODES = st.sampled_from([*NAMES.values(), EVERY])
RULES = st.builds(
    Rule,
    st.integers(1, 9),
    st.sampled_from(["delay", "lose", "duplicate", "reorder", "partition"]),
    NODES,
    NODES,
    st.frozensets(st.sampled_from(sorted(KINDS)), max_size=2),
    st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    st.integers(0, 3_000_000),
    st.integers(0, 3_000_000),
    st.integers(0, 1 << 32),
)
ENDS = st.sampled_from(sorted(NAMES))
POSTS = st.lists(st.tuples(ENDS, ENDS, st.sampled_from(sorted(KINDS))), max_size=40)
Arrivals = Counter[tuple[bytes, bytes, bytes]]


class Wire:
    """A link whose messages are kept; time passes when somebody waits."""

    def __init__(self, sender: bytes, arrived: Arrivals) -> None:
        self.now_ns = 0
        self._timeout_ns = 1
        self._sender = sender
        self._arrived = arrived

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        self._arrived[self._sender, peer, page] += 1
        return True

    def receive(self) -> Delivery | None:
        self.now_ns += self._timeout_ns
        return None

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        self._timeout_ns = timeout_ns or 1

    def close(self) -> None:
        pass


def on_sockets(rules: list[Rule], posts: list[tuple[bytes, bytes, str]]) -> tuple[Arrivals, dict[int, int]]:
    arrived: Arrivals = Counter()
    wires = {name: Wire(name, arrived) for name in NAMES}
    links = {
        name: FaultyLink(wire, NAMES[name], lambda peer: NAMES[peer], clock=lambda wire=wire: wire.now_ns)
        for name, wire in wires.items()
    }
    for link in links.values():
        link.obey(rules)
        link.set_timeout_ns(60_000_000)
    for number, (sender, receiver, kind) in enumerate(posts):
        assert links[sender].send(receiver, KINDS[kind], b"%d" % number)
    for link in links.values():
        link.receive()
    return arrived, dict(sum((Counter(link.applied) for link in links.values()), Counter()))


def on_virtual_time(
    rules: list[Rule], posts: list[tuple[bytes, bytes, str]]
) -> tuple[Arrivals, dict[int, int]]:
    network = Network(0)
    ends = {name: network.open(name, NAMES[name]) for name in NAMES}
    network.obey(rules)
    for number, (sender, receiver, kind) in enumerate(posts):
        assert ends[sender].send(receiver, KINDS[kind], b"%d" % number)
    arrived: Arrivals = Counter()
    while (due := network.next()) is not None:
        end, (sender, _, page) = due
        arrived[sender, end.identity, page] += 1
    return arrived, {number: count for number, count in network.applied.items() if count}


@settings(max_examples=150, deadline=None)
@given(st.lists(RULES, max_size=4, unique_by=lambda rule: rule.number), POSTS)
def test_both_links_give_each_message_the_same_fate(
    rules: list[Rule], posts: list[tuple[bytes, bytes, str]]
) -> None:
    assert on_sockets(rules, posts) == on_virtual_time(rules, posts)


@pytest.mark.parametrize("action", ["lose", "duplicate"])
def test_fates_differ_from_message_to_message(action: str) -> None:
    rule = Rule(1, action, likelihood=0.5, seed=4)  # type: ignore[arg-type]
    arrived, _ = on_sockets([rule], [(XEN, b"firmware", "smc")] * 40)
    assert len({arrived[XEN, b"firmware", b"%d" % number] for number in range(40)}) == 2
