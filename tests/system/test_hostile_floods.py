"""A real platform on tcp that is flooded from its network: what it takes is bounded, and the others work on.

TRAPLINE_HOSTILE=long: 10,000 half-open connections, and ten seconds of junk. What is compared is measured
side by side: a victim's p99 with nobody there, with the same noise made at another port, and at Xen's.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pytest

from bus.links.porch import BUDGET, STRANGERS_MAX
from deploy.engines.local import Options
from deploy.platform import Platform
from tests.system.door import counted, intruder, keys_of, place, refused, resources, works
from tests.system.local import Local, pump_until
from tests.system.processes import PATIENCE_S

LONG: Final = os.environ.get("TRAPLINE_HOSTILE") == "long"
CROWD: Final = 10_000 if LONG else 4_000
JUNK_S: Final = 10.0 if LONG else 1.0
BASE_S: Final = 2.0 if LONG else 0.8
ROUNDS: Final = 4


class Program:
    """One of ``tests.system.hostile``, ready."""

    def __init__(self, *words: object, told: Any = None) -> None:
        command = [sys.executable, "-m", "tests.system.hostile", *map(str, words)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if told is not None:
            self._say(json.dumps(told))
        self.greeting = self._hear()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def ask(self) -> Any:
        self._say("")
        return self._hear()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()


@contextmanager
def program(*words: object, told: Any = None) -> Iterator[Program]:
    made = Program(*words, told=told)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def platform(local: Local) -> Platform:
    return local.start(Options(0))


def p99(platform: Platform, victim: Program, seconds: float, cause: str = "") -> float:
    """Of a victim's calls during so long, and until somebody was refused for that ``cause``, microseconds.

    The supervisor does its usual work meanwhile.
    """
    victim.ask()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        platform.pump(0.05)
    if cause:
        counted(platform, cause, 1)
    told = victim.ask()
    assert told["calls"] > 20, told
    return float(told["p99"])


def flooded(
    platform: Platform, words: Callable[[tuple[str, int]], tuple[object, ...]], seconds: float
) -> None:
    """At most twice the victim's p99 of before, or of the same noise at another port: whichever is larger."""
    told = [intruder(platform).hex(), keys_of(platform).hex(), 0]
    rounds = []
    with program("victim", *[platform.engine.endpoint], told=told) as victim, program("sink") as sink:
        p99(platform, victim, 0.2)
        for _ in range(ROUNDS):
            quiet = p99(platform, victim, BASE_S)
            with program(*words(("127.0.0.1", sink.greeting))):
                beside = p99(platform, victim, BASE_S)
            with program(*words(place(platform))) as attacker:
                under = p99(platform, victim, seconds, "kept_out")
                said = attacker.ask()
            rounds.append({"quiet": quiet, "beside": beside, "under": under, **said})
            if under <= 2 * max(quiet, beside):
                break
    sys.stderr.write(f"{json.dumps(rounds)}\n")
    last = rounds[-1]
    assert last["under"] <= 2 * max(last["quiet"], last["beside"]), rounds


def test_half_open_connections_are_bounded_and_victims_work_on(platform: Platform) -> None:
    before, kib = resources(platform)
    peak: list[tuple[int, int]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            peak.append(resources(platform))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        flooded(platform, lambda where: ("crowd", *where, CROWD), BASE_S)
    finally:
        stop.set()
        watching.join()
    most, memory = max(one for one, _ in peak), max(one for _, one in peak)
    sys.stderr.write(f"descriptors {before} -> at most {most}; KiB {kib} -> at most {memory}\n")
    assert most <= before + STRANGERS_MAX + BUDGET, "what the kernel had accepted before the door closed, too"
    assert memory <= kib + 64 * 1024
    pump_until(platform, lambda: resources(platform)[0] <= before + 2, "all descriptors are given back")
    works(platform)


def test_junk_is_refused_and_victims_work_on(platform: Platform) -> None:
    before, kib = resources(platform)
    flooded(platform, lambda where: ("junk", *where), JUNK_S)
    assert refused(platform, "handshake") >= 1
    pump_until(platform, lambda: resources(platform)[0] <= before + 2, "all descriptors are given back")
    assert resources(platform)[1] <= kib + 64 * 1024
    works(platform)
