"""Shared-memory pages of a cluster: one file per machine page in the run directory, mapped where needed.

Mapped page mode only. The supervisor makes the files; nodes map them; the run directory's end is
theirs.
"""

import mmap
from collections.abc import Iterable
from pathlib import Path

from bus.shmem import IDLE, PAGE_BYTES
from nodes.firmware.platform import Agent


class MappedMemory:
    """Physical memory as files: ``map(address)`` is a writable view of the rest of the page from there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pages: dict[int, mmap.mmap] = {}

    def _path(self, page: int) -> Path:
        return self._folder / f"{page:x}"

    def create(self, address: int) -> None:
        """Make the page at ``address``, idle, unless it is there."""
        path = self._path(address // PAGE_BYTES)
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(IDLE.ljust(PAGE_BYTES, b"\0"))

    def create_for(self, agents: Iterable[Agent]) -> None:
        """The pages of all their channels, both ways."""
        for agent in agents:
            self.create(agent.shmem)
            if agent.p2a_shmem is not None:
                self.create(agent.p2a_shmem)

    def map(self, address: int) -> memoryview:
        page = address // PAGE_BYTES
        if page not in self._pages:
            self.create(address)
            with self._path(page).open("r+b") as file:
                self._pages[page] = mmap.mmap(file.fileno(), PAGE_BYTES)
        return memoryview(self._pages[page])[address % PAGE_BYTES :]
