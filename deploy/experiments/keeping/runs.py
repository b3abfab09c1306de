"""Past runs: a small database under the runs' root, one row for each, and the result without its plots.

A run is never lost: a row is one transaction, a folder whose result nobody noted is noted by the next look,
and a database that cannot be read is put aside and made again from the folders. A row outlives its folder.
Several processes may add at once. It does not know how a run came about, nor how it is shown.
"""

import contextlib
import difflib
import fcntl
import os
import shutil
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.errors import UserError
from deploy.experiments.result import RunResult, Verdict

DATABASE: Final = "runs.db"
RESULT: Final = "report.json"  # in a run's folder: the RunResult
REPORT: Final = "report.html"  # beside it
SCHEMA: Final = 1
BUSY_S: Final = 30.0  # how long one process waits for another's transaction
UNFINISHED_S: Final = 86_400.0  # a folder without a result in which nothing was written for so long is waste
NEAR_MAX: Final = 5  # ids that an error names
LATE_PHASE: Final = "faults"  # whose latency is a run's key number


class Run(msgspec.Struct, frozen=True):
    """One row. ``failed``: calls that ended with an error; ``p99_us``: the worst domain's in the measured
    phase; ``violations``: of all checkers; ``missed``: thresholds that did not hold. ``started_at``: seconds
    since 1970.
    """

    run_id: str
    folder: str
    title: str
    scenario: str
    engine: str
    seed: int
    verdict: Verdict
    reason: str
    version: str
    started_at: float
    wall_s: float
    issued: int
    answered: int
    failed: int
    killed: int
    leaks: int
    violations: int
    missed: int
    fairness: float | None
    p99_us: float

    @property
    def report(self) -> Path:
        """Where the report lies, if it still does."""
        return Path(self.folder) / REPORT


COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Run))
CREATE: Final = f"""
create table runs ({", ".join(COLUMNS)}, result blob not null, primary key (run_id));
create index runs_by_start on runs (started_at);
"""  # columns are of any kind: msgspec checks them when they are read


def default_root() -> Path:
    """$TRAPLINE_RUNS, else trapline/runs below $XDG_DATA_HOME, else below ~/.local/share."""
    given = os.environ.get("TRAPLINE_RUNS")
    if given:
        return Path(given)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local/share") / "trapline/runs"


def row_of(result: RunResult, folder: Path) -> Run:
    """A result's key numbers."""
    agents = result.agents
    late = [one.latency[LATE_PHASE].p99_us for one in agents if LATE_PHASE in one.latency]
    return Run(
        run_id=result.run_id,
        folder=str(folder.absolute()),
        title=result.title,
        scenario=result.scenario,
        engine=result.engine,
        seed=result.seed,
        verdict=result.verdict,
        reason=result.reason,
        version=result.version,
        started_at=result.started_at,
        wall_s=result.wall_s,
        issued=sum(one.issued for one in agents),
        answered=sum(one.answered for one in agents),
        failed=sum(one.definite + one.indefinite for one in agents),
        killed=sum(one.killed for one in agents),
        leaks=sum(one.leaks for one in agents),
        violations=sum(len(one.violations) for one in result.checkers),
        missed=sum(not one.held for one in result.thresholds),
        fairness=result.fairness,
        p99_us=max(late, default=0.0),
    )


class Runs:
    """The runs below ``root``; nothing is kept open between two calls.

    Raises UserError for an id that means no run or several, a root that cannot be written, and a database
    that a newer Trapline made.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_root()).absolute()

    def add(self, result: RunResult, folder: Path) -> Run:
        """Note a run; one with the same id is replaced."""
        row = row_of(result, folder)
        with self._database() as database:
            _insert(database, row, result)
        return row

    def list(self, scenario: str = "", verdict: str = "", limit: int = 0) -> tuple[Run, ...]:
        """The newest first. ``scenario``: a part of its name; ``limit`` 0: all."""
        self.adopt()
        clauses = "where (? = '' or instr(scenario, ?) or instr(title, ?)) and (? = '' or verdict = ?)"
        values = (scenario, scenario, scenario, verdict, verdict, limit or -1)
        return self._select(f"{clauses} order by started_at desc, run_id desc limit ?", values)

    def get(self, run_id: str) -> Run:
        """The run with this id, or the only one whose id begins so."""
        self.adopt()
        found = self._select("where run_id = ?", (run_id,))
        found = found or self._select("where substr(run_id, 1, ?) = ?", (len(run_id), run_id))
        if len(found) == 1 and run_id:
            return found[0]
        raise UserError(self._no_run(run_id, [one.run_id for one in found]))

    def result(self, run: Run) -> RunResult:
        """The whole result: the folder's if it can be read, else the database's, without plots and
        diagram.
        """
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((Path(run.folder) / RESULT).read_bytes(), type=RunResult)
        with self._database() as database:
            kept = database.execute("select result from runs where run_id = ?", (run.run_id,)).fetchone()
        if kept is None:
            raise UserError(f"run {run.run_id}: it was removed meanwhile; see 'trapline runs list'")
        try:
            return msgspec.json.decode(zlib.decompress(kept[0]), type=RunResult)
        except (zlib.error, msgspec.DecodeError) as error:
            raise UserError(
                f"run {run.run_id}: its result cannot be read: {error}; Trapline {run.version} made it"
            ) from None

    def adopt(self) -> int:
        """Note the folders that have a result and no row; how many there were. Broken results stay as they
        are.
        """
        known = {one.folder for one in self._select("", ())}
        added = 0
        for folder in self._folders():
            if str(folder) in known:
                continue
            with contextlib.suppress(OSError, OverflowError, msgspec.DecodeError):
                self.add(msgspec.json.decode((folder / RESULT).read_bytes(), type=RunResult), folder)
                added += 1
        return added

    def unfinished(self) -> tuple[Path, ...]:
        """Folders without a result: runs under way, or ended in the middle."""
        return tuple(one for one in self._folders() if not (one / RESULT).exists())

    def prune(self, keep: int) -> tuple[Run, ...]:
        """Remove all but the ``keep`` newest, their folders too where they are below the root, and folders
        of runs that never ended; what was removed.
        """
        gone = self.list()[max(keep, 0) :]
        for one in gone:
            folder = Path(one.folder)
            if folder.parent == self.root:  # elsewhere it is the user's
                shutil.rmtree(folder, ignore_errors=True)
        with self._database() as database:
            database.executemany("delete from runs where run_id = ?", [(one.run_id,) for one in gone])
        for folder in self.unfinished():
            if time.time() - _newest(folder) > UNFINISHED_S:
                shutil.rmtree(folder, ignore_errors=True)
        return gone

    def _folders(self) -> tuple[Path, ...]:
        try:
            return tuple(sorted(one for one in self.root.iterdir() if one.is_dir()))
        except FileNotFoundError:
            return ()

    def _no_run(self, run_id: str, found: Sequence[str]) -> str:
        if found:
            some = ", ".join(found[:NEAR_MAX])
            return (
                f"run {run_id!r}: {len(found)} runs begin so ({some}{', ...' * (len(found) > NEAR_MAX)}); "
                "give more of the id"
            )
        ids = [one.run_id for one in self._select("order by started_at desc", ())]
        near = difflib.get_close_matches(run_id, ids, NEAR_MAX, 0.5) or ids[:NEAR_MAX]
        if not near:
            return f"run {run_id!r}: there are no runs in {self.root} yet; 'trapline run SCENARIO' makes one"
        return f"run {run_id!r}: there is none in {self.root}; near: {', '.join(near)}"

    def _select(self, clauses: str, values: tuple[Any, ...]) -> tuple[Run, ...]:
        if not self.root.exists():
            return ()
        with self._database() as database:
            rows = database.execute(f"select {', '.join(COLUMNS)} from runs {clauses}", values).fetchall()
        return tuple(msgspec.convert(dict(zip(COLUMNS, row, strict=True)), Run, strict=False) for row in rows)

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """One transaction. A database that turns out to be broken is put aside."""
        try:
            with contextlib.closing(self._open()) as database, database:
                yield database
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            aside = _put_aside(self.root / DATABASE)
            raise UserError(
                f"{self.root / DATABASE}: {error}; it is now {aside.name}, the next command makes it again "
                "from the runs' folders"
            ) from None

    def _open(self) -> sqlite3.Connection:
        path = self.root / DATABASE
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            database = _connect(path)
            if database is None:
                with open(self.root / (DATABASE + ".lock"), "w") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    database = _connect(path) or _made(path)
        except (OSError, sqlite3.OperationalError) as error:
            raise UserError(
                f"{path}: {getattr(error, 'strerror', None) or error}; "
                "$TRAPLINE_RUNS names another folder for runs"
            ) from None
        return database


def _connect(path: Path) -> sqlite3.Connection | None:
    """The database as it should be, or None if it has to be made. Raises UserError for one from the
    future.
    """
    database = sqlite3.connect(path, timeout=BUSY_S)
    try:
        version = database.execute("pragma user_version").fetchone()[0]
        if version == SCHEMA:
            database.execute("select 1 from runs limit 1").fetchone()
    except sqlite3.OperationalError:
        database.close()
        raise
    except sqlite3.DatabaseError:
        database.close()
        return None
    if version == SCHEMA:
        return database
    database.close()
    if version > SCHEMA:
        raise UserError(
            f"{path}: a newer Trapline made it (schema {version}, this one knows {SCHEMA}); use that one, "
            "or another folder in $TRAPLINE_RUNS"
        )
    return None


def _made(path: Path) -> sqlite3.Connection:
    """A new database; what is no database is put aside. Only under the lock."""
    if path.exists() and path.stat().st_size:
        with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(sqlite3.connect(path)) as old:
            if old.execute("pragma user_version").fetchone()[0] == 0 and not _tables(old):
                return _filled(path)
        _put_aside(path)
    return _filled(path)


def _put_aside(path: Path) -> Path:
    aside = path.with_name(f"{DATABASE}.broken-{time.time_ns()}")
    path.replace(aside)
    for rest in ("-wal", "-shm"):
        path.with_name(DATABASE + rest).unlink(missing_ok=True)
    return aside


def _tables(database: sqlite3.Connection) -> list[Any]:
    return database.execute("select name from sqlite_master").fetchall()


def _filled(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=BUSY_S)
    database.execute("pragma journal_mode = wal")
    database.executescript(f"begin; {CREATE} pragma user_version = {SCHEMA}; commit;")
    return database


def _insert(database: sqlite3.Connection, row: Run, result: RunResult) -> None:
    small = msgspec.structs.replace(result, slices=(), diagram=())
    values = [str(row.seed) if name == "seed" else getattr(row, name) for name in COLUMNS]  # up to 64 bits
    marks = ", ".join("?" for _ in range(len(COLUMNS) + 1))
    database.execute(
        f"insert or replace into runs ({', '.join(COLUMNS)}, result) values ({marks})",
        (*values, zlib.compress(msgspec.json.encode(small))),
    )


def _newest(folder: Path) -> float:
    """When anything in it was written last, in seconds since 1970."""
    times = [folder.stat().st_mtime]
    for one in folder.rglob("*"):
        with contextlib.suppress(OSError):
            times.append(one.stat().st_mtime)
    return max(times)
