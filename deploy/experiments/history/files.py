"""Rows kept in a columnar file (Parquet) and read back, batch by batch; memory does not grow with a run.

It knows columns and files, nothing of what is in an envelope. HISTORY.md tells how to open them elsewhere.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from deploy.errors import UserError
from deploy.experiments.history import REMEDY
from deploy.recording.rows import Row
from nodes.limits import HISTORY_ROWS

FRAMES: Final = "frames.parquet"
HISTORY: Final = "history.parquet"
FLUSH_ROWS: Final = 65_536
BATCH_ROWS: Final = 8_192  # that a reader holds in memory at a time
TRUNCATED: Final = "truncated"  # the key of a file's metadata that says how many rows had no room

NAME: Final = pa.dictionary(pa.int32(), pa.string())
FRAME_COLUMNS: Final = (
    ("at_ns", pa.int64()),
    ("node", NAME),
    ("peer", NAME),
    ("event", pa.uint8()),
    ("envelope", pa.binary()),
    ("page", pa.binary()),
)


class ColumnFile:
    """A Parquet file under way: ``write`` takes rows, tuples with a value per column; None is allowed.

    ``columns``: name and type of each; ``rows_max``: what is beyond is counted in ``truncated``. ``quick``:
    for what is written while a run goes on: larger, without statistics, a seventh of the time less.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[tuple[str, Any]],
        meta: Mapping[str, str],
        rows_max: int = HISTORY_ROWS,
        *,
        quick: bool = False,
    ) -> None:
        self.written = 0
        self.truncated = 0
        self._room = rows_max
        self._schema = pa.schema(columns).with_metadata(dict(meta))
        self._types = [kind for _, kind in columns]
        names = [name for name, kind in columns if kind == NAME]
        self._file: Any = pq.ParquetWriter(
            path,
            self._schema,
            compression="lz4" if quick else "zstd",
            use_dictionary=names,
            write_statistics=not quick,
        )

    def write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Append rows as one record batch."""
        fitting = min(len(rows), self._room - self.written)
        self.truncated += len(rows) - fitting
        if fitting < len(rows):
            rows = rows[:fitting]
        if not rows:
            return
        columns = [
            _named(values) if kind == NAME else pa.array(values, kind)
            for kind, values in zip(self._types, zip(*rows, strict=True), strict=True)
        ]
        self._file.write_batch(pa.record_batch(columns, schema=self._schema))
        self.written += fitting

    def close(self) -> None:
        """Make the file whole; without this it cannot be read. A second time does nothing."""
        if self._file is not None:
            self._file.add_key_value_metadata({TRUNCATED: str(self.truncated)})
            self._file.close()
            self._file = None


def _named(values: Sequence[str]) -> Any:
    """A column of few distinct texts."""
    distinct = dict.fromkeys(values)
    numbers = dict(zip(distinct, range(len(distinct)), strict=True))
    indices = array("i", map(numbers.__getitem__, values))
    column = pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(indices)])
    return pa.DictionaryArray.from_arrays(column, pa.array(numbers, pa.string()))


class Writer:
    """The recording of a run: producers append to ``rows``, and ``flush`` at FLUSH_ROWS of them.

    ``flush`` empties that very list. ``written`` and ``truncated`` count rows.
    """

    def __init__(self, folder: Path, meta: Mapping[str, str], rows_max: int = HISTORY_ROWS) -> None:
        self.rows: list[Row] = []
        self._file = ColumnFile(folder / FRAMES, FRAME_COLUMNS, meta, rows_max, quick=True)

    @property
    def written(self) -> int:
        return self._file.written

    @property
    def truncated(self) -> int:
        return self._file.truncated

    def flush(self) -> None:
        self._file.write(self.rows)
        self.rows.clear()

    def close(self) -> None:
        """Flush, and make the file whole."""
        self.flush()
        self._file.close()


@contextmanager
def opened(path: Path, columns: Sequence[tuple[str, Any]]) -> Iterator[Any]:
    """The Parquet file at ``path``; UserError if it is missing, cut off, damaged or not ours."""
    try:
        with pq.ParquetFile(path) as file:
            found = [(field.name, field.type) for field in file.schema_arrow]
            if found != list(columns):
                told = ", ".join(f"{name} ({kind})" for name, kind in found)
                raise UserError(f"{path}: no recording of a run, its columns are {told}; {REMEDY}")
            yield file
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such recording; {REMEDY}") from None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: not a whole recording ({error}); {REMEDY}") from None


def _batches(file: Any, path: Path, only: Sequence[str] | None = None) -> Iterator[Any]:
    """The file in batches; UserError for a name or a time that is missing: none ever is."""
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=only):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if column.null_count and (name == "at_ns" or column.type == NAME):
                raise UserError(f"{path}: no recording of a run, {name} lacks values; {REMEDY}")
        yield batch


def read_rows(folder: Path) -> Iterator[Row]:
    """Every row of a run's recording, in order. Raises UserError as ``opened``."""
    with opened(folder / FRAMES, FRAME_COLUMNS) as file:
        readers = (_integers("q"), _texts, _texts, _integers("B"), _bytes, _bytes)
        for batch in _batches(file, folder / FRAMES):
            columns = [read(column) for read, column in zip(readers, batch.columns, strict=True)]
            yield from zip(*columns, strict=True)


def read_history(
    folder: Path, columns: Sequence[tuple[str, Any]], only: Sequence[str] = ()
) -> Iterator[tuple[Any, ...]]:
    """Every row of a run's decoded history, in order, perhaps of some columns only.

    Raises UserError as ``opened``.
    """
    wanted = list(only) or [name for name, _ in columns]
    kinds = dict(columns)
    with opened(folder / HISTORY, columns) as file:
        for batch in _batches(file, folder / HISTORY, wanted):
            values = (
                _texts(batch.column(name)) if kinds[name] == NAME else batch.column(name).to_pylist()
                for name in wanted
            )
            yield from zip(*values, strict=True)


def meta(folder: Path) -> dict[str, str]:
    """What was said of the recording when it was made, and "truncated". Raises UserError as ``opened``."""
    with opened(folder / FRAMES, FRAME_COLUMNS) as file:
        found = file.metadata.metadata or {}
        return {
            key.decode(errors="replace"): value.decode(errors="replace")
            for key, value in found.items()
            if key != b"ARROW:schema"
        }


# ---- columns to Python, several times faster than to_pylist without numpy -------------------------


def _integers(code: str) -> Callable[[Any], Sequence[int]]:
    def read(column: Any) -> Sequence[int]:
        values = array(code)
        start = column.offset * values.itemsize
        values.frombytes(
            memoryview(column.buffers()[1])[start : start + len(column) * values.itemsize].cast("B")
        )
        return values

    return read


def _texts(column: Any) -> Sequence[str]:
    words = column.dictionary.to_pylist()
    return [words[at] for at in _integers("i")(column.indices)]


def _bytes(column: Any) -> Sequence[bytes]:
    _, places, data = column.buffers()
    ends = array("i")
    start = column.offset * ends.itemsize
    ends.frombytes(memoryview(places)[start : start + (len(column) + 1) * ends.itemsize].cast("B"))
    content = b"" if data is None else data.to_pybytes()
    return [content[begin:end] for begin, end in pairwise(ends)]
