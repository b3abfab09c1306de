"""The rig itself: hosts that reach each other, a cable that is cut and healed, and nothing that is left."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.processes import VARIABLE, eventually, marked
from tests.system.ray.rig import NETWORK, Rig, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there can be a rig")
SERVE = (
    f"import socket; s = socket.create_server(('{NETWORK}.2', 999)); print(flush=True)\nwhile 1: s.accept()"
)
REACH = f"import socket; socket.create_connection(('{NETWORK}.2', 999), 0.2)"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig(["head", "lab1"])
    yield made
    made.close()


def reaches(rig: Rig, name: str) -> bool:
    words = rig.hosts[name].inside((sys.executable, "-S", "-c", REACH))
    return not subprocess.run(words, capture_output=True, check=False).returncode


def test_hosts_reach_each_other_unless_a_cable_is_cut(rig: Rig) -> None:
    server = rig.start("lab1", (sys.executable, "-S", "-c", SERVE), {}, stdout=subprocess.PIPE)
    assert server.stdout is not None
    with server.stdout:
        server.stdout.readline()
        assert reaches(rig, "head")
        rig.cut("lab1")
        assert not reaches(rig, "head")
        rig.heal("lab1")
        eventually(lambda: reaches(rig, "head"), "the cable is healed")


def test_a_host_has_a_name_and_processes_of_its_own_and_goes_at_once(rig: Rig) -> None:
    words = rig.hosts["lab1"].inside(("uname", "-n"))
    assert subprocess.run(words, capture_output=True, check=True).stdout == b"lab1\n"
    sleeper = rig.start("lab1", ("sleep", "1000"), {"PATH": os.environ["PATH"]})
    eventually(lambda: len(rig.hosts["lab1"].there()) == 2, "init and the sleeper")
    rig.kill("lab1")
    sleeper.wait(10)
    assert "lab1" not in rig.hosts


def test_kill_9_of_a_test_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import os, sys; from tests.system.ray.rig import Rig\n"
        "rig = Rig(['head', 'lab1'])\n"
        "rig.start('lab1', ('sleep', '1000'), os.environ)\n"
        "print('there', flush=True); sys.stdin.read()"
    )
    mark = tmp_path.as_posix()
    environment = {**os.environ, VARIABLE: mark, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen((sys.executable, "-c", program), stdin=pipe, stdout=pipe, env=environment) as test:
        assert test.stdout is not None
        assert test.stdout.readline() == b"there\n"
        assert len(marked(mark)) >= 5
        test.send_signal(signal.SIGKILL)
    eventually(lambda: not marked(mark), "the hosts are gone with the test")
