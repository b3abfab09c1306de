"""What a node recorded is there after it was killed, in order, within its bounds."""

import os
import signal
from pathlib import Path

import pytest

from deploy.recording.rows import (
    BOOTED,
    NOTE,
    RECEIVED,
    domain_of,
    incarnate,
    incarnation_of,
    is_domain,
)
from deploy.recording.segments import (
    HEADER_BYTES,
    Recorder,
    Recording,
    digest,
    dropped,
    nodes,
    read_segments,
)

SMALL = 4096
TOKEN = b"T" * 32
NAMES = {digest(b"xen"): "xen", digest(TOKEN): "ivi#1"}


def recorder(folder: Path, node: str = "xen", **more: object) -> Recorder:
    return Recorder(Recording(str(folder), node, 1000, segment_bytes=SMALL, **more))  # type: ignore[arg-type]


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    made.tap(1000, b"", BOOTED, b"", b"")
    made.tap(1007, TOKEN, RECEIVED, b"envelope", b"page")
    made.tap(1008, b"stranger", RECEIVED, b"", b"")
    rows = list(read_segments(tmp_path, NAMES))
    assert rows[:2] == [
        (0, "xen", "", BOOTED, b"", b""),
        (7, "xen", "ivi#1", RECEIVED, b"envelope", b"page"),
    ]
    assert rows[2][2] == digest(b"stranger").hex()
    made.close()
    assert list(read_segments(tmp_path, NAMES)) == rows
    assert TOKEN not in next(iter(tmp_path.iterdir())).read_bytes(), "a token is a secret"


def test_a_killed_process_leaves_every_row(tmp_path: Path) -> None:
    pid = os.fork()
    if not pid:
        made = recorder(tmp_path, "ivi#1")
        for number in range(1, 501):
            made.tap(1000 + number, b"xen", RECEIVED, number.to_bytes(4, "little"), b"p" * (number % 70))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    rows = list(read_segments(tmp_path, NAMES))
    assert [int.from_bytes(row[4], "little") for row in rows] == list(range(1, 501))
    assert all(row[5] == b"p" * (row[0] % 70) and row[2] == "xen" for row in rows)
    assert len(nodes(tmp_path)["ivi#1"]) > 1


@pytest.mark.parametrize(("length", "left"), [(None, 2), (0, 1), (7, 1), (60_000, 1)])
def test_a_row_cut_short_is_the_end(tmp_path: Path, length: int | None, left: int) -> None:
    made = recorder(tmp_path)
    made.tap(1001, b"", RECEIVED, b"one", b"")
    made.tap(1002, b"", RECEIVED, b"two", b"")
    (path,) = nodes(tmp_path)["xen"]
    if length is not None:
        with path.open("r+b") as file:
            file.seek(HEADER_BYTES + 40)
            file.write(length.to_bytes(4, "little"))
    assert len(list(read_segments(tmp_path, {}))) == left


def test_past_the_bound_rows_are_counted(tmp_path: Path) -> None:
    made = recorder(tmp_path, bytes_max=2 * SMALL)
    for number in range(100):
        made.tap(1000 + number, b"", RECEIVED, b"e" * 100, b"")
    kept = len(list(read_segments(tmp_path, {})))
    assert kept == 2 * ((SMALL - HEADER_BYTES) // 136)
    assert dropped(tmp_path) == {"xen": 100 - kept}
    assert made.dropped == 100 - kept


def test_a_row_larger_than_a_file_is_counted(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    room = SMALL - HEADER_BYTES - 32
    made.tap(1000, b"", RECEIVED, b"", b"p" * room)
    assert not dropped(tmp_path)
    made.tap(1001, b"", RECEIVED, b"", b"p" * (room + 1))
    assert dropped(tmp_path) == {"xen": 1}
    made.tap(1002, b"", RECEIVED, b"small", b"")
    assert [row[0] for row in read_segments(tmp_path, {})] == [0, 2]


def test_nodes_are_merged_by_time_and_consumed(tmp_path: Path) -> None:
    for node, life, times in (
        ("xen", 0, (1, 4)),
        ("xen", 1, (6, 9)),
        ("a/b#1", 0, (2, 3, 8)),
        ("late#1", 0, (7,)),
    ):
        made = recorder(tmp_path, node, life=life)
        for at_ns in times:
            made.tap(1000 + at_ns, b"", RECEIVED, b"", b"")
    recorder(tmp_path, "silent#1")
    rows = list(read_segments(tmp_path, {}, consume=True))
    assert [row[0] for row in rows] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert {row[1] for row in rows} == {"xen", "a/b#1", "late#1"}
    assert [path for path in tmp_path.iterdir() if "silent" not in path.name] == []


def test_without_frames_only_notes_are_kept(tmp_path: Path) -> None:
    made = recorder(tmp_path, rows="notes")
    for event in range(6):
        made.tap(1000 + event, b"", event, b"", b"")
    assert [row[3] for row in read_segments(tmp_path, {})] == [BOOTED, NOTE]


def test_the_name_of_a_domain_in_rows_and_back() -> None:
    for name, life in (("ivi", 1), ("a-b.c", 70_000)):
        node = incarnate(name, life)
        assert (domain_of(node), incarnation_of(node), is_domain(node)) == (name, life, True)
    for node in ("xen", "firmware.1", "toolstack", ""):
        assert (domain_of(node), incarnation_of(node), is_domain(node)) == (node, 0, False)


@pytest.mark.parametrize("life", ["", "-1", "x", "1#2", "9" * 5000])
def test_a_name_that_is_none_has_no_life(life: str) -> None:
    assert incarnation_of(f"ivi#{life}") == 0
