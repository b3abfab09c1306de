"""The driver where it cannot work. What it does with a cluster is tried in the rig (tests/system/ray)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.launching import ray_messages as m
from deploy.launching.ray_placing import Placing

ROOT = Path(__file__).parents[3]
WITHOUT = (
    "import sys; sys.modules['ray'] = None; from deploy.launching.ray_driver import main; sys.exit(main())"
)


def test_without_ray_it_says_how_to_get_it() -> None:
    done = subprocess.run(
        (sys.executable, "-c", WITHOUT),
        input=m.line(m.Connect("127.0.0.1:1", Placing())),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1
    refused = m.from_driver(done.stdout)
    assert isinstance(refused, m.Refused)
    assert refused.why == "--engine ray: Ray is not installed; run: pip install 'trapline[ray]'"
    assert done.stderr == b""


@pytest.mark.parametrize("content", [b"", b"{}\n"])
def test_a_driver_that_nobody_speaks_to_ends(content: bytes) -> None:
    command = (sys.executable, "-m", "deploy.launching.ray_driver")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, input=content, capture_output=True, check=False, env=environment)
    assert done.returncode
    assert done.stdout == b""
