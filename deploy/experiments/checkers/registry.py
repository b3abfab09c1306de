"""The table of all checkers, and how a history is led past them."""

from collections.abc import Iterable, Sequence
from typing import Final

from deploy.experiments.checkers import Checker, Context, Violation
from deploy.experiments.checkers.answers import Answers
from deploy.experiments.checkers.assignment import Assignment
from deploy.experiments.checkers.base import Evidence, Judge
from deploy.experiments.checkers.bounds import Bounds
from deploy.experiments.checkers.delivery import Delivery
from deploy.experiments.checkers.isolation import Isolation
from deploy.experiments.checkers.linearizable import Linearizable
from deploy.experiments.checkers.once import AtMostOnce
from deploy.experiments.checkers.order import Order
from deploy.experiments.checkers.progress import Progress
from deploy.experiments.checkers.reset import Reset
from deploy.experiments.checkers.stale import StaleIncarnation
from deploy.experiments.checkers.tokens import Tokens
from deploy.experiments.result import CheckerResult
from deploy.recording.events import Event

EVERY: Final[tuple[type[Judge], ...]] = (
    Answers,
    Delivery,
    Isolation,
    Assignment,
    AtMostOnce,
    Linearizable,
    Reset,
    Tokens,
    Bounds,
    Progress,
    Order,
    StaleIncarnation,
)
CHECKERS: Final = {one.name: one for one in EVERY}
ALL: Final = "all"


def make(names: Sequence[str], context: Context) -> list[Checker]:
    """The checkers of these names ("all": every one), in the table's order, for one history.

    Raises ValueError for a name that is not there, saying which are.
    """
    for name in names:
        if name != ALL and name not in CHECKERS:
            raise ValueError(f"there is no checker {name!r}; there are {ALL}, {', '.join(CHECKERS)}")
    evidence = Evidence(context)
    return [kind(evidence) for name, kind in CHECKERS.items() if ALL in names or name in names]


def judge(
    events: Iterable[Event], checkers: Sequence[Checker], stop_at_first: bool = False
) -> tuple[CheckerResult, ...]:
    """Lead ``events`` past the checkers; ``stop_at_first``: no further than the first violation.

    A history that was not seen to its end is not judged for what it lacks.
    """
    found: list[list[Violation]] = [[] for _ in checkers]
    sights = [(one.see, list_.extend) for one, list_ in zip(checkers, found, strict=True)]
    for event in events:
        for see, keep in sights:
            wrong = see(event)
            if wrong:
                keep(wrong)
        if stop_at_first and any(found):
            return _results(checkers, found)
    for one, list_ in zip(checkers, found, strict=True):
        list_.extend(one.finish())
    return _results(checkers, found)


def _results(checkers: Sequence[Checker], found: Sequence[Sequence[Violation]]) -> tuple[CheckerResult, ...]:
    return tuple(
        CheckerResult(one.name, one.claim, tuple(wrong), dict(one.facts()))
        for one, wrong in zip(checkers, found, strict=True)
    )
