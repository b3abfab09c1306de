"""The shared-memory page: read whole or refused, published whole or not at all, the status last."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import shmem

from . import strategies

PAGES = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda length, rest: bytes(shmem.LENGTH_AT) + length.to_bytes(4, "little") + rest,
        strategies.integers(0, 0xFFFF_FFFF) | st.integers(0, 64),
        st.binary(max_size=64),
    ),
)


@given(PAGES, st.sampled_from([28, 32, 128, shmem.PAGE_BYTES]))
def test_a_page_has_a_message_or_none(page: bytes, area_bytes: int) -> None:
    try:
        head, payload = shmem.read_message(page, area_bytes)
    except shmem.PageError:
        return
    assert len(payload) <= min(len(page), area_bytes) - shmem.PAYLOAD_AT
    assert page[shmem.HEADER_AT :][:4] == head.to_bytes(4, "little")
    assert page[shmem.PAYLOAD_AT :][: len(payload)] == payload
    assert int.from_bytes(page[shmem.LENGTH_AT :][:4], "little") == 4 + len(payload)


def test_the_edges_of_a_page() -> None:
    full = shmem.request(1, bytes(100))
    assert shmem.read_message(full, 128) == (1, bytes(100))
    for page, area_bytes in ((full, 127), (full[:-1], 128), (shmem.IDLE, 128), (b"", 128), (full[:27], 128)):
        with pytest.raises(shmem.PageError):
            shmem.read_message(page, area_bytes)


@given(st.binary(max_size=120), st.booleans())
def test_a_page_is_published_whole_or_not_at_all(content: bytes, shared: bool) -> None:
    page = bytearray(b"\xaa" * 64)
    buffer: shmem.Buffer = memoryview(page) if shared else page
    if shmem.PAYLOAD_AT <= len(content) <= 64:
        shmem.publish(buffer, content)
        assert page[4 : len(content)] == content[4:]
        assert page[len(content) :] == b"\xaa" * (64 - len(content))
    else:
        with pytest.raises(shmem.PageError):
            shmem.publish(buffer, content)
        assert page == b"\xaa" * 64
    assert len(page) == 64


class Watched(bytearray):
    """A buffer that remembers where it was written, in order."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.writes: list[tuple[int, int]] = []

    def __setitem__(self, where: Any, data: Any) -> None:
        self.writes.append((where.start, where.stop))
        super().__setitem__(where, data)


def test_the_channel_status_is_written_last() -> None:
    page = Watched(64)
    shmem.publish(page, shmem.reply(7, b"abcd"))
    assert page.writes[-1] == (shmem.STATUS_AT, shmem.STATUS_AT + 4)
    assert all(start >= shmem.STATUS_AT + 4 for start, _ in page.writes[:-1])


@given(st.integers(0, 0xFFFF_FFFF), st.binary(max_size=100))
def test_a_message_in_a_page_comes_back(head: int, payload: bytes) -> None:
    for page in (shmem.request(head, payload), shmem.reply(head, payload)):
        assert shmem.read_message(page, 128) == (head, payload)


def test_private_memory_starts_idle_and_keeps_what_is_written() -> None:
    memory = shmem.PrivateMemory()
    page = memory.map(0x1000)
    assert len(page) == shmem.PAGE_BYTES
    assert page[: shmem.PAYLOAD_AT] == shmem.IDLE
    shmem.publish(page, shmem.reply(1, b"abcd"))
    assert memory.map(0x1000) is page
    assert memory.map(0x2000)[: shmem.PAYLOAD_AT] == shmem.IDLE
