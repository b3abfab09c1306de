"""A flight recorder that comes over a link: the newest files, whatever is sent."""

from pathlib import Path

import pytest

from deploy.launching import messages as m
from deploy.launching.keeping import Kept
from deploy.recording import names
from deploy.recording.flight import Reader
from deploy.recording.segments import HEADER_BYTES, Recording, nodes
from tests.deploy.launching.journey import IVI, NODE, Journey

FILES = 3
SEGMENT = 512
RING = {"segment_bytes": SEGMENT, "ring": FILES}
ROWS = 10  # that fit into a file, or a few less


class Flight(Journey):
    """The journey of a flight recorder."""

    def __init__(self, folder: Path, life: int = 0) -> None:
        super().__init__(folder / f"there{life}", folder / "here", life, **RING)

    def times(self) -> list[int]:
        """Of all rows that a reader finds here."""
        names.save(self.here, names.Names(0, 0))
        reader = Reader(self.here)
        try:
            return [row[0] for row in reader.read()]
        finally:
            reader.close()


def test_what_comes_in_time_comes_whole_and_the_newest_files_stay(tmp_path: Path) -> None:
    journey = Flight(tmp_path)
    for begin in range(0, 100, 5):
        journey.record(range(begin, begin + 5))
        assert journey.bring()
        assert journey.times()[-5:] == list(range(begin, begin + 5))
        assert len(nodes(journey.here)[NODE]) <= FILES
    assert journey.times() == list(range(journey.times()[0], 100)), "none is missing in between"
    assert not journey.kept.refused
    journey.close()


def test_what_the_ring_has_overwritten_is_lost_and_what_follows_is_not(tmp_path: Path) -> None:
    journey = Flight(tmp_path)
    journey.record(range(5))
    assert journey.bring()
    journey.record(range(5, 500))
    assert journey.bring()
    assert journey.times()[-ROWS:] == list(range(500 - ROWS, 500))
    assert len(nodes(journey.here)[NODE]) <= FILES
    journey.close()


def test_a_piece_that_was_not_taken_comes_again(tmp_path: Path) -> None:
    journey = Flight(tmp_path)
    journey.record(range(15))
    for takes in range(4):
        journey.takes = takes
        journey.bring()
    journey.takes = 1_000_000
    assert journey.bring()
    assert journey.times() == list(range(15))
    journey.close()


def test_files_of_earlier_lives_make_room(tmp_path: Path) -> None:
    for life in range(4):
        journey = Flight(tmp_path, life=life)
        journey.record(range(100 * life, 100 * life + 15))
        assert journey.bring()
        journey.close()
        assert len(nodes(journey.here)[NODE]) <= FILES
    assert journey.times()[-15:] == list(range(300, 315))


@pytest.mark.parametrize("number", [1, 0])
def test_an_older_file_than_there_are_is_refused(tmp_path: Path, number: int) -> None:
    kept = Kept(tmp_path)
    kept.expect(IVI, Recording(str(tmp_path), NODE, 0, **RING))
    kept.rows(IVI, m.Rows(f"{NODE}.0000.000000002.rows", 0, bytes(HEADER_BYTES)))
    kept.rows(IVI, m.Rows(f"{NODE}.0000.00000000{number}.rows", 0, bytes(HEADER_BYTES)))
    assert kept.refused == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_however_many_files_are_named_only_so_many_are_there(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.expect(IVI, Recording(str(tmp_path), NODE, 0, **RING))
    for number in range(0, 1_000_000_000, 50_000_000):
        kept.rows(IVI, m.Rows(f"{NODE}.0000.{number:09d}.rows", SEGMENT - 8, bytes(8)))
    assert len(list(tmp_path.iterdir())) == FILES
    assert not kept.refused
