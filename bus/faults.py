"""Rules applied to frames on their way: delay, jitter, loss, duplication, reordering, partition.

The n-th message on a way meets the same fate on every link: a decision depends on the rule's seed, the way
and n, and on nothing else. ``bus.links.simulated`` and ``bus.links.faulty`` ask here and carry it out.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from bus.chance import mixed, unit

Action = Literal["delay", "lose", "duplicate", "reorder", "partition"]
EVERY = "*"
SWAPPED_NS = 2_000_000  # how long a message is held back at most so that the next one overtakes it


class Rule(msgspec.Struct, frozen=True):
    """What happens to messages from ``sender`` to ``receiver`` (node names, EVERY for any) of these
    ``kinds``.

    ``kinds``: frame kinds in lower case ("trap", "return"), empty for all. ``likelihood`` 0..1. ``delay``:
    each is late by ``delay_ns`` and up to ``jitter_ns`` more; messages keep their order. ``lose``: gone
    without a trace. ``duplicate``: a copy arrives up to ``jitter_ns`` later. ``reorder``: held back by
    ``delay_ns`` (0: SWAPPED_NS), so that later ones overtake it. ``partition``: all are lost, both ways.
    """

    number: int
    action: Action
    sender: str = EVERY
    receiver: str = EVERY
    kinds: frozenset[str] = frozenset()
    likelihood: float = 1.0
    delay_ns: int = 0
    jitter_ns: int = 0
    seed: int = 0

    def concerns(self, sender: str, receiver: str) -> bool:
        """Whether the rule is about this way at all."""
        forth = self.sender in (EVERY, sender) and self.receiver in (EVERY, receiver)
        if self.action != "partition":
            return forth
        return forth or (self.sender in (EVERY, receiver) and self.receiver in (EVERY, sender))


class Fate(msgspec.Struct, frozen=True):
    """``delays_ns``: one entry per copy that arrives, none if it is lost. ``overtaken``: order does not hold.

    ``rules``: the numbers of the rules that made it so.
    """

    delays_ns: tuple[int, ...]
    overtaken: bool
    rules: tuple[int, ...]


def way_number(sender: str, receiver: str) -> int:
    """A number for a way that every interpreter finds: the draws of a rule depend on it."""
    return mixed(0, *sender.encode(), 0x100, *receiver.encode())


class Way:
    """One direction between two nodes: the rules that concern it, and how many messages each has seen.

    ``applied`` counts by rule number what was done. A rule that was on the ``earlier`` way already goes on
    counting from there.
    """

    def __init__(
        self, rules: Sequence[Rule], sender: str, receiver: str, earlier: "Way | None" = None
    ) -> None:
        self._rules = tuple(rule for rule in rules if rule.concerns(sender, receiver))
        self._way = way_number(sender, receiver)
        seen: dict[int, int] = earlier._seen if earlier is not None else {}
        self._seen: dict[int, int] = {rule.number: seen.get(rule.number, 0) for rule in self._rules}
        self.applied = dict.fromkeys((rule.number for rule in self._rules), 0)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def fate(self, kind: str) -> Fate | None:
        """What becomes of the next message; None if nothing is done to it."""
        delays = [0]
        overtaken = False
        done: list[int] = []
        for rule in self._rules:
            if rule.kinds and kind not in rule.kinds:
                continue
            at = self._seen[rule.number] = self._seen[rule.number] + 1
            if rule.likelihood < 1.0 and unit(rule.seed, self._way, rule.number, at, 0) >= rule.likelihood:
                continue
            late_ns = int(unit(rule.seed, self._way, rule.number, at, 1) * rule.jitter_ns)
            done.append(rule.number)
            self.applied[rule.number] += 1
            if rule.action in ("lose", "partition"):
                delays = []
            elif rule.action == "delay":
                delays = [one + rule.delay_ns + late_ns for one in delays]
            elif rule.action == "duplicate":
                delays += [one + rule.delay_ns + late_ns for one in delays[:1]]
            else:
                overtaken = True
                delays = [one + (rule.delay_ns or SWAPPED_NS) for one in delays]
        return Fate(tuple(delays), overtaken, tuple(done)) if done else None
