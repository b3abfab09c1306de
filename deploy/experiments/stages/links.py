"""Planned faults of links as rules of the bus: the same on both engines."""

from collections.abc import Iterable
from typing import Final, cast

from bus.faults import EVERY, Action, Rule
from deploy.experiments.describing.plan import Planned

_RULES_OF_ONE: Final = 1 << 16  # rules are numbered so that each tells its fault


def rules_of(fault: Planned) -> tuple[Rule, ...]:
    """Both directions between each node in ``where`` and ``to`` (any node, if that is not said).

    Which direction a rule is about in the end, its kinds of frames say.
    """
    action = cast("Action", fault.kind.removeprefix("link."))
    other = fault.to or EVERY
    ways = [(name, other) for name in fault.where]
    if action != "partition":  # which is both ways by itself
        ways += [(other, name) for name in fault.where]
    return tuple(
        Rule(
            fault.number * _RULES_OF_ONE + at,
            action,
            sender,
            receiver,
            frozenset(fault.messages),
            fault.likelihood,
            fault.delay_ns,
            fault.jitter_ns,
            fault.seed,
        )
        for at, (sender, receiver) in enumerate(ways)
    )


def applied(fault: Planned, counts: Iterable[tuple[int, int]]) -> int:
    """How often a fault's rules had an effect, by the counts of all rules: (rule, count)."""
    return sum(count for number, count in counts if number // _RULES_OF_ONE == fault.number)
