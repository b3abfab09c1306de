"""A second thread of a guest that writes into the shared page while a call is under way: a vCPU that cheats.

Mapped pages only. It looks at the page again and again and changes messages that were claimed and not yet
answered; which of them the seed says. It paces itself, and ends with its process at the latest.
"""

import threading
from typing import Final

from bus import shmem
from bus.chance import below, unit

PACE_S: Final = 0.0001  # between two looks: a few in every call
TOKEN_AT: Final = shmem.HEADER_AT + 2  # the upper half of the header: what tells two messages apart
_OTHER_ID: Final = 0x1  # what is flipped in the message id: the next command of the same protocol


class Scribbler:
    """Starts at once. ``what``: "header_flip" or "rewrite_page". ``likelihood`` of each message that it sees.

    ``written`` counts what it did.
    """

    def __init__(self, page: shmem.Buffer, what: str, likelihood: float, seed: int) -> None:
        self._page = page
        self._write = {"header_flip": self._flip, "rewrite_page": self._rewrite}[what]
        self._likelihood = likelihood
        self._seed = seed
        self._stop = threading.Event()
        self.written = 0
        self._thread = threading.Thread(target=self._run, name="scribbler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number, seen, meant = 0, -1, False
        while not self._stop.wait(PACE_S):
            if not self.claimed():
                seen = -1
                continue
            token = int.from_bytes(self._page[TOKEN_AT : TOKEN_AT + 2], "little")
            if token != seen:
                number, seen = number + 1, token
                meant = unit(self._seed, number) < self._likelihood
            if meant:
                self._write(number)
                self.written += 1

    def claimed(self) -> bool:
        """Whether a call is under way: the guest has taken FREE away, EL3 has not given it back."""
        return not shmem.status_of(self._page) & (shmem.FREE | shmem.ERROR)

    def _flip(self, number: int) -> None:
        """Another message id, for whoever reads the header a second time."""
        self._page[shmem.HEADER_AT] ^= _OTHER_ID

    def _rewrite(self, number: int) -> None:
        """Another payload byte and another length, after the doorbell."""
        self._page[shmem.PAYLOAD_AT + below(16, self._seed, number, 1)] = below(256, self._seed, number, 2)
        self._page[shmem.LENGTH_AT] = below(64, self._seed, number, 3)
