"""Process numbers and whose they are. A number alone is not enough: the kernel gives it out again."""

import ctypes
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def started_at(pid: int) -> str:
    """The kernel's start time of a process that runs; empty when there is none, or only its exit code."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    facts = text.rsplit(")", 1)[1].split()
    return "" if facts[0] in "ZX" else facts[19]


def held_kib(pid: int) -> int:
    """Anonymous memory that a process has in RAM, in KiB; 0 if it is gone. Mapped files are not its own."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    lines = (line for line in text.splitlines() if line.startswith("RssAnon:"))
    return sum(int(line.split()[1]) for line in lines)


def runs(pid: int, since: str) -> bool:
    """Whether the process that was started then still runs."""
    return bool(since) and started_at(pid) == since


def send_signal(pid: int, since: str, number: int) -> bool:
    """Signal that process; False if it does not run any more."""
    if runs(pid, since):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
    return False


def die_with(parent: int) -> bool:
    """Have the kernel kill this process when the thread that started it ends; False if it ended already.

    Under a thread pool that is too early: start children from a thread that stays.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return os.getppid() == parent
