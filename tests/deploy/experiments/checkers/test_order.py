"""``order``: numbers, time at a node, answers and their questions."""

from msgspec.structs import replace

from tests.deploy.experiments.checkers.histories import Told, found, results

NAME = "order"


def test_a_history_in_order() -> None:
    told = Told()
    told.call("ivi#1")
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["judged"] == len(told.events)


def test_numbers_that_do_not_grow() -> None:
    told = Told()
    told.call("ivi#1")
    told.events[-1] = replace(told.events[-1], number=told.events[-2].number)
    assert len(found(told, NAME)) == 1


def test_time_that_goes_back_at_a_node() -> None:
    told = Told()
    told.call("ivi#1")
    told.now_ns -= 50_000
    told.trap("ivi#1")
    (violation,) = found(told, NAME)
    assert "time went back at xen" in violation.text


def test_time_is_each_nodes_own() -> None:
    told = Told()
    told.call("ivi#1")
    told.now_ns -= 2_000
    told.note("run", "heal", 0, (), "later than at the node before, earlier than at another")
    assert found(told, NAME) == ()


def test_an_answer_older_than_its_question() -> None:
    told = Told()
    smc = told.smc(told.trap("ivi#1"))
    told.now_ns -= 2_000
    told.executed(smc)
    (violation,) = found(told, NAME)
    assert "older than its question" in violation.text
