"""Whose answer counts: every job one result, whatever workers, coordinators and the network do."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from deploy.fleet.book import LOST, TRIES_MAX, Book
from deploy.fleet.ledger import Began, Died, Done, Given, Record, Refused
from deploy.fleet.messages import Answer
from tests.deploy.fleet.fleets import done, outcome


def given(book: Book) -> Given:
    """Hand out the next job."""
    order = book.next()
    assert order is not None
    book.see(order)
    return order


def test_jobs_are_given_in_order_once() -> None:
    book = Book(2)
    assert [given(book), given(book), book.next()] == [Given(0, 1), Given(1, 1), None]
    assert book.states()["running"] == 2


def test_a_job_whose_worker_died_is_given_again_under_another_number() -> None:
    book = Book(1)
    given(book)
    died = book.died(0, 1, "SIGKILL")
    assert died == Died(0, 1, "SIGKILL", final=False)
    book.see(died)
    assert given(book) == Given(0, 2)


def test_only_the_newest_attempt_may_answer_and_once() -> None:
    book = Book(1)
    given(book)
    book.see(Died(0, 1, ""))
    given(book)
    late = book.answered(Answer(0, 1, outcome()))
    assert late == Refused(0, 1)
    book.see(late)
    good = book.answered(Answer(0, 2, outcome()))
    assert isinstance(good, Done)
    book.see(good)
    assert book.answered(Answer(0, 2, outcome("fail"))) == Refused(0, 2)
    assert (book.result, book.refused, book.over) == ({0: "pass"}, 1, True)


def test_an_answer_before_its_job_is_given_again_is_refused_too() -> None:
    book = Book(1)
    given(book)
    book.see(Died(0, 1, ""))
    assert book.answered(Answer(0, 1, outcome())) == Refused(0, 1)
    assert book.died(0, 1, "told twice") is None


def test_a_job_that_kills_every_worker_is_lost() -> None:
    book = Book(1)
    for attempt in range(1, TRIES_MAX + 1):
        given(book)
        died = book.died(0, attempt, "SIGSEGV")
        assert died is not None
        assert died.final == (attempt == TRIES_MAX)
        book.see(died)
    assert (book.result, book.over, book.next()) == ({0: LOST}, True, None)
    assert book.workers_lost == TRIES_MAX


def test_the_coordinators_death_is_no_job_s_fault() -> None:
    book = Book(1)
    for attempt in range(1, TRIES_MAX + 3):
        assert given(book) == Given(0, attempt)
        book.see(Began(0.0, 1))
    assert book.states() == {"waiting": 1, "running": 0, "pass": 0, "fail": 0, "error": 0, LOST: 0}


@pytest.mark.parametrize("record", [done(0, 2), done(1, 1), Given(0, 1), Given(1, 2)])
def test_a_record_that_no_coordinator_writes_there_is_an_error(record: Record) -> None:
    book = Book(3)
    given(book)
    with pytest.raises(ValueError, match="attempt"):
        book.see(record)


class Workers(RuleBasedStateMachine):
    """Anybody may answer anything at any time, die, be told dead twice; coordinators come and go."""

    @initialize(jobs=st.integers(1, 5))
    def begin(self, jobs: int) -> None:
        self.book = Book(jobs)
        self.ledger: list[Record] = []
        self.given: list[tuple[int, int]] = []

    def note(self, record: Record) -> None:
        self.book.see(record)
        self.ledger.append(record)

    @precondition(lambda self: self.book.next() is not None)
    @rule()
    def give(self) -> None:
        order = self.book.next()
        assert order is not None
        assert (order.job, order.attempt) not in self.given, "no attempt is given twice"
        self.given.append((order.job, order.attempt))
        self.note(order)

    @precondition(lambda self: self.given)
    @rule(data=st.data(), verdict=st.sampled_from(["pass", "fail", "error"]))
    def answer(self, data: st.DataObject, verdict: str) -> None:
        job, attempt = data.draw(st.sampled_from(self.given))
        self.note(self.book.answered(Answer(job, attempt, outcome(verdict))))

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        died = self.book.died(*data.draw(st.sampled_from(self.given)), "killed")
        if died is not None:
            self.note(died)

    @rule()
    def next_coordinator(self) -> None:
        self.note(Began(0.0, 1))

    @invariant()
    def every_job_is_in_one_state(self) -> None:
        assert sum(self.book.states().values()) == self.book.jobs

    @invariant()
    def every_result_was_noted_once(self) -> None:
        results = [one.job for one in self.ledger if isinstance(one, Done)]
        results += [one.job for one in self.ledger if isinstance(one, Died) and one.final]
        assert sorted(results) == sorted(self.book.result)

    @invariant()
    def who_reads_the_ledger_knows_the_same(self) -> None:
        again = Book(self.book.jobs)
        for record in self.ledger:
            again.see(record)
        assert vars(again) == vars(self.book)

    def teardown(self) -> None:
        """Whatever was, it can be brought to an end."""
        if not hasattr(self, "book"):
            return
        for job, attempt in list(self.book.running.items()):
            self.note(self.book.answered(Answer(job, attempt, outcome())))
        while (order := self.book.next()) is not None:
            self.note(order)
            self.note(self.book.answered(Answer(order.job, order.attempt, outcome())))
        assert self.book.over


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
