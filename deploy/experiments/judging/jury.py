"""Leads a history, in one pass, past everybody who has to see it: the tally, the checkers, the diagram.

Rows come in pieces, from memory or from files; no event is kept but the few around the first violation.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from deploy.experiments.checkers import Checker, Context, Violation, registry
from deploy.experiments.checkers.base import Judge
from deploy.experiments.judging.diagram import AFTER, AROUND, draw
from deploy.experiments.judging.tally import Tally
from deploy.experiments.result import Arrow, CheckerResult
from deploy.recording.decode import Decoder
from deploy.recording.events import Event
from deploy.recording.rows import Row

See = Callable[[Event], Iterable[Violation]]
VIOLATIONS_MAX: Final = 1_000  # of one checker that are kept; the rest is counted


class Jury:
    """One board's judges. ``first``: the first violation that any of them found; ``told`` sees every event
    too.
    """

    def __init__(
        self,
        names: Sequence[str],
        context: Context,
        tally: Tally,
        told: Callable[[Event], None] | None = None,
    ) -> None:
        self.first: Violation | None = None
        self._watch = [tally.see] if told is None else [tally.see, told]
        self._checkers: list[Checker] = list(registry.make(names, context))
        self._found: dict[str, list[Violation]] = {one.name: [] for one in self._checkers}
        self._uncounted = dict.fromkeys(self._found, 0)
        self._see: dict[type, list[tuple[See, str]]] = {}
        self._recent: deque[Event] = deque(maxlen=AROUND)
        self._after = 0
        self._around: tuple[Event, ...] = ()
        self._decoder = Decoder()
        self._number = 0

    def begin(self, origin_ns: int) -> None:
        """Before the first row: what the guests' own clock said when the run began."""
        self._decoder = Decoder(origin_ns)

    def rows(self, rows: Sequence[Row]) -> None:
        """The next piece of the history."""
        self.events(self._decoder.events(rows, self._number))
        self._number += len(rows)

    def events(self, found: Iterable[Event]) -> None:
        """The next events."""
        watch, recent, judges = self._watch, self._recent.append, self._see.get
        for event in found:
            for count in watch:
                count(event)
            recent(event)
            concerned = judges(type(event))
            for see, name in self._concerned(type(event)) if concerned is None else concerned:
                wrong = see(event)
                if wrong:
                    self._keep(name, wrong)
            if self._after:
                self._after -= 1
                if not self._after:
                    self._around = tuple(self._recent)

    def _concerned(self, kind: type) -> list[tuple[See, str]]:
        """Who wants to see events of this kind; the first always does: through it their evidence sees all."""
        found: list[tuple[See, str]] = [
            (one.see, one.name)
            for at, one in enumerate(self._checkers)
            if at == 0 or type(one).see is not Judge.see or (isinstance(one, Judge) and one.cares(kind))
        ]
        self._see[kind] = found
        return found

    def _keep(self, name: str, wrong: Iterable[Violation]) -> None:
        for one in wrong:
            if self.first is None:
                self.first, self._after = one, AFTER
            if len(self._found[name]) < VIOLATIONS_MAX:
                self._found[name].append(one)
            else:
                self._uncounted[name] += 1

    def finish(self) -> tuple[CheckerResult, ...]:
        """Nothing more comes: what each found."""
        for one in self._checkers:
            self._keep(one.name, one.finish())
        return tuple(self._result(one) for one in self._checkers)

    def _result(self, one: Checker) -> CheckerResult:
        facts = dict(one.facts())
        if self._uncounted[one.name]:
            facts["not kept"] = self._uncounted[one.name]
        return CheckerResult(one.name, one.claim, tuple(self._found[one.name]), facts)

    def diagram(self) -> tuple[Arrow, ...]:
        """The messages around the first violation; none if there is none, or it was found long afterwards."""
        around = self._around or tuple(self._recent)
        if self.first is None or not around or self.first.at_ns < around[0].at_ns:
            return ()
        return draw(around, self.first)


def pieces(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Rows in lists of at most ``size``."""
    piece: list[Row] = []
    for row in rows:
        piece.append(row)
        if len(piece) >= size:
            yield piece
            piece = []
    if piece:
        yield piece
