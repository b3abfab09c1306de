"""A platform under test: started and driven through the real command, watched from outside."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy import control
from deploy.rundir import RunDirectory
from deploy.topology import shipped
from tests.system.processes import VARIABLE, eventually, kill, listening, marked, ports_of

TRAPLINE = (str(Path(sys.executable).with_name("trapline")),)
COMMAND_S = 20
IVI = shipped() / "ivi.cfg"
TCU = shipped() / "tcu.cfg"
HOST = shipped() / "host.dts"
PLATFORM = shipped() / "platform.toml"


class Finished(subprocess.CompletedProcess[str]):
    """A command that ended: ``returncode``, ``stdout``, ``stderr``."""

    @property
    def said(self) -> str:
        """The one line on stderr; fails when there is another number of lines, or a traceback."""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, f"{self.args}: {self.returncode}, {len(lines)} lines:\n{self.stderr}"
        assert lines[0].startswith("trapline: "), lines[0]
        return lines[0].removeprefix("trapline: ")

    @property
    def json(self) -> Any:
        assert self.returncode == 0, self.stderr
        return json.loads(self.stdout)


class Cluster:
    """One run directory and every process that belongs to it. ``supervisor`` is what ``start`` started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        self.mark = uuid.uuid4().hex
        self.supervisor: subprocess.Popen[str] | None = None
        self.ports: dict[str, tuple[str, int]] = {}

    # ---- commands -----------------------------------------------------------------------------

    @staticmethod
    def program() -> str:
        """The path of the real command."""
        return TRAPLINE[0]

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of the test's processes: the mark, nothing of the user's Trapline settings."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("TRAPLINE_")}
        return {**kept, VARIABLE: self.mark, **more}

    def trapline(self, *words: object, program: tuple[str, ...] = TRAPLINE, **variables: str) -> Finished:
        """Run a command to its end."""
        done = subprocess.run(
            [*program, *map(str, words)],
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            env=self.environment(**variables),
        )
        return Finished(done.args, done.returncode, done.stdout, done.stderr)

    def here(self, *words: object, **variables: str) -> Finished:
        """Run a command on this cluster."""
        return self.trapline(*words, "--run-dir", self.run, **variables)

    def works(self, domain: str = "ivi", clock: int = 5) -> bool:
        """Whether a domain gets its clock's rate, asked without a process for the question."""
        request = control.Call(domain, 0x14, 0x6, clock.to_bytes(4, "little"))
        answer = control.ask(RunDirectory(self.run), request)
        return not answer["code"] and not answer["status"]

    def call(self, *words: object) -> Any:
        """An SCMI call that has to succeed, as JSON."""
        return self.here("call", *words, "--json").json

    # ---- the platform -------------------------------------------------------------------------

    def begin(
        self, *words: object, program: tuple[str, ...] = TRAPLINE, **variables: str
    ) -> "subprocess.Popen[str]":
        """Start a command in the foreground of a process group of its own, and do not wait for it."""
        self._close()
        self.supervisor = subprocess.Popen(
            [*program, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment(**variables),
            start_new_session=True,
        )
        return self.supervisor

    def start(self, *words: object, **variables: str) -> "subprocess.Popen[str]":
        """``trapline up`` in the foreground; does not wait until it is ready."""
        return self.begin("up", "--run-dir", self.run, *words, **variables)

    def up(self, *words: object, **variables: str) -> "Cluster":
        """Start a platform and wait until it is ready."""
        started = self.start(*words, **variables)
        eventually(lambda: self._ready(started.pid) or started.poll() is not None, "ready")
        if started.poll() is not None:
            raise AssertionError(f"up ended with {started.returncode}: {started.communicate()}")
        self.ports = ports_of(list(marked(self.mark)))
        return self

    def _ready(self, pid: int) -> bool:
        """Whether that supervisor is ready; what a dead one left does not count."""
        with suppress(OSError, ValueError):
            return json.loads((self.run / "cluster.json").read_bytes())["pid"] == pid and (
                (self.run / "ready").exists()
            )
        return False

    def status(self) -> Any:
        """What ``trapline status --json`` prints."""
        return control.ask(RunDirectory(self.run), control.Status())

    def pid(self, node: str) -> int:
        """The process of a node, of the ``janitor`` or of the ``fork server``."""
        every = marked(self.mark)
        wanted = node if node in every.values() else f"trapline:{node}"[:15]
        return next(pid for pid, name in every.items() if name == wanted)

    def kill(self, node: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a node; gives its pid."""
        pid = self.pid(node)
        kill(pid, number)
        return pid

    def ended(self, patience_s: float = 20.0) -> Finished:
        """What ``start`` started, once it ended by itself."""
        assert self.supervisor is not None
        try:
            out, err = self.supervisor.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"'trapline up' did not end; there are {marked(self.mark)}") from None
        return Finished(self.supervisor.args, self.supervisor.returncode, out, err)

    def events(self, domain: str, event: str) -> list[str]:
        """The details of a domain's life-cycle events of one kind."""
        return [
            one["detail"]
            for one in self.status()["events"]
            if one["domain"] == domain and one["event"] == event
        ]

    # ---- the end ------------------------------------------------------------------------------

    def left_behind(self) -> list[str]:
        """Processes, listening ports and files of the cluster that are there now."""
        found = [f"process {pid} ({name})" for pid, name in marked(self.mark).items()]
        every = listening()
        found += [f"port {port}" for inode, (_, port) in self.ports.items() if inode in every]
        return [*found, str(self.run)] if os.path.lexists(self.run) else found

    def expect_nothing_left(self, patience_s: float = 10.0) -> None:
        """Fail unless every process, port and file is gone in time."""
        deadline = time.monotonic() + patience_s
        while found := self.left_behind():
            assert time.monotonic() < deadline, f"left behind: {found}"
            time.sleep(0.01)

    def stop(self) -> None:
        """End the platform if it still runs; whatever remains then is killed, and fails the test."""
        try:
            if self.supervisor is not None and self.supervisor.poll() is None:
                self.supervisor.terminate()
                self.ended()
            self.expect_nothing_left()
        finally:
            for pid in marked(self.mark):
                kill(pid)
            self._close()

    def _close(self) -> None:
        """Forget what was started last; it has ended, or was killed."""
        if self.supervisor is not None:
            self.supervisor.wait()
            for stream in (self.supervisor.stdout, self.supervisor.stderr):
                if stream is not None:
                    stream.close()
