"""Counts a history as it goes by: calls by domain and phase, how they ended, how long they took.

It sees each event once, keeps counts and histograms, and no event: memory depends on the number of domains
and slices, not on how long a run is. A call belongs to the phase in which it was meant to begin.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from bus.scmi.status import Status
from deploy.experiments.describing.plan import Phase
from deploy.experiments.describing.scenario import Load
from deploy.experiments.judging.histogram import LatencyHistogram
from deploy.recording import events
from deploy.recording.rows import domain_of

SLICES: Final = 120  # of one domain, for the plots
SLICES_MAX: Final = 24_000  # of all domains together
SLICES_MIN: Final = 12
ALL: Final = "all"
LIVES_MAX: Final = 65_536
ANSWERED, DEFINITE, INDEFINITE = range(3)
KINDS_MAX: Final = 64  # of statuses or codes that are told apart; the rest is "other"
NOT_SUPPORTED: Final = 0xFFFF_FFFF  # -1 in w0: the doorbell is not the domain's
STATUS_NAMES: Final = {status.value: status.name for status in Status}


class Count:
    """One domain in one phase, or several added up."""

    __slots__ = (
        "answered", "codes", "definite", "dropped_arrivals", "indefinite", "killed", "latency", "leaks",
        "metered", "refused_traps", "resets", "statuses",
    )  # fmt: skip

    def __init__(self) -> None:
        self.answered = self.definite = self.indefinite = self.killed = 0
        self.dropped_arrivals = self.refused_traps = self.resets = self.leaks = 0
        self.metered: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.latency = LatencyHistogram()

    @property
    def issued(self) -> int:
        return self.answered + self.definite + self.indefinite + self.killed

    def status(self, name: str) -> int:
        return self.statuses.get(name, 0)

    def add(self, other: "Count") -> None:
        """Count what ``other`` counted too."""
        for field in Count.__slots__:
            mine, its = getattr(self, field), getattr(other, field)
            if isinstance(mine, int):
                setattr(self, field, mine + its)
            elif isinstance(mine, LatencyHistogram):
                mine.merge(its)
            else:
                mine.update(its)


class Piece:
    """One domain in one slice of time."""

    __slots__ = ("answered", "denied", "errors", "latency")

    def __init__(self) -> None:
        self.answered = self.denied = self.errors = 0
        self.latency = LatencyHistogram()


class Tally:
    """``agents``: domain to agent id, as far as the run told. ``last_ns``: when the last event was.

    ``lives``: calls that ended, by incarnation: answered, with a definite error, with an indefinite one; at
    most LIVES_MAX incarnations.
    """

    def __init__(self, phases: Sequence[Phase], loads: Mapping[str, Load]) -> None:
        self.phases = tuple(phases)
        self.loads = loads
        self.agents: dict[str, int | None] = dict.fromkeys(loads)
        self.events = 0
        self.lives: dict[str, list[int]] = {}
        self.last_ns = 0
        self.rang = 0  # calls that ended and had become traps
        self.started = 0  # domains, each of their incarnations
        self._counts: dict[tuple[str, str], Count] = {}
        self._pieces: dict[tuple[str, int], Piece] = {}
        self._under_way: dict[str, dict[int, int]] = {}  # incarnation to its requests and when they began
        self._domains_of: dict[int, str] = {}
        self._see: dict[type, Callable[[Any], None]] = {
            events.Ended: self._ended,
            events.Trapped: self._trapped,
            events.Returned: self._returned,
            events.Missed: self._missed,
            events.Began: self._began,
            events.Noted: self._noted,
        }
        length_ns = max(1, self.phases[-1].end_ns)
        number = max(SLICES_MIN, min(SLICES, SLICES_MAX // max(1, len(loads))))
        self.slice_ns = -(-length_ns // number)
        self._slices = number

    def see(self, event: events.Event) -> None:
        """The next event."""
        self.events += 1
        self.last_ns = event.at_ns
        handler = self._see.get(type(event))
        if handler is not None:
            handler(event)

    def finish(self) -> None:
        """Nothing more comes: what is still under way ended with its domain."""
        for incarnation in list(self._under_way):
            self._end_of(incarnation)

    # ---- reading ------------------------------------------------------------------------------

    def domains(self) -> tuple[str, ...]:
        """Every domain that has a load, or was heard of, in a fixed order."""
        return tuple(self.agents)

    def count(self, phase: str, domain: str = "") -> Count:
        """The counts of one domain, or of all (""), in a phase or in the whole run ("all")."""
        found = Count()
        for (name, of), count in self._counts.items():
            if domain in ("", name) and phase in (ALL, of):
                found.add(count)
        found.resets, found.leaks = self._whole("resets", domain), self._whole("leaks", domain)
        return found

    def _whole(self, field: str, domain: str) -> int:
        return sum(getattr(one, field) for (name, _), one in self._counts.items() if domain in ("", name))

    def phase_ns(self, name: str) -> int:
        """How long a phase was; "all": until the last event."""
        if name == ALL:
            return self.last_ns
        return next((one.end_ns - one.begin_ns for one in self.phases if one.name == name), 0)

    def pieces(self) -> list[tuple[str, int, Piece]]:
        """Domain, number of the slice, what was in it; in order."""
        order = {name: at for at, name in enumerate(self.domains())}
        found = [(name, at, piece) for (name, at), piece in self._pieces.items()]
        return sorted(found, key=lambda one: (order[one[0]], one[1]))

    def fairness(self, phase: str) -> float | None:
        """Jain's index over the guests with a load: what each was answered of what it asked for.

        An open loop asks for its arrivals; whoever waits for answers would take as much as the luckiest of
        these got.
        """
        counts = {name: self.count(phase, name) for name, load in self.loads.items() if load.kind != "idle"}
        counts.pop("dom0", None)
        asked = {
            name: count.issued + count.dropped_arrivals
            for name, count in counts.items()
            if self.loads[name].kind in ("open", "replay")
        }
        most = max((count.answered for name, count in counts.items() if name not in asked), default=0)
        return jain(count.answered / (asked.get(name, most) or 1) for name, count in counts.items())

    # ---- seeing -------------------------------------------------------------------------------

    def _at(self, domain: str, at_ns: int) -> Count:
        name = domain_of(domain)
        phase = next((one.name for one in self.phases if at_ns < one.end_ns), self.phases[-1].name)
        count = self._counts.get((name, phase))
        if count is None:
            self.agents.setdefault(name, None)
            count = self._counts[name, phase] = Count()
        return count

    def _piece(self, domain: str, at_ns: int) -> Piece:
        key = (domain_of(domain), min(at_ns // self.slice_ns, self._slices - 1))
        piece = self._pieces.get(key)
        if piece is None:
            piece = self._pieces[key] = Piece()
        return piece

    def _ended(self, event: events.Ended) -> None:
        self._under_way.get(event.domain, {}).pop(event.request, None)
        self.rang += event.request > 0
        count = self._at(event.domain, event.intended_ns)
        self._life(event.domain)[
            ANSWERED if not event.code else DEFINITE if event.definite else INDEFINITE
        ] += 1
        piece = self._piece(event.domain, event.at_ns)
        if event.code:
            if event.definite:
                count.definite += 1
            else:
                count.indefinite += 1
            _tell(count.codes, event.code)
            piece.errors += 1
            return
        took_ns = event.at_ns - event.intended_ns
        status = STATUS_NAMES.get(event.status, str(event.status))
        count.answered += 1
        _tell(count.statuses, status)
        count.latency.add(took_ns)
        piece.answered += 1
        piece.denied += status == "DENIED"
        piece.latency.add(took_ns)

    def _life(self, incarnation: str) -> list[int]:
        life = self.lives.get(incarnation)
        if life is None:
            life = [0, 0, 0]
            if len(self.lives) < LIVES_MAX:
                self.lives[incarnation] = life
        return life

    def _trapped(self, event: events.Trapped) -> None:
        self._under_way.setdefault(event.domain, {})[event.request] = event.at_ns

    def _returned(self, event: events.Returned) -> None:
        # What the domain makes of it is its own account; a hostile doorbell has none.
        self._under_way.get(event.domain, {}).pop(event.request, None)
        if event.kind == "undef" or (event.kind == "return" and event.x0 & NOT_SUPPORTED == NOT_SUPPORTED):
            self._at(event.domain, event.at_ns).refused_traps += 1

    def _missed(self, event: events.Missed) -> None:
        if event.kind == "trap":
            self._under_way.setdefault(event.node, {})[event.request] = event.at_ns

    def _began(self, event: events.Began) -> None:
        name = domain_of(event.node)
        for incarnation in [one for one in self._under_way if domain_of(one) == name]:
            self._end_of(incarnation)

    def _end_of(self, incarnation: str) -> None:
        for began_ns in self._under_way.pop(incarnation, {}).values():
            self._at(incarnation, began_ns).killed += 1

    def _noted(self, event: events.Noted) -> None:
        if event.what == "domain" and len(event.numbers) >= 3:
            self.started += 1
            self.agents[domain_of(event.text)] = event.numbers[2] if event.numbers[2] >= 0 else None
            self._domains_of[event.numbers[2]] = domain_of(event.text)
        elif event.what == "arrival_dropped":
            self._at(event.node, event.numbers[0]).dropped_arrivals += 1
        elif event.what in ("reset", "metered"):
            domain = self._domains_of.get(event.numbers[0])
            if domain is not None and event.what == "metered":
                _tell(self._at(domain, event.at_ns).metered, event.text)
            elif domain is not None:
                count = self._at(domain, event.at_ns)
                count.resets += 1
                count.leaks += event.numbers[3]


def jain(shares: Iterable[float]) -> float | None:
    """(sum x)^2 / (n * sum x^2): 1 if all have the same, 1/n if one has it all; None for nobody."""
    every = list(shares)
    squares = sum(one * one for one in every)
    if not every or not squares:
        return None
    return sum(every) ** 2 / (len(every) * squares)


def _tell(counter: Counter[str], kind: str) -> None:
    if kind not in counter and len(counter) >= KINDS_MAX:
        kind = "other"
    counter[kind] += 1
