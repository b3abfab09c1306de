"""The C reference of the benchmark builds, measures, and leaves nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("reference.c")


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) here")
    header = subprocess.run(
        [compiler, "-E", "-"], input="#include <zmq.h>\n", capture_output=True, text=True, check=False
    )
    if header.returncode != 0:
        pytest.skip("no zmq.h here: install libzmq's development files")
    built = tmp_path_factory.mktemp("reference") / "reference"
    flags = ["-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "-o", built, SOURCE, "-lzmq", "-lpthread"], check=True)
    return built


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A directory with a short name: the path of an ipc socket has 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="ref-") as name:
        yield Path(name)


def start(program: Path, *args: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [program, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a process group of its own, so that a child left behind is seen
    )


@pytest.mark.parametrize("options", [(), ("--mandatory",), ("--processes",), ("--processes", "--mandatory")])
def test_measures_and_leaves_nothing(program: Path, sockets: Path, options: tuple[str, ...]) -> None:
    process = start(program, "--guests", "3", "--seconds", "0.2", "--dir", sockets, *options)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.count("\n") == 1
    result = json.loads(out)
    assert list(result) == ["calls", "seconds", "calls_per_s", "p50_us", "p99_us"]
    assert result["calls"] > 0
    assert result["seconds"] == 0.2
    assert result["calls_per_s"] == pytest.approx(result["calls"] / 0.2, abs=0.1)
    assert 15 <= result["p50_us"] <= result["p99_us"]
    assert group_is_gone(process.pid)
    assert list(sockets.iterdir()) == []


def test_the_work_is_done_for_each_call(program: Path, sockets: Path) -> None:
    args = ("--guests", "4", "--seconds", "0.3", "--work-us", "2000", "--dir", sockets)
    process = start(program, *args)
    out, _ = process.communicate(timeout=30)
    result = json.loads(out)
    assert 0 < result["calls_per_s"] <= 520  # one worker, 2 ms each, and the edges of the window
    assert result["p50_us"] >= 4 * 2000 * 0.97  # four guests queue for it


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(program: Path, sockets: Path, number: signal.Signals) -> None:
    process = start(program, "--guests", "2", "--seconds", "60", "--processes", "--dir", sockets)
    deadline = time.monotonic() + 10
    while len(list(sockets.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(list(sockets.iterdir())) == 2
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (-number, "", "")
    assert group_is_gone(process.pid)
    assert list(sockets.iterdir()) == []


def test_a_zeromq_error_is_reported(program: Path, sockets: Path) -> None:
    process = start(program, "--seconds", "0.1", "--dir", sockets / "absent")
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (1, "")
    assert any(line.startswith("reference: ") and "bind: " in line for line in err.splitlines())
    assert group_is_gone(process.pid)
