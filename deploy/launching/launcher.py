"""What an engine needs of node processes, wherever they run: a handle for each, a launcher that makes them.

A launcher starts processes, hears what they say and notices how they end; which domain dies when, what an end
means and what follows from it is not its business. What is said is the same everywhere, as tuples:

* a node says ("ready", facts), ("failed", why), ("stats", numbers, applied, outstanding),
  ("page", number, text), ("exit", code, why, numbers);
* it is told ("stats",), ("page", number, is_open), ("rules", encoded), ("relink", endpoint),
  ("scribble", what, likelihood, seed), ("log_level", level).

Launchers: ``forked`` (processes of this machine, over pipes), ``registered`` (of any machine).
"""

import math
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from deploy.launching.identity import Identity
from deploy.metrics.listening import Said
from nodes.meters import Meters

START_S = 20.0
STOP_S = 3.0


class LaunchFailed(Exception):  # noqa: N818 - what happened, not what to catch
    """A process that did not come up; the text is what it said."""


class Clock(msgspec.Struct, frozen=True):
    """Of a node: what is to be added to it to have the supervisor's, give or take ``uncertainty_ns``."""

    offset_ns: int
    uncertainty_ns: int

    def __str__(self) -> str:
        return f"{self.offset_ns} +- {self.uncertainty_ns} ns"


class Handle(ABC):
    """One process as its supervisor sees it.

    ``facts``: what it said when ready; ``stats``: its latest numbers, told at ``stats_at``, an answer to
    the question of ``fresh_at``; ``asked``: a question for numbers is open, since ``asked_at``; ``ending``:
    how it said it ended. ``node``: its name in a history. ``applied``: how often each rule of its link had
    an effect. ``outstanding``: a guest's calls that have begun and not ended. ``stopping``: its end was
    asked for. ``host``: the machine it runs on, "" for this one. ``pid``: its number there, 0 while nobody
    knows it.

    ``rows_lost``: not all that it recorded has come. ``life``: which process of its name in a history it is.
    ``clock``: how far it is from ours; ``same_clock``: not at all. ``page``: its metrics, for who serves them
    in its place, if it does not do so itself.

    ``lost_s``: after so long a question or its answer was lost on the way. Over a pipe neither is, and one
    more for a process that is paused would fill it.
    """

    lost_s = math.inf

    def __init__(self, name: str) -> None:
        self.name = self.node = name
        self.facts: dict[str, Any] = {}
        self.stats: dict[str, Any] = {}
        self.stats_at = 0.0
        self.applied: dict[int, int] = {}
        self.outstanding = 0
        self.asked = False
        self.asked_at = self.fresh_at = 0.0
        self.stopping = False
        self.ending: tuple[int, str] | None = None
        self.host = ""
        self.pid = 0
        self.life = 0
        self.rows_lost = False
        self.same_clock = True
        self.clock = Clock(0, 0)
        self.page: Said | None = None

    # ---- what launchers do in their own way ---------------------------------------------------

    @abstractmethod
    def wait_ready(self) -> None:
        """Block until it is ready; raises LaunchFailed if it says otherwise, ends or takes too long."""

    @abstractmethod
    def order(self, *message: Any) -> bool:
        """Tell it something; False if that cannot be said any more. Who has just ended will be noticed."""

    @abstractmethod
    def signal(self, number: int) -> bool:
        """Send it a signal; False if it has ended already, be it that nobody has noticed yet."""

    @abstractmethod
    def end(self, hard: bool = False) -> None:
        """Tell it to end, or kill -9; ``join`` waits for that."""

    @abstractmethod
    def join(self) -> None:
        """Wait for an orderly end (a pause would keep it from that: it is continued), then insist."""

    @abstractmethod
    def is_alive(self) -> bool:
        """Whether it runs, as far as anybody can know."""

    @abstractmethod
    def how_it_ended(self) -> str:
        """For people: "signal 9 (SIGKILL)", or what it said itself, or its exit code."""

    # ---- what is the same everywhere ----------------------------------------------------------

    def ask_stats(self) -> None:
        """Ask for numbers, unless an earlier question is still open and can still be answered."""
        now = time.monotonic()
        if not self.asked or now > self.asked_at + self.lost_s:
            self.asked_at = now
            self.asked = self.order("stats")

    def take(self, kind: str, *rest: Any) -> None:
        """It said something."""
        if kind == "ready":
            self.facts = rest[0]
            self.stats_at = time.monotonic()
        elif kind == "stats":
            self.asked = False
            self.fresh_at = self.asked_at
            self.stats, self.applied, self.outstanding = rest
            self.stats_at = time.monotonic()
        elif kind == "exit":
            self.ending = (rest[0], rest[1])
            self.stats = rest[2]


def ended_by(code: int | None, ending: tuple[int, str] | None) -> str:
    """How a process ended, for people: ``code`` as subprocess has it, ``ending`` what it said itself."""
    if code is not None and code < 0:
        return f"signal {-code} ({signal.Signals(-code).name})"
    if ending is not None and ending[0]:
        return ending[1]
    return f"exit code {code}"


class Sources(Protocol):
    """What a supervisor's loop waits for (``deploy.engines.watching``)."""

    def add(self, source: Any, ready: Callable[[], None] | None = None) -> None: ...

    def drop(self, source: Any) -> None: ...


class Ground(msgspec.Struct, frozen=True):
    """What a launcher is given: ``context`` starts processes from the fork server of ``run``'s supervisor,
    ``sources`` is where its own descriptors go, ``log`` takes (level, text), ``meters`` are the supervisor's.
    ``cluster``: of all identities. ``interrupted``: nobody waits any more for what is being started.
    """

    run: Path
    cluster: str
    context: Any
    sources: Sources
    log: Callable[[str, str], None]
    meters: Meters
    interrupted: Callable[[], bool]


class Launcher(Protocol):
    """``open`` first, ``close`` last. Not for sharing between threads.

    ``remote``: nodes may run on other machines, so nothing of the supervisor's files is theirs.
    """

    remote: bool

    def open(self, ground: Ground) -> None:
        """Raises LaunchFailed, LinkError, OSError if it cannot be used."""
        ...

    def start(self, identity: Identity, spec: bytes) -> Handle:
        """A new process with that encoded ``NodeSpec``, not yet ready; raises LaunchFailed."""
        ...

    def watch(self, handle: Handle) -> None:
        """From now on ``heard`` tells of it."""
        ...

    def heard(self, ready: Iterable[Any]) -> Iterator[tuple[Handle, bool]]:
        """Take in what is there at the sources that are ``ready``: whose it is, and whether that process has
        ended without being asked to.
        """
        ...

    def lost(self, handle: Handle) -> str | None:
        """Why nothing can be known of processes any more, after one has ended; None if all is well."""
        ...

    def release(self, handle: Handle) -> None:
        """It has ended, and nobody asks for it any more."""
        ...

    def close(self) -> None:
        """All processes have ended. Safe to call twice, and after a failed ``open``."""
        ...
