"""Experiments on virtual time: the order of rows, boards beside each other, and a seed is all there is."""

import os
import subprocess
import sys

from deploy import generated
from deploy.experiments.describing.scenario import Timing
from deploy.experiments.stages.simulated import SimulatedStage
from deploy.recording.record import ROWS_MAX
from deploy.recording.rows import RECEIVED, UNDELIVERED, Row
from deploy.toolstack import Work
from tests.deploy.experiments.staged import (
    GUEST,
    MS,
    QUICK,
    THINK,
    calls,
    everybody_works,
    fault,
    rows,
    staged,
)

# ---- order, queues, time --------------------------------------------------------------------------


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
