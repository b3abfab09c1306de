"""What all checkers share: one joined view of the history, and a bounded list of what was wrong."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from deploy.experiments.checkers import Context, Violation
from deploy.experiments.checkers.calls import Calls
from deploy.experiments.checkers.excuses import Excuse, Windows
from deploy.experiments.checkers.grants import Grants
from deploy.experiments.checkers.roster import Roster
from deploy.recording.events import (
    Began,
    Event,
    Executed,
    Forwarded,
    Lived,
    Missed,
    Noted,
    Returned,
    Trapped,
)

TOLD_MAX: Final = 50  # violations of one checker that are told in full; the others are counted
SAW_NOTHING: Final = "saw nothing that it could judge"
Handler = Callable[[Any], Iterable[Violation]]


class Evidence:
    """The history so far, joined once for all checkers; ``event`` is the newest. Each may call ``see``."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.calls = Calls()
        self.roster = Roster(context.topology)
        self._windows = Windows()
        self.now_ns = 0
        self.event: Event | None = None
        self._grants: Grants | None = None
        self._on: dict[type, Callable[[Any], object]] = {
            Trapped: self.calls.trapped,
            Forwarded: self._forwarded,
            Executed: self._executed,
            Returned: self.calls.returned,
            Missed: self.calls.missing,
            Began: self._began,
            Noted: self._noted,
            Lived: self.roster.lived,
        }

    @property
    def grants(self) -> Grants:
        """The model of permissions, kept from when it is first asked for."""
        if self._grants is None:
            self._grants = Grants(self)
        return self._grants

    def see(self, event: Event) -> None:
        """Take the next event, once, whoever brings it first."""
        if event is self.event:
            return
        self.event = event
        self.now_ns = event.at_ns
        take = self._on.get(type(event))
        if take is not None:
            take(event)

    def _forwarded(self, event: Forwarded) -> None:
        self.calls.forwarded(event)
        if self._grants is not None:
            self._grants.forwarded(event)

    def _executed(self, event: Executed) -> None:
        self.calls.executed(event)
        if self._grants is not None:
            self._grants.executed(event)

    def _began(self, event: Began) -> None:
        if self.roster.began(event):
            self.calls.began(event.node)
        if event.node == "xen":
            self.calls.restarted()
        elif event.node == "firmware" and self._grants is not None:
            self._grants.restarted()

    def _noted(self, event: Noted) -> None:
        self.roster.noted(event)
        self._windows.noted(event)

    def planned(self, excuse: Excuse) -> bool:
        """Whether the plan has a fault that excuses this, anywhere in the run."""
        return not self.context.fault_kinds.isdisjoint(excuse.faults)

    def touched(self, excuse: Excuse, domain: str, since_ns: int, until_ns: int) -> bool:
        """Whether a fault that excuses this may have hit what the domain did between two moments."""
        return self._windows.hit(excuse.faults, domain, since_ns, until_ns)


class Judge:
    """The base of a checker: ``name``, ``claim``, and what it does with each kind of event (``on``).

    ``knows`` and ``cannot`` are for the page: what it looks at, what it can never prove.
    """

    name = ""
    claim = ""
    knows = ""
    cannot = ""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.context = evidence.context
        self.judged = 0
        self.abstained = 0
        self._told = 0
        self._on: Mapping[type, Handler] = self.on()

    def on(self) -> Mapping[type, Handler]:
        """The handler of each kind of event that matters here."""
        raise NotImplementedError

    def cares(self, kind: type) -> bool:
        """Whether events of this kind matter here; who skips the others lets the evidence see them."""
        return kind in self._on

    def see(self, event: Event) -> Iterable[Violation]:
        """The next event; what is certainly wrong now."""
        if self.evidence.event is not event:
            self.evidence.see(event)
        handler = self._on.get(type(event))
        if handler is None:
            return ()
        found = handler(event)
        return self._bounded(found) if found else ()

    def finish(self) -> Iterable[Violation]:
        """Nothing more comes. Where rows are missing, absence proves nothing."""
        if not self.context.complete:
            return ()
        return self._bounded(self.missing())

    def missing(self) -> Iterable[Violation]:
        """What is wrong for want of something."""
        return ()

    def facts(self) -> Mapping[str, Any]:
        """How much was judged, how much could not be, and what else there is to know."""
        found: dict[str, Any] = {"judged": self.judged, "abstained": self.abstained, **self.more()}
        if self._told > TOLD_MAX:
            found["violations_not_told"] = self._told - TOLD_MAX
        if not found["judged"]:
            found["note"] = SAW_NOTHING
        return found

    def more(self) -> Mapping[str, Any]:
        """Facts of this checker alone."""
        return {}

    def wrong(self, event: Event | None, text: str, domain: str = "", *shown: Event | None) -> Violation:
        """A violation seen at ``event``; ``shown`` are the other events that prove it."""
        numbers = sorted({one.number for one in (*shown, event) if one is not None})
        at_ns = event.at_ns if event is not None else self.evidence.now_ns
        return Violation(self.name, at_ns, text, (domain,) if domain else (), tuple(numbers))

    def _bounded(self, found: Iterable[Violation]) -> Sequence[Violation]:
        told = []
        for one in found:
            self._told += 1
            if self._told <= TOLD_MAX:
                told.append(one)
        return told
