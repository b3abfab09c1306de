"""A Ray cluster in the rig: one ``ray start`` for each host, the first one with the head."""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from deploy.launching.ray_examples import HEALTH
from tests.system.cluster import Finished
from tests.system.processes import VARIABLE, eventually
from tests.system.ray import rig

ROOT = Path(__file__).parents[3]
PORT = 6379
FOLDER = "/mnt/ray"  # each host has its own /mnt
UP_S = 40.0
COMMAND_S = 90
TUNED = {**{name: str(value) for name, value in HEALTH}, "RAY_enable_metrics_collection": "0"}


def missing() -> str:
    """Why there can be no lab here; empty if there can."""
    return rig.missing() or ("" if find_spec("ray") else "Ray is not installed: pip install 'trapline[ray]'")


class Lab:
    """``resources`` by host, as ``ray start --resources`` takes them. ``folder`` takes what Ray prints."""

    def __init__(self, resources: Mapping[str, str], folder: Path, mark: str) -> None:
        self.rig = rig.Rig(list(resources))
        self.head, *others = resources
        self.address = f"{self.rig.addresses[self.head]}:{PORT}"
        self._folder = folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("TRAPLINE_", "RAY_"))}
        self.environment = {
            **kept,
            **TUNED,
            VARIABLE: mark,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": "/mnt",
            "XDG_RUNTIME_DIR": "/mnt",
        }
        try:
            self._ray(self.head, resources[self.head], "--head", f"--port={PORT}", f"--temp-dir={FOLDER}")
            eventually(self._head_listens, "Ray's head listens", UP_S)
            for name in others:
                self._ray(name, resources[name], f"--address={self.address}")
            for name in resources:
                eventually(lambda name=name: self._joined(name), f"{name} has joined", UP_S, 0.1)  # type: ignore[misc]
        except BaseException:
            self.close()
            raise

    def _ray(self, name: str, resources: str, *words: str) -> None:
        """Of a small machine: one CPU, little shared memory."""
        command = (
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"),
            *(f"--node-ip-address={self.rig.addresses[name]}", "--num-cpus=1", f"--resources={resources}"),
            *("--object-store-memory=80000000", *words),
        )
        with open(self._folder / f"ray-{name}.log", "wb") as log:
            self.rig.start(name, command, self.environment, stdout=log, stderr=subprocess.STDOUT)

    def _head_listens(self) -> bool:
        return self.inside(self.head, "bash", "-c", f"exec 3<>/dev/tcp/{self.address.replace(':', '/')}") == 0

    def _joined(self, name: str) -> bool:
        return b"Ray runtime started" in (self._folder / f"ray-{name}.log").read_bytes()

    def command(self, name: str, *words: object) -> tuple[str, ...]:
        return self.rig.hosts[name].inside(tuple(map(str, words)))

    def inside(self, name: str, *words: object) -> int:
        """The exit code of a command on a host."""
        done = subprocess.run(
            self.command(name, *words), env=self.environment, capture_output=True, check=False, timeout=60
        )
        return done.returncode

    def said(self, name: str, *words: object) -> str:
        """What a command on a host says."""
        command = self.command(name, *words)
        done = subprocess.run(
            command, env=self.environment, capture_output=True, check=True, timeout=60, text=True
        )
        return done.stdout

    def begin(self, *words: object) -> "subprocess.Popen[str]":
        """The real command, on the head's host; it is not waited for."""
        command = (sys.executable, "-m", "deploy.entry", *map(str, words))
        pipe = subprocess.PIPE
        return self.rig.start(self.head, command, self.environment, stdout=pipe, stderr=pipe, text=True)

    def trapline(self, *words: object) -> Finished:
        """The same, to its end."""
        process = self.begin(*words)
        out, err = process.communicate(timeout=COMMAND_S)
        return Finished(process.args, process.returncode, out, err)

    def close(self) -> None:
        self.rig.close()
