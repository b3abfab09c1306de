"""Ports on loopback for programs that cannot choose one themselves, and who listens on one.

A port that is free now may be taken a moment later: who starts a program asks ``listens`` whether it got it.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"
LISTEN = "0A"
TRIES = 8  # of ports that were free when they were chosen


def free(port: int) -> bool:
    """Whether somebody could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def any_free() -> int:
    """One that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def candidates(wanted: int | None, usual: int) -> Iterator[int]:
    """``wanted`` alone; with 0 any; with None the usual one if it is free, else any."""
    if wanted:
        yield wanted
        return
    if wanted is None and free(usual):
        yield usual
    for _ in range(TRIES):
        yield any_free()


def listens(pid: int, port: int) -> bool:
    """Whether that very process listens on that port of loopback, as the kernel says."""
    inode = _listener(port)
    if inode is None:
        return False
    with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as open_files:
        for fd in open_files:
            with suppress(OSError):
                if os.readlink(fd.path) == f"socket:[{inode}]":
                    return True
    return False


def _listener(port: int) -> str | None:
    """The inode of the socket that listens there."""
    address = int.from_bytes(socket.inet_aton(LOOPBACK), "little")
    wanted = f"{address:08X}:{port:04X}"
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        facts = line.split()
        if facts[1] == wanted and facts[3] == LISTEN:
            return facts[9]
    return None
