"""Signals to processes that may be gone: whoever asks is told, and nobody else is hit."""

import signal
import subprocess
import sys
from typing import Any

import pytest

from deploy.engines.local import LocalEngine, Options
from deploy.engines.pids import runs, send_signal, started_at
from deploy.errors import UserError


def sleeper() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def test_a_process_that_runs_is_signalled() -> None:
    with sleeper() as process:
        since = started_at(process.pid)
        assert runs(process.pid, since)
        assert send_signal(process.pid, since, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not send_signal(process.pid, since, signal.SIGKILL), "it is gone"


def test_another_process_of_that_number_is_left_alone() -> None:
    with sleeper() as process:
        assert not send_signal(process.pid, "1", signal.SIGKILL)
        assert process.poll() is None
        process.communicate(b"\n")
        assert process.returncode == 0


class Gone:
    pid = 1

    def signal(self, _number: int) -> bool:
        return False


def test_a_fault_in_a_process_that_has_just_ended_is_the_users_to_hear_of() -> None:
    nothing: Any = None
    engine = LocalEngine(nothing, nothing, Options())
    engine.children["ivi"] = Gone()  # type: ignore[assignment]
    with pytest.raises(UserError, match="the process of ivi has just ended"):
        engine.inject("ivi", "KILL")
    assert not any(engine.meters.counter("trapline_faults_injected_total").values())
