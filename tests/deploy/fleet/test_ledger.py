"""The ledger: any byte at which a coordinator is killed leaves what was acknowledged, and nothing half."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import UserError
from deploy.fleet import ledger_file
from deploy.fleet.coordinator import opened
from deploy.fleet.coordinator import read as read_fleet
from deploy.fleet.ledger import (
    Began,
    Damaged,
    Died,
    Ended,
    Given,
    Planned,
    Reading,
    Record,
    Refused,
    decode,
    encode,
)
from deploy.fleet.ledger_file import LEDGER, LedgerFile
from deploy.fleet.plan import Plan
from tests.deploy.fleet.fleets import done, plan

RECORDS: tuple[Record, ...] = (
    Planned(Plan("small", "A\nB \u20ac", "", 1, "1", ("seed=1..3",))),
    Began(1.5, 2),
    Given(0, 1),
    done(0),
    Given(1, 1),
    Died(1, 1, "killed"),
    Refused(1, 1),
    Given(1, 2),
    done(1, 2, "fail"),
    Ended(2.5, 1.0),
)
LINES = tuple(map(encode, RECORDS))
WHOLE = b"".join(LINES)


def read(content: bytes) -> tuple[list[Record], int]:
    reading = Reading()
    return list(reading.records(content.splitlines(keepends=True))), reading.good_bytes


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_one_line_and_comes_back(record: Record) -> None:
    line = encode(record)
    assert line.count(b"\n") == 1
    assert decode(line) == record


def test_killed_at_any_byte_what_was_whole_is_there_and_nothing_else() -> None:
    ends = [sum(map(len, LINES[:number])) for number in range(len(LINES) + 1)]
    for cut in range(len(WHOLE) + 1):
        records, good = read(WHOLE[:cut])
        whole = sum(end <= cut for end in ends) - 1
        assert (records, good) == (list(RECORDS[:whole]), ends[whole])


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_is_never_believed(at: int, by: int) -> None:
    spoiled = WHOLE[:at] + bytes([WHOLE[at] ^ by]) + WHOLE[at + 1 :]
    try:
        records, _ = read(spoiled)
    except Damaged:
        return
    assert records == list(RECORDS[:-1]), "only the last line may be taken for a torn one"


def test_a_torn_end_is_cut_off_before_anything_is_added(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(WHOLE + LINES[2][:7])
    with LedgerFile(tmp_path) as ledger:
        assert list(ledger.records()) == list(RECORDS)
        ledger.append([Given(2, 1)])
    assert list(ledger_file.read(tmp_path)) == [*RECORDS, Given(2, 1)]


def test_a_broken_middle_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    spoiled = WHOLE.replace(b'"began"', b'"BEGAN"')
    (tmp_path / LEDGER).write_bytes(spoiled)
    with LedgerFile(tmp_path) as ledger, pytest.raises(UserError, match=r"line 2 is broken"):
        list(ledger.records())
    assert (tmp_path / LEDGER).read_bytes() == spoiled


def test_two_coordinators_on_one_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_file, "LOCK_S", 0.0)
    with LedgerFile(tmp_path), pytest.raises(UserError, match="a coordinator is at work there"):
        LedgerFile(tmp_path)
    LedgerFile(tmp_path).close()


def test_ctrl_c_in_the_middle_of_a_line_leaves_none_of_it(tmp_path: Path) -> None:
    class Interrupted(LedgerFile):
        def spoil(self) -> None:
            whole = self._file

            class Once:
                def write(_, lines: bytes) -> int:  # noqa: N805
                    self._file = whole
                    whole.write(lines[: len(lines) // 2])
                    raise KeyboardInterrupt

                def fileno(_) -> int:  # noqa: N805
                    return whole.fileno()

            self._file = Once()  # type: ignore[assignment]

    with Interrupted(tmp_path) as ledger:
        assert not list(ledger.records())
        ledger.append(RECORDS[:2])
        ledger.spoil()
        with pytest.raises(KeyboardInterrupt):
            ledger.append(RECORDS[2:4])
        ledger.append([RECORDS[-1]])
    assert list(ledger_file.read(tmp_path)) == [*RECORDS[:2], RECORDS[-1]]


FULL = """
import resource, signal, sys
from pathlib import Path
from deploy.errors import UserError
from deploy.fleet.ledger import Given
from deploy.fleet.ledger_file import LedgerFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with LedgerFile(Path(sys.argv[1])) as ledger:
    there = len(list(ledger.records()))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    written = 0
    try:
        while True:
            ledger.append([Given(written, 1)])
            written += 1
    except UserError as error:
        print(written, error)
"""


def test_a_full_disk_is_one_error_and_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(WHOLE)
    words = [sys.executable, "-c", FULL, str(tmp_path), str(len(WHOLE) + 200)]
    said = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ).stdout
    number, _, text = said.partition(" ")
    assert os.strerror(errno.EFBIG) in text
    assert "--resume" in text
    assert list(ledger_file.read(tmp_path)) == [*RECORDS, *(Given(one, 1) for one in range(int(number)))]
    assert int(number) > 0


def test_a_new_fleet_wants_a_new_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = plan(tmp_path, platforms=2)
    with opened(out, asked, resume=False):
        pass
    with pytest.raises(UserError, match="add --resume"), opened(out, asked, resume=False):
        pass
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(UserError, match="not empty"), opened(tmp_path / "mine", asked, resume=False):
        pass
    with pytest.raises(UserError, match="no fleet is there"), opened(tmp_path, asked, resume=True):
        pass


def test_another_plan_is_refused_and_the_same_or_none_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with opened(out, plan(tmp_path, platforms=2), resume=False):
        pass
    other = plan(tmp_path, platforms=3)
    with pytest.raises(UserError, match="--platforms is not what"), opened(out, other, resume=True):
        pass
    for again in (plan(tmp_path, platforms=2), None):
        with opened(out, again, resume=True) as (fleet, _):
            assert len(fleet.jobs) == 2
    plan(tmp_path, platforms=2, text=(tmp_path / "small.toml").read_text() + "\n# changed")
    with pytest.raises(UserError, match="the scenario's file is not what"), opened(out, None, resume=True):
        pass


def test_what_is_no_ledger_of_ours_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no fleet there"):
        read_fleet(tmp_path)
    (tmp_path / LEDGER).write_bytes(b"")
    with pytest.raises(UserError, match="before it began"):
        read_fleet(tmp_path)
    (tmp_path / LEDGER).write_bytes(LINES[1])
    with pytest.raises(UserError, match="does not begin with a plan"):
        read_fleet(tmp_path)
    (tmp_path / LEDGER).write_bytes(LINES[0] + LINES[3])
    with pytest.raises(UserError, match="contradicts itself"):
        read_fleet(tmp_path)
