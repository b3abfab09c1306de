"""A recorded run into fresh cores: equal if nothing changed, else the first thing that did, in words."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus import frames, shmem
from bus.faults import Rule
from bus.scmi import clock
from deploy import assembly, generated
from deploy.errors import UserError
from deploy.experiments import conductor
from deploy.experiments.describing.scenario import Fault, Load, Phases, PlatformChoice, Scenario, Timing
from deploy.experiments.history import recorded as what
from deploy.experiments.history.files import read_history
from deploy.experiments.history.semantic import FILE_COLUMNS
from deploy.experiments.replaying import replay as subject
from deploy.experiments.replaying import ways
from deploy.experiments.replaying.replay import Divergence, Replay, Replayed, replay
from deploy.experiments.replaying.ways import Way
from deploy.experiments.stages.simulated import SimulatedStage
from deploy.recording.rows import BOOTED, LOST, NOTE, RECEIVED, TICKED, UNDELIVERED, Row
from deploy.topology import Topology, firmware_profile
from nodes.contract import Note
from nodes.firmware.core import FirmwareCore
from nodes.firmware.protocols.clock import ClockService
from nodes.guest.core import GuestCore
from nodes.xen.core import XenCore
from tests.deploy.experiments.recorded_run import WORK, Run, record, recorded
from tests.plants import el3 as el3_plants
from tests.plants import xen as xen_plants


@pytest.fixture(autouse=True)
def _honest() -> None:
    """The run is recorded before anybody plants a bug."""
    recorded()


def play(run: Run, rows: Iterable[Row] | None = None) -> Replayed:
    return Replay(run.made).run(run.rows if rows is None else rows)


def differs(found: Replayed) -> Divergence:
    assert found.divergence is not None
    return found.divergence


def test_a_run_is_equal_to_itself() -> None:
    found = play(recorded())
    assert found.divergence is None
    assert (found.rows, found.nodes, found.unplayed) == (len(recorded().rows), 7, ())
    assert found.messages > 2_000
    assert found.notes == sum(row[3] == NOTE and row[1] != "run" for row in recorded().rows)
    assert found.lost == sum(row[3] == UNDELIVERED for row in recorded().rows)
    assert found.under_way < 8


RULES = {
    "lose": (Rule(1, "lose", "ivi", "xen", likelihood=0.2, seed=1),),
    "duplicate": (Rule(1, "duplicate", "xen", "firmware", likelihood=0.2, jitter_ns=300_000, seed=1),),
    "reorder": (Rule(1, "reorder", "firmware", "xen", likelihood=0.2, delay_ns=400_000, seed=1),),
    "delay": (Rule(1, "delay", likelihood=0.3, delay_ns=100_000, jitter_ns=500_000, seed=1),),
    "partition": (Rule(1, "partition", "xen", "ivi", seed=1),),
}


@pytest.mark.parametrize("action", RULES)
def test_faults_of_links_are_part_of_the_record(action: str) -> None:
    run = record(rules=RULES[action], duration_ns=5_000_000)
    found = play(run)
    assert found.divergence is None
    assert {
        "lose": found.lost > 0,
        "duplicate": found.again > 0,
        "reorder": found.overtook > 0,
        "delay": found.overtook == 0,
        "partition": any(row[3] == LOST for row in run.rows),
    }[action]


def test_a_node_that_began_again_is_a_fresh_core_again() -> None:
    run = record(restart=True, duration_ns=5_000_000)
    assert sum(row[1] == "firmware" and row[3] == BOOTED for row in run.rows) == 2
    assert play(run).divergence is None
    only_once = [
        row for at, row in enumerate(run.rows) if at < 10 or (row[1], row[3]) != ("firmware", BOOTED)
    ]
    assert play(run, only_once).divergence is not None


def test_mapped_pages_are_one_memory() -> None:
    run = record(carried=False, duration_ns=5_000_000)
    assert not any(row[5] for row in run.rows)
    assert play(run).divergence is None


def test_a_killed_nodes_story_just_ends() -> None:
    """Its last messages may have reached nobody, and nobody heard what it did last."""
    rows = list(recorded().rows)
    cut = max(at for at, row in enumerate(rows) if row[1] == "cluster#1" and row[3] == RECEIVED)
    assert play(recorded(), rows[:cut]).divergence is None


def test_nodes_recorded_apart_are_equal_too() -> None:
    """Real processes' clocks tie where virtual time does not; each node's own order is what counts."""
    of_nodes: dict[str, list[Row]] = {}
    for row in recorded().rows:
        of_nodes.setdefault(row[1], []).append(row)
    merged = sorted((row for rows in of_nodes.values() for row in rows), key=lambda row: row[0])
    assert play(recorded(), merged).divergence is None


def test_boards_side_by_side_are_played_as_far_as_they_are_described() -> None:
    boards = [generated.topology(1, first=0), generated.topology(1, first=1, shared=2)]
    rows: list[Row] = []
    stage = SimulatedStage(boards, seed=1, timing=Timing(), work=WORK, sink=rows)
    for board in stage.boards:
        board.start()
    stage.advance(stage.now_ns() + 10_000_000)
    stage.stop()

    def described(some: Sequence[Topology]) -> Replayed:
        made = what.describe(some, stage.configs, run_id="b", seed=1, engine="sim", cluster=stage.cluster)
        return Replay(made).run(rows)

    both, first, swapped = described(boards), described(boards[:1]), described(boards[::-1])
    assert (both.divergence, both.unplayed) == (None, ())
    assert first.divergence is None
    assert first.unplayed == ("xen.1", "firmware.1", "dom0.1#1", "guest1#1")
    assert first.messages < both.messages
    assert swapped.divergence is not None


# ---- changes are found ------------------------------------------------------------------------


def test_another_firmware_is_the_first_divergence() -> None:
    made = msgspec.structs.replace(recorded().made, firmware=firmware_profile("scp-firmware"))
    found = differs(Replay(made).run(recorded().rows))
    assert (found.node, found.peer) == ("firmware", "xen")
    assert "was received" in found.recorded
    assert found.recorded != found.fresh


def test_a_bug_in_a_service_is_told_with_time_node_and_words(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = ClockService.rate_get

    def wrong(self: ClockService, agent: int, request: clock.RateGet) -> Any:
        return clock.RateGetReply(honest(self, agent, request).rate + 1)

    monkeypatch.setattr(ClockService, "rate_get", wrong)
    found = differs(play(recorded()))
    assert (found.node, found.peer) == ("firmware", "xen")
    assert "clock.CLOCK_RATE_GET SUCCESS(rate=" in found.recorded
    assert "clock.CLOCK_RATE_GET SUCCESS(rate=" in found.fresh
    assert found.detail.startswith("page: byte 32 is ")
    row = recorded().rows[found.row]
    assert (row[0], row[1], row[3]) == (found.at_ns, "xen", RECEIVED)


def test_a_core_that_says_more_is_found_where_the_next_message_came(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = XenCore._trap

    def chatty(self: XenCore, domain: Any, event: Any, now_ns: int) -> Any:
        effects = honest(self, domain, event, now_ns)
        return (*effects, *effects) if event.frame.request == 20 else effects

    monkeypatch.setattr(XenCore, "_trap", chatty)
    found = differs(play(recorded()))
    assert (found.node, found.peer) == ("xen", "firmware")


def test_a_core_that_says_less_is_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = GuestCore._ring

    def mute(self: GuestCore, *given: Any) -> Any:
        effects = honest(self, *given)
        return () if self._request == 10 else effects

    monkeypatch.setattr(GuestCore, "_ring", mute)
    found = differs(play(recorded()))
    assert found.peer == "xen"
    assert found.fresh == "sends nothing there"
    assert found.recorded.startswith("trap 10 ")


def _spoiled(rows: tuple[Row, ...], at: int) -> list[Row]:
    page = bytearray(rows[at][5])
    page[shmem.PAYLOAD_AT] ^= 1
    return [*rows[:at], (*rows[at][:5], bytes(page)), *rows[at + 1 :]]


def test_one_bit_of_the_record_is_found() -> None:
    rows = recorded().rows
    at = next(at for at in range(2_000, len(rows)) if rows[at][1] == "xen" and len(rows[at][5]) > 28)
    found = differs(play(recorded(), _spoiled(rows, at)))
    assert (found.row, found.at_ns) == (at, rows[at][0])


def test_an_answer_that_was_never_recorded_is_missed_once_another_came() -> None:
    rows = list(recorded().rows)
    gone = next(at for at in range(2_000, len(rows)) if rows[at][1:4] == ("firmware", "xen", RECEIVED))
    found = differs(play(recorded(), rows[:gone] + rows[gone + 1 :]))
    assert (found.node, found.peer) == ("xen", "firmware") or found.node == "firmware"


def test_of_a_run_that_reorders_what_never_came_is_found_at_the_end() -> None:
    run = record(rules=RULES["reorder"], duration_ns=5_000_000)
    at = next(at for at in range(800, len(run.rows)) if run.rows[at][1:4] == ("toolstack", "xen", RECEIVED))
    rows = [*run.rows[:at], *run.rows[at + 1 :]]
    later = (rows[-1][0] + 2 * subject.STILL_UNDER_WAY_NS, "run", "", NOTE, b"", b"")
    found = differs(play(run, [*rows, later]))
    assert (found.node, found.peer, found.recorded) == ("xen", "toolstack", "no such message")
    assert play(run, rows).divergence is None  # it may still be under way


def test_what_a_node_says_of_itself_is_compared() -> None:
    rows = list(recorded().rows)
    at = next(at for at, row in enumerate(rows) if row[1] == "firmware" and row[3] == NOTE)
    other = frames.encode(Note("reset", 0, (9, 9, 9, 9), ""))
    rows[at] = (*rows[at][:4], other, b"")
    found = differs(play(recorded(), rows))
    assert found.node == "firmware"
    assert found.recorded == "notes reset of 0: [9, 9, 9, 9]"
    missing = differs(play(recorded(), rows[:at] + rows[at + 1 :]))
    assert (missing.node, missing.recorded) == ("firmware", "notes nothing")


def test_a_refusal_that_no_fresh_core_runs_into_is_found() -> None:
    rows = list(recorded().rows)
    at = next(at for at in range(1_000, len(rows)) if rows[at][3] == TICKED)
    trap = frames.encode(frames.Trap(1, 99, 99, 0x17, 0, (0,) * 8, 0))
    rows.insert(at + 1, (rows[at][0], rows[at][1], "xen", UNDELIVERED, trap, b""))
    found = differs(play(recorded(), rows))
    assert (found.node, found.row) == (rows[at][1], at)
    assert "could not be handed over" in found.recorded


def test_a_node_without_a_description_is_named() -> None:
    made = msgspec.structs.replace(recorded().made, guests={})
    found = Replay(made).run(recorded().rows)
    assert found.divergence is None
    assert "ivi#1" in found.unplayed


# ---- as a command -----------------------------------------------------------------------------


def test_folders_that_cannot_be_replayed_say_why(tmp_path: Path) -> None:
    run = recorded()
    calls = Run(run.rows[:10], msgspec.structs.replace(run.made, record="calls"))
    with pytest.raises(UserError, match='record = "calls" kept no frames'):
        replay(calls.save(tmp_path / "calls"))
    made = msgspec.structs.replace(run.made, carried=False, faults=("guest.header_flip",))
    with pytest.raises(UserError, match=r"guest\.header_flip on mapped pages"):
        replay(Run(run.rows[:10], made).save(tmp_path / "scribbled"))
    with pytest.raises(UserError, match=r"run\.json"):
        replay(tmp_path)


def test_the_command_in_another_interpreter(tmp_path: Path) -> None:
    folder = recorded().save(tmp_path / "run")

    def trapline(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "deploy.entry", *arguments]
        env = {"PYTHONHASHSEED": "7", "COLUMNS": "80", "PATH": "", "PYTHONPATH": "."}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=env)

    equal = trapline("replay", str(folder))
    assert (equal.returncode, equal.stderr) == (0, "")
    assert equal.stdout.startswith("equal: ")
    rows = recorded().rows
    at = next(at for at in range(2_000, len(rows)) if rows[at][1] == "xen" and len(rows[at][5]) > 28)
    Run(tuple(_spoiled(rows, at)), recorded().made).save(folder)
    different = trapline("replay", str(folder))
    assert different.returncode == 1
    assert max(map(len, different.stdout.splitlines())) <= 80
    assert "fresh core" in different.stdout


# ---- whole experiments ------------------------------------------------------------------------

BROKEN = (
    Fault("process.kill", "guest0", at_ms=10),
    Fault("link.lose", "guest1", to="xen", at_ms=20, for_ms=20, likelihood=0.2),
    Fault("el3.restart", at_ms=50),
    Fault("toolstack.dies_destroying", "guest1", at_ms=70, step=1),
    Fault("xen.restart", at_ms=100),
    Fault("process.pause", "firmware", at_ms=140, for_ms=20),
)
EXPERIMENT = Scenario(
    title="a bit of everything",
    platform=PlatformChoice(guests=2),
    load=(Load("guests", kind="open", rate=2000.0, arrival="poisson"),),
    phases=Phases(10, 200, 300, 200),
    fault=BROKEN,
)


def test_an_experiment_with_faults_of_every_layer_is_equal(tmp_path: Path) -> None:
    conductor.run(EXPERIMENT, 3, folder=tmp_path, compare=False)
    found = replay(tmp_path)
    assert found.divergence is None
    assert (found.unplayed, found.truncated) == ((), 0)
    assert found.nodes > 8
    made = what.load(tmp_path)
    assert len(made.first_requests) == 2
    rows = read_history(tmp_path, FILE_COLUMNS, ("what", "domain"))
    kinds = {kind for kind, _ in rows}
    assert {"fault_begins", "phase", "call", "permission", "reset", "ledger", "missed"} <= kinds


# ---- planted bugs, and what stays open on a way -------------------------------------------------

EL3S = ("forgets-permission", "late-grant", "lost-update", "reset-leaves-vote", "mixes-agents", "drops-smc")
XENS = ("return-to-another", "answers-twice", "drops-return", "forgets-reset", "wrong-device", "skips-grant")


@pytest.mark.parametrize("bug", EL3S)
def test_a_bug_planted_in_el3_is_a_divergence(monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    honest = assembly.firmware

    def planted(*given: Any, **more: Any) -> FirmwareCore:
        core = honest(*given, **more)
        el3_plants.plant(core, bug, 1)
        return core

    monkeypatch.setattr(assembly, "firmware", planted)
    assert differs(play(recorded())).node == "firmware"


@pytest.mark.parametrize("bug", XENS)
def test_a_bug_planted_in_xen_is_a_divergence(monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    honest = assembly.xen

    def planted(*given: Any, **more: Any) -> XenCore:
        core = honest(*given, **more)
        xen_plants.plant(core, bug, 1)
        return core

    monkeypatch.setattr(assembly, "xen", planted)
    assert differs(play(recorded())).node == "xen"


def way(*sent: bytes, ordered: bool = True, doubled: bool = False) -> Way:
    made = Way(ordered, doubled)
    for at, envelope in enumerate(sent):
        made.send(at, (envelope, b""))
    return made


def arrive(made: Way, *envelopes: bytes) -> list[str]:
    return [made.arrive((envelope, b"")) for envelope in envelopes]


def test_messages_are_matched_in_order_doubled_and_overtaken() -> None:
    assert arrive(way(b"a", b"b"), b"a", b"b", b"a") == ["expected", "expected", "unknown"]
    assert arrive(way(b"a", b"b"), b"b") == ["overtook"]
    twice = way(b"a", b"b", ordered=False, doubled=True)
    assert arrive(twice, b"b", b"a", b"b", b"c") == ["overtook", "expected", "again", "unknown"]
    assert twice.left_behind() is None


def test_what_is_doubtful_may_come_late_only_where_things_are_overtaken() -> None:
    for ordered, late in ((True, "unknown"), (False, "expected")):
        made = way(b"a", ordered=ordered)
        made.doubt()
        made.send(1, (b"b", b""))
        assert arrive(made, b"b", b"a") == ["expected", late]
        assert made.left_behind() is None


def test_a_way_holds_so_much_and_takes_back_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "OPEN_MAX", 2)
    made = way(b"a", b"b", b"c")
    assert [sent.content[0] for sent in made.open] == [b"b", b"c"]
    assert made.withdraw((b"c", b""))
    assert not made.withdraw((b"a", b""))
    assert arrive(made, b"b") == ["expected"]
