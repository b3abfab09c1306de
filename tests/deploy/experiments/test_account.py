"""To the unit: what Xen received, and what became of it; each entry of the account with both sides."""

from collections.abc import Iterator

import pytest

from deploy.experiments.history.account import Account, Counters, account, counters
from deploy.experiments.history.events import Began, Event, Missed, Noted, Returned, Trapped

Words = tuple[object, ...]


def told(*words: Words) -> Iterator[Event]:
    """("trap", who, request), ("return", who, request), ("began", node), ("dup", node)..."""
    for number, (what, who, *rest) in enumerate(words):
        request = int(str(rest[0])) if rest else 0
        name = str(who)
        if what == "trap":
            yield Trapped(number, number, name, request, 0x17, 0, (0,) * 8, 0, 0, -1, b"")
        elif what == "began":
            yield Began(number, number, name)
        elif what == "dup":
            yield Noted(number, number, name, "duplicate", request, (), "trap")
        elif what in ("lost trap", "lost return"):
            kind = str(what).removeprefix("lost ")
            way = (name, "xen") if kind == "trap" else ("xen", name)
            yield Missed(number, number, *way, "lost", kind, request)
        else:
            yield Returned(number, number, name, request, str(what), 0, "", False, 0, -1, b"", None)


@pytest.mark.parametrize(
    ("words", "expected", "balanced"),
    [
        ([("trap", "a#1", 1), ("return", "a#1", 1)], Account(issued=1, answered=1), True),
        ([("trap", "a#1", 1), ("error", "a#1", 1)], Account(issued=1, failed=1), True),
        ([("trap", "a#1", 1), ("undef", "a#1", 1)], Account(issued=1, failed=1), True),
        ([("trap", "a#1", 1)], Account(issued=1, under_way=1), True),
        ([("trap", "a#1", 1), ("began", "a#2")], Account(issued=1, ended=1), True),
        ([("trap", "a#1", 1), ("began", "b#2")], Account(issued=1, under_way=1), True),
        ([("trap", "a#1", 1), ("began", "xen")], Account(issued=1, ended=1), True),
        ([("return", "a#1", 1)], Account(strays=1), False),
        (
            [("trap", "a#1", 1), ("return", "a#1", 1), ("return", "a#1", 1)],
            Account(issued=1, answered=1, strays=1),
            False,
        ),
        (
            [("trap", "a#1", 1), ("began", "a#2"), ("trap", "a#2", 1), ("return", "a#1", 1)],
            Account(issued=2, ended=1, under_way=1, strays=1),
            False,
        ),
        ([("trap", "a#1", 1), ("trap", "a#1", 1)], Account(issued=2, under_way=1), False),
        (
            [("trap", "a#1", 1), ("trap", "a#1", 1), ("dup", "xen"), ("return", "a#1", 1)],
            Account(issued=1, answered=1, duplicates=1),
            True,
        ),
        (
            [("trap", "a#1", 1), ("return", "a#1", 1), ("trap", "a#1", 1), ("dup", "xen")],
            Account(issued=1, answered=1, duplicates=1),
            True,
        ),
        ([("lost trap", "a#1", 1)], Account(lost=1), True),
        ([("trap", "a#1", 1), ("lost return", "a#1", 1)], Account(issued=1, under_way=1, lost=1), True),
    ],
)
def test_every_trap_has_its_entry(words: list[Words], expected: Account, balanced: bool) -> None:
    found = account(told(*words))
    assert found == {"a": expected}
    assert found["a"].balanced == balanced


@pytest.mark.parametrize(("undelivered", "balanced"), [(1, False), (2, True), (3, False)])
def test_xens_own_numbers_add_up(undelivered: int, balanced: bool) -> None:
    messages = {("trap", "in"): 11, ("return", "out"): 5, ("error", "out"): 2, ("undef", "out"): 1}
    drops = {("undelivered",): undelivered, ("duplicate",): 1}
    found = counters(
        {"counters": {"trapline_bus_messages_total": messages, "trapline_bus_dropped_total": drops}}
    )
    assert found == Counters(10, 5, 3, undelivered)
    assert found.balanced == balanced
