"""``at_most_once``: each way to break it, and beside it the closest history that is right."""

from tests.deploy.experiments.checkers.histories import Told, found, results, word

NAME = "at_most_once"


def test_each_trap_once() -> None:
    told = Told()
    told.call("ivi#1")
    told.call("ivi#1")
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["judged"] == 2


def test_one_trap_under_two_of_xens_numbers() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    told.executed(told.smc(trap))
    told.executed(told.smc(trap))
    (violation,) = found(told, NAME, faults=["link.duplicate"])
    assert "came to EL3 as Xen's request 1 and again as 2" in violation.text


def test_nor_where_the_record_could_not_tell_whose_it_is() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    told.executed(told.smc(trap))
    told.smc(trap, domain="")
    assert len(found(told, NAME)) == 1


def test_one_smc_twice() -> None:
    told = Told()
    smc = told.smc(told.trap("ivi#1"))
    told.smc(told.events[-2], request=smc.request)  # type: ignore[arg-type]
    told.executed(smc)
    assert len(found(told, NAME)) == 1
    assert found(told, NAME, faults=["link.duplicate"]) == ()


def test_an_smc_that_comes_again_but_not_the_same() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    smc = told.smc(trap)
    told.smc(trap, request=smc.request, payload=word(9))
    assert len(found(told, NAME, faults=["link.duplicate"])) == 1


def test_two_returns() -> None:
    told = Told()
    smc = told.smc(told.trap("ivi#1"))
    told.executed(smc, word(0, 1))
    told.executed(smc, word(0, 1))
    assert len(found(told, NAME)) == 1
    assert found(told, NAME, faults=["link.duplicate"]) == ()
    told.executed(smc, word(0, 2))
    (violation,) = found(told, NAME, faults=["link.duplicate"])
    assert "not the same" in violation.text


def test_another_life_may_use_the_numbers_again() -> None:
    told = Told()
    told.call("ivi#1")
    told.lived(1, "ivi", "dead")
    told.start("ivi#2", 5)
    told.call("ivi#2")
    assert found(told, NAME) == ()
