"""What processes of this machine take, as the kernel counts it: memory, descriptors, CPU time, disk.

It knows no platform; who measures one is ``measuring``.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

BLOCK_BYTES: Final = 512
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class Footprint(msgspec.Struct, frozen=True):
    """Of some processes together; ``descriptors_most``: of the one that has most."""

    processes: int
    pss_bytes: int
    descriptors: int
    descriptors_most: int


def footprint(pids: Iterable[int]) -> Footprint:
    """Of those that run."""
    found = [(_pss_bytes(pid), _descriptors(pid)) for pid in set(pids)]
    counts = [descriptors for _, descriptors in found]
    return Footprint(len(found), sum(pss for pss, _ in found), sum(counts), max(counts, default=0))


def _pss_bytes(pid: int) -> int:
    with suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        return 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return 0


def _descriptors(pid: int) -> int:
    with suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/fd"))
    return 0


def cpu_s(pids: Iterable[int]) -> float:
    """CPU time that they have used since they began; in steps of a tick each, usually 10 ms."""
    return sum(map(_ticks, set(pids))) / TICKS_PER_S


def _ticks(pid: int) -> int:
    with suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return sum(map(int, text.rsplit(")", 1)[1].split()[11:13]))
    return 0


def disk_bytes(folder: Path) -> int:
    """What the files below a folder really take: holes take nothing."""
    return sum(path.lstat().st_blocks * BLOCK_BYTES for path in folder.rglob("*"))
