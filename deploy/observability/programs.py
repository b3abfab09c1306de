"""The programs of others that are started here: where they are, which version, how to get them.

It starts nothing but ``--version``.
"""

import re
import shutil
import subprocess
from pathlib import Path

import msgspec

from deploy.errors import UserError

VERSION_S = 20.0


class Program(msgspec.Struct, frozen=True):
    """``names``: what its binary is called, by likelihood. ``said``: how its version begins. ``oldest``: that
    knows every option it is given. ``packages``: how to get it, by distribution.
    """

    title: str
    names: tuple[str, ...]
    said: str
    oldest: tuple[int, int]
    option: str
    packages: tuple[tuple[str, str], ...]


class Found(msgspec.Struct, frozen=True):
    """Where it is, and its version as it says."""

    path: Path
    version: str


PROMETHEUS = Program(
    "Prometheus",
    ("prometheus",),
    "prometheus, version ",
    (2, 42),
    "--observe",
    (
        ("Debian, Ubuntu", "sudo apt-get install --no-install-recommends prometheus"),
        ("Fedora", "sudo dnf install golang-github-prometheus"),
        ("Arch", "sudo pacman -S prometheus"),
        ("others", "unpack prometheus.io/download and put 'prometheus' on your PATH"),
    ),
)
ALERTMANAGER = Program(
    "Alertmanager",
    ("prometheus-alertmanager", "alertmanager"),
    "alertmanager, version ",
    (0, 25),
    "--alerts",
    (
        ("Debian, Ubuntu", "sudo apt-get install --no-install-recommends prometheus-alertmanager"),
        ("Arch", "sudo pacman -S alertmanager"),
        ("others", "unpack prometheus.io/download and put 'alertmanager' on your PATH"),
    ),
)


def find(program: Program) -> Found:
    """The program on PATH. Raises UserError that says how to install it, or that it is too old."""
    path = next((there for name in program.names if (there := shutil.which(name))), None)
    if path is None:
        raise UserError(f"{program.option}: {_no(program)}")
    found = Found(Path(path), version(Path(path), program))
    if _numbers(found.version) < program.oldest:
        oldest = ".".join(map(str, program.oldest))
        raise UserError(
            f"{path}: {program.title} {found.version} is older than {oldest}, which {program.option} needs; "
            f"{_how(program)}"
        )
    return found


def version(path: Path, program: Program) -> str:
    """What the binary says its version is; raises UserError if it is another program."""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_S, check=False
        )
        text = done.stdout + done.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        text = str(error)
    found = re.search(rf"^{program.said}(\d+\.\d+\S*)", text, re.MULTILINE)
    if found is None:
        said = text.strip().splitlines()[0] if text.strip() else "nothing"
        raise UserError(
            f"{path}: not {program.title}: to --version it said {said!r}; put the right one "
            "first on your PATH"
        )
    return found[1]


def _numbers(text: str) -> tuple[int, int]:
    major, minor = re.findall(r"\d+", text)[:2]
    return int(major), int(minor)


def _no(program: Program) -> str:
    names = " or ".join(repr(name) for name in program.names)
    return f"{program.title} is not installed: no {names} on your PATH; {_how(program)}"


def _how(program: Program) -> str:
    ways = "; ".join(f"{where}: {command}" for where, command in program.packages)
    return f"to install it: {ways}"
