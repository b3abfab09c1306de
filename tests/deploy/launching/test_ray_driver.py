"""What talks to Ray where it cannot work. What it does with a cluster is tried in the rig (system/ray)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.fleet import ray_messages as fleet
from deploy.launching import ray_messages as m
from deploy.launching.ray_pipe import Refused, line
from deploy.launching.ray_placing import Placing
from deploy.launching.ray_process import MISSING

ROOT = Path(__file__).parents[3]
DRIVERS = {
    "deploy.launching.ray_driver": (m.Connect("127.0.0.1:1", Placing()), m.from_driver),
    "deploy.fleet.ray_driver": (fleet.Connect("127.0.0.1:1", 1), fleet.from_driver),
}
WITHOUT = (
    "import runpy, sys; sys.modules['ray'] = None; runpy.run_module(sys.argv.pop(), run_name='__main__')"
)


def driven(*words: str, said: bytes) -> "subprocess.CompletedProcess[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        (sys.executable, *words), input=said, capture_output=True, check=False, env=environment
    )


@pytest.mark.parametrize("module", DRIVERS)
def test_without_ray_it_says_how_to_get_it(module: str) -> None:
    connect, decode = DRIVERS[module]
    done = driven("-c", WITHOUT, str(os.getpid()), module, said=line(connect))
    assert decode(done.stdout) == Refused(MISSING)
    assert MISSING == "--engine ray: Ray is not installed; run: pip install 'trapline[ray]'"
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("content", [b"", b"{}\n"])
def test_a_driver_that_nobody_speaks_to_ends(content: bytes) -> None:
    done = driven("-m", "deploy.launching.ray_driver", str(os.getpid()), said=content)
    assert done.returncode
    assert done.stdout == b""


def test_a_driver_whose_parent_has_ended_says_nothing() -> None:
    module = "deploy.launching.ray_driver"
    done = driven("-m", module, "1", said=line(DRIVERS[module][0]))
    assert (done.returncode, done.stdout) == (1, b"")
