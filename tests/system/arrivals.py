"""A platform whose nodes come by themselves, without containers: the role command line, started here."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from deploy.kubernetes import secrets
from deploy.launching import granted
from deploy.launching.config import NodeConfig, put
from tests.system.cluster import Cluster

ROOT = Path(__file__).parents[2]
RELEASE = "lab"


class Arrivals:
    """``come`` starts the process of a node; its keys are in a folder of its own, as in a pod."""

    def __init__(self, cluster: Cluster, domains: tuple[str, ...], port: int) -> None:
        self.cluster = cluster
        self.port = port
        self.there: dict[str, subprocess.Popen[bytes]] = {}
        for item in secrets.manifests(RELEASE, domains)["items"]:
            folder = cluster.folder / item["metadata"]["name"]
            folder.mkdir(mode=0o700)
            for file, text in item["data"].items():
                put(folder / file, base64.b64decode(text))
        for role, name in secrets.nodes(domains):
            self._at_home(self._folder(role, name))

    def _folder(self, role: str, name: str) -> Path:
        return self.cluster.folder / secrets.secret_name(RELEASE, role, name)

    def _at_home(self, folder: Path) -> None:
        """What is another address or path here."""
        config = msgspec.json.decode((folder / "node.json").read_bytes(), type=NodeConfig)
        changed = msgspec.structs.replace(
            config,
            registry=f"tcp://localhost:{self.port}",
            key_file=str(folder / "node.key"),
            metrics_port=0,
            folder=str(self.cluster.folder),
        )
        put(folder / "node.json", msgspec.json.encode(changed))

    @property
    def options(self) -> tuple[str, ...]:
        """For ``trapline up``."""
        keys = self.cluster.folder / f"{RELEASE}-keys-registry"
        assert {granted.REGISTRY, granted.NODES} == {one.name for one in keys.iterdir()}
        return ("--engine", "kubernetes", "--listen", f"127.0.0.1:{self.port}", "--keys", str(keys))

    def come(self, role: str, name: str = "", ahead_s: int = 0) -> "subprocess.Popen[bytes]":
        """A new process of that node; on another machine if its clock is ``ahead_s``."""
        name = name or role
        config = self._folder(role, name) / "node.json"
        words = [sys.executable, "-m", "deploy.node", "--role", role, "--config", str(config)]
        if ahead_s:
            words = ["unshare", "--time", "--monotonic", str(ahead_s), "--fork", "--kill-child", *words]
        self.there[name] = subprocess.Popen(
            words,
            cwd=ROOT,
            env=self.cluster.environment(PYTHONPATH=str(ROOT)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self.there[name]

    def leave(self) -> None:
        """Whoever is still there."""
        for one in self.there.values():
            if one.poll() is None:
                os.killpg(one.pid, 9)
            one.wait()
