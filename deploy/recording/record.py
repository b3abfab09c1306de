"""What happened in a simulation: a fingerprint of all of it, and rows of it for whoever keeps them.

It knows rows (``deploy.recording.rows``), not what is in them.
"""

import hashlib
from array import array
from collections.abc import Callable
from typing import Any, Final

from deploy.recording.rows import RECEIVED, Row

BATCH_ROWS: Final = 512  # hashed at a time
ROWS_MAX: Final = 16_384  # in memory before ``on_full`` must take them: few enough for a cache
NAMES_MAX: Final = 65_536  # that have a number


class Record:
    """``rows`` is what everybody appends to, in order, and ``look`` takes at ``limit`` of them or later.

    Of rows that were given it keeps all until ``on_full`` empties the list, at ROWS_MAX of them; nobody else
    may take any out. Without such a list rows are forgotten once they are in the fingerprint.
    """

    def __init__(self, rows: list[Row] | None = None, on_full: Callable[[], None] | None = None) -> None:
        self.rows: list[Row] = [] if rows is None else rows
        self._keep = rows is not None
        self._on_full = on_full
        self._hash = hashlib.blake2b(digest_size=16)
        self._numbers: dict[str, int] = {}
        self._messages = 0
        self._tail: list[Row] = []  # the last rows, too few to be hashed
        self._done = len(self.rows)
        self.limit = self._done + BATCH_ROWS

    def look(self) -> None:
        """Settle if there is enough; for whoever may have appended."""
        if len(self.rows) >= self.limit:
            self.settle()

    def settle(self) -> None:
        """Hash what is new, always so many rows at a time; see ``look``."""
        new = self._tail + self.rows[self._done :]
        while len(new) >= BATCH_ROWS:
            self._messages += _hash(self._hash, self._numbers, new[:BATCH_ROWS])
            del new[:BATCH_ROWS]
            if len(self._numbers) > NAMES_MAX:
                self._numbers.clear()
        self._tail = new
        if not self._keep:
            self.rows.clear()
        elif self._on_full is not None and len(self.rows) >= ROWS_MAX:
            self._on_full()
        self._done = len(self.rows)
        self.limit = self._done + BATCH_ROWS - len(new)

    @property
    def messages(self) -> int:
        """How many rows are messages that arrived."""
        self.settle()
        return self._messages + sum(row[3] == RECEIVED for row in self._tail)

    def fingerprint(self) -> str:
        """Of all rows so far: when, who, from whom, every byte."""
        self.settle()
        whole = self._hash.copy()
        if self._tail:
            _hash(whole, dict(self._numbers), self._tail)
        return whole.hexdigest()


def _hash(digest: Any, numbers: dict[str, int], rows: list[Row]) -> int:
    """Column by column, for speed; a name's own bytes where it comes first. Gives how many are messages."""
    times_ns, nodes, peers, events, envelopes, pages = zip(*rows, strict=True)
    names = nodes + peers
    try:
        who = array("I", map(numbers.__getitem__, names))
    except KeyError:
        for name in names:
            if name not in numbers:
                numbers[name] = len(numbers)
                digest.update(name.encode() + b"\0")
        who = array("I", map(numbers.__getitem__, names))
    lengths = array("I", map(len, envelopes + pages))
    digest.update(array("q", times_ns).tobytes() + who.tobytes() + bytes(events) + lengths.tobytes())
    digest.update(b"".join(envelopes + pages))
    return events.count(RECEIVED)
