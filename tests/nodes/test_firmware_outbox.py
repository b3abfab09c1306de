"""The way back: one message in the page at a time, a bounded queue behind it, counted drops."""

import pytest

from bus import frames, shmem
from bus.links import XEN
from bus.scmi import header
from bus.scmi.header import MessageType
from nodes.contract import Send
from nodes.firmware.outbox import Outbox
from nodes.firmware.platform import Agent
from nodes.limits import P2A_QUEUE
from nodes.meters import Meters

PAGE, LINE, COMPLETION = 0x47FE_2000, 64, 65
AGENT = Agent(2, "two", 0x8200_0004, 0x47FF_2000, False, PAGE, LINE, COMPLETION)
SILENT = Agent(3, "three", 0x8200_0005, 0x47FF_3000)
NOTE = header.pack(0x14, 0, 0, MessageType.NOTIFICATION)
LATER = header.pack(0x14, 5, 9, MessageType.DELAYED_RESPONSE)


class Post:
    """An outbox, and the agent's end of it."""

    def __init__(self, *, carried: bool = True, queue_max: int = P2A_QUEUE) -> None:
        self.memory = shmem.PrivateMemory()
        self.meters = Meters("firmware")
        agents = (AGENT, SILENT)
        self.box = Outbox(agents, self.memory, XEN, self.meters, carried=carried, queue_max=queue_max)
        self.box.boot()
        self.carried = carried

    def raised(self) -> list[Send]:
        found = self.box.effects()
        assert all(isinstance(one, Send) and isinstance(one.frame, frames.Interrupt) for one in found)
        return found  # type: ignore[return-value]

    def read(self, send: Send) -> tuple[int, bytes]:
        """What the agent finds in its page."""
        page = send.page if self.carried else bytes(self.memory.map(PAGE))
        assert not shmem.status_of(page) & shmem.FREE
        return shmem.read_message(page)

    def end(self, send: Send, *, free: bool = True, page: int = PAGE) -> None:
        """The agent gives the page back, or only ends the interrupt."""
        frame = frames.EndOfInterrupt(1, send.frame.request, 0, LINE, page)
        content = shmem.IDLE if free else shmem.request(NOTE, b"")
        if not self.carried and free:
            shmem.publish(self.memory.map(PAGE), content)
        self.box.ended(frame, content if self.carried else b"")

    def counted(self) -> dict[tuple[str, ...], int]:
        return dict(self.meters.counter("trapline_p2a_messages_total"))


@pytest.fixture(params=[True, False], ids=["carried", "mapped"])
def post(request: pytest.FixtureRequest) -> Post:
    return Post(carried=request.param)


def test_a_message_is_in_the_page_when_the_interrupt_comes(post: Post) -> None:
    assert post.box.send(2, NOTE, b"abcd")
    (one,) = post.raised()
    assert (one.peer, one.frame.intid, one.frame.page) == (XEN, LINE, PAGE)
    assert post.read(one) == (NOTE, b"abcd")
    assert post.box.waiting(2) == 1


def test_the_next_one_waits_for_the_page(post: Post) -> None:
    for number in range(3):
        post.box.send(2, NOTE, bytes([number]) * 4)
    (first,) = post.raised()
    post.end(first)
    (second,) = post.raised()
    assert post.read(second) == (NOTE, bytes([1]) * 4)
    post.end(second)
    (third,) = post.raised()
    post.end(third)
    assert post.raised() == []
    assert post.box.waiting(2) == 0


def test_an_agent_that_does_not_free_its_page_gets_nothing_more(post: Post) -> None:
    post.box.send(2, NOTE, b"")
    post.box.send(2, NOTE, b"")
    (one,) = post.raised()
    post.end(one, free=False)
    assert post.raised() == []
    post.end(one)
    assert len(post.raised()) == 1


def test_a_full_queue_drops_notifications_and_counts_them(post: Post) -> None:
    sent = [post.box.send(2, NOTE, b"") for _ in range(P2A_QUEUE + 3)]
    assert sent == [True] * (P2A_QUEUE + 1) + [False] * 2
    assert post.counted() == {
        ("2", "notification", "queued"): P2A_QUEUE + 1,
        ("2", "notification", "dropped"): 2,
    }


def test_a_delayed_response_is_not_dropped(post: Post) -> None:
    for _ in range(P2A_QUEUE + 1):
        post.box.send(2, NOTE, b"")
    assert post.box.send(2, LATER, b"\0\0\0\0")
    assert post.counted()["2", "delayed", "queued"] == 1


def test_an_agent_without_a_way_back_is_not_reached(post: Post) -> None:
    assert post.box.reaches(2)
    assert not post.box.reaches(3)
    assert not post.box.send(3, NOTE, b"")
    assert post.raised() == []
    assert post.counted() == {}


def test_a_reset_empties_it_and_frees_the_page(post: Post) -> None:
    for _ in range(3):
        post.box.send(2, NOTE, b"")
    (before,) = post.raised()
    post.box.reset(2)
    assert post.box.waiting(2) == 0
    assert shmem.status_of(bytes(post.memory.map(PAGE))) == shmem.FREE
    post.box.send(2, LATER, b"new!")
    (after,) = post.raised()
    post.end(before)  # that of before the reset: the new message is still unread
    assert post.box.waiting(2) == 1
    post.end(after)
    assert post.box.waiting(2) == 0


def test_another_page_behind_the_end_does_not_count() -> None:
    post = Post(carried=True)
    post.box.send(2, NOTE, b"")
    (one,) = post.raised()
    post.end(one, page=PAGE + 0x1000)
    assert post.box.waiting(2) == 1


def test_completion_is_an_interrupt_without_a_page(post: Post) -> None:
    post.box.complete(COMPLETION)
    (one,) = post.raised()
    assert (one.frame.intid, one.frame.page, one.page) == (COMPLETION, 0, b"")
    post.box.ended(frames.EndOfInterrupt(1, one.frame.request, 0, COMPLETION, 0), b"")
    assert post.raised() == []


def test_a_reset_counts_what_it_takes_back(post: Post) -> None:
    post.box.send(2, NOTE, b"")
    post.raised()
    post.box.send(2, LATER, b"\0\0\0\0")
    post.box.send(2, NOTE, b"")
    post.box.reset(2)
    counted = post.counted()
    assert counted["2", "notification", "withdrawn"] == 2, "the one in the page and one behind it"
    assert counted["2", "delayed", "withdrawn"] == 1
    post.box.reset(2)
    assert post.counted() == counted


def test_a_reset_takes_back_an_interrupt_that_has_not_left(post: Post) -> None:
    post.box.send(2, NOTE, b"of the old configuration")
    post.box.complete(COMPLETION)
    post.box.reset(2)
    assert [one.frame.intid for one in post.raised()] == [COMPLETION]


def test_a_shared_page_is_the_platforms_as_soon_as_it_is_free() -> None:
    """Whichever comes first, the end of the interrupt or FREE: a guest that ends it early loses nothing."""
    post = Post(carried=False)
    post.box.send(2, NOTE, b"one")
    (first,) = post.raised()
    post.end(first, free=False)
    shmem.publish(post.memory.map(PAGE), shmem.IDLE)
    post.box.send(2, NOTE, b"two")
    (second,) = post.raised()
    assert post.read(second) == (NOTE, b"two")
    post.end(second)
    assert post.box.waiting(2) == 0


@pytest.mark.parametrize("size", [0, 3, 4, 5, 28, 4096, 70_000])
def test_a_page_of_any_size_behind_the_end(size: int) -> None:
    post = Post(carried=True)
    post.box.send(2, NOTE, b"")
    (one,) = post.raised()
    page = shmem.IDLE.ljust(size, b"\xff")[:size]
    post.box.ended(frames.EndOfInterrupt(1, one.frame.request, 0, LINE, PAGE), page)
    assert len(post.memory.map(PAGE)) == shmem.PAGE_BYTES
    assert post.box.waiting(2) == (size < 5), "FREE was there to see"
