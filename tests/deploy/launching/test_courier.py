"""Rows on their way to the supervisor: whole, in order, again if not taken, and at the right time."""

from pathlib import Path

import pytest

from deploy.launching import courier
from deploy.launching import messages as m
from deploy.launching.courier import Courier
from deploy.launching.identity import Identity
from deploy.launching.keeping import Kept
from deploy.recording.rows import RECEIVED
from deploy.recording.segments import Recorder, Recording, dropped, read_segments

IVI = Identity("ab" * 16, "guest", "ivi", 1)


@pytest.fixture(autouse=True)
def only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A courier goes when a test sends it, not between."""
    monkeypatch.setattr(courier, "EVERY_S", 3600.0)


class Journey:
    """A recorder in one folder, a courier, a supervisor with another folder that takes ``takes`` pieces."""

    def __init__(self, folder: Path, segment_bytes: int = 4096, bytes_max: int = 16_384) -> None:
        self.there, self.here = folder / "there", folder / "here"
        for one in (self.there, self.here):
            one.mkdir()
        kept = Recording(str(self.there), "ivi#1", 0, bytes_max=bytes_max, segment_bytes=segment_bytes)
        self.recorder = Recorder(kept)
        self.kept = Kept(self.here)
        self.kept.expect(IVI, Recording(str(self.here), "ivi#1", 0, 0, "frames", bytes_max, segment_bytes))
        self.takes = 1_000_000
        self.courier = Courier(self.there, self._send)

    def _send(self, piece: m.Rows) -> bool:
        self.takes -= 1
        if self.takes < 0:
            return False
        self.kept.rows(IVI, piece)
        return True

    def record(self, rows: int, page: bytes = b"page") -> None:
        for number in range(rows):
            self.recorder.tap(number, b"", RECEIVED, b"row %d" % number, page)


@pytest.mark.parametrize("rows", [0, 1, 50, 400])
def test_all_that_was_recorded_arrives(tmp_path: Path, rows: int) -> None:
    journey = Journey(tmp_path)
    journey.record(rows)
    assert journey.courier._bring()
    assert journey.courier._bring()
    journey.record(1)
    journey.recorder.close()
    assert journey.courier.finish()
    assert list(read_segments(journey.here, {})) == list(read_segments(journey.there, {}))
    assert dropped(journey.here) == dropped(journey.there)
    assert bool(dropped(journey.here)) == (rows == 400), "the count of rows without room comes too"
    assert not journey.kept.refused


def test_what_has_arrived_by_now_can_be_read(tmp_path: Path) -> None:
    journey = Journey(tmp_path)
    journey.record(7)
    assert journey.courier._bring()
    assert len(list(read_segments(journey.here, {}))) == 7
    journey.recorder.close()
    journey.courier.finish()


@pytest.mark.parametrize("takes", range(4))
def test_a_piece_that_was_not_taken_comes_again(tmp_path: Path, takes: int) -> None:
    journey = Journey(tmp_path)
    journey.record(150)
    journey.takes = takes
    assert not journey.courier._bring()
    journey.takes = 1_000_000
    journey.recorder.close()
    assert journey.courier.finish()
    assert list(read_segments(journey.here, {})) == list(read_segments(journey.there, {}))
