"""A flight recorder keeps the newest rows, and who reads along is never shown half a row."""

import os
import signal
from pathlib import Path

from deploy.engines.flights import Flights
from deploy.recording import names, segments
from deploy.recording.decode import Decoder
from deploy.recording.flight import Reader
from deploy.recording.names import Names, Peer
from deploy.recording.ring import recorder
from deploy.recording.rows import NOTE, RECEIVED
from deploy.recording.segments import Recorder, Recording, digest, read_segments
from nodes.limits import FLIGHT_ENDED, FLIGHT_FILES

SMALL = 4096
ROW = 136  # bytes of a row with an envelope of 100
PER_FILE = (SMALL - segments.HEADER_BYTES) // ROW
KEPT = 2


def ring(folder: Path, node: str = "xen", life: int = 0) -> Recorder:
    return recorder(Recording(str(folder), node, 1000, life, segment_bytes=SMALL, ring=KEPT))


def put(made: Recorder, first: int, count: int) -> None:
    for number in range(first, first + count):
        made.tap(1000 + number, b"", RECEIVED, number.to_bytes(4, "little") * 25, b"")


def numbers(rows: object) -> list[int]:
    return [int.from_bytes(row[4][:4], "little") for row in rows]  # type: ignore[attr-defined]


def test_the_oldest_file_makes_room(tmp_path: Path) -> None:
    made = ring(tmp_path)
    put(made, 0, PER_FILE * KEPT)
    assert numbers(Reader(tmp_path).read()) == list(range(PER_FILE * KEPT))
    put(made, PER_FILE * KEPT, 1)
    reader = Reader(tmp_path)
    assert numbers(reader.read()) == list(range(PER_FILE, PER_FILE * KEPT + 1))
    assert (reader.before, reader.missed) == (PER_FILE, 0)
    assert len(list(tmp_path.iterdir())) == KEPT
    assert made.dropped == 0


def test_a_reader_goes_on_where_it_was(tmp_path: Path) -> None:
    made, reader = ring(tmp_path), Reader(tmp_path)
    assert list(reader.read()) == []
    for first in range(0, PER_FILE * 5, 7):
        put(made, first, 7)
        assert numbers(reader.read()) == list(range(first, first + 7))
    assert list(reader.read()) == []
    assert reader.missed == 0
    reader.close()


def test_a_reader_that_is_overtaken_says_how_many(tmp_path: Path) -> None:
    made, reader = ring(tmp_path), Reader(tmp_path)
    put(made, 0, 5)
    assert len(numbers(reader.read())) == 5
    put(made, 5, PER_FILE * 4)
    found = numbers(reader.read())
    total = 5 + PER_FILE * 4
    assert found == list(range(total - len(found), total))
    assert reader.missed == total - 5 - len(found) >= PER_FILE * 2


def test_what_a_process_that_ended_left_is_read_before_the_next(tmp_path: Path) -> None:
    put(ring(tmp_path, "ivi#1"), 0, 3)
    put(ring(tmp_path, "ivi#2"), 3, 3)
    put(ring(tmp_path, "xen", 0), 6, 2)
    put(ring(tmp_path, "xen", 1), 8, 2)
    reader = Reader(tmp_path)
    assert [(row[1], row[0]) for row in reader.read()] == [
        *[("ivi#1", at) for at in range(3)],
        *[("ivi#2", at) for at in range(3, 6)],
        *[("xen", at) for at in range(6, 10)],
    ]
    assert reader.missed == 0


def test_all_lives_of_a_domain_share_a_ring(tmp_path: Path) -> None:
    for life in range(9, 13):
        put(ring(tmp_path, f"ivi#{life}"), life, 1)
    put(ring(tmp_path, "ivi2#1"), 1, 1)
    assert sorted(segments.nodes(tmp_path)) == ["ivi#11", "ivi#12", "ivi2#1"]


def test_rows_past_a_time_wait(tmp_path: Path) -> None:
    made, other, reader = ring(tmp_path), ring(tmp_path, "firmware"), Reader(tmp_path)
    put(made, 0, 10)
    put(other, 5, 10)
    assert [row[0] for row in reader.read(until_ns=6)] == [0, 1, 2, 3, 4, 5, 5, 6, 6]
    put(made, 10, 1)
    assert [row[0] for row in reader.read(until_ns=11)] == [7, 7, 8, 8, 9, 9, 10, 10, 11]
    assert [row[0] for row in reader.read()] == [12, 13, 14]


def test_a_writer_under_load_never_shows_half_a_row(tmp_path: Path) -> None:
    pid = os.fork()
    if not pid:
        made = recorder(Recording(str(tmp_path), "xen", 0, segment_bytes=1 << 16, ring=3))
        number = 0
        while True:
            number += 1
            word = number.to_bytes(4, "little")
            made.tap(number, b"", RECEIVED, word * (1 + number % 61), word * (number % 32))
    try:
        reader, seen = Reader(tmp_path), 0
        while seen < 60_000:
            for at_ns, _, _, _, envelope, page in reader.read():
                word = at_ns.to_bytes(4, "little")
                assert envelope == word * (1 + at_ns % 61)
                assert page == word * (at_ns % 32)
                seen += 1
                assert at_ns == seen + reader.missed + reader.before, "every row was given, or counted"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    whole = list(read_segments(tmp_path, {}))
    assert whole[-1][4][:4] == whole[-1][0].to_bytes(4, "little")


def test_names_beside_the_rows(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    names.save(tmp_path, Names(5, 7, (Peer("ivi#1", digest(b"I").hex(), 3, 4, 0x82000004),)))
    made = ring(tmp_path)
    made.tap(1001, b"I", RECEIVED, b"", b"")
    made.tap(1002, b"J", RECEIVED, b"", b"")
    assert [row[2] for row in reader.read()] == ["ivi#1", digest(b"J").hex()]
    (noted,) = Decoder().events(reader.names.domains())
    assert (noted.what, noted.numbers, noted.text) == ("domain", (3, 1, 4, 0x82000004), "ivi#1")  # type: ignore[union-attr]
    (tmp_path / names.FILE).write_bytes(b"half")
    assert list(reader.read()) == []
    assert names.load(tmp_path) is None
    assert (tmp_path / names.FILE).stat().st_mode & 0o077 == 0


def test_what_domains_that_are_gone_left_has_a_bound(tmp_path: Path) -> None:
    flights = Flights(tmp_path / "flight")
    tap = flights.open(b"toolstack")
    tap(flights.origin_ns + 1, b"", NOTE, b"", b"")
    for number in range(FLIGHT_ENDED + 2):
        name = f"guest{number}"
        _node, recording = flights.node(name, f"token{number}".encode())
        assert recording is not None
        assert recording.ring == FLIGHT_FILES
        recorder(recording).close()
        flights.ended(name)
        flights.node("guest1", b"again") if number == FLIGHT_ENDED else None
    left = segments.nodes(flights.folder)
    assert "guest0#1" not in left
    assert "guest1#1" in left
    assert len(left) == FLIGHT_ENDED + 2
    assert (flights.folder.stat().st_mode & 0o777) == 0o700
    flights.close()
