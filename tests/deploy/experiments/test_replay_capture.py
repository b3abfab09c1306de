"""A capture is replayed like the run that it was written from, or refused with what to do."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from deploy.cli.output import count
from deploy.cli.replay import replay
from deploy.errors import UserError
from deploy.experiments.replaying.captured import Beginnings, replay_capture
from deploy.experiments.replaying.replay import Replay, Replayed
from deploy.recording.rows import BOOTED, RECEIVED, Row, is_domain
from deploy.tracing.capture import Capture, CaptureWriter, gap
from nodes.guest.core import GuestCore
from tests.deploy.experiments.recorded_run import Run, record


@cache
def recorded() -> Run:
    return record(duration_ns=4_000_000)


def written(path: Path, rows: Sequence[Row], made: object, truncated: int = 0) -> Path:
    with path.open("wb") as file:
        writer = CaptureWriter(file, origin_ns=0)
        writer.describe(msgspec.json.encode(made) if made else b"", truncated)
        writer.write(rows)
    return path


def play(path: Path) -> Replayed:
    return replay_capture(Capture(path))


@pytest.mark.parametrize("carried", [True, False])
def test_a_capture_of_a_run_is_equal_to_it(tmp_path: Path, carried: bool) -> None:
    run = recorded() if carried else record(duration_ns=4_000_000, carried=False)
    found = play(written(tmp_path / "run.pcapng", run.rows, run.made))
    assert found == Replay(run.made).run(run.rows)
    assert found.divergence is None
    assert found.messages > 300


def test_what_was_changed_in_a_capture_is_found(tmp_path: Path) -> None:
    run = recorded()
    rows = list(run.rows)
    at = next(
        at
        for at, row in enumerate(rows)
        if at > 500 and row[1] == "xen" and is_domain(row[2]) and len(row[5]) > 30
    )
    rows[at] = (*rows[at][:5], rows[at][5][:-1] + bytes([rows[at][5][-1] ^ 1]))
    found = play(written(tmp_path / "run.pcapng", rows, run.made))
    assert found.divergence is not None
    assert found.divergence.node == rows[at][2]
    assert found.divergence.row == at


def test_a_core_that_does_otherwise_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = recorded()
    path = written(tmp_path / "run.pcapng", run.rows, run.made)
    honest = GuestCore.step

    def silent(core: GuestCore, event: object, now_ns: int) -> object:
        effects = honest(core, event, now_ns)  # type: ignore[arg-type]
        return effects[:0] if now_ns > 2_000_000 else effects

    monkeypatch.setattr(GuestCore, "step", silent)
    found = play(path)
    assert found.divergence is not None
    assert is_domain(found.divergence.node)


@pytest.mark.parametrize("late", ["xen", "firmware", "ivi#2"])
def test_a_capture_that_begins_in_the_middle_is_refused(tmp_path: Path, late: str) -> None:
    run = recorded()
    rows = [row for row in run.rows if (row[1], row[3]) != (late, BOOTED)]
    path = written(tmp_path / "late.pcapng", rows, run.made)
    with pytest.raises(UserError, match=rf"begins after {late} had booted.*trapline trace --follow --save"):
        play(path)


def test_only_a_toolstack_is_there_without_a_boot() -> None:
    names = ("toolstack", "toolstack.1", "toolstack-vm#1", "xen.1")
    rows = [(0, name, "xen", RECEIVED, b"", b"") for name in names]
    assert Beginnings(rows).late == ["toolstack-vm#1", "xen.1"]


def test_without_rows_there_is_nothing_to_play(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no rows"):
        play(written(tmp_path / "empty.pcapng", (), recorded().made))


def test_without_a_description_nothing_can_be_played(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no description of the platform"):
        play(written(tmp_path / "bare.pcapng", recorded().rows, None))


def test_a_run_that_kept_no_frames_is_refused(tmp_path: Path) -> None:
    made = msgspec.structs.replace(recorded().made, record="notes")
    with pytest.raises(UserError, match="kept no frames"):
        play(written(tmp_path / "notes.pcapng", recorded().rows, made))


def test_a_description_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not what a run was made of"):
        play(written(tmp_path / "other.pcapng", recorded().rows, {"run_id": 7}))


def test_rows_that_are_missing_are_told(tmp_path: Path) -> None:
    run = recorded()
    last = run.rows[-1][0]
    rows = [*run.rows, gap(last, 30), gap(last, 12)]
    assert play(written(tmp_path / "gaps.pcapng", rows, run.made, truncated=100)).truncated == 142


def test_the_command_plays_a_file_and_says_what_its_end_lacks(tmp_path: Path) -> None:
    run = recorded()
    path = written(tmp_path / "run.pcapng", run.rows, run.made)
    done = CliRunner().invoke(replay, [str(path)])
    assert done.exit_code == 0, done.output
    assert f"equal: {count(len(run.rows))} rows of 7 nodes" in done.output
    path.write_bytes(path.read_bytes()[:-5])
    done = CliRunner().invoke(replay, [str(path), "--json"])
    assert done.exit_code == 0
    assert "ends within a packet" in done.stderr
    assert msgspec.json.decode(done.stdout)["rows"] == len(run.rows) - 1


def test_what_came_last_need_not_have_arrived(tmp_path: Path) -> None:
    run = recorded()
    rows = list(run.rows)
    while rows[-1][3] != RECEIVED:
        rows.pop()
    found = play(written(tmp_path / "short.pcapng", rows[:-1], run.made))
    assert found.divergence is None
    assert found.under_way > 0
