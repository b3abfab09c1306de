"""Shared pages that a hostile vCPU writes into while EL3 reads them: mapped pages on virtual time.

There is no second thread. EL3 takes the page's beginning as one slice; before that or right after it, as the
seed says, the page changes, as it would under the eyes of a real one.
"""

from collections.abc import Callable
from typing import Any

from bus import shmem
from bus.chance import below, unit
from nodes.guest.hostile import Scribble

_OTHER_ID = 0x1  # what is flipped in the message id: the next command of the same protocol
_PAYLOAD_BYTES = 16  # of the beginning of a payload, that are rewritten

Current = Callable[[int], Scribble | None]  # what the owner of the page at an address does now


class ScribbledPage(bytearray):
    """A page that is read as a whole by EL3 alone. ``written`` counts what was done to it."""

    written = 0
    _reads = 0

    def attend(self, address: int, current: Current) -> None:
        self._address, self._current = address, current

    def __getitem__(self, key: Any) -> Any:
        if type(key) is not slice or key.start is not None or (key.stop or 0) < shmem.PAYLOAD_AT:
            return super().__getitem__(key)
        scribble = self._current(self._address)
        if scribble is None:
            return super().__getitem__(key)
        self._reads += 1
        number = self._reads
        if unit(scribble.seed, number) >= scribble.likelihood:
            return super().__getitem__(key)
        self.written += 1
        if scribble.kind == "rewrite_page" and unit(scribble.seed, number, 1) < 0.5:
            self._rewrite(scribble.seed, number)
            return super().__getitem__(key)
        seen = super().__getitem__(key)
        if scribble.kind == "rewrite_page":
            self._rewrite(scribble.seed, number)
        else:
            self[shmem.HEADER_AT] ^= _OTHER_ID
        return seen

    def _rewrite(self, seed: int, number: int) -> None:
        """Another payload byte and another length."""
        self[shmem.PAYLOAD_AT + below(_PAYLOAD_BYTES, seed, number, 2)] = below(256, seed, number, 3)
        self[shmem.LENGTH_AT] = below(64, seed, number, 4)


class ScribbledMemory:
    """Memory that all nodes share, made of such pages."""

    def __init__(self, current: Current) -> None:
        self.pages: dict[int, ScribbledPage] = {}
        self._current = current

    def map(self, address: int) -> ScribbledPage:
        page = self.pages.get(address)
        if page is None:
            page = self.pages[address] = ScribbledPage(shmem.PAGE_BYTES)
            page.attend(address, self._current)
            page[: shmem.PAYLOAD_AT] = shmem.IDLE
        return page
