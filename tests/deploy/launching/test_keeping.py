"""What nodes send for the supervisor's disk: their own files and lines, so many bytes, nothing else."""

from pathlib import Path

import msgspec
import pytest

from deploy import logs
from deploy.launching import messages as m
from deploy.launching.home import LOCK, PREFIX, Home
from deploy.launching.identity import Identity
from deploy.launching.keeping import LINE_BYTES_MAX, Kept
from deploy.logs import Line
from deploy.recording.segments import Recording

IVI = Identity("ab" * 16, "guest", "ivi", 1)
FILE = "ivi#1.0002.000000001.rows"


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    made.expect(IVI, Recording(str(tmp_path), "ivi#1", 0, life=2, bytes_max=300, segment_bytes=100))
    return made


def test_a_file_comes_in_pieces(kept: Kept, tmp_path: Path) -> None:
    kept.rows(IVI, m.Rows(FILE, 0, b"abc"))
    kept.rows(IVI, m.Rows(FILE, 3, b"def"))
    assert (tmp_path / FILE).read_bytes() == b"abcdef"
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert not kept.refused


@pytest.mark.parametrize(
    "piece",
    [
        m.Rows("../" + FILE, 0, b"x"),
        m.Rows("tcu#1.0002.000000001.rows", 0, b"x"),
        m.Rows("ivi#1.0003.000000001.rows", 0, b"x"),
        m.Rows(FILE + ".new", 0, b"x"),
        m.Rows(FILE, -1, b"x"),
        m.Rows(FILE, 98, b"xyz"),
        m.Rows("ivi#1.0002.000000003.rows", 0, b"x"),
    ],
)
def test_no_other_file_and_no_more_bytes(kept: Kept, tmp_path: Path, piece: m.Rows) -> None:
    kept.rows(IVI, piece)
    assert kept.refused == 1
    assert not list(tmp_path.iterdir())


def test_who_does_not_record_sends_nothing(kept: Kept, tmp_path: Path) -> None:
    kept.forget(IVI)
    kept.rows(IVI, m.Rows(FILE, 0, b"abc"))
    assert kept.refused == 1
    assert not list(tmp_path.iterdir())


def test_lines_of_its_own_log(kept: Kept, tmp_path: Path) -> None:
    line = Line("2026-01-01T00:00:00.000000Z", 7, "ivi", "info", "boot done")
    other = msgspec.structs.replace(line, node="tcu")
    long = msgspec.structs.replace(line, text="x" * LINE_BYTES_MAX)
    kept.lines(IVI, [msgspec.json.encode(one) for one in (line, other, long)] + [b"no line"])
    kept.close()
    assert logs.read(tmp_path) == [line]
    assert kept.refused == 3


def test_a_home_goes_with_its_process_or_with_the_next(tmp_path: Path) -> None:
    one = Home(tmp_path)
    abandoned = tmp_path / f"{PREFIX}gone"
    abandoned.mkdir()
    (abandoned / LOCK).touch()
    other = Home(tmp_path)
    assert one.path.exists()
    assert not abandoned.exists()
    for home in (one, other):
        home.remove()
    assert not list(tmp_path.iterdir())
