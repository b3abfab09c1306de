"""Rows in a capture and back: whole, cut off at any byte, and with any bit turned over."""

import random
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from bus import frames
from deploy.errors import UserError
from deploy.recording.identities import without_identities
from deploy.recording.rows import EVENTS, Row
from deploy.tracing import pcapng
from deploy.tracing.capture import DESCRIPTION_BYTES_MAX, PART_BYTES, Capture, CaptureWriter, packed, unpacked
from tests.deploy.experiments.recorded_run import recorded
from tests.deploy.tracing import shark

MADE = b'{"of": "nothing"}'
FLIPS = 400


def few() -> list[Row]:
    """One row of each kind, then some."""
    every = [(7, "xen", "ivi#1", event, b"\x90", b"page") for event in range(len(EVENTS))]
    return [*every, (-5, "", "", 0, b"", b""), (1 << 62, "päge#1", "y" * 300, 5, b"z" * 70_000, b"p" * 4096)]


def test_rows_come_back_but_for_link_identities(tmp_path: Path) -> None:
    run = recorded()
    found = Capture(shark.capture(tmp_path / "run.pcapng", run.rows, msgspec.json.encode(run.made)))
    wanted = [(*row[:4], without_identities(row[4]), row[5]) for row in run.rows]
    assert list(found.rows()) == wanted
    assert found.cut_bytes == 0
    assert msgspec.json.decode(found.made, type=type(run.made)) == run.made
    assert wanted != list(run.rows)


def test_no_link_identity_is_in_the_file(tmp_path: Path) -> None:
    run = recorded()
    replies = [frames.decode(row[4]) for row in run.rows if row[1] == "toolstack" and row[3] == 0]
    told = [info.link for one in replies if isinstance(one, frames.DomctlReply) for info in one.domains]
    data = shark.capture(tmp_path / "run.pcapng", run.rows, msgspec.json.encode(run.made)).read_bytes()
    assert told
    assert all(len(link) == 32 and link not in data for link in told)


def test_any_row_comes_back(tmp_path: Path) -> None:
    found = Capture(shark.capture(tmp_path / "few.pcapng", few()))
    assert list(found.rows()) == few()
    assert found.made == b""


@pytest.mark.parametrize("size", [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES])
def test_a_description_of_any_size_comes_back(tmp_path: Path, size: int) -> None:
    made = bytes(at % 251 for at in range(size))
    assert Capture(shark.capture(tmp_path / "big.pcapng", few(), made)).made == made


def test_a_description_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="capture a smaller platform"):
        shark.capture(tmp_path / "big.pcapng", (), bytes(DESCRIPTION_BYTES_MAX + 1))


def test_a_later_description_replaces_the_one_in_front_once_it_is_whole(tmp_path: Path) -> None:
    later = bytes(2 * PART_BYTES)
    path = tmp_path / "twice.pcapng"
    with path.open("wb") as file:
        writer = CaptureWriter(file, origin_ns=0)
        writer.describe(MADE, 3)
        writer.write(few())
        writer.describe(later, 5)
        writer.write(few())
    found = Capture(path)
    assert (found.made, found.truncated) == (later, 5)
    assert list(found.rows()) == few() * 2
    path.write_bytes(path.read_bytes()[: path.read_bytes().rindex(b"LRUN") + 1000])
    assert (Capture(path).made, Capture(path).truncated) == (MADE, 3)


def test_a_capture_is_readable_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "live.pcapng"
    with path.open("wb") as file:
        writer = CaptureWriter(file, origin_ns=0)
        writer.describe(MADE)
        assert list(Capture(path).rows()) == []
        for number, row in enumerate(few(), 1):
            writer.write([row])
            assert len(list(Capture(path).rows())) == number == writer.written


def test_a_capture_that_is_cut_off_anywhere_gives_what_was_whole(tmp_path: Path) -> None:
    rows = few()[:-1]
    data = shark.capture(tmp_path / "whole.pcapng", rows, MADE).read_bytes()
    path = tmp_path / "cut.pcapng"
    counts = []
    refused = []
    for end in range(len(data)):
        path.write_bytes(data[:end])
        try:
            got = list(Capture(path).rows())
        except UserError as error:
            refused.append(str(error))
            continue
        assert got == rows[: len(got)]
        counts.append(len(got))
    assert all(one.startswith(f"{path}: byte 0: ") for one in refused)  # not even the beginning
    assert counts == sorted(counts)
    assert counts[-1] == len(rows) - 1
    assert Capture(path).made == MADE


def test_what_is_left_of_a_packet_is_counted(tmp_path: Path) -> None:
    path = shark.capture(tmp_path / "cut.pcapng", few())
    path.write_bytes(path.read_bytes()[:-3])
    found = Capture(path)
    assert list(found.rows()) == few()[:-1]
    assert found.cut_bytes > 70_000


def test_a_flipped_bit_is_refused_in_one_line_or_changes_a_value(tmp_path: Path) -> None:
    rows = few()[:-1]
    data = shark.capture(tmp_path / "whole.pcapng", rows, MADE).read_bytes()
    path = tmp_path / "flipped.pcapng"
    draw = random.Random(3)
    refused = []
    for _ in range(FLIPS):
        spoiled = bytearray(data)
        spoiled[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(spoiled)
        try:
            assert len(list(Capture(path).rows())) <= len(rows)
        except UserError as error:
            refused.append(str(error))
    assert all(one.startswith(f"{path}: byte ") and "; " in one for one in refused)
    assert len(refused) > FLIPS // 10


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no pcapng section begins here"),
        (b"no capture at all", "no pcapng capture begins like this"),
        (b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(16), "no pcapng capture begins like this"),
        (b"\x0a\x0d\x0d\x0a\x00\x00\x00\x1c\x1a\x2b\x3c\x4d" + bytes(16), "a big-endian section"),
        (b"\x0a\x0d\x0d\x0a\x1b\x00\x00\x00" + bytes(20), "a block of 27 bytes"),
    ],
    ids=["empty", "text", "pcap", "big-endian", "length"],
)
def test_what_is_no_capture_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "other.pcapng"
    path.write_bytes(content)
    with pytest.raises(UserError, match=told):
        Capture(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        Capture(tmp_path / "none.pcapng")


def test_a_capture_of_something_else_is_refused(tmp_path: Path) -> None:
    path = shark.capture(tmp_path / "ether.pcapng", few())
    path.write_bytes(
        path.read_bytes().replace(b"\x93\x00\x00\x00\x00\x00\x04\x00", b"\x01\x00\x00\x00\x00\x00\x04\x00")
    )
    with pytest.raises(UserError, match="link type 1; a capture of ours has 147"):
        list(Capture(path).rows())


@pytest.mark.parametrize("spoiled", [b"", b"x" * 24, packed(few()[0])[:-1], packed(few()[0]) + b"x"])
def test_a_packet_that_is_no_row(spoiled: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes|mark"):
        unpacked(spoiled)


def test_a_packet_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "snapped.pcapng"
    row = (0, "xen", "", 0, b"x" * (pcapng.PACKET_BYTES_MAX + 1), b"")
    with pytest.raises(UserError, match="bytes of packet are missing"):
        list(Capture(shark.capture(path, [row])).rows())


def test_other_tools_open_it_and_what_they_save_is_played(tmp_path: Path) -> None:
    """capinfos has no complaint; a capture that editcap wrote anew still has its rows and description."""
    run = recorded()
    path = shark.capture(tmp_path / "run.pcapng", run.rows, msgspec.json.encode(run.made))
    for tool in ("capinfos", "editcap"):
        assert shutil.which(tool), f"{tool} is not installed: apt-get install tshark"
    told = subprocess.run(["capinfos", "-M", str(path)], capture_output=True, text=True, check=True).stdout
    assert f"Number of packets:   {len(run.rows) + 1}" in told
    assert "nanoseconds (9)" in told
    again = tmp_path / "again.pcapng"
    subprocess.run(["editcap", str(path), str(again)], capture_output=True, check=True)
    assert list(Capture(again).rows()) == list(Capture(path).rows())
    assert Capture(again).made == Capture(path).made
