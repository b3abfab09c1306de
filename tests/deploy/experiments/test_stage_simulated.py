"""Experiments on virtual time: each kind of fault has its effect and ends; a seed is all there is."""

import os
import subprocess
import sys
from collections.abc import Sequence

import msgspec
import pytest

from bus import frames
from deploy import generated
from deploy.errors import UserError
from deploy.experiments.describing.plan import Planned
from deploy.experiments.describing.scenario import Timing
from deploy.experiments.stages.asking import EL3_KINDS, GUEST_KINDS
from deploy.experiments.stages.simulated import SimulatedStage
from deploy.experiments.stages.simulated_faults import MAPPED
from deploy.recording.record import ROWS_MAX
from deploy.recording.rows import BOOTED, LOST, NOTE, RECEIVED, UNDELIVERED, Row
from deploy.toolstack import Work
from nodes.contract import Note

MS = 1_000_000
QUICK = Timing(guest_us=0, xen_us=0, el3_us=0)
THINK = Work(True, 100_000, 50 * MS)
GUEST = "guest0"


def staged(
    guests: int = 2, timing: Timing = QUICK, work: Work = THINK, pages: str = "carried"
) -> SimulatedStage:
    made = generated.topology(guests)
    stage = SimulatedStage(made, seed=3, timing=timing, work=work, pages=pages, sink=[])
    stage.start()
    stage.advance(stage.now_ns() + 50 * MS)
    return stage


def rows(stage: SimulatedStage) -> list[Row]:
    return stage._record.rows


def fault(kind: str, *where: str, **more: object) -> Planned:
    return Planned(1, kind, where, 0, 0, **more)  # type: ignore[arg-type]


def calls(stage: SimulatedStage) -> int:
    """What EL3 has answered, all of them that there were."""
    found = 0
    for name, stats in stage.stats().items():
        if name.partition("~")[0] == "firmware":
            found += sum(stats["counters"]["trapline_scmi_calls_total"].values())
    return found


def progress(stage: SimulatedStage, ms: int = 20) -> dict[str, int]:
    """Answers to each guest in the next milliseconds."""
    before = {one.domain: (one.incarnation, one.answered) for one in stage.numbers()}
    stage.advance(stage.now_ns() + ms * MS)
    found = {}
    for one in stage.numbers():
        incarnation, answered = before.get(one.domain, (0, 0))
        found[one.domain] = one.answered - (answered if incarnation == one.incarnation else 0)
    return found


def everybody_works(stage: SimulatedStage) -> bool:
    found = progress(stage, 150)
    guests = [name for board in stage.boards for name in board.toolstack.guests]
    return stage.failure is None and all(found.get(name) for name in guests)


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


# ---- order, queues, time --------------------------------------------------------------------------


def kind(row: Row) -> str:
    return type(frames.decode(row[4])).__name__.lower()


def is_smc(row: Row) -> bool:
    return row[3] == RECEIVED and kind(row) == "smc"


def assert_order(found: Sequence[Row]) -> None:
    """Xen's request numbers reach EL3 in the order in which they were given."""
    numbers = [frames.decode(row[4]).request for row in found if row[1] == "firmware" and is_smc(row)]
    assert len(numbers) > 100
    seen = 0
    for number in numbers:
        assert number >= seen
        seen = number


def test_everything_waits_for_el3() -> None:
    """One EL3 serves one SMC at a time: many guests make each other wait, as long as they all work."""
    timing = Timing(hop_us=10, jitter_us=0, guest_us=5, xen_us=5, el3_us=40)

    def waiting(guests: int) -> float:
        """The mean bucket of guest0's latencies."""
        stage = staged(guests, timing, Work(True))
        (buckets,) = (one.latency for one in stage.numbers() if one.domain == GUEST)
        return sum(at * count for at, count in enumerate(buckets)) / sum(buckets)

    assert waiting(1) < waiting(4) < waiting(12)


def test_el3_serves_no_more_than_it_can() -> None:
    stage = staged(8, Timing(hop_us=10, jitter_us=5, guest_us=1, xen_us=1, el3_us=50), Work(True))
    before = calls(stage)
    stage.advance(stage.now_ns() + 20 * MS)
    assert 0.95 * 400 <= calls(stage) - before <= 401


# ---- several boards -------------------------------------------------------------------------------


def test_boards_side_by_side_do_not_meet() -> None:
    topologies = [generated.topology(2, first=first) for first in (0, 2)]
    stage = SimulatedStage(topologies, seed=1, timing=QUICK, work=THINK, sink=[])
    stage.start()
    assert everybody_works(stage)
    assert set(stage.stats()) >= {"xen", "xen.1", "firmware", "firmware.1", "guest3#1"}
    for row in rows(stage):
        if row[3] == RECEIVED:
            boards = {("guest2" in name or "guest3" in name or ".1" in name) for name in row[1:3]}
            assert len(boards) == 1, row
    stage.begin(fault("process.kill", "guest3"))
    stage.begin(fault("link.delay", "guest2", delay_ns=MS))
    assert everybody_works(stage)


# ---- determinism ----------------------------------------------------------------------------------

RUN = """
import sys
from deploy import generated
from deploy.experiments.describing.plan import Planned
from deploy.experiments.describing.scenario import Timing
from deploy.experiments.stages.simulated_faults import MAPPED
from deploy.experiments.stages.simulated import SimulatedStage
from deploy.toolstack import Work
MS = 1_000_000
stage = SimulatedStage(
    [generated.topology(3), generated.topology(2, first=3)],
    seed=int(sys.argv[1]), timing=Timing(), work=Work(True, 10_000, 50 * MS),
    sink=[] if sys.argv[2] == "1" else None)
stage.start()
for number, (kind, where, more) in enumerate([
    ("link.delay", ("guest0",), dict(delay_ns=MS, jitter_ns=MS, likelihood=0.5)),
    ("link.reorder", ("guest1",), dict(likelihood=0.2)),
    ("process.kill", ("guest3",), {}), ("process.pause", ("guest4",), {}),
    ("process.slow", ("guest2",), dict(step=7)), ("el3.restart", (), {}),
    ("toolstack.dies_creating", ("guest1",), dict(step=3)), ("xen.restart", (), {}),
]):
    fault = Planned(number, kind, where, 0, 0, seed=number, **more)
    stage.at(stage.now_ns() + (5 + 7 * number) * MS, lambda fault=fault: stage.begin(fault))
    stage.at(stage.now_ns() + (25 + 9 * number) * MS, lambda fault=fault: stage.end(fault))
stage.advance(stage.now_ns() + 200 * MS)
print(stage.fingerprint(), stage.now_ns(), sum(one.answered for one in stage.numbers()), stage.failure)
"""


def played(seed: int, hash_seed: str, sink: bool) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", RUN, str(seed), str(int(sink))]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, timeout=100, check=True)
    return done.stdout.decode()


def test_equal_seeds_give_equal_runs_whoever_looks() -> None:
    first = played(5, "1", sink=True)
    assert first == played(5, "977", sink=False)
    assert first != played(6, "1", sink=True)
    assert first.split()[3] == "None"
    assert int(first.split()[2]) > 500


def test_no_row_is_of_somebody_unknown() -> None:
    stage = staged()
    stage.begin(fault("process.kill", GUEST))
    stage.advance(stage.now_ns() + 50 * MS)
    assert "nobody" not in {row[2] for row in rows(stage) if row[3] != UNDELIVERED}


# ---- what cores do when they are told to ----------------------------------------------------------


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


def test_two_pauses_end_with_the_second() -> None:
    stage = staged()
    first, second = (msgspec.structs.replace(fault("process.pause", GUEST), number=one) for one in (1, 2))
    stage.begin(first)
    stage.begin(second)
    stage.end(first)
    assert not progress(stage)[GUEST]
    stage.end(second)
    assert everybody_works(stage)


def test_whoever_takes_rows_is_called_in_time_and_changes_nothing() -> None:
    """Memory is bounded by the sink's bound, and the fingerprint is that of a run nobody looks at."""
    taken: list[int] = []
    sink: list[Row] = []

    def take() -> None:
        taken.append(len(sink))
        sink.clear()

    prints = []
    for given in (sink, None):
        made = generated.topology(2)
        stage = SimulatedStage(made, seed=1, timing=QUICK, work=Work(True), sink=given, on_full=take)
        stage.start()
        stage.advance(stage.now_ns() + 700 * MS)
        prints.append(stage.fingerprint())
        stage.stop()
    assert prints[0] == prints[1]
    assert len(taken) > 1, taken
    assert all(ROWS_MAX <= count < ROWS_MAX + 100 for count in taken)
