"""``answers``: each way to break it, and beside it the closest history that is right."""

from tests.deploy.experiments.checkers.histories import PATIENCE_NS, Told, found, results

NAME = "answers"


def test_answered_calls_are_right() -> None:
    told = Told()
    for domain in ("dom0#1", "ivi#1", "tcu#1"):
        told.call(domain)
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["judged"] == 3


def test_a_history_without_calls_proves_nothing() -> None:
    (result,) = results(Told(), NAME)
    assert result.facts["note"].startswith("saw nothing")


def test_a_trap_that_nobody_answers() -> None:
    told = Told()
    told.smc(told.trap("ivi#1"))
    told.wait(PATIENCE_NS)
    told.call("tcu#1")
    (violation,) = found(told, NAME)
    assert violation.domains == ("ivi#1",)
    assert "never answered; EL3 got it" in violation.text


def test_a_trap_that_is_young_at_the_end_is_pending() -> None:
    told = Told()
    told.smc(told.trap("ivi#1"))
    told.wait(PATIENCE_NS - 10_000)
    told.call("tcu#1")
    assert found(told, NAME) == ()


def test_missing_rows_prove_no_absence() -> None:
    told = Told()
    told.trap("ivi#1")
    told.wait(PATIENCE_NS)
    told.call("tcu#1")
    assert found(told, NAME, complete=False) == ()


def test_two_answers() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    executed = told.executed(told.smc(trap))
    told.returned(trap, executed)
    told.failed(trap, "el3-lost")
    (violation,) = found(told, NAME)
    assert "answered twice" in violation.text


def test_a_copy_is_excused_only_where_links_duplicate() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    executed = told.executed(told.smc(trap))
    told.returned(trap, executed)
    told.returned(trap, executed)
    assert found(told, NAME, faults=["link.duplicate"]) == ()
    assert len(found(told, NAME)) == 1


def test_another_answer_is_no_copy() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    executed = told.executed(told.smc(trap))
    told.returned(trap, executed)
    told.returned(trap, executed, x0=1)
    assert len(found(told, NAME, faults=["link.duplicate"])) == 1


def test_an_answer_that_nobody_asked_for() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    executed = told.executed(told.smc(trap))
    told.returned(trap, executed, request=7)
    told.returned(trap, executed)
    (violation,) = found(told, NAME)
    assert "never asked" in violation.text


def test_refused_may_be_about_any_frame() -> None:
    told = Told()
    trap = told.trap("ivi#1")
    told.failed(trap, "refused", definite=True)
    told.returned(trap, told.executed(told.smc(trap)))
    assert found(told, NAME) == ()


def test_a_lost_return_excuses_its_own_call_only() -> None:
    told = Told()
    lost, kept = told.trap("ivi#1"), told.trap("tcu#1")
    for trap in (lost, kept):
        told.executed(told.smc(trap))
    told.missed("xen", "ivi#1", "return", lost.request)
    told.wait(PATIENCE_NS)
    told.call("dom0#1")
    (violation,) = found(told, NAME, faults=["link.lose"])
    assert violation.domains == ("tcu#1",)


def test_a_lost_smc_excuses_one_channel() -> None:
    told = Told()
    told.trap("ivi#1")
    told.missed("xen", "firmware", "smc", 9)
    told.wait(PATIENCE_NS)
    told.call("dom0#1")
    assert found(told, NAME, faults=["link.lose"]) == ()
    told = Told()
    told.trap("ivi#1")
    told.trap("tcu#1")
    told.missed("xen", "firmware", "smc", 9)
    told.wait(PATIENCE_NS)
    told.call("dom0#1")
    assert len(found(told, NAME, faults=["link.lose"])) == 2


def test_the_dead_are_owed_nothing() -> None:
    told = Told()
    told.smc(told.trap("ivi#1"))
    told.smc(told.trap("tcu#1"))
    told.lived(1, "ivi", "dying", "crash")
    told.wait(PATIENCE_NS)
    told.call("dom0#1")
    (violation,) = found(told, NAME, faults=["process.kill"])
    assert violation.domains == ("tcu#1",)


def test_who_was_killed_while_it_waited_is_owed_nothing() -> None:
    told = Told()
    told.trap("ivi#1")
    told.begin(1, "process.kill", "ivi")
    told.wait(PATIENCE_NS)
    told.call("dom0#1")
    assert found(told, NAME, faults=["process.kill"]) == ()


def test_a_kill_of_another_excuses_nobody() -> None:
    told = Told()
    told.trap("ivi#1")
    told.begin(1, "process.kill", "tcu")
    told.wait(PATIENCE_NS)
    told.call("dom0#1")
    assert len(found(told, NAME, faults=["process.kill"])) == 1
