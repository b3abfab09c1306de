"""The run directory: whose it is, who holds it, and that nothing of somebody else's is ever removed."""

import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import rundir
from deploy.engines.node_log import NodeLog
from deploy.errors import UserError
from deploy.rundir import Cluster, RunDirectory, default_path

CLUSTER = Cluster(1, "0", "automotive", "ipc", "carried", "ipc:///x")


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="tl-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def run(folder: Path) -> Iterator[RunDirectory]:
    made = RunDirectory(folder / "run")
    yield made
    made.remove()


def test_a_claimed_directory_is_closed_and_alive(run: RunDirectory) -> None:
    assert not run.alive()
    run.claim()
    assert run.alive()
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700
    assert sorted(entry.name for entry in run.path.iterdir()) == ["lock", "log", "sd", "shmem", "tmp"]
    run.remove()
    assert not run.path.exists()
    assert not run.alive()


def test_it_is_claimed_once(run: RunDirectory) -> None:
    run.claim()
    run.write(CLUSTER)
    with pytest.raises(UserError, match=r"pid 1\)"):
        RunDirectory(run.path).claim()
    assert run.read() == CLUSTER


def test_who_looks_at_it_does_not_keep_others_out(run: RunDirectory) -> None:
    """``alive`` holds the lock for a moment; ``claim`` must not take that for a platform."""
    run.claim()
    run.sweep()
    (run.path / "lock").unlink()
    os.close(run._lock or -1)
    run._lock = None
    (run.path / "lock").touch()
    done = threading.Event()

    def look() -> None:
        other = RunDirectory(run.path)
        while not done.is_set():
            other.alive()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(50):
            again = RunDirectory(run.path)
            again.claim()
            again.remove()
    finally:
        done.set()
        thread.join()


def test_what_was_removed_while_it_was_locked_is_made_again(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last owner removes the lock between our opening and our locking it."""
    real = rundir.fcntl.flock
    last = RunDirectory(run.path)
    last.claim()

    def flock(fd: int, operation: int) -> None:
        last.remove()
        real(fd, operation)

    monkeypatch.setattr(rundir.fcntl, "flock", flock)
    run.claim()
    monkeypatch.undo()
    assert run.alive()
    assert run.targets.is_dir()


def test_remove_without_a_claim_does_nothing(run: RunDirectory) -> None:
    run.claim()
    RunDirectory(run.path).remove()
    assert run.targets.is_dir()


def test_an_abandoned_directory_is_removed(folder: Path) -> None:
    left = folder / "run"
    left.mkdir(mode=0o700)
    for name in ("lock", "ready", "xen.sock"):
        (left / name).touch()
    (left / "sd").mkdir()
    RunDirectory(left).remove_abandoned()
    assert not left.exists()
    RunDirectory(left).remove_abandoned()
    assert not left.exists()


def test_a_directory_with_a_new_owner_is_not_abandoned(run: RunDirectory) -> None:
    run.claim()
    run.mark_ready()
    RunDirectory(run.path).remove_abandoned()
    assert (run.path / "ready").exists()
    assert run.alive()


def test_what_went_wrong_before_it_was_ready_is_kept_and_nothing_else(run: RunDirectory) -> None:
    run.claim()
    log = NodeLog(run.log, "xen")
    log.line("info", "hello")
    log.line("error", "mediator: probe failed")
    assert run.start_errors() == []
    run.mark_ready()
    log.line("error", "EL3 is lost")
    log.close()
    assert run.start_errors() == ["xen: mediator: probe failed"]


def test_what_a_dead_cluster_left_is_swept(run: RunDirectory) -> None:
    run.path.mkdir(mode=0o700)
    (run.path / "ready").touch()
    (run.path / "ready.new").touch()
    (run.path / "cluster.json").write_text("{", encoding="utf-8")
    (run.path / "shmem").mkdir()
    (run.path / "shmem" / "47ff0").touch()
    (run.path / "log").symlink_to("/tmp")
    assert run.read() is None
    run.claim()
    assert not (run.path / "ready").exists()
    assert list(run.shmem.iterdir()) == []
    assert not run.log.is_symlink()
    assert Path("/tmp").is_dir()


@pytest.mark.parametrize("name", ["letter.txt", ".hidden", "xen.sock.bak"])
def test_a_foreign_directory_is_refused_and_untouched(run: RunDirectory, name: str) -> None:
    run.path.mkdir(mode=0o700)
    (run.path / name).touch()
    (run.path / "ready").touch()
    with pytest.raises(UserError, match="not a run directory"):
        run.claim()
    assert sorted(entry.name for entry in run.path.iterdir()) == sorted([name, "ready"])


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o755, 0o777])
def test_an_open_directory_is_refused(run: RunDirectory, mode: int) -> None:
    run.path.mkdir()
    run.path.chmod(mode)
    with pytest.raises(UserError, match="0700"):
        run.claim()
    assert list(run.path.iterdir()) == []


def test_a_lock_that_is_no_file_is_refused(run: RunDirectory) -> None:
    (run.path / "lock").mkdir(parents=True)
    run.path.chmod(0o700)
    with pytest.raises(UserError, match="lock"):
        run.claim()


def test_paths_up_to_the_limit(folder: Path) -> None:
    room = rundir.SOCKET_PATH_BYTES_MAX - len(f"/tmp/{rundir.LISTENER}") - len(str(folder)) - 1
    longest = RunDirectory(folder / ("r" * room))
    longest.claim()
    longest.remove()
    with pytest.raises(UserError, match="too long"):
        RunDirectory(folder / ("r" * (room + 1))).claim()
    with pytest.raises(UserError, match="too long"):
        RunDirectory(folder / ("\u00e9" * (room // 2 + 1))).claim()
    with pytest.raises(UserError, match="UTF-8"):
        RunDirectory(folder / "\udc80").claim()
    assert list(folder.iterdir()) == []


def test_the_folder_of_run_directories_goes_with_the_last(folder: Path) -> None:
    first, second = (RunDirectory(folder / "trapline-0" / name) for name in ("one", "two"))
    first.claim()
    second.claim()
    assert stat.S_IMODE(first.path.parent.stat().st_mode) == 0o700
    first.remove()
    assert second.alive()
    second.remove()
    assert list(folder.iterdir()) == []


def test_a_folder_of_somebody_else_is_no_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/tmp/trapline-UID is a name that anybody can guess and take first."""
    parent = folder / "trapline-1"
    parent.mkdir()
    owner = parent.stat()
    real = Path.stat

    def stat_of(path: Path, **options: bool) -> object:
        return os.stat_result((*owner[:4], 4242, *owner[5:])) if path == parent else real(path, **options)

    monkeypatch.setattr(Path, "stat", stat_of)
    with pytest.raises(UserError, match="somebody else"):
        RunDirectory(parent / "default").claim()
    monkeypatch.undo()
    assert list(parent.iterdir()) == []


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("TRAPLINE_RUN_DIR", "/somewhere")
    assert default_path("a") == Path("/somewhere")
    monkeypatch.delenv("TRAPLINE_RUN_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    assert default_path("a") == folder / "trapline" / "a"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "nobody"))
    assert default_path("a") == Path(f"/tmp/trapline-{os.getuid()}/a")


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/tmp/trapline-{uid}/default", "trapline down"),
        ("/tmp/trapline-{uid}/two words", "trapline down --name 'two words'"),
        ("/tmp/else/default", "trapline down --run-dir /tmp/else/default"),
    ],
)
def test_it_says_how_to_stop_what_runs_there(
    monkeypatch: pytest.MonkeyPatch, path: str, command: str
) -> None:
    monkeypatch.delenv("TRAPLINE_RUN_DIR", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert RunDirectory(Path(path.format(uid=os.getuid()))).stop_command == command
    monkeypatch.setenv("TRAPLINE_RUN_DIR", path.format(uid=os.getuid()))
    assert RunDirectory(Path(path.format(uid=os.getuid()))).stop_command == "trapline down"


def test_who_names_a_platform_that_does_not_run_is_told_which_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    missing = RunDirectory(folder / "missing")
    with pytest.raises(UserError, match="start one with 'trapline up'"):
        raise missing.not_running()
    (folder / rundir.PARENT).mkdir(mode=0o700)
    claimed = [RunDirectory(folder / rundir.PARENT / name) for name in ["two words", *"fedcba"]]
    for one in claimed:
        one.claim()
    try:
        with pytest.raises(UserError, match=r"there are --name a, .*, --name e and 2 more$"):
            raise missing.not_running()
        for one in claimed[2:]:
            one.remove()
        with pytest.raises(UserError, match=r"there are --name f, --name 'two words'$"):
            raise missing.not_running()
    finally:
        for one in claimed:
            one.remove()
