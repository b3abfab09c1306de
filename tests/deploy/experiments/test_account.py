"""To the unit: what Xen received, and what became of it; each entry of the account with both sides."""

from collections.abc import Iterator

import msgspec
import pytest

from deploy.experiments.describing.plan import Plan, Planned
from deploy.experiments.history.account import Account, Counters, account, counters
from deploy.experiments.judging.books import books
from deploy.recording.events import Began, Event, Missed, Noted, Returned, Trapped

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


def xen(**more: int) -> dict[str, dict[str, dict[tuple[str, ...], int]]]:
    """What a Xen told that received 10 traps of domains, and has 1 answer that nobody took."""
    numbers = {
        "duplicate": 1,
        "refused": 2,
        "error": 3,
        "undelivered": 1,
        "under_way": 0,
        "returned": 5,
    } | more
    messages = {
        ("trap", "in"): 13,
        ("return", "out"): numbers.pop("returned"),
        ("error", "out"): 6,
        ("undef", "out"): 1,
    }
    waiting = {(): numbers.pop("under_way")}
    ledger = {(name,): number for name, number in numbers.items()}
    return {
        "counters": {
            "trapline_bus_messages_total": messages,
            "trapline_trap_ledger_total": ledger,
            "trapline_scmi_waiting_calls": waiting,
        }
    }


def el3(
    received: int, returned: int, twice: int = 0, stale: int = 0
) -> dict[str, dict[str, dict[tuple[str, ...], int]]]:
    messages = {("smc", "in"): received, ("smcreturn", "out"): returned}
    return {
        "counters": {
            "trapline_bus_messages_total": messages,
            "trapline_smc_duplicates_total": {(): twice},
            "trapline_smc_stale_total": {(): stale},
        }
    }


@pytest.mark.parametrize(
    ("change", "balanced"),
    [
        ({}, True),
        ({"undelivered": 0}, False),
        ({"undelivered": 2}, False),
        ({"returned": 4}, False),
        ({"returned": 6}, False),
        ({"returned": 4, "under_way": 1}, True),
        ({"error": 2}, False),
        ({"refused": 1}, False),
        ({"duplicate": 0}, False),
    ],
)
def test_xens_own_numbers_add_up(change: dict[str, int], balanced: bool) -> None:
    found = counters(xen(**change))
    assert found.balanced == balanced
    if not change:
        assert found == Counters(10, 5, 4, 1)


PLAN = Plan((), {}, {}, ())


@pytest.mark.parametrize(
    ("told", "lives", "received", "wrong"),
    [
        (10, 0, 7, ""),
        (10, 0, 8, "EL3 received 8 SMCs"),
        (10, 0, 6, "EL3 received 6 SMCs"),
        (9, 1, 7, ""),
        (9, 0, 7, "guests told the end of 9"),
        (8, 1, 7, "guests told the end of 8"),
        (11, 1, 7, "guests told the end of 11"),
        (None, 0, 7, ""),
    ],
)
def test_xen_el3_and_the_guests_tell_the_same(
    told: int | None, lives: int, received: int, wrong: str
) -> None:
    stats = {"xen": xen(), "firmware": el3(received + 3, 7, 1, 2), "xen~0": xen(returned=0), "a#1": {}}
    found = books(stats, PLAN, told, lives)
    assert found.killed == (None if told is None else 10 - told)
    assert wrong in found.problem() if wrong else not found.problem()


def test_what_links_did_to_traps_is_not_held_against_guests() -> None:
    plan = msgspec.structs.replace(PLAN, faults=(Planned(1, "link.lose", ("a",), 0, 1),))
    found = books({"xen": xen(), "firmware": el3(7, 7)}, plan, 20, 0)
    assert (found.killed, found.problem()) == (None, "")
