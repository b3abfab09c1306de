"""Rows on their way to the supervisor: whole, in order, and again if not taken."""

from pathlib import Path

import pytest

from deploy.recording.segments import dropped, read_segments
from tests.deploy.launching.journey import Journey

PAGE = b"page"


def journey_of(folder: Path) -> Journey:
    """Of an experiment: so many bytes and no more are kept."""
    return Journey(folder / "there", folder / "here", bytes_max=16_384, segment_bytes=4096)


@pytest.mark.parametrize("rows", [0, 1, 50, 400])
def test_all_that_was_recorded_arrives(tmp_path: Path, rows: int) -> None:
    journey = journey_of(tmp_path)
    journey.record(range(rows), PAGE)
    assert journey.bring()
    assert journey.bring()
    journey.record(range(1), PAGE)
    journey.recorder.close()
    assert journey.courier.finish()
    assert list(read_segments(journey.here, {})) == list(read_segments(journey.there, {}))
    assert dropped(journey.here) == dropped(journey.there)
    assert bool(dropped(journey.here)) == (rows == 400), "the count of rows without room comes too"
    assert not journey.kept.refused


def test_what_has_arrived_by_now_can_be_read(tmp_path: Path) -> None:
    journey = journey_of(tmp_path)
    journey.record(range(7), PAGE)
    assert journey.bring()
    assert len(list(read_segments(journey.here, {}))) == 7
    journey.recorder.close()
    journey.courier.finish()


@pytest.mark.parametrize("takes", range(4))
def test_a_piece_that_was_not_taken_comes_again(tmp_path: Path, takes: int) -> None:
    journey = journey_of(tmp_path)
    journey.record(range(150), PAGE)
    journey.takes = takes
    assert not journey.bring()
    journey.takes = 1_000_000
    journey.recorder.close()
    assert journey.courier.finish()
    assert list(read_segments(journey.here, {})) == list(read_segments(journey.there, {}))
