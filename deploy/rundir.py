"""The run directory: one per cluster, 0700, locked while its supervisor lives, gone afterwards.

Whoever may enter it may speak on its sockets; nobody else. A directory whose supervisor died is
stale: it is swept before the next use. A directory that is not ours is never touched.
"""

import fcntl
import os
import shutil
import stat
from pathlib import Path

import msgspec

from deploy.errors import UserError

OWN_ENTRIES = frozenset(
    {"lock", "cluster.json", "ready", "xen.sock", "control.sock", "sd", "shmem", "log", "tmp"}
)
SOCKET_PATH_BYTES_MAX = 107
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
    given = os.environ.get("TRAPLINE_RUN_DIR")
    if given:
        return Path(given)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "trapline" / name
    return Path(f"/tmp/trapline-{os.getuid()}") / name


class RunDirectory:
    """``path`` and what is in it: two sockets, ``targets`` (scrape targets), ``shmem``, ``log``, ``tmp``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.xen_socket = path / "xen.sock"
        self.control_socket = path / "control.sock"
        self.targets = path / "sd"
        self.shmem = path / "shmem"
        self.log = path / "log"
        self.tmp = path / "tmp"
        self._lock: int | None = None

    def claim(self) -> None:
        """Make and lock it, sweeping what a dead supervisor left. Raises UserError; then nothing changed."""
        longest = len(os.fsencode(self.control_socket.absolute()))
        if longest > SOCKET_PATH_BYTES_MAX:
            raise UserError(
                f"{self.path}: too long for a run directory: its socket paths would have {longest} bytes, "
                f"the kernel takes {SOCKET_PATH_BYTES_MAX}; choose a shorter --run-dir"
            )
        self._make()
        foreign = sorted(entry.name for entry in self.path.iterdir() if entry.name not in OWN_ENTRIES)
        if foreign:
            raise UserError(
                f"{self.path}: not a run directory: it holds {foreign[0]!r}; choose an empty or new --run-dir"
            )
        self._take_lock()
        self.sweep()
        for folder in (self.targets, self.shmem, self.log, self.tmp):
            folder.mkdir(mode=0o700)

    def _make(self) -> None:
        try:
            if self.path.parent.name.startswith(PARENT):
                self.path.parent.mkdir(mode=0o700, exist_ok=True)
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

    def _take_lock(self) -> None:
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            cluster = self.read()
            who = f" (pid {cluster.pid})" if cluster else ""
            raise UserError(
                f"{self.path}: a platform is running there{who}; stop it with 'trapline down' "
                "or choose another --name"
            ) from None
        self._lock = lock

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

    def write(self, cluster: Cluster) -> None:
        replace(self.path / "cluster.json", msgspec.json.encode(cluster))

    def mark_ready(self) -> None:
        """The platform answers on its control socket now."""
        (self.path / "ready").touch(mode=0o600)

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
        """The end: nothing of the cluster stays on disk."""
        self.sweep()
        (self.path / "lock").unlink(missing_ok=True)
        for folder in (self.path, self.path.parent):
            if folder == self.path or folder.name.startswith(PARENT):
                try:
                    folder.rmdir()
                except OSError:
                    break
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never half."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(content)
    temporary.rename(path)
