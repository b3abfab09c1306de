"""A link that tells times: nothing arrives before it was sent, by the clocks of both."""

from pathlib import Path

import pytest

from bus.frames import ENVELOPE_BYTES_MAX, PAGE_FRAME_BYTES_MAX
from bus.links import XEN, Delivery
from bus.links.stamped import STAMP_BYTES, StampedLink
from bus.links.zeromq import DealerLink, RouterLink
from deploy.launching.clock import NodeClock
from tests.bus.zeromq_bench import token as a_token


class Wire:
    """What one end sends, the other receives."""

    def __init__(self) -> None:
        self.there: list[Delivery] = []

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        self.there.append((peer, envelope, page))
        return True

    def receive(self) -> Delivery | None:
        return self.there.pop(0) if self.there else None

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        """Nobody waits here."""

    def close(self) -> None:
        """Nothing was opened."""


def still(at_ns: int) -> NodeClock:
    return NodeClock(at_ns, lambda: 0)


@pytest.mark.parametrize("page", [b"", b"1234567", bytes(128)])
@pytest.mark.parametrize("ahead_ns", [-50_000, 0, 50_000])
def test_what_is_sent_arrives_later(page: bytes, ahead_ns: int) -> None:
    wire, sender, receiver = Wire(), still(1_000_000), still(1_000_000 - ahead_ns)
    sent_ns = sender.now_ns()
    assert StampedLink(wire, sender).send(b"xen", b"envelope", page)
    assert StampedLink(wire, receiver).receive() == (b"xen", b"envelope", page)
    assert receiver.now_ns() > sent_ns or ahead_ns < 0
    assert receiver.now_ns() == max(sent_ns + 1, 1_000_000 - ahead_ns)


def test_nothing_and_what_has_no_time_are_passed_on() -> None:
    wire, clock = Wire(), still(5)
    link = StampedLink(wire, clock)
    assert link.receive() is None
    wire.send(b"ivi", b"envelope", bytes(STAMP_BYTES - 1))
    assert link.receive() == (b"ivi", b"envelope", bytes(STAMP_BYTES - 1))
    assert clock.now_ns() == 5


@pytest.mark.parametrize("page_bytes", [0, PAGE_FRAME_BYTES_MAX, PAGE_FRAME_BYTES_MAX + 1])
def test_the_largest_page_has_room_for_its_time_and_no_larger_one(tmp_path: Path, page_bytes: int) -> None:
    refused: list[str] = []
    router = RouterLink([f"ipc://{tmp_path}/xen"], refused.append, None, PAGE_FRAME_BYTES_MAX + STAMP_BYTES)
    token = a_token()
    router.admit(token)
    dealer = DealerLink(router.endpoints[0], token)
    try:
        for link in (router, dealer):
            link.set_timeout_ns(10_000_000_000)
        xen, guest = StampedLink(router, still(0)), StampedLink(dealer, still(0))
        page = bytes(range(256)) * 17
        assert guest.send(XEN, bytes(ENVELOPE_BYTES_MAX), page[:page_bytes])
        assert guest.send(XEN, b"next", b"")
        heard = [xen.receive(), xen.receive()] if page_bytes <= PAGE_FRAME_BYTES_MAX else [xen.receive()]
        assert heard[-1] == (token, b"next", b"")
        assert len(refused) == (page_bytes > PAGE_FRAME_BYTES_MAX)
        if not refused:
            assert heard[0] == (token, bytes(ENVELOPE_BYTES_MAX), page[:page_bytes])
            assert xen.send(token, b"answer", page[:page_bytes])
            assert guest.receive() == (XEN, b"answer", page[:page_bytes])
    finally:
        dealer.close()
        router.close()
