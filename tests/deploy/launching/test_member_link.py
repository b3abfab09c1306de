"""A node's outbox: what may be lost is lost beyond its bound, and counted; what has to arrive waits."""

from collections.abc import Iterator

import pytest

from deploy.launching import messages as m
from deploy.launching.member_link import OUTBOX, Control, MemberLink
from deploy.launching.membership import Membership
from deploy.launching.wires import DealerWire, new_keys

ASKED = m.Register(0, m.VERSION, "ab" * 16, "guest", "ivi", 1, "boot", "lab3", 77)
HOUR_NS = 3_600_000_000_000


@pytest.fixture
def link() -> Iterator[MemberLink]:
    """Of a node whose registry is not there."""
    public, secret = new_keys()
    made = MemberLink(Membership(ASKED, HOUR_NS), DealerWire("tcp://127.0.0.1:9", secret, public))
    yield made
    made.close()


def test_lines_beyond_the_bound_are_dropped_and_counted(link: MemberLink) -> None:
    for _ in range(OUTBOX):
        assert link.tell(m.Lines([b"line"]))
    assert not link.tell(m.Lines([b"line"]))
    assert link.dropped == 1
    assert link.tell(m.Exit(0, "stopped", m.Numbers({}, {}))), "this has to arrive"


def test_words_come_as_over_a_pipe_but_the_end_is_a_signal(link: MemberLink) -> None:
    ended: list[bool] = []
    control = Control(link, lambda: ended.append(True))
    for order in (m.Order("end", []), m.Order("log_level", ["debug"]), m.Order("stats", [])):
        link.orders.put(order)
    assert control.recv() == ("log_level", "debug")
    assert control.recv() == ("stats",)
    assert ended == [True]


@pytest.mark.parametrize(
    ("address", "target", "told"),
    [("", "127.0.0.1:80", "127.0.0.1:80"), ("lab3", "0.0.0.0:80", "lab3:80"), ("lab3", "", "")],
)
def test_a_node_tells_where_others_find_its_numbers(
    link: MemberLink, address: str, target: str, told: str
) -> None:
    control = Control(link, lambda: None, address)
    facts = {"pid": 1, "port": 80, "target": target, "endpoints": []}
    assert control._ready(facts).facts["target"] == told
