"""Judges of a history: each sees every event once, in order, and says what was wrong.

A checker keeps a bounded state, knows the wire and the platform's description, and never a node's own state.
``CHECKERS`` is the table of all of them (``registry.py``).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from deploy.recording.events import Event
from deploy.topology import Topology


class Context(msgspec.Struct, frozen=True):
    """What a checker may know beside the events: the platform as described, the limits, what the plan
    breaks.

    ``fault_kinds``: names of all faults that were planned; ``complete``: False if rows are missing (a bound
    was reached), so that absence proves nothing. ``patience_ns``: how long a guest waits.
    """

    topology: Topology
    fault_kinds: frozenset[str]
    complete: bool = True
    patience_ns: int = 2_000_000_000
    limits: Mapping[str, int] = {}


class Violation(msgspec.Struct, frozen=True):
    """``checker`` and ``claim``: what should hold; ``text``: what happened instead, with names and numbers.

    ``events``: the numbers of the events that show it, in order; ``at_ns``: when it was seen.
    """

    checker: str
    at_ns: int
    text: str
    domains: tuple[str, ...] = ()
    events: tuple[int, ...] = ()


class Checker(Protocol):
    """``name`` as in scenario files; ``claim``: the sentence that holds if it finds nothing."""

    name: str
    claim: str

    def see(self, event: Event) -> Iterable[Violation]:
        """The next event; what is certainly wrong now."""
        ...

    def finish(self) -> Iterable[Violation]:
        """Nothing more comes: what is wrong for want of something. Statistics are in ``facts``."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """How much was checked, for the report: a checker that saw nothing proves nothing."""
        ...
