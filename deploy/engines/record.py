"""What happened in a simulation: a fingerprint of all of it, and rows of it for whoever keeps them.

It knows rows (``deploy.experiments.history.rows``), not what is in them.
"""

import hashlib
import struct
from collections.abc import Callable
from typing import Final

from deploy.experiments.history.rows import RECEIVED, Row

BATCH_ROWS: Final = 512  # hashed at a time
ROWS_MAX: Final = 65_536  # in memory before ``on_full`` must take them
NAMES_MAX: Final = 65_536  # that have a number
_HEAD: Final = struct.Struct("<qBIIII").pack  # when, what, from whom, to whom, how many bytes


class Record:
    """``rows`` is what everybody appends to, in order, and ``settle`` takes at ``limit`` of them.

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
        self._done = len(self.rows)
        self.limit = self._done + BATCH_ROWS

    @property
    def messages(self) -> int:
        """How many rows are messages that arrived."""
        self.settle()
        return self._messages

    def settle(self) -> None:
        """Hash what is new; called when ``rows`` has reached ``limit``."""
        parts: list[bytes] = []
        numbers, extend = self._numbers, parts.extend
        for at_ns, node, peer, event, envelope, page in self.rows[self._done :]:
            self._messages += event == RECEIVED
            receiver, sender = numbers.get(node), numbers.get(peer)
            if receiver is None:
                receiver = self._name(node, parts)
            if sender is None:
                sender = self._name(peer, parts)
            extend((_HEAD(at_ns, event, receiver, sender, len(envelope), len(page)), envelope, page))
        self._hash.update(b"".join(parts))
        if len(numbers) > NAMES_MAX:
            numbers.clear()
        if not self._keep:
            self.rows.clear()
        elif self._on_full is not None and len(self.rows) >= ROWS_MAX:
            self._on_full()
        self._done = len(self.rows)
        self.limit = self._done + BATCH_ROWS

    def _name(self, name: str, parts: list[bytes]) -> int:
        """A number for a name; where it comes first its bytes are part of the fingerprint."""
        number = self._numbers.setdefault(name, len(self._numbers))
        parts.append(name.encode() + b"\0")
        return number

    def fingerprint(self) -> str:
        """Of all rows so far: when, who, from whom, every byte."""
        self.settle()
        return self._hash.hexdigest()
