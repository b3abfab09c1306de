"""A link that obeys rules: the fate of each message, order, bounds, and no detour without rules."""

from collections.abc import Sequence

import pytest

from bus import frames
from bus.faults import Rule, Way
from bus.links import XEN, Delivery
from bus.links.faulty import HELD_MESSAGES, FaultyLink, kind_of

TRAP = frames.encode(frames.Trap(1, 1, 1, 0x17, 0, (0,) * 8, 0))
NAMES = {b"A" * 32: "ivi", b"B" * 32: "tcu", XEN: "xen"}
IVI, TCU = b"A" * 32, b"B" * 32


class Inner:
    """What was sent, with its time; ``receive`` lets the time pass that it was told to wait."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.sent: list[tuple[int, bytes, bytes]] = []
        self.waiting: list[Delivery] = []
        self.takes = True
        self.timeout_ns: int | None = None
        self.closed = False

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        if self.takes:
            self.sent.append((self.now_ns, peer, page))
        return self.takes

    def receive(self) -> Delivery | None:
        if self.waiting:
            return self.waiting.pop(0)
        assert self.timeout_ns is not None, "nothing comes, for ever"
        self.now_ns += self.timeout_ns
        return None

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        self.timeout_ns = timeout_ns

    def close(self) -> None:
        self.closed = True


class Bench:
    def __init__(self, *rules: Rule) -> None:
        self.inner = Inner()
        self.lost: list[bytes] = []
        self.link = FaultyLink(
            self.inner,
            "xen",
            lambda peer: NAMES.get(peer, ""),
            lambda peer, envelope, page: self.lost.append(page),
            lambda: self.inner.now_ns,
        )
        self.link.set_timeout_ns(500)
        if rules:
            self.link.obey(rules)

    def send(self, *pages: bytes, to: bytes = IVI, envelope: bytes = TRAP) -> list[bool]:
        return [self.link.send(to, envelope, page) for page in pages]

    def pages(self) -> list[tuple[int, bytes]]:
        return [(at_ns, page) for at_ns, _, page in self.inner.sent]


def test_without_rules_it_is_the_link_itself() -> None:
    bench = Bench()
    assert bench.link.send == bench.inner.send
    bench.link.obey([Rule(1, "lose")])
    assert bench.send(b"gone") == [True]
    assert (bench.lost, bench.inner.sent, bench.link.applied) == ([b"gone"], [], {1: 1})
    bench.link.obey([])
    assert bench.link.receive() is None
    assert (bench.link.send, bench.link.receive) == (bench.inner.send, bench.inner.receive)


def test_a_delay_keeps_order_and_is_waited_for() -> None:
    bench = Bench(Rule(1, "delay", delay_ns=100, kinds=frozenset({"trap"})))
    bench.send(b"1")
    bench.send(b"2", envelope=frames.encode(frames.Undef(1, 1, 1)))
    bench.send(b"other", to=TCU, envelope=b"junk")
    assert bench.pages() == [(0, b"other")]
    assert bench.link.receive() is None
    assert bench.pages() == [(0, b"other"), (100, b"1"), (100, b"2")]
    assert (bench.inner.now_ns, bench.inner.timeout_ns) == (500, 500)


def test_what_comes_meanwhile_is_received() -> None:
    bench = Bench(Rule(1, "delay", delay_ns=100))
    bench.send(b"1")
    bench.inner.waiting = [(IVI, TRAP, b"in")]
    assert bench.link.receive() == (IVI, TRAP, b"in")
    assert bench.inner.sent == []
    bench.inner.now_ns = 99
    bench.inner.waiting = [(IVI, TRAP, b"in")]
    bench.link.receive()
    assert bench.inner.sent == []
    bench.inner.now_ns = 100
    bench.inner.waiting = [(IVI, TRAP, b"in")]
    bench.link.receive()
    assert bench.pages() == [(100, b"1")]


def test_a_short_timeout_ends_before_what_is_held() -> None:
    bench = Bench(Rule(1, "delay", delay_ns=1000))
    bench.send(b"1")
    assert bench.link.receive() is None
    assert (bench.inner.now_ns, bench.inner.sent) == (500, [])
    assert bench.link.receive() is None
    assert bench.pages() == [(1000, b"1")]


def test_reordered_messages_are_overtaken() -> None:
    bench = Bench(Rule(1, "reorder", likelihood=0.5, delay_ns=100, seed=3))
    pages = [b"%d" % number for number in range(8)]
    bench.send(*pages)
    bench.link.receive()
    got = [page for _, page in bench.pages()]
    assert sorted(got) == pages
    assert got != pages


def test_duplicates_arrive_twice() -> None:
    bench = Bench(Rule(1, "duplicate", delay_ns=100))
    bench.send(b"1", b"2")
    bench.link.receive()
    assert bench.pages() == [(0, b"1"), (0, b"2"), (100, b"1"), (100, b"2")]


def test_a_partition_is_between_two() -> None:
    bench = Bench(Rule(1, "partition", "ivi", "xen"))
    bench.send(b"1")
    bench.send(b"2", to=TCU)
    assert (bench.lost, bench.pages()) == ([b"1"], [(0, b"2")])


def test_a_full_hold_refuses_as_a_full_socket_does() -> None:
    bench = Bench(Rule(1, "delay", delay_ns=100))
    assert all(bench.send(*[b""] * HELD_MESSAGES))
    assert bench.send(b"one too many") == [False]
    bench.link.receive()
    assert len(bench.inner.sent) == HELD_MESSAGES
    assert bench.send(b"again") == [True]


def test_a_refused_message_is_undelivered_now_and_counted_later() -> None:
    bench = Bench(Rule(1, "delay", "xen", "ivi", delay_ns=100))
    bench.inner.takes = False
    assert bench.send(b"at once", to=TCU) == [False]
    assert bench.send(b"later") == [True]
    bench.link.receive()
    assert (bench.lost, bench.link.refused) == ([], 1)


def test_a_rule_that_stays_goes_on_counting() -> None:
    rule, other = Rule(1, "lose", likelihood=0.5, seed=9), Rule(2, "delay", delay_ns=1)
    whole, parted = Bench(rule), Bench(rule)
    pages = [b"%d" % number for number in range(40)]
    whole.send(*pages)
    parted.send(*pages[:13])
    parted.link.obey([rule, other])
    parted.send(*pages[13:])
    assert parted.lost == whole.lost
    assert parted.link.applied[2] == 27


@pytest.mark.parametrize("action", ["delay", "lose", "duplicate", "reorder", "partition"])
def test_each_message_meets_the_fate_of_its_number(action: str) -> None:
    rules = [
        Rule(7, action, "xen", "*", frozenset({"trap"}), 0.5, 50, 90, 11),  # type: ignore[arg-type]
        Rule(8, "delay", "xen", "tcu", likelihood=0.3, delay_ns=30, seed=5),
    ]
    bench = Bench(*rules)
    ways = {"ivi": Way(rules, "xen", "ivi"), "tcu": Way(rules, "xen", "tcu")}
    expected: dict[bytes, Sequence[int]] = {}
    for number in range(60):
        peer, page = (IVI, TCU)[number % 2], b"%d" % number
        bench.send(page, to=peer)
        fate = ways[NAMES[peer]].fate("trap")
        expected[page] = fate.delays_ns if fate else (0,)
    while bench.inner.now_ns < 1000:
        bench.link.receive()
    arrived = [page for _, page in bench.pages()]
    assert {page: arrived.count(page) for page in expected} == {
        page: len(delays) for page, delays in expected.items()
    }
    both = ways["ivi"].applied[7] + ways["tcu"].applied[7]
    assert bench.link.applied == {7: both, 8: ways["tcu"].applied[8]}


def test_what_is_held_is_given_up_with_the_link() -> None:
    bench = Bench(Rule(1, "delay", delay_ns=100))
    bench.send(b"1")
    bench.link.close()
    bench.link.flush()
    assert (bench.inner.closed, bench.inner.sent) == (True, [])


@pytest.mark.parametrize(("envelope", "kind"), [(TRAP, "trap"), (b"", ""), (b"\x95", ""), (b"\x95\x7f", "")])
def test_a_kind_is_told_from_two_bytes(envelope: bytes, kind: str) -> None:
    assert kind_of(envelope) == kind
    for frame in frames.FRAME_TYPES:
        assert kind_of(bytes((0x95, frame.__struct_config__.tag))) == frame.__name__.lower()  # type: ignore[arg-type,list-item]
