"""Experiments on virtual time: each kind of fault has its effect and ends; a seed is all there is."""

import msgspec
import pytest

from bus import frames
from deploy.errors import UserError
from deploy.experiments.describing.scenario import Timing
from deploy.recording.rows import BOOTED, LOST, NOTE
from deploy.toolstack import Work
from nodes.contract import Note
from tests.deploy.experiments.staged import (
    GUEST,
    MS,
    assert_order,
    calls,
    everybody_works,
    fault,
    is_smc,
    progress,
    rows,
    staged,
)


def test_a_stage_boots_and_tells_who_started() -> None:
    stage = staged()
    notes = [msgspec.msgpack.decode(row[4], type=Note) for row in rows(stage) if row[3] == NOTE]
    assert [(note.text, note.numbers[1:3]) for note in notes if note.what == "domain"] == [
        ("dom0", (1, -1)),
        ("guest0", (1, 0)),
        ("guest1", (1, 1)),
    ]
    assert {row[1] for row in rows(stage) if row[3] == BOOTED} >= {"xen", "firmware", "guest0#1", "guest1#1"}
    assert everybody_works(stage)
    stage.stop()


# ---- each fault has its effect, and ends ----------------------------------------------------------


def test_a_killed_guest_is_a_crashed_domain_and_comes_back() -> None:
    stage = staged()
    stage.begin(fault("process.kill", GUEST))
    assert {one.domain for one in stage.numbers()} == {"dom0", "guest1"}
    assert everybody_works(stage)
    assert {one.domain: one.incarnation for one in stage.numbers()} == {"dom0": 1, "guest0": 2, "guest1": 1}
    assert "guest0#1" in stage.stats()
    resets = stage.stats()["xen"]["counters"]["trapline_agent_resets_total"]
    assert {labels: count for labels, count in resets.items() if count} == {("0", "crash"): 1}


@pytest.mark.parametrize("node", ["xen", "firmware"])
def test_killing_what_all_need_is_refused(node: str) -> None:
    with pytest.raises(UserError, match="restart"):
        staged(1).begin(fault("process.kill", node))


def test_without_dom0_it_is_over() -> None:
    stage = staged(1)
    stage.begin(fault("process.kill", "dom0"))
    stage.advance(stage.now_ns() + MS)
    assert stage.failure == "Dom0 is gone"


def test_a_paused_guest_does_nothing_and_loses_nothing() -> None:
    stage = staged()
    paused = fault("process.pause", GUEST)
    stage.begin(paused)
    found = progress(stage)
    assert not found[GUEST]
    assert found["guest1"]
    stage.end(paused)
    assert everybody_works(stage)
    assert not stage.stats()["guest0#1"]["counters"]["trapline_guest_calls_total"][
        "guest0", "indefinite_error"
    ]


def test_a_stalled_el3_answers_afterwards_in_order() -> None:
    stage = staged(3)
    stall = fault("el3.stall")
    before = calls(stage)
    stage.begin(stall)
    stage.advance(stage.now_ns() + 20 * MS)
    assert calls(stage) == before
    stage.end(stall)
    assert everybody_works(stage)
    assert_order(rows(stage))


def test_a_domain_can_be_killed_while_el3_stalls() -> None:
    """xl waits for the call under way, and with it for EL3: the end of the stall must come all the same."""
    stage = staged()
    stall = fault("el3.stall")
    stage.begin(stall)
    stage.at(stage.now_ns() + 5 * MS, lambda: stage.begin(fault("process.kill", GUEST)))
    stage.at(stage.now_ns() + 40 * MS, lambda: stage.end(stall))
    assert everybody_works(stage)
    assert stage.now_ns() < 1_000 * MS


def test_a_slow_guest_gets_less_done() -> None:
    stage = staged(2, Timing(el3_us=0, xen_us=0), Work(True))
    slow = fault("process.slow", GUEST, step=20)
    stage.begin(slow)
    found = progress(stage, 50)
    assert found[GUEST] < found["guest1"] / 2
    stage.end(slow)
    found = progress(stage, 50)
    assert found[GUEST] > found["guest1"] / 2


def test_el3_restarts_and_has_forgotten_everything() -> None:
    """The call under way ends, nobody knows how; what was granted is denied until the domain starts again."""
    stage = staged()
    before = {one.domain: one.indefinite for one in stage.numbers()}
    stage.begin(fault("el3.restart"))
    progress(stage, 60)
    assert {one.domain for one in stage.numbers() if one.indefinite > before[one.domain]} == {GUEST, "guest1"}
    found = [one for one in stage.numbers() if one.domain != "dom0"]
    assert all(one.denied or one.definite for one in found)
    for name in (GUEST, "guest1"):
        stage.toolstack.reboot(name)
    assert everybody_works(stage)


def test_xen_restarts_with_every_domain() -> None:
    stage = staged()
    stage.begin(fault("xen.restart"))
    assert everybody_works(stage)
    assert {one.domain: one.incarnation for one in stage.numbers()} == {"dom0": 2, "guest0": 2, "guest1": 2}
    numbers = [frames.decode(row[4]).request for row in rows(stage) if row[1] == "firmware" and is_smc(row)]
    assert len(numbers) == len(set(numbers))


def test_a_restart_of_xen_ends_what_the_toolstack_waits_for() -> None:
    stage = staged()
    now_ns = stage.now_ns()
    stage.begin(fault("el3.stall"))
    stage.begin(fault("process.kill", GUEST))
    stage.at(now_ns + 30 * MS, lambda: stage.begin(fault("xen.restart")))
    stage.at(now_ns + 31 * MS, lambda: stage.end(fault("el3.stall")))
    assert everybody_works(stage)
    assert stage.now_ns() < 1_000 * MS


@pytest.mark.parametrize("kind_of_fault", ["toolstack.dies_creating", "toolstack.dies_destroying"])
@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_toolstack_that_dies_leaves_what_a_reboot_mends(kind_of_fault: str, step: int) -> None:
    stage = staged()
    stage.begin(fault(kind_of_fault, GUEST, step=step))
    assert not progress(stage, 50).get(GUEST)
    stage.boards[0].operations.reboot(GUEST)
    assert everybody_works(stage)


@pytest.mark.parametrize("action", ["toolstack.reboot", "toolstack.destroy"])
def test_what_a_toolstack_does_on_purpose(action: str) -> None:
    stage = staged()
    planned = fault(action, GUEST)
    stage.begin(planned)
    stage.advance(stage.now_ns() + 50 * MS)
    assert (GUEST in {one.domain for one in stage.numbers()}) == (action == "toolstack.reboot")
    stage.end(planned)
    assert everybody_works(stage)


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("delay", {"delay_ns": 5 * MS}),
        ("lose", {}),
        ("partition", {"to": "xen"}),
        ("duplicate", {}),
        ("reorder", {"delay_ns": MS}),
    ],
)
def test_a_link_is_broken_for_one_guest_and_heals(action: str, more: dict[str, object]) -> None:
    stage = staged()
    planned = fault(f"link.{action}", GUEST, **more)
    stage.begin(planned)
    found = progress(stage)
    assert found["guest1"] > 20
    if action != "duplicate":
        assert found[GUEST] < found["guest1"] / 2
    assert (stage._faults.applied(planned) or 0) > 0
    stage.end(planned)
    lost = [row for row in rows(stage) if row[3] == LOST]
    assert bool(lost) == (action in ("lose", "partition"))
    if lost:
        stage.toolstack.reboot(GUEST)
    assert everybody_works(stage)
    applied = stage._faults.applied(planned)
    progress(stage)
    assert stage._faults.applied(planned) == applied
    if action != "reorder":
        assert_order(rows(stage))


def test_an_unknown_kind_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="no-such"):
        staged(1).begin(fault("no-such"))


def test_two_pauses_end_with_the_second() -> None:
    stage = staged()
    first, second = (msgspec.structs.replace(fault("process.pause", GUEST), number=one) for one in (1, 2))
    stage.begin(first)
    stage.begin(second)
    stage.end(first)
    assert not progress(stage)[GUEST]
    stage.end(second)
    assert everybody_works(stage)
