"""The rigs themselves: nothing outlives a test, and a scenario that waits for nothing is told so."""

import contextlib
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conformance.board import Board
from tests.conformance.rig_simulated import SimulatedRig
from tests.conformance.rig_zeromq import END_S, ZeroMQRig

CRASHING_TEST = """
import os, sys
from pathlib import Path
from tests.conformance.board import Board
from tests.conformance.rig_zeromq import ZeroMQRig

rig = ZeroMQRig()
Board(rig, Path(sys.argv[1])).boot()
print(*(child.process.pid for child in rig._children.values()), rig._folder, flush=True)
os._exit(7)
"""


def test_stopping_ends_every_process_and_removes_the_folder(tmp_path: Path) -> None:
    rig = ZeroMQRig()
    Board(rig, tmp_path).boot()
    processes = [psutil.Process(child.process.pid) for child in rig._children.values()]
    assert len(processes) == 1
    rig.stop()
    assert not any(process.is_running() for process in processes)
    assert not rig._folder.exists()


def test_a_test_process_that_dies_takes_its_nodes_along(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CRASHING_TEST, str(tmp_path)]
    crashed = subprocess.run(command, stdout=subprocess.PIPE, timeout=60, check=False)
    assert crashed.returncode == 7
    pid, folder = crashed.stdout.decode().split()
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(pid)).wait(END_S)
    assert not Path(folder).exists()


def test_waiting_for_nothing_fails_with_the_log(tmp_path: Path) -> None:
    board = Board(SimulatedRig(), tmp_path).boot()
    with pytest.raises(AssertionError, match=r"the moon never came(?s:.*)boot done, 1 domains"):
        board.rig.wait(lambda: None, "the moon")


def test_an_smc_too_many_is_noticed(tmp_path: Path) -> None:
    """The breach that scenario 1 must catch: a third message at boot."""
    board = Board(SimulatedRig(), tmp_path).boot()
    before = len(board.el3.settled())
    board.create("domu", 2).trap(0x8200_0004)
    assert len(board.el3.settled()) == before + 1
