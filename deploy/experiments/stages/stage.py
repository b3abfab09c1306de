"""Where an experiment takes place: the same things asked of virtual time and of real processes."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from deploy.experiments.describing.plan import Planned
from deploy.toolstack import Toolstack


class Numbers(msgspec.Struct, frozen=True):
    """What --watch shows of one domain, counted since its start: calls by ending, and latency buckets."""

    domain: str
    agent: int | None
    incarnation: int
    answered: int
    denied: int
    definite: int
    indefinite: int
    latency: tuple[int, ...]


class Stage(Protocol):
    """A platform that runs, on one engine. Raises UserError from ``begin`` for a fault that it cannot play.

    ``history`` is the folder that its rows go to, as ``history.files`` reads them. ``failure``: why it is
    over, or None.
    """

    toolstack: Toolstack
    on_lifecycle: Callable[[Any], None]

    @property
    def failure(self) -> str | None: ...

    def start(self) -> None:
        """Boot everything and every guest."""
        ...

    def now_ns(self) -> int:
        """Time since the start of the run."""
        ...

    def advance(self, until_ns: int) -> None:
        """Let things happen until then."""
        ...

    def at(self, at_ns: int, action: Callable[[], None]) -> None:
        """Let ``action`` happen then, also while a toolstack's request waits for its answer: EL3's stall
        must end while xl waits for EL3. Actions may ask the toolstack themselves.
        """
        ...

    def operate(self, name: str, action: Callable[[Toolstack], None]) -> None:
        """Let the toolstack that has the domain do something: at once, or when it is done with what it does
        now.
        """
        ...

    def toolstacks(self) -> Sequence[Toolstack]:
        """One for each board."""
        ...

    def begin(self, fault: Planned) -> None:
        """Break it."""
        ...

    def end(self, fault: Planned) -> None:
        """Stop breaking it; nothing for what is instant."""
        ...

    def applied(self, fault: Planned) -> int | None:
        """How often it had an effect; None if nobody counts."""
        ...

    def mark(self, what: str, request: int, numbers: tuple[int, ...], text: str) -> None:
        """A row of the history about the run itself: a phase, a fault."""
        ...

    def outstanding(self) -> int:
        """Calls that have begun and not ended, as far as anybody knows."""
        ...

    def numbers(self) -> list[Numbers]:
        """For people who watch."""
        ...

    def stats(self) -> dict[str, dict[str, Any]]:
        """Every node's counters, those of ended nodes included, by node and incarnation."""
        ...

    def memory(self) -> dict[str, int]:
        """What each process holds, in KiB, the record's mapped files aside; empty where nodes have none."""
        ...

    def fingerprint(self) -> str:
        """Of all that happened so far; "" where equal seeds do not give equal runs."""
        ...

    def stop(self) -> None:
        """End everything, flush the history, leave nothing behind."""
        ...
