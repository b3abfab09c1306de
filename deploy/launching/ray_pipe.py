"""A process that talks to Ray, as whoever started it has it: a child at the end of two pipes.

Ray brings threads, signal handlers and a gRPC that a supervisor or a coordinator must not have. Both sides
say lines of JSON: the parent a ``Connect`` first, the child ``Connected`` or ``Refused``; what else there is
to say is of those who use it. The child ends with its stdin, or at once with its parent. Its own side is
``ray_process``.
"""

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Generic, TypeVar

import msgspec

from deploy.errors import UserError
from deploy.launching.starter import environment

JOIN_S: Final = 60.0  # to join the cluster
TURN_S: Final = 0.1
LEAVE_S: Final = 5.0
READ_BYTES: Final = 1 << 16
T = TypeVar("T")


class Message(msgspec.Struct, frozen=True):
    """Any of them."""


class Connect(Message, frozen=True, tag="connect"):
    """First: where the cluster is ("HOST:PORT")."""

    address: str


class Connected(Message, frozen=True, tag="connected"):
    """The cluster is joined. ``address``: this machine's, as the cluster knows it."""

    address: str


class Refused(Message, frozen=True, tag="refused"):
    """It cannot work; it has ended. ``why`` is for the user."""

    why: str


_encoder: Final = msgspec.json.Encoder()


def line(message: Message) -> bytes:
    return _encoder.encode(message) + b"\n"


class RayPipe(Generic[T]):
    """``python -m MODULE`` and what it says, read by ``decode``. ``source`` is readable when it has said
    something, or has ended. ``ended``: all that it said is heard.
    """

    def __init__(self, module: str, decode: Callable[[bytes], T]) -> None:
        self._decode = decode
        self._left = b""
        self.ended = False
        self._process = subprocess.Popen(
            (sys.executable, "-m", module, str(os.getpid())),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self.source = self._stdout.fileno()

    def join(self, connect: Connect, interrupted: Callable[[], bool] = lambda: False) -> Connected:
        """Wait until the cluster is joined. Raises UserError, with nothing left."""
        try:
            self.say(connect)
            return self._connected(connect.address, interrupted)
        except BaseException:
            self._process.kill()  # it may be waiting for Ray, which does not end with a pipe
            self.close()
            raise

    def _connected(self, address: str, interrupted: Callable[[], bool]) -> Connected:
        deadline = time.monotonic() + JOIN_S
        while time.monotonic() < deadline:
            if interrupted():
                raise UserError(f"--address {address}: stopped while it was joined")
            for message in self.hear(TURN_S):
                if isinstance(message, Refused):
                    raise UserError(message.why)
                if isinstance(message, Connected):
                    return message
            if self.ended:
                code = self._process.wait()
                raise UserError(f"--address {address}: Ray ended, exit code {code}; see /tmp/ray's logs")
        raise UserError(f"--address {address}: not joined within {JOIN_S:.0f} s; see 'ray status' there")

    def runs(self) -> bool:
        return self._process.poll() is None

    def say(self, message: Message) -> None:
        """To one that has ended: nothing happens, its end is heard."""
        with suppress(BrokenPipeError):
            self._stdin.write(line(message))
            self._stdin.flush()

    def hear(self, wait_s: float = 0.0) -> list[T]:
        """What was said since, waiting at most so long for the first of it."""
        found: list[T] = []
        while not (self.ended or self._stdout.closed) and select.select([self.source], [], [], wait_s)[0]:
            data = os.read(self.source, READ_BYTES)
            self.ended = not data
            *lines, self._left = (self._left + data).split(b"\n")
            found += map(self._decode, lines)
            wait_s = 0.0
        return found

    def close(self) -> None:
        """End it, and with it what Ray does for it. Safe to call twice."""
        if self._stdin.closed:
            return
        with suppress(BrokenPipeError):
            self._stdin.close()
        try:
            self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()
