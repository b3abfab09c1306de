"""``stale_incarnation``: each way to break it, and beside it the closest history that is right."""

from bus import frames
from deploy.recording.events import Began
from tests.deploy.experiments.checkers.histories import Told, found, results

NAME = "stale_incarnation"
NEWER = frames.first_request(2)


def welcomed(told: Told, node: str, incarnation: int = 1) -> None:
    told.note(node, "welcomed", 0, (incarnation,), "")


def replaced(told: Told) -> Told:
    """ivi#1 is gone, ivi#2 was welcomed."""
    welcomed(told, "ivi#1")
    told.call("ivi#1")
    told.lived(1, "ivi", "dead")
    told.start("ivi#2", 5)
    welcomed(told, "ivi#2")
    return told


def test_an_incarnation_after_the_other() -> None:
    told = replaced(Told())
    told.call("ivi#2")
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["judged"] == 2


def test_a_trap_of_the_old_one_that_reached_el3() -> None:
    told = replaced(Told())
    told.smc(told.trap("ivi#1"))
    (violation,) = found(told, NAME)
    assert violation.text == "ivi#1's call 2 reached EL3, though ivi#2 was welcomed before it rang"
    assert len(violation.events) == 3


def test_a_trap_of_the_old_one_that_was_refused() -> None:
    told = replaced(Told())
    told.trap("ivi#1")
    told.note("xen", "stale", 2, (1, 0, 0), "ivi#1")
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["refused"] == 1


def test_one_that_rang_in_time_and_was_late_on_its_way() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    replaced(told)
    told.smc(trap)
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["abstained"] == 1


def test_an_smc_of_an_old_xen_is_not_done() -> None:
    told = Told()
    welcomed(told, "firmware", 1)
    smc = told.smc(told.trap("ivi#1"))
    welcomed(told, "firmware", 2)
    told.executed(smc)
    assert found(told, NAME) == (), "EL3 had it already"
    late = told.smc(told.trap("ivi#1"), request=77)
    assert found(told, NAME) == (), "it came; nobody says that it was done"
    told.executed(late)
    (violation,) = found(told, NAME)
    assert violation.text == "EL3 executed request 77 of xen#1, though xen#2 had welcomed it before"


def test_refused_or_of_the_newest_it_is_right() -> None:
    told = Told()
    welcomed(told, "firmware", 2)
    told.smc(told.trap("ivi#1"), request=77)
    told.note("firmware", "stale", 77, (1, 0, 0), "")
    told.executed(told.smc(told.trap("ivi#1"), request=NEWER + 1))
    assert found(told, NAME) == ()


def test_another_el3_knows_no_xen_yet() -> None:
    told = Told()
    welcomed(told, "firmware", 2)
    told.add(Began, "firmware")
    told.executed(told.smc(told.trap("ivi#1"), request=77))
    assert found(told, NAME) == ()


def test_the_answer_of_an_el3_that_was_replaced() -> None:
    for named in (True, False):
        told = Told()
        trap = told.trap("ivi#1")
        smc = told.smc(trap)
        answer = told.executed(smc)
        told.events.pop()
        told.asked(9, "node_expected")
        if named:
            told.note("xen", "unexpected", smc.request, (), "smcreturn from firmware~1")
        else:
            told.executed(smc)
        assert found(told, NAME) == (), "Xen refuses it"
        told.returned(trap, answer)
        (violation,) = found(told, NAME)
        assert violation.text == "the answer of an EL3 that was replaced reached ivi#1 for its call 1"


def test_an_answer_that_came_before_is_one() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    answer = told.executed(told.smc(trap))
    told.asked(9, "node_expected")
    told.returned(trap, answer)
    told.call("ivi#1")
    assert found(told, NAME) == ()
