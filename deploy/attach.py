"""A domain's SCMI channel on a Unix stream socket, for clients that are not ours. ATTACH.md is the protocol.

Every message goes the way of any guest's: to the domain's console, into its page, through its doorbell. This
module knows sockets and the control socket's requests; it never looks into a message.
"""

import os
import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bus.shmem import PAYLOAD_BYTES_MAX
from deploy import control
from deploy.errors import UserError
from deploy.rundir import SOCKET_PATH_BYTES_MAX
from deploy.toolstack import ToolstackError

LENGTH = struct.Struct("<I")
HEADER = struct.Struct("<I")
FRAME_BYTES_MAX = HEADER.size + PAYLOAD_BYTES_MAX
LOOK_S = 0.1  # between two looks at whether to stop
TAKE_S = 0.02  # between two looks into the inbox of a domain that has one
PATIENCE_S = 5.0  # with a client that does not read
READ_BYTES = 65_536
INBOXES_MAX = 64  # answers to drain before a client is served

Ask = Callable[[control.Request], Any]


class BadFrame(ValueError):  # noqa: N818 - the protocol's own word
    """A length that no message has, or the end of the stream inside a frame."""


def first(received: bytes) -> tuple[int, bytes, bytes] | None:
    """The first frame's header and payload, and what follows it; None until it is whole. Raises BadFrame."""
    if len(received) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack_from(received)
    if not HEADER.size <= size <= FRAME_BYTES_MAX:
        raise BadFrame(f"a frame of {size} bytes; a message has {HEADER.size} to {FRAME_BYTES_MAX}")
    end = LENGTH.size + size
    if len(received) < end:
        return None
    (header,) = HEADER.unpack_from(received, LENGTH.size)
    return header, received[LENGTH.size + HEADER.size : end], received[end:]


def frame(header: int, payload: bytes) -> bytes:
    """A message on the stream."""
    return LENGTH.pack(HEADER.size + len(payload)) + HEADER.pack(header) + payload


def no_answer(definite: bool) -> bytes:
    """What is sent where there is no answer; ``definite``: the call surely did not happen."""
    return LENGTH.pack(1) + bytes([definite])


class Served:
    """What was served so far."""

    def __init__(self) -> None:
        self.clients = 0
        self.messages = 0
        self.bad_frames = 0

    def __str__(self) -> str:
        parts = ((self.clients, "client"), (self.messages, "message"), (self.bad_frames, "bad frame"))
        return "served " + ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in parts)


class Attachment:
    """``ask`` reaches the platform; ``say`` is told, in a line, of all that goes wrong with a client.

    ``stopping`` is looked at every LOOK_S. One client at a time is served, the next ones wait.
    """

    def __init__(
        self, domain: str, ask: Ask, say: Callable[[str], None], stopping: Callable[[], bool]
    ) -> None:
        self.served = Served()
        self._domain = domain
        self._ask = ask
        self._say = say
        self._stopping = stopping
        self._has_inbox = False

    def serve(self, listener: socket.socket, once: bool = False) -> bool:
        """Serve clients until ``stopping``, or just the first one; False when that had to stop before."""
        while not self._stopping():
            if not _readable(listener, LOOK_S):
                continue
            client, _ = listener.accept()
            with client:
                self._serve_client(client)
            if once:
                return True
        return False

    def _serve_client(self, client: socket.socket) -> None:
        self.served.clients += 1
        for _ in range(INBOXES_MAX):  # what was said before it came is not for this client
            before = self._look_into_inbox()
            self._has_inbox = before is not None  # the domain may be another than for the last client
            if not before:
                break
        try:
            self._converse(client)
        except BadFrame as error:
            self.served.bad_frames += 1
            self._say(f"{error}; the client was disconnected")
        except TimeoutError:
            self._say(f"the client did not read for {PATIENCE_S:.0f} s; it was disconnected")
        except OSError as error:
            self._say(f"the client is gone: {error.strerror or error}")

    def _converse(self, client: socket.socket) -> None:
        rest = b""
        while not self._stopping():
            if _readable(client, TAKE_S if self._has_inbox else LOOK_S):
                chunk = client.recv(READ_BYTES)
                if not chunk and rest:
                    raise BadFrame(f"the stream ends {len(rest)} bytes into a frame")
                if not chunk:
                    return
                rest += chunk
                while not self._stopping() and (found := first(rest)) is not None:
                    header, payload, rest = found
                    self._send(client, self._exchange(header, payload))
                    self._forward(client)
            else:
                self._forward(client)

    def _exchange(self, header: int, payload: bytes) -> bytes:
        """One message to its end; gives the frame that answers it."""
        self.served.messages += 1
        try:
            answer = self._ask(control.Message(self._domain, header, payload))
        except UserError as error:
            self._say(f"message {header:#010x}: {error}")
            return no_answer(definite=True)
        except ToolstackError as error:
            self._say(f"message {header:#010x}: {error}")
            return no_answer(error.definite)
        if answer["code"]:
            self._say(f"message {header:#010x}: {answer['code']}: {answer['detail']}")
            return no_answer(answer["definite"])
        return frame(answer["header"], answer["payload"])

    def _forward(self, client: socket.socket) -> None:
        """What the platform said unasked."""
        if self._has_inbox:
            for header, payload in self._look_into_inbox() or ():
                self._send(client, frame(header, payload))

    def _send(self, client: socket.socket, content: bytes) -> None:
        """All of it, unless the end comes before. Raises TimeoutError for a client that does not read."""
        patient_until = time.monotonic() + PATIENCE_S
        while content and not self._stopping():
            if select.select([], [client], [], LOOK_S)[1]:
                with suppress(BlockingIOError):
                    content = content[client.send(content, socket.MSG_DONTWAIT) :]
            elif time.monotonic() > patient_until:
                raise TimeoutError

    def _look_into_inbox(self) -> list[tuple[int, bytes]] | None:
        """The messages that wait; None when there is no inbox. A domain that is away has nothing to say."""
        try:
            answer = self._ask(control.Take(self._domain))
        except (UserError, ToolstackError):
            return []
        return None if answer["code"] else answer["messages"]


def _readable(source: socket.socket, timeout_s: float) -> bool:
    return bool(select.select([source], [], [], timeout_s)[0])


# ---- the socket file --------------------------------------------------------------------------


class SocketFile:
    """A listening socket at ``path``, 0600; ``close`` removes the file, if it is still this one."""

    def __init__(self, path: Path) -> None:
        """Raises UserError, also for a path where something is already."""
        length = len(os.fsencode(path))
        if length > SOCKET_PATH_BYTES_MAX:
            raise UserError(
                f"--socket: {path}: {length} bytes, the kernel takes {SOCKET_PATH_BYTES_MAX}; shorten it"
            )
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)
        try:
            self.listener.bind(os.fspath(path))
        except OSError as error:
            self.listener.close()
            raise UserError(f"--socket: {path}: {_why(error, path)}") from None
        finally:
            os.umask(previous)
        found = path.lstat()
        self._identity = (found.st_dev, found.st_ino)
        self.listener.listen()

    def close(self) -> None:
        self.listener.close()
        with suppress(OSError):
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == self._identity:
                self.path.unlink()

    def __enter__(self) -> "SocketFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _why(error: OSError, path: Path) -> str:
    if os.path.lexists(path):
        return "there is something already; remove it if nobody uses it, or choose another path"
    return f"cannot make a socket there: {error.strerror or error}; choose another path"
