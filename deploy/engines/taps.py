"""A node's recorder as its driver calls it: with mapped pages the bytes are added that no frame carries.

What is added is the shared page as it is when the frame has come in: a moment before the core looks, and if
the guest scribbles, perhaps not the same.
"""

from collections.abc import Callable
from typing import Any, Final

from bus import frames, shmem
from bus.shmem import Buffer
from deploy.engines.driver import Tap
from deploy.experiments.history.rows import RECEIVED
from nodes.firmware.platform import Platform
from nodes.guest.binding import Binding

PageOf = Callable[[Any], Buffer | None]
_WITH_PAGE: Final = {
    kind.__struct_config__.tag: kind for kind in (frames.Return, frames.Smc, frames.Interrupt)
}  # what EL3 and guests receive with a page behind it


def used(page: Buffer) -> bytes:
    """The part of a shared page that holds something: the fixed part and the message it announces."""
    length = shmem.fields(bytes(page[: shmem.PAYLOAD_AT]))[2]
    return bytes(page[: min(len(page), max(shmem.PAYLOAD_AT, shmem.HEADER_AT + length))])


def with_pages(tap: Tap, page_of: PageOf) -> Tap:
    """A tap that adds the page which ``page_of`` finds for a frame that came without one."""

    def record(now_ns: int, peer: bytes, event: int, envelope: bytes, page: bytes) -> None:
        if event == RECEIVED and not page and len(envelope) > 1 and envelope[1] in _WITH_PAGE:
            page = _page(envelope, page_of)
        tap(now_ns, peer, event, envelope, page)

    return record


def _page(envelope: bytes, page_of: PageOf) -> bytes:
    try:
        found = page_of(frames.decode(envelope))
    except frames.BadFrame:
        return b""
    return b"" if found is None else used(found)


def firmware_pages(platform: Platform, memory: shmem.Memory) -> PageOf:
    """EL3: the page of the channel whose doorbell an SMC is."""
    channels = {agent.smc_id: memory.map(agent.shmem) for agent in platform.agent}

    def page_of(frame: Any) -> Buffer | None:
        return channels.get(frame.x[0] & 0xFFFF_FFFF) if isinstance(frame, frames.Smc) else None

    return page_of


def guest_pages(binding: Binding, page: Buffer | None, p2a: Buffer | None) -> PageOf:
    """A guest: its own page behind a return or its completion interrupt, the P2A page behind the other."""

    def page_of(frame: Any) -> Buffer | None:
        if isinstance(frame, frames.Interrupt) and frame.intid != binding.completion:
            return p2a
        return page

    return page_of
