"""Hypercalls as coroutines: code in the order Xen executes it, suspended where Xen would spin or call EL3.

A task yields ``Acquire(lock)`` or ``Exchange(func_id, page, address)``; the core resumes it. Locks
hand over in order of arrival and are bounded.
"""

from collections import deque
from collections.abc import Generator
from typing import Any, TypeVar

import msgspec

from bus.shmem import Buffer
from nodes.limits import CHANNEL_WAITERS
from nodes.xen.errno import Errno, XenError


class Lock:
    """A spinlock: ``held``, and who waits. A waiter is a trap (guest) or a task (hypercall)."""

    __slots__ = ("held", "waiters")

    def __init__(self) -> None:
        self.held = False
        self.waiters: deque[Any] = deque()

    def wait(self, waiter: object) -> bool:
        """Queue up; False if too many wait already."""
        if len(self.waiters) >= CHANNEL_WAITERS:
            return False
        self.waiters.append(waiter)
        return True


class Acquire(msgspec.Struct, frozen=True):
    """Go on once this task holds the lock."""

    lock: Lock


class Release(msgspec.Struct, frozen=True):
    """Give the lock to the next waiter."""

    lock: Lock


class Exchange(msgspec.Struct, frozen=True):
    """Ring ``func_id`` for the page at ``address``; the answer is x0, with ``page`` brought up to date."""

    func_id: int
    address: int
    page: Buffer
    page_bytes: int


Request = Acquire | Release | Exchange
T = TypeVar("T")
Task = Generator[Request, Any, T]


class Running:
    """A task under way, and what it is for."""

    __slots__ = ("name", "task")

    def __init__(self, task: Task[None], name: str) -> None:
        self.task = task
        self.name = name


def platform_lost() -> XenError:
    """What an exchange raises when EL3 will never answer."""
    return XenError(Errno.EIO, "EL3 is gone")


def timed_out() -> XenError:
    """What an exchange raises when EL3 has not answered for too long; it may do so yet."""
    return XenError(Errno.ETIMEDOUT, "EL3 has not answered")
