"""Rows in a file: what goes in comes out, a bound is kept, and what is no recording is told in one line."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deploy.errors import UserError
from deploy.experiments.history import files
from deploy.experiments.history.files import BATCH_ROWS, Writer, meta, read_rows
from deploy.recording.rows import Row


def row(at: int) -> Row:
    return at, f"guest{at % 3}#1", "xen" if at % 2 else "", at % 6, at.to_bytes(3, "big"), b"\0" * (at % 5)


def write(folder: Path, rows: list[Row], rows_max: int = files.HISTORY_ROWS) -> Writer:
    writer = Writer(folder, {"run": "r1", "seed": "7"}, rows_max)
    for one in rows:
        writer.rows.append(one)
        if len(writer.rows) >= 5_000:
            writer.flush()
    writer.close()
    return writer


@pytest.mark.parametrize("count", [0, 1, 5_000, 2 * BATCH_ROWS + 1])
def test_what_goes_in_comes_out_in_order(tmp_path: Path, count: int) -> None:
    rows = [row(at) for at in range(count)]
    writer = write(tmp_path, rows)
    assert list(read_rows(tmp_path)) == rows
    assert (writer.written, writer.truncated) == (count, 0)
    assert meta(tmp_path) == {"run": "r1", "seed": "7", "truncated": "0"}


def test_a_flush_empties_the_very_list_that_producers_hold(tmp_path: Path) -> None:
    writer = Writer(tmp_path, {})
    held = writer.rows
    held.append(row(1))
    writer.flush()
    assert not held
    assert writer.rows is held
    writer.close()
    writer.close()


@pytest.mark.parametrize("rows_max", [4_999, 5_000, 5_001, 12_000])
def test_past_the_bound_rows_are_counted(tmp_path: Path, rows_max: int) -> None:
    rows = [row(at) for at in range(12_000)]
    writer = write(tmp_path, rows, rows_max)
    assert list(read_rows(tmp_path)) == rows[:rows_max]
    assert writer.truncated == 12_000 - rows_max
    assert meta(tmp_path)["truncated"] == str(12_000 - rows_max)


def _missing(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _foreign(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


def _spoiled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)


def _other_type(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, "at_ns", pa.array(["now"] * len(table))), path)


def _not_by_dictionary(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, "node", pa.array(["xen"] * len(table))), path)


def _without_values(path: Path) -> None:
    table = pq.read_table(path)
    field = table.schema.field("node")
    pq.write_table(table.set_column(1, field, pa.nulls(len(table), field.type)), path)


@pytest.mark.parametrize(
    "spoil",
    [_missing, _cut, _empty, _foreign, _spoiled, _other_type, _not_by_dictionary, _without_values],
)
def test_what_is_no_recording_is_one_line_with_a_way_out(tmp_path: Path, spoil: object) -> None:
    write(tmp_path, [row(at) for at in range(100)])
    spoil(tmp_path / files.FRAMES)  # type: ignore[operator]
    with pytest.raises(UserError, match=r"frames\.parquet: .*; make a new one with") as caught:
        list(read_rows(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_recording_that_was_not_closed_is_none(tmp_path: Path) -> None:
    writer = Writer(tmp_path, {})
    writer.rows.append(row(1))
    writer.flush()
    with pytest.raises(UserError, match="not a whole recording"):
        list(read_rows(tmp_path))
    writer.close()
    assert list(read_rows(tmp_path)) == [row(1)]
