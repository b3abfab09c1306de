"""Who stands before the door of a listening socket, pure: connections that have not yet said who they are.

A connection is a stranger from when it is accepted until the first message comes through it that its key
allows. Each source address has a budget of strangers, and gets back what spoke; whoever has used it up is
kept out until it has grown again. There are only so many strangers at once: beyond, the oldest are shut out.
A key may shake hands only so often, and not at all while as many of its connections live as it may have.

It knows no socket and no clock; descriptors and addresses are names here. How a source is kept out, and what
a key stands for, is not its business (``bus.links.entrance``).
"""

from collections import Counter
from typing import Final

STRANGERS_MAX: Final = 1280  # at once, from all sources together
BUDGET: Final = 1024  # strangers of one source address that come at once: a thousand domains of one process
BUDGET_NS: Final = 31_250_000  # for one more: 32 each second
REOPEN: Final = 32  # of its budget that a source must have, to be let in again; all of a smaller one
SOURCES_MAX: Final = 64  # known by address; beyond, all others share one budget, and are kept out together
HANDSHAKES: Final = 8  # of one key at once
HANDSHAKE_NS: Final = 2_000_000_000  # for one more
OTHERS: Final = b""  # the source that stands for all that are not known by address


class Budget:
    """``left`` of ``size``; one comes back every ``each_ns``."""

    def __init__(self, size: int, each_ns: int, now_ns: int) -> None:
        self.size, self.left = size, size
        self.each_ns = each_ns
        self._at_ns = now_ns

    def grow(self, now_ns: int) -> None:
        """What came back until now."""
        more = max(0, now_ns - self._at_ns) // self.each_ns
        self._at_ns += more * self.each_ns
        self.left = min(self.size, self.left + more)

    def take(self, now_ns: int) -> bool:
        """One of it, if there is one."""
        self.grow(now_ns)
        if self.left <= 0:
            return False
        self.left -= 1
        return True

    def give_back(self) -> None:
        self.left = min(self.size, self.left + 1)

    def when_ns(self, wanted: int) -> int:
        """When so many will be left."""
        return self._at_ns + max(0, wanted - self.left) * self.each_ns


class Porch:
    """``refused`` counts by word: "handshake" (not finished, or a key that nobody knows), "second_link" (a
    key that is in use, or comes too often), "crowd" (shut out to make room).

    ``to_shut``: descriptors to shut, until somebody takes them. ``each``: how many connections of one key may
    live. ``keys_max``: of which so much is remembered; who is refused is not.
    """

    def __init__(self, each: int, strangers_max: int = STRANGERS_MAX, keys_max: int = 4096) -> None:
        self.refused: Counter[str] = Counter()
        self.to_shut: list[int] = []
        self._each = each
        self._strangers_max = strangers_max
        self._budget_max = max(1, min(BUDGET, strangers_max * 4 // 5))
        self._reopen = min(REOPEN, self._budget_max)
        self._keys_max = keys_max
        self._strangers: dict[int, bytes] = {}  # their sources, the oldest first
        self._shut: dict[int, None] = {}  # shut out, and not yet closed
        self._spoke: dict[int, str] = {}
        self._links: dict[bytes, dict[int, None]] = {}  # by key
        self._keys: dict[int, bytes] = {}
        self._sources: dict[bytes, Budget] = {}
        self._out: dict[bytes, None] = {}
        self._handshakes: dict[bytes, Budget] = {}
        self._failed = 0  # told as failed, and not yet as closed
        self._proven = 0  # shook hands, and have said nothing yet

    @property
    def open(self) -> int:
        """Connections that live, strangers and others."""
        return len(self._strangers) + len(self._spoke)

    @property
    def shaken_hands(self) -> int:
        """Strangers whose handshake is done."""
        return self._proven

    # ---- what happens to connections ----------------------------------------------------------

    def accepted(self, fd: int, source: bytes, now_ns: int) -> None:
        self._forget(fd)  # its end was not told
        self._shut.pop(fd, None)
        self._strangers[fd] = source
        if not self._budget(source, now_ns).take(now_ns):
            self._out[self._name(source)] = None
        while len(self._strangers) > self._strangers_max:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            self.to_shut.append(oldest)
            self._shut[oldest] = None
            self.refused["crowd"] += 1

    def _name(self, source: bytes) -> bytes:
        return source if source in self._sources else OTHERS

    def _budget(self, source: bytes, now_ns: int) -> Budget:
        known = self._sources.get(source)
        if known is None:
            if len(self._sources) >= SOURCES_MAX:
                self._clean(now_ns)
            name = source if len(self._sources) < SOURCES_MAX else OTHERS
            known = self._sources.setdefault(name, Budget(self._budget_max, BUDGET_NS, now_ns))
        return known

    def _clean(self, now_ns: int) -> None:
        """Sources that have all their budget are as good as unknown."""
        for source, budget in list(self._sources.items()):
            budget.grow(now_ns)
            if budget.left >= budget.size:
                del self._sources[source]

    def shaken(self) -> None:
        """Some connection has finished its handshake."""
        self._proven += 1

    def failed(self) -> None:
        """Some connection has not, and is about to be closed."""
        self._failed += 1
        self.refused["handshake"] += 1

    def spoke(self, fd: int, user: str, key: bytes) -> bool:
        """The first message came through it that its key allows; False if it is gone."""
        if fd not in self._strangers and fd not in self._spoke:
            return False
        source = self._strangers.get(fd)
        self._forget(fd)
        self._spoke[fd] = user
        self._keys[fd] = key
        self._links.setdefault(key, {})[fd] = None
        if source is not None:
            self._proven -= 1  # the word of its handshake may come after it
            budget = self._sources.get(self._name(source))
            if budget is not None:
                budget.give_back()
        return True

    def closed(self, fd: int) -> str:
        """It is gone. Gives what its messages were told apart by, if it has ever spoken."""
        stranger = fd in self._strangers
        user = self._forget(fd)
        if fd in self._shut:
            del self._shut[fd]
            self.refused["handshake"] -= min(1, self._failed)  # it counts as one of a crowd
            self._failed -= min(1, self._failed)
        elif stranger and self._failed:
            self._failed -= 1
        elif stranger and self._proven > 0:
            self._proven -= 1
        elif stranger:  # what it said was not even the beginning of a handshake
            self.refused["handshake"] += 1
        return user

    def _forget(self, fd: int) -> str:
        self._strangers.pop(fd, None)
        key = self._keys.pop(fd, None)
        if key is not None:
            links = self._links[key]
            del links[fd]
            if not links:
                del self._links[key]
        return self._spoke.pop(fd, "")

    # ---- what follows -------------------------------------------------------------------------

    def admits(self, key: bytes, now_ns: int) -> bool:
        """Whether a handshake with that key, which is a good one, may go on now."""
        if len(self._links.get(key, ())) >= self._each or not self._may_shake(key, now_ns):
            self.refused["second_link"] += 1
            self.refused["handshake"] -= 1  # which it will count as, too
            return False
        return True

    def _may_shake(self, key: bytes, now_ns: int) -> bool:
        budget = self._handshakes.get(key)
        if budget is None:
            if len(self._handshakes) >= self._keys_max:
                del self._handshakes[next(iter(self._handshakes))]
            budget = self._handshakes[key] = Budget(HANDSHAKES, HANDSHAKE_NS, now_ns)
        return budget.take(now_ns)

    def kept_out(self, now_ns: int) -> tuple[bytes, ...]:
        """The sources that must stay out for now; OTHERS: whoever is not known by address."""
        for source in list(self._out):
            budget = self._sources.get(source)
            if budget is not None:
                budget.grow(now_ns)
            if budget is None or budget.left >= self._reopen:
                del self._out[source]
        return tuple(self._out)

    def deadline_ns(self) -> int | None:
        """When the next source may come in again."""
        return min((self._sources[one].when_ns(self._reopen) for one in self._out), default=None)
