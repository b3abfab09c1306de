"""A scenario on four machines of a Ray cluster, under load, while processes, cables and machines are lost."""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.processes import alive, eventually, kill, marked, name_of
from tests.system.ray.lab import Lab, missing

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing() or "there can be a lab"),
    pytest.mark.timeout(180),
]
HERE = Path(__file__).parent
LABS = {"head": '{"lab": 4}', "board": '{"el3board": 2}', "lab1": '{"lab": 4}', "lab2": '{"lab": 4}'}
PLACE = "xen=el3board,dom0=el3board,guests=lab"
GUESTS = ("guest0", "guest1", "guest2")
REFUSED = re.compile(r"^trapline_registry_refused_total\{.*\} (\d+)", re.MULTILINE)
SCRAPE = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"


class Scene:
    """The lab, and where guests are in it."""

    def __init__(self, folder: Path) -> None:
        self.mark = uuid.uuid4().hex
        self.lab = Lab(LABS, folder, self.mark)
        self.rig = self.lab.rig
        self.run: subprocess.Popen[str] | None = None

    def begin(self, out: Path) -> None:
        words = ("--engine", "ray", "--address", self.lab.address, "--place", PLACE, "--json", "--no-report")
        self.run = self.lab.begin("run", HERE / "lost.toml", *words, "--out", out)

    def there(self) -> list[tuple[str, str, int]]:
        """(name, host, pid) of all processes of guests; there may be two of one name."""
        assert self.run is not None
        assert self.run.poll() is None, self.run.communicate()
        every = [(host, pid) for host, space in self.rig.hosts.items() for pid in space.there()]
        named = [(name_of(pid).removeprefix("trapline:"), host, pid) for host, pid in every if alive(pid)]
        return [one for one in named if one[0] in GUESTS]

    def moved(self, name: str, pid: int) -> bool:
        """Whether another process of that name is there."""
        return any(who == name and number != pid for who, _, number in self.there())

    def mnt(self, host: str) -> Path:
        return Path(f"/proc/{self.rig.hosts[host].pid}/root/mnt")

    def identity(self, host: str, name: str) -> tuple[bytes, bytes]:
        """The config and the key that its process was started with."""
        (config,) = self.mnt(host).glob(f"trapline-node-*/guest-{name}-1.json")
        return config.read_bytes(), config.with_suffix(".key").read_bytes()

    def refused(self) -> int:
        """How often the registry refused somebody."""
        (target,) = self.mnt("head").glob("trapline/*/sd/supervisor.json")
        (where,) = json.loads(target.read_bytes())[0]["targets"]
        told = self.lab.said("head", sys.executable, "-S", "-c", SCRAPE, f"http://{where}/metrics")
        return sum(int(float(found)) for found in REFUSED.findall(told))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    try:
        yield made
    finally:
        for path in sorted(made.mnt("head").glob("trapline/*/log/supervisor*")):
            print(path.read_text(encoding="utf-8"))  # noqa: T201 - shown of a test that failed
        made.lab.close()
        if made.run is not None:
            for pipe in (made.run.stdout, made.run.stderr):
                assert pipe is not None
                pipe.close()
        eventually(lambda: not marked(made.mark), "nothing outlives the hosts")


def plant(scene: Scene, host: str, identity: tuple[bytes, bytes]) -> int:
    """Start a process that was replaced once more, with its old key; gives its exit code."""
    config, key = identity
    folder = scene.mnt(host) / "old"
    folder.mkdir()
    told = {**json.loads(config), "key_file": "/mnt/old/key", "folder": "/mnt/old", "patience_s": 1.5}
    for name, content in (("json", json.dumps(told).encode()), ("key", key)):
        (folder / name).touch(0o600)
        (folder / name).write_bytes(content)
    words = (sys.executable, "-m", "deploy.node", "--role", "guest", "--config", "/mnt/old/json")
    return scene.lab.inside(host, *words)


def test_whatever_is_lost_every_call_is_accounted_for(scene: Scene, tmp_path: Path) -> None:
    scene.begin(tmp_path / "kept")
    eventually(lambda: len(scene.there()) == len(GUESTS), "all guests are there", 60, 0.1)
    of = {host: (name, pid) for name, host, pid in scene.there()}
    assert set(of) == {"head", "lab1", "lab2"}, "spread"

    # a process is killed: another takes its place, and it cannot come back
    name, pid = of["head"]
    before = scene.identity("head", name)
    kill(pid)
    eventually(lambda: scene.moved(name, pid), f"{name} is back", 20, 0.1)
    refused = scene.refused()
    assert plant(scene, "head", before) == os.EX_TEMPFAIL
    assert scene.refused() > refused

    # a cable is cut, and the process behind it cannot even end itself
    name, pid = of["lab1"]
    kill(pid, signal.SIGSTOP)
    scene.rig.cut("lab1")
    eventually(lambda: scene.moved(name, pid), f"{name} is elsewhere", 20, 0.1)
    assert alive(pid), "two of them"
    scene.rig.heal("lab1")
    kill(pid, signal.SIGCONT)
    eventually(lambda: not alive(pid), "the old one has ended", 10, 0.1)

    # a whole machine is lost
    name, pid = of["lab2"]
    scene.rig.kill("lab2")
    eventually(lambda: scene.moved(name, pid), f"{name} is elsewhere", 20, 0.1)

    assert scene.run is not None
    out, err = scene.run.communicate(timeout=60)
    assert not err
    result = json.loads(out)
    assert result["verdict"] == "pass", result["reason"]
    assert "stale_incarnation" in {one["name"] for one in result["checkers"]}
    for agent in result["agents"]:
        if agent["domain"] in GUESTS:
            ends = ("answered", "definite", "indefinite", "killed")
            assert agent["issued"] == sum(agent[end] for end in ends)
            assert agent["answered"] > 100
            assert agent["resets"] >= 1
