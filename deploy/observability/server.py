"""One program that listens on loopback, as a child that ends with us: started, found ready, ended.

It does not know what the program is. The kernel kills it with its parent (``bound``); ``adopt`` is told its
number, for a janitor. A port that somebody else was faster to take is followed by another one.
"""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from deploy.errors import UserError
from deploy.observability import bound
from deploy.observability.ports import LOOPBACK, free, listens

START_S = 30.0
ASK_S = 2.0
POLL_S = 0.01
END_S = 5.0
TAKEN = "address already in use"
SHOWN = 400  # characters of a log's last line in an error
BOUND = str(Path(bound.__file__))
# Requests to loopback never go through a proxy that the environment names.
_ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Recipe(msgspec.Struct, frozen=True):
    """How to start it: ``words`` for a port, ``ready`` the path that answers when it can be used.

    ``folder`` is its current directory and takes NAME.log.
    """

    title: str
    name: str
    words: Callable[[int], list[str]]
    ready: str
    folder: Path


class Server:
    """``begin`` starts it, ``wait`` returns its port when it is ready, ``end`` kills it."""

    def __init__(self, recipe: Recipe, ports: Iterator[int], adopt: Callable[[int], None]) -> None:
        self.recipe = recipe
        self.port = 0
        self._ports = ports
        self._adopt = adopt
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def _log(self) -> Path:
        return self.recipe.folder / f"{self.recipe.name}.log"

    def begin(self) -> None:
        """Start it on the next port; raises UserError when no port is left."""
        taken = self.port
        self.port = next(self._ports, 0)
        if not self.port:
            raise UserError(
                f"port {taken}: somebody else has it, {self.recipe.title} cannot; choose another "
                "--observe-port, or leave it out"
            )
        words = [sys.executable, "-I", "-S", BOUND, str(os.getpid())]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*words, *self.recipe.words(self.port)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.recipe.folder,
                start_new_session=True,  # a terminal's Ctrl-C is for whoever ends it
            )
        self._adopt(self._process.pid)

    def wait(self) -> None:
        """Until it answers; raises UserError with what it said last if it does not."""
        deadline = time.monotonic() + START_S
        while not self._ready():
            if self.how_it_ended() is not None:
                self._again()
            elif time.monotonic() > deadline:
                raise UserError(f"{self.recipe.title} did not answer within {START_S:.0f} s{self._said()}")
            time.sleep(POLL_S)

    def _again(self) -> None:
        """It ended: for want of its port, which calls for another one, or for good."""
        if free(self.port) and TAKEN not in self._said().lower():
            raise UserError(f"{self.recipe.title} ended while starting: {self.how_it_ended()}{self._said()}")
        self.end()
        self.begin()

    def _ready(self) -> bool:
        process = self._process
        if process is None or not listens(process.pid, self.port):
            return False
        where = f"{self.url}{self.recipe.ready}"
        with suppress(OSError), _ask.open(where, timeout=ASK_S) as answer:
            return bool(answer.status == 200)
        return False

    def how_it_ended(self) -> str | None:
        """For people: "signal 9" or "exit code 1"; None while it runs."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return None
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _said(self) -> str:
        with suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            if lines:
                return f"; its last line: {lines[-1][-SHOWN:]}"
        return ""

    def end(self) -> None:
        """Kill it: what it keeps is removed anyway. Safe to call twice."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.kill()
        self._process.wait(END_S)
        self._process = None
