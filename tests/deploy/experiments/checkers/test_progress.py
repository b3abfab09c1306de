"""``progress``: a heal phase in which somebody gets nowhere, and the closest in which all do."""

from bus.shmem import ERROR, FREE
from tests.deploy.experiments.checkers.histories import PATIENCE_NS, Told, found, results

NAME = "progress"
HEAL_NS = 4 * PATIENCE_NS


def heal(told: Told) -> None:
    told.wait(1)
    told.note("run", "phase", 0, (told.now_ns, told.now_ns + HEAL_NS), "heal")


def over(told: Told) -> None:
    told.wait(HEAL_NS + 1)
    told.call("dom0#1")


def test_everybody_is_answered() -> None:
    told = Told()
    heal(told)
    for domain in ("dom0#1", "ivi#1"):
        told.call(domain)
    over(told)
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert (result.facts["judged"], result.facts["heal_phases"]) == (2, 1)


def test_one_gets_no_answer() -> None:
    told = Told()
    heal(told)
    told.call("dom0#1")
    told.trap("ivi#1")
    over(told)
    (violation,) = found(told, NAME)
    assert violation.domains == ("ivi#1",)


def test_one_gets_nothing_but_errors() -> None:
    told = Told()
    heal(told)
    for _ in range(3):
        told.failed(told.trap("ivi#1"), "el3-lost")
        told.ended("ivi#1", "el3-lost")
    over(told)
    assert len(found(told, NAME)) == 1


def test_an_error_area_is_no_answer() -> None:
    told = Told()
    heal(told)
    trap = told.trap("ivi#1")
    told.returned(trap, told.executed(told.smc(trap), b"", head=0, channel_status=FREE | ERROR))
    over(told)
    assert len(found(told, NAME)) == 1


def test_a_guest_that_cannot_even_ring() -> None:
    told = Told()
    heal(told)
    told.ended("ivi#1", "channel-busy")
    over(told)
    assert len(found(told, NAME)) == 1


def test_the_phase_may_be_told_at_its_end() -> None:
    told = Told()
    begin_ns = told.now_ns
    told.trap("ivi#1")
    told.wait(HEAL_NS)
    told.note("run", "phase", 0, (begin_ns, told.now_ns), "heal")
    assert len(found(told, NAME)) == 1


def test_a_history_that_ends_with_the_phase() -> None:
    told = Told()
    heal(told)
    told.trap("ivi#1")
    told.wait(HEAL_NS - 1000)
    told.note("run", "heal", 0, (), "the last row")
    assert len(found(told, NAME)) == 1


def test_who_does_not_try_is_counted_only() -> None:
    told = Told()
    told.trap("ivi#1")
    heal(told)
    told.call("dom0#1")
    over(told)
    (result,) = results(told, NAME)
    assert result.violations == ()
    assert result.facts["silent_domains"] == 1


def test_who_tried_too_late_is_not_judged() -> None:
    told = Told()
    heal(told)
    told.wait(HEAL_NS - PATIENCE_NS + 2000)
    told.trap("ivi#1")
    over(told)
    assert found(told, NAME) == ()


def test_the_dead_need_no_progress() -> None:
    told = Told()
    heal(told)
    told.trap("ivi#1")
    told.lived(1, "ivi", "dead")
    over(told)
    assert found(told, NAME) == ()


def test_a_hypercall_that_is_never_answered() -> None:
    told = Told()
    told.asked(1, "createdomain")
    told.asked(2, "destroydomain", 3)
    told.replied(1)
    told.wait(PATIENCE_NS)
    told.call("dom0#1")
    (violation,) = found(told, NAME)
    assert "destroydomain was never answered" in violation.text
    told.replied(2)
    assert found(told, NAME) == ()


def test_a_lost_smc_explains_it() -> None:
    told = Told()
    told.asked(2, "destroydomain", 3)
    told.missed("xen", "firmware", "smc", 9)
    told.wait(PATIENCE_NS)
    told.call("dom0#1")
    assert found(told, NAME, faults=["link.lose"]) == ()
