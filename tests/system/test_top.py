"""``trapline top`` on a real platform: once for scripts, and live on a terminal of its own."""

import fcntl
import os
import signal
import struct
import subprocess
import termios
import threading
from contextlib import suppress

import pytest

from tests.system.cluster import Cluster
from tests.system.processes import eventually, kill

ROWS, COLUMNS = 24, 80


class Terminal:
    """A command on a terminal of its own; what it draws is kept as it comes."""

    def __init__(self, cluster: Cluster, *words: str, **variables: str) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._before = termios.tcgetattr(theirs)
        self._theirs = theirs
        self.child = subprocess.Popen(
            [cluster.program(), *words, "--run-dir", str(cluster.run)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env=cluster.environment(**{"TERM": "xterm", **variables}),
        )
        self.drawn = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # the end of a terminal
            while chunk := os.read(self._ours, 65_536):
                self.drawn += chunk

    def shows(self, text: str) -> None:
        """Wait until it has drawn that; what was drawn before does not count any more."""
        eventually(lambda: text.encode() in self.drawn or self.child.poll() is not None, text)
        assert text.encode() in self.drawn, self.drawn[-3000:].decode(errors="replace")
        self.drawn = b""

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def end(self) -> int:
        """Its exit code; its terminal must be as it was."""
        code = self.child.wait(20)
        assert termios.tcgetattr(self._theirs) == self._before
        os.close(self._theirs)
        self._reader.join(20)
        os.close(self._ours)
        return code


def test_top_once_for_scripts_and_for_people(cluster: Cluster) -> None:
    cluster.up()
    told = cluster.here("top", "--once", "--json", "--sort", "domain").json
    assert [one["domain"] for one in told["agents"]] == ["cluster", "dom0", "ivi", "tcu"]
    assert told["rate"] == pytest.approx(sum(one["rate"] for one in told["agents"]))
    assert all(one["rate"] > 0 and one["p99_us"] > 0 and one["votes"] > 0 for one in told["agents"])
    assert cluster.here("xl", "reboot", "ivi").returncode == 0
    (ivi,) = cluster.here("top", "--once", "--json", "--filter", "ivi").json["agents"]
    assert (ivi["resets"], ivi["last_reset"]["reason"], ivi["last_reset"]["domain"]) == (1, "reboot", "ivi")
    cluster.kill("firmware", signal.SIGSTOP)
    eventually(lambda: cluster.status()["uptime_s"] - cluster.status()["told_at_s"]["firmware"] > 2, "silent")
    shown = cluster.here("top", "--once", "--interval", "0.2")
    assert (shown.returncode, "firmware has not answered" in shown.stdout) == (0, True)
    cluster.kill("firmware", signal.SIGCONT)
    no_terminal = cluster.here("top")
    assert (no_terminal.returncode, "--once" in no_terminal.said) == (2, True)


def test_top_live_on_a_terminal(cluster: Cluster) -> None:
    """It obeys keys, tells that EL3 stands still and that the platform ended, and leaves all in order."""
    cluster.up()
    screen = Terminal(cluster, "top", "--interval", "0.2")
    try:
        screen.shows("calls/s")
        screen.type("k")
        screen.shows("Poke the platform")
        screen.type("d")
        screen.shows("Do it?")
        screen.type("n")
        pid = cluster.kill("firmware", signal.SIGSTOP)
        screen.shows("no answer from EL3")
        screen.type("?")
        screen.shows("Keys")
        screen.type("\x1b")
        kill(pid, signal.SIGCONT)
        assert cluster.here("down").returncode == 0
        screen.shows("the platform has ended")
        screen.type("q")
        assert screen.end() == 0
    finally:
        screen.child.kill()


@pytest.mark.parametrize(("number", "code"), [(None, 130), (signal.SIGTERM, 143)])
def test_top_is_interrupted(cluster: Cluster, number: int | None, code: int) -> None:
    cluster.up("--idle")
    screen = Terminal(cluster, "top", TERM="linux")
    try:
        screen.shows("calls/s")
        if number is None:
            screen.type("\x03")
        else:
            kill(screen.child.pid, number)
        assert screen.end() == code
    finally:
        screen.child.kill()
