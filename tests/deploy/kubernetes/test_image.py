"""What the image leaves out says so, and its recipe what it needs. tests/system/test_pods.py builds it."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.cli.app import COMMANDS, HEAVY
from tests.deploy.kubernetes.chart import CHART, ROOT

RECIPE = ROOT / "deploy" / "kubernetes" / "image.sh"


@pytest.mark.parametrize("words", [(), ("--help",), ("--tar",), ("a", "b"), ("--tar", "a", "b")])
def test_wrong_words_are_one_line(words: tuple[str, ...]) -> None:
    done = subprocess.run([str(RECIPE), *words], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "usage" in done.stderr


def test_what_is_left_out_is_what_commands_can_be_without() -> None:
    (line,) = (one for one in RECIPE.read_text().splitlines() if one.startswith("left_out = "))
    left_out = set(line.partition("{")[2].strip("}").replace('"', "").split(", "))
    assert left_out == HEAVY
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert all(any(one.startswith(name) for one in needed) for name in left_out)


WITHOUT = "import sys\nfor one in {heavy}: sys.modules[one] = None\nfrom deploy.cli.app import run\n"


def without(*words: str) -> "subprocess.CompletedProcess[str]":
    program = WITHOUT.format(heavy=sorted(HEAVY)) + f"sys.argv = ['trapline', *{words!r}]\nrun()"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT
    )


def test_a_command_whose_library_is_left_out_says_so_in_a_line() -> None:
    done = without("run", "hello", "--seed", "1")
    assert done.returncode == 2
    assert done.stderr == (
        "trapline: 'run' needs pyarrow, which is not installed here; install Trapline with pip\n"
    )


def test_help_is_there_without_the_libraries() -> None:
    done = without("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", ["up", "status", "xl", "call", "ledger", "logs", "kill", "down", "keys"])
def test_what_a_pod_needs_is_there(command: str) -> None:
    assert without(command, "--help").stdout.startswith(f"Usage: trapline {command}")


def test_the_chart_is_of_this_version() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import deploy; print(deploy.__version__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert f'appVersion: "{done.stdout.strip()}"' in (CHART / "Chart.yaml").read_text()


INTERRUPTED = """#!/bin/sh
case $2 in pip) echo >"$REACHED"; exec sleep 600 ;; esac
exec {python} "$@"
"""


def test_a_recipe_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    python, reached, work = tmp_path / "python", tmp_path / "reached", tmp_path / "work"
    python.write_text(INTERRUPTED.format(python=sys.executable))
    python.chmod(0o755)
    os.mkfifo(reached)
    work.mkdir()
    known = {**os.environ, "PYTHON": str(python), "REACHED": str(reached), "TMPDIR": str(work)}
    with subprocess.Popen(
        [RECIPE, "--tar", tmp_path / "image.tar"], env=known, start_new_session=True
    ) as recipe:
        assert reached.read_text() == "\n"
        assert list(work.iterdir())
        os.killpg(recipe.pid, signal.SIGINT)
        assert recipe.wait(60) == 130
    assert not list(work.iterdir())
