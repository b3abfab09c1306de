"""The table of checkers: names, all of them, stopping early, bounded reports; and real runs are silent."""

import sys
from collections.abc import Iterator

import pytest

from deploy.experiments.checkers import Context, excuses, grants
from deploy.experiments.checkers.base import TOLD_MAX
from deploy.experiments.checkers.registry import CHECKERS, judge, make
from deploy.experiments.describing.faults import BY_NAME
from deploy.recording.decode import Decoder
from deploy.recording.events import Event
from tests.deploy.experiments.checkers.histories import PATIENCE_NS, Told, automotive, results
from tests.deploy.experiments.recorded_run import recorded

CONTEXT = Context(automotive(), frozenset(), True, PATIENCE_NS)


def test_all_are_made_in_the_tables_order() -> None:
    assert [one.name for one in make(["all"], CONTEXT)] == list(CHECKERS)
    assert [one.name for one in make(["tokens", "answers"], CONTEXT)] == ["answers", "tokens"]


def test_an_unknown_name_tells_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no checker 'token'; there are all, answers, .*tokens"):
        make(["token"], CONTEXT)


def test_every_row_of_the_excuses_is_asked_for_by_one_that_judges_its_claim() -> None:
    """The table is the mechanism: a row that nobody reads would be a promise only."""
    rows = [one for one in vars(excuses).values() if isinstance(one, excuses.Excuse)]
    assert set(rows) == set(excuses.EXCUSES)
    for row in rows:
        asks = {type(one).__module__ for one in make([row.checker], CONTEXT)} | {grants.__name__}
        found = [name for name in asks for one in vars(sys.modules[name]).values() if one is row]
        assert len(found) == 1, row
        assert set(row.faults) <= set(BY_NAME), row


def test_stopping_at_the_first_sees_no_further() -> None:
    told = Told()
    smc = told.smc(told.trap("ivi#1"))
    told.executed(smc, head=smc.head ^ 1)
    told.call("tcu#1")
    left: Iterator[Event] = iter(told.events)
    (result,) = judge(left, make(["tokens"], CONTEXT), stop_at_first=True)
    assert len(result.violations) == 1
    assert len(list(left)) == 4


def test_a_report_has_a_bound() -> None:
    told = Told()
    for _ in range(TOLD_MAX + 3):
        smc = told.smc(told.trap("ivi#1"))
        told.executed(smc, head=smc.head ^ 1)
    (result,) = results(told, "tokens")
    assert len(result.violations) == TOLD_MAX
    assert result.facts["violations_not_told"] == 3


def test_a_violation_shows_its_events_in_order() -> None:
    told = Told()
    smc = told.smc(told.trap("ivi#1"))
    executed = told.executed(smc, head=smc.head ^ 1)
    (result,) = results(told, "tokens")
    (violation,) = result.violations
    assert violation.events == (smc.number, executed.number)
    assert violation.at_ns == executed.at_ns


def test_a_real_run_is_silent_and_was_looked_at() -> None:
    for result in judge(Decoder().events(recorded().rows), make(["all"], CONTEXT)):
        assert result.violations == (), result.name
        assert result.facts["judged"] or result.name == "progress", result.name
