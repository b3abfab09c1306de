"""Finding processes and listening ports of one test by what the kernel says, not by what a platform says.

Every process of a test is started with a mark of its own in the environment, which a fork or an exec
hands on: whoever carries it belongs to the test, whatever it calls itself.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

VARIABLE = "TRAPLINE_TEST_MARK"
PATIENCE_S = 20.0
LISTEN = "0A"
T = TypeVar("T")


def eventually(
    condition: Callable[[], T], what: str, patience_s: float = PATIENCE_S, pause_s: float = 0.01
) -> T:
    """The first true value of ``condition``; fails the test when there is none in time."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience_s:.0f} s: {what}; last seen {value!r}")
        time.sleep(pause_s)
    return value


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.rsplit(")", 1)[1].split()[0] not in ("Z", "X")


def name_of(pid: int) -> str:
    """What the process calls itself, or what it was started as; empty when it is gone."""
    with suppress(OSError):
        comm = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
        if comm.startswith("trapline:"):
            return comm
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        for sign, title in (("forkserver", "fork server"), ("resource_tracker", "resource tracker")):
            if sign in words:
                return title
        return words.strip()
    return ""


def marked(mark: str) -> dict[int, str]:
    """All live processes that carry the mark, with their names."""
    wanted = f"{VARIABLE}={mark}".encode()
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with suppress(OSError):
                if wanted in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0") and alive(int(entry)):
                    found[int(entry)] = name_of(int(entry))
    return found


def listening() -> dict[str, tuple[str, int]]:
    """(address in hex, port) of every listening TCP socket, by its inode."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="utf-8").splitlines()[1:]:
                words = line.split()
                if words[3] == LISTEN:
                    address, port = words[1].split(":")
                    found[words[9]] = (address, int(port, 16))
    return found


def sockets_of(pid: int) -> Iterator[str]:
    """The inodes of a process' sockets."""
    with suppress(OSError):
        for entry in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{entry}")
                if target.startswith("socket:["):
                    yield target[8:-1]


def ports_of(pids: list[int]) -> dict[str, tuple[str, int]]:
    """The listening sockets of these processes: (address in hex, port) by inode."""
    every = listening()
    return {inode: every[inode] for pid in pids for inode in sockets_of(pid) if inode in every}


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal; a process that is gone already is no mistake."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
