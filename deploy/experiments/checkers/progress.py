"""After faults stop, everybody gets on: each domain that tries is answered, and nothing stays stuck."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from bus.shmem import ERROR
from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.experiments.checkers.excuses import ABANDONED
from deploy.recording.events import (
    Asked,
    Began,
    Ended,
    Event,
    Missed,
    Noted,
    Replied,
    Returned,
    Trapped,
)

HEAL: Final = "heal"
TRIES_KEPT: Final = 64  # times of one domain's tries, for a phase that is told at its end
DOMAINS_MAX: Final = 8192
ASKED_MAX: Final = 4096
EXPLAINED: Final = ("smc", "smcreturn", "domctl", "domctlreply")  # lost, they leave a hypercall unanswered


class Trail:
    """What one domain did of late: its last answer, its tries since then."""

    __slots__ = ("answered_ns", "tries_ns")

    def __init__(self) -> None:
        self.answered_ns = -1
        self.tries_ns: deque[int] = deque(maxlen=TRIES_KEPT)


class Progress(Judge):
    name = "progress"
    claim = (
        "In the heal phase every living domain that tries gets an answer; no hypercall is left unanswered."
    )
    knows = "the heal phase as the run notes it, tries, answers, how guests' calls ended"
    cannot = "miss what a domain does not try: a guest that fell silent is counted, not judged"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self.silent = 0
        self.phases = 0
        self._heal: tuple[int, int] | None = None
        self._trails: dict[str, Trail] = {}
        self._asked: dict[int, Asked] = {}
        self._explained = False

    def on(self) -> Mapping[type, Handler]:
        return {
            Trapped: self._tried,
            Ended: self._ended,
            Returned: self._returned,
            Noted: self._noted,
            Began: self._began,
            Asked: self._ask,
            Replied: self._replied,
            Missed: self._missed,
        }

    def see(self, event: Event) -> Iterable[Violation]:
        """As the others; a heal phase that has passed is judged first."""
        if self._heal is not None and event.at_ns > self._heal[1]:
            self.evidence.see(event)
            return [*self._bounded(self._judge()), *super().see(event)]
        return super().see(event)

    # ---- tries and answers --------------------------------------------------------------------

    def _trail(self, domain: str) -> Trail:
        trail = self._trails.get(domain)
        if trail is None:
            trail = self._trails[domain] = Trail()
            if len(self._trails) > DOMAINS_MAX:
                del self._trails[next(iter(self._trails))]
        return trail

    def _tried(self, event: Trapped) -> Iterable[Violation]:
        self._trail(event.domain).tries_ns.append(event.at_ns)
        return ()

    def _ended(self, event: Ended) -> Iterable[Violation]:
        if event.code:
            self._trail(event.domain).tries_ns.append(event.at_ns)
        else:
            self._answered(event.domain, event.at_ns)
        return ()

    def _returned(self, event: Returned) -> Iterable[Violation]:
        if event.status is not None and not event.channel_status & ERROR and not event.x0:
            self._answered(event.domain, event.at_ns)
        return ()

    def _answered(self, domain: str, at_ns: int) -> None:
        trail = self._trail(domain)
        trail.answered_ns = at_ns
        trail.tries_ns.clear()

    def _began(self, event: Began) -> Iterable[Violation]:
        self._trails.pop(event.node, None)
        if event.node == "xen":
            self._asked.clear()
        return ()

    # ---- the phase ----------------------------------------------------------------------------

    def _noted(self, event: Noted) -> Iterable[Violation]:
        if event.what != "phase" or event.text != HEAL or len(event.numbers) < 2:
            return ()
        begin_ns, end_ns = event.numbers[:2]
        self._heal = (begin_ns, end_ns)
        return self._judge() if event.at_ns >= end_ns else ()

    def _judge(self) -> Iterator[Violation]:
        """Who tried in the phase, early enough, and was answered in it not once."""
        assert self._heal is not None
        begin_ns, end_ns = self._heal
        self._heal = None
        self.phases += 1
        for domain, trail in self._trails.items():
            first_ns = next((at_ns for at_ns in trail.tries_ns if at_ns >= begin_ns), None)
            if self.evidence.roster.gone(domain):
                continue
            if trail.answered_ns >= begin_ns:
                self.judged += 1
            elif first_ns is None:
                self.silent += 1
            elif first_ns + self.context.patience_ns > end_ns:
                self.abstained += 1
            else:
                self.judged += 1
                text = f"{domain} tried from {first_ns} ns on and got no answer until {end_ns} ns"
                yield self.wrong(None, f"{text}, when nothing was broken any more", domain)

    # ---- hypercalls ---------------------------------------------------------------------------

    def _ask(self, event: Asked) -> Iterable[Violation]:
        if len(self._asked) < ASKED_MAX:
            self._asked[event.request] = event
        return ()

    def _replied(self, event: Replied) -> Iterable[Violation]:
        self._asked.pop(event.request, None)
        return ()

    def _missed(self, event: Missed) -> Iterable[Violation]:
        self._explained = self._explained or event.kind in EXPLAINED
        return ()

    def missing(self) -> Iterator[Violation]:
        if self._heal is not None and self.evidence.now_ns >= self._heal[1]:
            yield from self._judge()
        excused = self._explained or self.evidence.planned(ABANDONED)
        for asked in self._asked.values():
            if self.evidence.now_ns - asked.at_ns < self.context.patience_ns:
                continue
            if excused:
                self.abstained += 1
            else:
                yield self.wrong(asked, f"the hypercall {asked.op} was never answered")

    def more(self) -> Mapping[str, Any]:
        return {"heal_phases": self.phases, "silent_domains": self.silent}
