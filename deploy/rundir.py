"""The run directory: one per cluster, 0700, locked while its supervisor lives, gone afterwards.

Whoever may enter it may speak on its sockets; nobody else. A directory whose supervisor died is
stale: it is swept before the next use. A directory that is not ours is never touched.
"""

import fcntl
import os
import shlex
import shutil
import stat
import time
from pathlib import Path

import msgspec

from deploy import logs
from deploy.errors import UserError
from deploy.files import HALF, replace

OWN_ENTRIES = frozenset(
    {"lock", "xen.sock", "control.sock", "sd", "shmem", "log", "tmp", "flight", "observe"}
    | {name + half for name in ("cluster.json", "ready") for half in ("", HALF)}
)
SOCKET_PATH_BYTES_MAX = 107
LISTENER = "listener-12345678"  # as multiprocess names the fork server's socket
LOCK_S = 0.3
OTHERS_TOLD = 5  # names of running platforms, to who names one that does not run
PARENT = "trapline"  # a folder of this name, made for run directories, goes with the last of them


class Cluster(msgspec.Struct, frozen=True):
    """What ``cluster.json`` says of a running cluster."""

    pid: int
    version: str
    platform: str
    link: str
    pages: str
    xen: str


def default_path(name: str) -> Path:
    """$TRAPLINE_RUN_DIR, else NAME below $XDG_RUNTIME_DIR/trapline, else below /tmp/trapline-UID."""
    return given_path() or usual_parent() / name


def given_path() -> Path | None:
    """$TRAPLINE_RUN_DIR."""
    given = os.environ.get("TRAPLINE_RUN_DIR")
    return Path(given) if given else None


def usual_parent() -> Path:
    """Where all clusters of this user are that were not told otherwise."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "trapline"
    return Path(f"/tmp/trapline-{os.getuid()}")


class RunDirectory:
    """``path`` and what is in it: two sockets, ``targets`` (scrape targets), ``shmem``, ``log``, ``tmp``,
    ``flight`` (what nodes saw, see ``deploy.recording``), ``observe`` (of what watches it).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.xen_socket = path / "xen.sock"
        self.control_socket = path / "control.sock"
        self.targets = path / "sd"
        self.shmem = path / "shmem"
        self.flight = path / "flight"
        self.log = path / "log"
        self.tmp = path / "tmp"
        self.observe = path / "observe"
        self._lock: int | None = None

    @property
    def stop_command(self) -> str:
        """What a user types to stop the platform in it."""
        if self.path == default_path("default").absolute():
            return "trapline down"
        if self.path == default_path(self.path.name).absolute():
            return f"trapline down --name {shlex.quote(self.path.name)}"
        return f"trapline down --run-dir {shlex.quote(str(self.path))}"

    def claim(self) -> None:
        """Make and lock it, sweeping what a dead supervisor left. Raises UserError; then nothing changed."""
        self._check_path()
        self._take_lock()
        self.sweep()
        for folder in (self.targets, self.shmem, self.log, self.tmp):
            folder.mkdir(mode=0o700)

    def _check_path(self) -> None:
        """Every socket in it must be reachable, and its path must fit into a message."""
        if any("\ud800" <= character <= "\udfff" for character in str(self.path)):
            raise UserError(f"{str(self.path)!a}: not UTF-8 text; choose another --run-dir")
        longest = max(
            len(os.fsencode(path.absolute())) for path in (self.control_socket, self.tmp / LISTENER)
        )
        if longest > SOCKET_PATH_BYTES_MAX:
            raise UserError(
                f"{self.path}: too long for a run directory: its socket paths would have {longest} bytes, "
                f"the kernel takes {SOCKET_PATH_BYTES_MAX}; choose a shorter --run-dir"
            )

    def _make(self) -> None:
        try:
            parent = self.path.parent
            if parent.name.startswith(PARENT):
                parent.mkdir(mode=0o700, exist_ok=True)
                if parent.stat().st_uid not in (0, os.getuid()):
                    raise UserError(
                        f"{parent}: belongs to somebody else, who could replace what is in it; "
                        "choose another --run-dir"
                    )
            self.path.mkdir(mode=0o700, exist_ok=True)
            found = self.path.lstat()
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be a run directory: {error.strerror}; choose another --run-dir"
            ) from None
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise UserError(
                f"{self.path}: a run directory must be your own and closed to others (mode 0700); "
                f"run 'chmod 700 {self.path}' or choose another --run-dir"
            )

    def _check_content(self) -> None:
        foreign = sorted(entry.name for entry in self.path.iterdir() if entry.name not in OWN_ENTRIES)
        if foreign:
            raise UserError(
                f"{self.path}: not a run directory: it holds {foreign[0]!r}; choose an empty or new --run-dir"
            )

    def _take_lock(self) -> None:
        """Make the directory and lock it; tries for a while, as ``alive`` holds the lock for a moment."""
        deadline = time.monotonic() + LOCK_S
        while (lock := self._try_lock()) is None:
            if time.monotonic() > deadline:
                cluster = self.read()
                who = f" (pid {cluster.pid})" if cluster else ""
                raise UserError(
                    f"{self.path}: a platform is running there{who}; stop it with "
                    f"'{self.stop_command}' or choose another --name"
                )
            time.sleep(0.02)
        self._lock = lock

    def _try_lock(self) -> int | None:
        """The locked file, or None: it is held, or its last owner removed it just now."""
        self._make()
        try:
            self._check_content()
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be locked: {error.strerror}; choose another --run-dir"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_ino == (self.path / "lock").stat().st_ino:
                return lock
        except OSError:
            pass
        os.close(lock)
        return None

    def alive(self) -> bool:
        """Whether a supervisor holds the directory now."""
        try:
            lock = os.open(self.path / "lock", os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    def not_running(self) -> UserError:
        """What to tell a user who looks for a platform here: which ones of his there are."""
        if os.path.lexists(self.path) and not os.access(self.path, os.R_OK | os.X_OK):
            return UserError(f"{self.path}: belongs to somebody else; look at a platform of your own")
        others = sorted(path.name for path in usual_parent().glob("*/") if RunDirectory(path).alive())
        if not others:
            return UserError(
                f"no platform runs in {self.path}; start one with 'trapline up', or name it with --name"
            )
        there = ", ".join(f"--name {shlex.quote(name)}" for name in others[:OTHERS_TOLD])
        more = f" and {len(others) - OTHERS_TOLD} more" if len(others) > OTHERS_TOLD else ""
        return UserError(f"no platform runs in {self.path}; there are {there}{more}")

    def write(self, cluster: Cluster) -> None:
        replace(self.path / "cluster.json", msgspec.json.encode(cluster))

    def logged_errors(self) -> list[str]:
        """What the nodes logged as errors so far, a line each: "xen: ..."."""
        return [f"{line.node}: {line.text}" for line in logs.read(self.log) if line.level == "error"]

    def mark_ready(self) -> None:
        """The platform answers on its control socket now; what went wrong while it started is kept."""
        replace(self.path / "ready", "\n".join(self.logged_errors()).encode())

    def start_errors(self) -> list[str]:
        """What the nodes had logged as errors when the platform became ready; empty when it is gone."""
        try:
            return (self.path / "ready").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def read(self) -> Cluster | None:
        try:
            return msgspec.json.decode((self.path / "cluster.json").read_bytes(), type=Cluster)
        except (OSError, msgspec.DecodeError):
            return None

    def sweep(self) -> None:
        """Remove what a cluster made here, but the lock."""
        for name in sorted(OWN_ENTRIES - {"lock"}):
            entry = self.path / name
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)

    def remove(self) -> None:
        """The end: nothing of the cluster stays on disk. Does nothing to a directory that is not claimed."""
        if self._lock is None:
            return
        self.sweep()
        (self.path / "lock").unlink(missing_ok=True)
        for folder in (self.path, self.path.parent):
            if folder == self.path or folder.name.startswith(PARENT):
                try:
                    folder.rmdir()
                except OSError:
                    break
        os.close(self._lock)
        self._lock = None

    def remove_abandoned(self) -> None:
        """Remove what a dead supervisor left, unless somebody has claimed the directory since."""
        if self.path.exists():
            try:
                self._take_lock()
            except UserError:
                return
            self.remove()
