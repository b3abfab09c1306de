"""Experiments on virtual time: cores misbehave when they are told to, until they are told to stop."""

import pytest

from deploy.errors import UserError
from deploy.experiments.stages.asking import EL3_KINDS, GUEST_KINDS
from deploy.experiments.stages.simulated_faults import MAPPED
from tests.deploy.experiments.staged import (
    GUEST,
    MS,
    everybody_works,
    fault,
    progress,
    staged,
)


@pytest.mark.parametrize("kind_of_fault", [one for one in EL3_KINDS if one != "el3.lost_completion"])
def test_el3_misbehaves_to_one_agent_until_it_is_told_to_stop(kind_of_fault: str) -> None:
    stage = staged()
    planned = fault(kind_of_fault, GUEST, delay_ns=5 * MS)
    stage.begin(planned)
    if kind_of_fault == "el3.refuse_reset":
        stage.begin(fault("process.kill", GUEST))
    stage.advance(stage.now_ns() + 40 * MS)
    stage.end(planned)
    assert (stage.applied(planned) or 0) > 0
    stage.advance(stage.now_ns() + 100 * MS)
    assert stage.applied(planned) == 0
    if GUEST in {one.domain for one in stage.numbers()}:
        stage.toolstack.reboot(GUEST)
    assert everybody_works(stage)
    (other,) = (one for one in stage.numbers() if one.domain == "guest1")
    assert not other.indefinite


@pytest.mark.parametrize("kind_of_fault", GUEST_KINDS)
def test_a_guest_is_hostile_until_it_is_told_to_stop(kind_of_fault: str) -> None:
    stage = staged(pages="mapped" if kind_of_fault in MAPPED else "carried")
    planned = fault(kind_of_fault, GUEST, rate=2_000.0, seed=7)
    stage.begin(planned)
    assert progress(stage, 40)["guest1"] > 50
    written = lambda: sum(page.written for page in stage.boards[0].engine.memory.pages.values())  # noqa: E731
    blows = lambda: sum(  # noqa: E731
        stage.stats()["guest0#1"]["counters"]["trapline_guest_hostile_total"].values()
    )
    count = written if kind_of_fault in MAPPED else blows
    assert count() > 20
    stage.end(planned)
    stage.advance(stage.now_ns() + 100 * MS)
    before = count()
    stage.advance(stage.now_ns() + 50 * MS)
    assert count() == before
    stage.toolstack.reboot(GUEST)
    assert everybody_works(stage)


def test_a_page_that_is_scribbled_into_needs_mapped_pages() -> None:
    with pytest.raises(UserError, match="mapped"):
        staged(1).begin(fault("guest.header_flip", GUEST))
