"""An experiment on real processes: faults happen, domains come back, the record is whole, nothing is left."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from deploy import generated
from deploy.errors import UserError
from deploy.experiments.describing.plan import Planned
from deploy.experiments.history.account import account, counters
from deploy.experiments.stages.local import LocalStage
from deploy.recording.decode import Decoder
from deploy.recording.events import Ended
from deploy.recording.rows import BOOTED, LOST, Row, domain_of, incarnate
from deploy.toolstack import Work
from deploy.topology import Topology, load_shipped
from nodes.guest import console
from tests.system.cluster import Cluster
from tests.system.processes import PATIENCE_S, VARIABLE, kill, marked

MS_NS = 1_000_000
ROOT = Path(__file__).parents[2]


class Stages:
    """Starts stages in a cluster's run directory; ``rows`` are those of all that stopped."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster(folder)
        self.rows: list[Row] = []
        self._stages: list[LocalStage] = []

    def start(
        self,
        pages: str = "carried",
        record: str = "frames",
        think_ns: int = MS_NS,
        topology: Topology | None = None,
    ) -> LocalStage:
        work = Work(run=True, think_ns=think_ns, record=True)
        stage = LocalStage(
            topology or load_shipped(),
            work=work,
            pages=pages,
            record=record,
            run=self.cluster.run,
            sink=self.rows,
        )
        self._stages.append(stage)
        stage.start()
        return stage

    def stop(self) -> None:
        try:
            for stage in self._stages:
                stage.stop()
        finally:
            self.cluster.stop()


@pytest.fixture
def stages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stages]:
    made = Stages(folder)
    monkeypatch.setenv(VARIABLE, made.cluster.mark)
    try:
        yield made
    finally:
        made.stop()


def until(stage: LocalStage, condition: Callable[[], bool], what: str) -> None:
    deadline_ns = stage.now_ns() + int(PATIENCE_S * 1000) * MS_NS
    while not condition():
        assert stage.failure is None, stage.failure
        assert stage.now_ns() < deadline_ns, f"not in time: {what}"
        stage.advance(stage.now_ns() + 10 * MS_NS)


def answered(stage: LocalStage, node: str) -> int:
    stage.refresh()
    return {incarnate(one.domain, one.incarnation): one.answered for one in stage.numbers()}.get(node, 0)


def works(stage: LocalStage, *nodes: str) -> None:
    """Every node gets an answer, a new one."""
    wanted = {node: answered(stage, node) + 1 for node in nodes}
    until(stage, lambda: all(answered(stage, node) >= wanted[node] for node in nodes), f"answers for {nodes}")


def fault(kind: str, *where: str, **more: object) -> Planned:
    return Planned(1, kind, where, 0, 0, **more)  # type: ignore[arg-type]


def test_killed_guests_el3_and_xen_come_back(stages: Stages) -> None:
    stage = stages.start()
    works(stage, "ivi#1", "tcu#1")
    stage.begin(fault("process.kill", "ivi"))
    works(stage, "ivi#2", "tcu#1")
    stage.begin(fault("el3.restart"))
    stage.toolstack.reboot("ivi")  # a call that nobody ends leaves its channel unusable
    works(stage, "ivi#3")
    stage.begin(fault("xen.restart"))
    works(stage, "ivi#4", "tcu#2", "dom0#2", "cluster#2")
    assert stage.first_requests[0] == 0 < stage.first_requests[1]
    stage.mark("phase", 0, (1, 2), "heal")
    stage.stop()
    rows = stages.rows
    assert all(before[0] <= after[0] for before, after in pairwise(rows))
    begins = [node for _, node, _, event, _, _ in rows if event == BOOTED]
    lives = [incarnate(name, life) for name in ("dom0", "cluster", "ivi", "tcu") for life in (1, 2)]
    twice = ["xen", "firmware"] * 2
    assert sorted(begins) == sorted(["toolstack", "run", *twice, *lives, "ivi#3", "ivi#4"])
    assert {peer for _, _, peer, _, _, _ in rows} <= {"", "xen", "toolstack", *begins}
    assert not stage.truncated


def test_a_restart_that_comes_due_during_another_waits_for_its_end(stages: Stages) -> None:
    stage = stages.start(think_ns=20 * MS_NS)
    again = ("el3.restart", "xen.restart", "el3.restart")
    for kind in again:
        stage.engine.agenda.add(0.0, lambda kind=kind: stage.begin(fault(kind)))
    stage.begin(fault("el3.restart"))
    assert stage.engine.identities.newest["firmware"] == 4, "each restart happened once"
    assert len(stage.first_requests) == 2
    names = [*marked(stages.cluster.mark).values()]
    assert names.count("trapline:firmwa") == names.count("trapline:xen") == 1
    until(stage, lambda: {"dom0", "cluster", "ivi", "tcu"} <= set(stage.engine.children), "all domains")


def test_paused_slow_and_stalled_nodes_go_on_afterwards(stages: Stages) -> None:
    stage = stages.start()
    for kind, where, others in (
        ("process.pause", "ivi", "tcu#1"),
        ("process.slow", "tcu", "ivi#1"),
    ):
        broken = fault(kind, where, step=20)
        stage.begin(broken)
        works(stage, others)
        stage.end(broken)
        works(stage, "ivi#1", "tcu#1")
    stalled = fault("el3.stall")
    stage.begin(stalled)
    stage.at(stage.now_ns() + 50 * MS_NS, lambda: stage.end(stalled))
    stage.toolstack.reboot("ivi")  # which waits for EL3
    works(stage, "ivi#2", "tcu#1")


def test_rules_reach_nodes_that_run_and_those_to_come(stages: Stages) -> None:
    stage = stages.start()
    works(stage, "ivi#1", "tcu#1")
    cut = fault("link.partition", "ivi", to="xen")
    stage.begin(cut)
    before = answered(stage, "ivi#1")
    until(stage, lambda: bool(stage.applied(cut)), "a message that is lost")
    works(stage, "tcu#1")
    assert answered(stage, "ivi#1") <= before + 1
    stage.end(cut)
    late = fault("link.delay", "tcu", to="xen", delay_ns=5 * MS_NS)
    stage.begin(late)
    stage.begin(fault("process.kill", "tcu"))
    works(stage, "tcu#2")
    stage.end(late)
    stage.stop()
    lost = [(node, peer) for _, node, peer, event, _, _ in stages.rows if event == LOST]
    assert set(lost) <= {("ivi#1", "xen"), ("xen", "ivi#1")}
    assert lost


def test_el3_and_guests_misbehave_and_stop(stages: Stages) -> None:
    stage = stages.start(pages="mapped", think_ns=0)
    works(stage, "ivi#1", "tcu#1")
    busy = fault("el3.busy", "tcu", likelihood=0.5)
    stage.begin(busy)
    works(stage, "tcu#1")
    storm = Planned(2, "guest.oversize", ("tcu",), 0, 0, rate=500.0)
    scribble = Planned(3, "guest.header_flip", ("ivi",), 0, 0, likelihood=1.0)
    stage.begin(storm)
    stage.begin(scribble)
    until(stage, lambda: scribbled(stage) > 0, "a flipped header")
    for one in (busy, storm, scribble):
        stage.end(one)
    assert stage.applied(busy)
    assert not stage.lines
    stage.toolstack.reboot("ivi")
    works(stage, "ivi#2", "tcu#1")


def test_what_is_outstanding_is_asked_now_and_who_is_silent_may_have_a_call(stages: Stages) -> None:
    stage = stages.start(think_ns=3_600_000 * MS_NS)
    until(stage, lambda: stage.outstanding() == 0, "nobody calls")
    ivi = stage.engine.children["ivi"]
    kill(ivi.pid, signal.SIGSTOP)
    threads = list(Path(f"/proc/{ivi.pid}/task").glob("*/stat"))
    until(
        stage,
        lambda: all(one.read_text().rpartition(")")[2].split()[0] == "T" for one in threads),
        "all of its threads stand",
    )
    assert stage.outstanding() == 1, "it said 0 before, and says nothing now"
    kill(ivi.pid, signal.SIGCONT)
    assert stage.outstanding() == 0, "the question that was open is answered, and then the one of now"


def scribbled(stage: LocalStage) -> int:
    """What ivi did not get an answer to, for it answers another message."""
    stage.refresh()
    calls = stage.engine.children["ivi"].stats["counters"]["trapline_guest_calls_total"]
    return int(calls["ivi", "indefinite_error"])


def test_pages_that_travel_are_nobodys_to_change(stages: Stages) -> None:
    stage = stages.start()
    with pytest.raises(UserError, match="mapped"):
        stage.begin(fault("guest.rewrite_page", "ivi"))


def test_a_stopped_and_slow_platform_ends(stages: Stages) -> None:
    stage = stages.start(record="none")
    stage.begin(fault("process.pause", "ivi"))
    stage.begin(Planned(2, "process.slow", ("tcu", "xen"), 0, 0, step=50))
    stage.begin(Planned(3, "el3.stall", (), 0, 0))
    stage.stop()
    assert not os.path.lexists(stages.cluster.run)
    assert not stages.rows


def test_under_load_and_kill_9_every_call_is_accounted_for(stages: Stages) -> None:
    stage = stages.start(think_ns=0, topology=generated.topology(2))
    for life, name in ((1, "guest0"), (1, "guest1"), (2, "guest0")):
        works(stage, incarnate(name, life))
        stage.begin(fault("process.kill", name))
        works(stage, incarnate(name, life + 1))
    for name in ("guest0", "guest1"):
        stage.toolstack.ask(name, console.Work(run=False))
    until(stage, lambda: not stage.outstanding(), "the end of all calls")
    numbers = counters(stage.stats()["xen"])
    stage.stop()
    events = list(Decoder(stage.origin_ns).events(stages.rows))
    found = account(iter(events))
    assert sorted(found) == ["guest0", "guest1"]
    assert all(one.balanced and not one.under_way for one in found.values()), found
    assert sum(one.ended for one in found.values()) <= 3, "at most the one call that each killed guest had"
    assert numbers.balanced, numbers
    assert numbers.issued == sum(one.issued for one in found.values())
    told = [domain_of(event.domain) for event in events if isinstance(event, Ended)]
    for name, one in found.items():
        assert abs(told.count(name) - one.answered - one.failed) <= 2, (
            "what a killed guest had no time to note"
        )


SUPERVISOR = """
import sys
from pathlib import Path

from deploy.experiments.describing.plan import Planned
from deploy.experiments.stages.local import LocalStage
from deploy.toolstack import Work
from deploy.topology import load_shipped

if __name__ == "__main__":
    stage = LocalStage(load_shipped(), work=Work(run=True, think_ns=1_000_000), run=Path(sys.argv[1]))
    stage.start()
    try:
        stage.begin(Planned(1, "process.pause", ("ivi",), 0, 0))
        stage.begin(Planned(2, "process.slow", ("tcu", "dom0", "xen"), 0, 0, step=50))
        stage.begin(Planned(3, "el3.stall", (), 0, 0))
        print("broken", flush=True)
        stage.advance(stage.now_ns() + 60_000_000_000)
    finally:
        stage.stop()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_the_supervisor_of_broken_nodes(cluster: Cluster, number: int) -> None:
    program = cluster.folder / "supervisor.py"
    program.write_text(SUPERVISOR, encoding="utf-8")
    started = cluster.begin(program, cluster.run, program=(sys.executable,), PYTHONPATH=str(ROOT))
    assert started.stdout is not None
    assert started.stdout.readline() == "broken\n"
    kill(started.pid, number)
    cluster.expect_nothing_left(PATIENCE_S)
