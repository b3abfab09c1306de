"""Ctrl-C at any moment of the start: nothing is left behind, and nobody sees a traceback."""

import os
import signal
import sys
import time

import pytest

from tests.system.cluster import Cluster

# Says when the command itself begins: before that it is the interpreter that is interrupted.
BEGIN = "import os; from deploy.entry import main; os.write(1, b'begin\\n'); main()"
PROGRAM = (sys.executable, "-c", BEGIN)
DELAYS_S = (0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5)


def interrupt(cluster: Cluster, number: int = signal.SIGINT) -> None:
    """What a terminal does: the signal goes to the whole foreground process group."""
    assert cluster.supervisor is not None
    os.killpg(cluster.supervisor.pid, number)


@pytest.mark.parametrize("delay_s", DELAYS_S)
def test_ctrl_c_while_starting(cluster: Cluster, delay_s: float) -> None:
    started = cluster.begin("up", "--run-dir", cluster.run, "--pause-ms", "1", program=PROGRAM)
    assert started.stdout is not None
    assert started.stdout.readline() == "begin\n"
    time.sleep(delay_s)  # the moment is what varies
    interrupt(cluster)
    done = cluster.ended()
    assert done.returncode in (0, 130), done
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stderr == "" if done.returncode == 0 else "interrupted" in done.said
    cluster.expect_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_signals_of_a_terminal_end_a_running_platform(cluster: Cluster, number: int) -> None:
    cluster.up("--pause-ms", "1")
    interrupt(cluster, number)
    done = cluster.ended()
    assert (done.returncode, done.stderr) == (0, "")
    cluster.expect_nothing_left()


def test_impatient_ctrl_c(cluster: Cluster) -> None:
    cluster.up("--pause-ms", "1")
    for _ in range(20):
        if cluster.supervisor is not None and cluster.supervisor.poll() is None:
            interrupt(cluster)
            time.sleep(0.01)
    assert cluster.ended().returncode == 0
    cluster.expect_nothing_left()


@pytest.mark.parametrize("delay_s", [0.1, 0.25])
def test_ctrl_c_while_starting_in_the_background(cluster: Cluster, delay_s: float) -> None:
    started = cluster.begin("up", "--run-dir", cluster.run, "--detach", program=PROGRAM)
    assert started.stdout is not None
    assert started.stdout.readline() == "begin\n"
    time.sleep(delay_s)
    interrupt(cluster)
    done = cluster.ended()
    assert "Traceback" not in done.stderr, done.stderr
    if done.returncode == 0:  # it was ready before
        assert cluster.here("down").returncode == 0
    else:
        assert done.returncode == 130
    cluster.expect_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay_s", [0.05, 0.3])
def test_the_demonstration_can_be_interrupted(cluster: Cluster, delay_s: float, number: int) -> None:
    started = cluster.begin("demo", program=PROGRAM, TRAPLINE_RUN_DIR=str(cluster.run))
    assert started.stdout is not None
    assert started.stdout.readline() == "begin\n"
    time.sleep(delay_s)
    if number == signal.SIGINT:
        interrupt(cluster)
    else:
        started.send_signal(number)
    done = cluster.ended()
    assert done.returncode in (128 + number, -number)
    assert "Traceback" not in done.stderr
    cluster.expect_nothing_left()
