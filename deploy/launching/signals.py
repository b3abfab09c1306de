"""A flag between threads that a poller can wait for: raised by one, lowered by the other."""

import os
from contextlib import suppress


class Flag:
    """``fd`` is readable while it is raised."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closed = False

    def raise_(self) -> None:
        if not self._closed:
            os.eventfd_write(self.fd, 1)

    def lower(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self.fd)

    def close(self) -> None:
        """Nobody raises it any more."""
        if not self._closed:
            self._closed = True
            os.close(self.fd)
