"""The attach stream: frames in and out, what is no frame, who is served, and the socket file."""

import itertools
import socket
import stat
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import attach, control
from deploy.attach import Attachment, BadFrame, SocketFile, first, frame, no_answer
from deploy.errors import UserError
from deploy.toolstack import ToolstackError

NOTE = 0x4700
NO_INBOX = {"code": "no-p2a", "detail": ""}


def answer(header: int, payload: bytes = b"", code: str = "", definite: bool = False) -> dict[str, Any]:
    return {"code": code, "definite": definite, "detail": "why", "header": header, "payload": payload}


class Platform:
    """What the control socket would say, as a test scripts it: ``inbox`` None is a domain without one."""

    def __init__(self) -> None:
        self.inbox: list[tuple[int, bytes]] | None = None
        self.asked: list[control.Message] = []
        self.act: Callable[[control.Message], Any] = lambda one: answer(one.header, b"\0\0\0\0" + one.payload)

    def ask(self, request: control.Request) -> Any:
        if isinstance(request, control.Take):
            if self.inbox is None:
                return NO_INBOX
            taken, self.inbox = self.inbox, []
            return {"code": "", "messages": taken}
        assert isinstance(request, control.Message)
        self.asked.append(request)
        return self.act(request)


class End:
    """An attachment that serves in a thread, and its clients."""

    def __init__(self, path: Path, platform: Platform) -> None:
        self.platform = platform
        self.said: list[str] = []
        self.path = path
        self.file = SocketFile(path)
        self._stop = threading.Event()
        self.attachment = Attachment("ivi", platform.ask, self.said.append, self._stop.is_set)
        self._thread = threading.Thread(target=self.attachment.serve, args=(self.file.listener,))
        self._thread.start()

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(str(self.path))
        return client

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self.file.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tl-", dir="/tmp") as made:
        yield Path(made)


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def end(folder: Path, platform: Platform) -> Iterator[End]:
    made = End(folder / "s", platform)
    yield made
    made.stop()


def read(client: socket.socket) -> bytes:
    """The next frame without its length."""
    (size,) = struct.unpack("<I", client.recv(4, socket.MSG_WAITALL))
    return client.recv(size, socket.MSG_WAITALL) if size else b""


# ---- frames -----------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.binary(max_size=4068), st.binary(max_size=40))
def test_a_frame_comes_back(header: int, payload: bytes, behind: bytes) -> None:
    whole = frame(header, payload)
    assert first(whole + behind) == (header, payload, behind)
    assert first(whole[:-1]) is None


@pytest.mark.parametrize(
    ("size", "fits"), [(3, False), (4, True), (4072, True), (4073, False), (2**32 - 1, False)]
)
def test_how_long_a_frame_may_be(size: int, fits: bool) -> None:
    received = struct.pack("<I", size) + bytes(min(size, 5000))
    if fits:
        assert first(received) is not None
        return
    with pytest.raises(BadFrame, match=rf"a frame of {size} bytes; a message has 4 to 4072"):
        first(received)


def test_a_frame_of_the_project_is_what_the_page_says() -> None:
    assert frame(0x0014_5005, b"\1\2") == bytes.fromhex("06000000 05501400 0102")
    assert (no_answer(True), no_answer(False)) == (b"\1\0\0\0\1", b"\1\0\0\0\0")


# ---- a client ---------------------------------------------------------------------------------


def test_messages_and_their_answers(end: End, platform: Platform) -> None:
    with end.connect() as client:
        whole = frame(0x4001, b"\1") + frame(0xFFFF_FFFF, b"")
        client.sendall(whole[:7])
        client.sendall(whole[7:])
        assert read(client) == struct.pack("<I", 0x4001) + b"\0\0\0\0\1"
        assert read(client) == b"\xff\xff\xff\xff\0\0\0\0"
    assert [(one.name, one.header, one.wait_delayed) for one in platform.asked] == [
        ("ivi", 0x4001, False),
        ("ivi", 0xFFFF_FFFF, False),
    ]


def test_what_comes_unasked(end: End, folder: Path) -> None:
    platform = Platform()
    platform.inbox = [(1, b"before the client came")]
    other = End(folder / "p2a", platform)
    try:
        with other.connect() as client:
            client.sendall(frame(0x4000, b""))
            assert read(client)[:4] == struct.pack("<I", 0x4000)
            platform.inbox = [(NOTE, b"\1\2\3\4"), (NOTE, b"")]
            assert (read(client), read(client)) == (
                struct.pack("<I", NOTE) + b"\1\2\3\4",
                struct.pack("<I", NOTE),
            )
    finally:
        other.stop()


@pytest.mark.parametrize(
    ("act", "definite"),
    [
        (lambda one: answer(0, b"", "timeout", False), False),
        (lambda one: answer(0, b"", "smc-refused", True), True),
        (lambda one: _raise(UserError("there is no domain 'ivi'")), True),
        (lambda one: _raise(ToolstackError("EL3 is gone", definite=False)), False),
        (lambda one: _raise(ToolstackError("not connected")), True),
    ],
)
def test_no_answer(
    end: End, platform: Platform, act: Callable[[control.Message], Any], definite: bool
) -> None:
    platform.act = act
    with end.connect() as client:
        client.sendall(frame(0x4000, b""))
        assert read(client) == bytes([definite])
        platform.act = lambda one: answer(one.header)
        client.sendall(frame(0x4001, b""))
        assert read(client) == struct.pack("<I", 0x4001)
    assert len(end.said) == 1
    assert end.said[0].startswith("message 0x00004000: ")


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("junk", "told"),
    [
        (struct.pack("<I", 3) + b"abc", "a frame of 3 bytes"),
        (b"GET / HTTP/1.1\r\n", "a frame of 542393671 bytes"),
        (frame(0x4000, b"abc")[:-1], "the stream ends 10 bytes into a frame"),
    ],
)
def test_a_bad_frame_ends_the_connection_and_nothing_else(end: End, junk: bytes, told: str) -> None:
    with end.connect() as client:
        client.sendall(frame(0x4000, b"") + junk)
        client.shutdown(socket.SHUT_WR)
        assert read(client) == struct.pack("<I", 0x4000) + b"\0\0\0\0", "what came before it was served"
        assert client.recv(1) == b""
    with end.connect() as client:
        client.sendall(frame(0x4001, b""))
        assert read(client)
    assert [told in line for line in end.said] == [True]
    end.stop()
    assert str(end.attachment.served) == "served 2 clients, 2 messages, 1 bad frame"


def test_the_next_client_waits_for_its_turn(end: End, platform: Platform) -> None:
    with end.connect() as one, end.connect() as two:
        two.sendall(frame(2, b""))
        one.sendall(frame(1, b""))
        assert read(one)
        assert [message.header for message in platform.asked] == [1]
        one.shutdown(socket.SHUT_WR)
        assert read(two)


def test_a_client_that_goes_away_without_a_word(end: End, platform: Platform) -> None:
    client = end.connect()
    platform.act = lambda one: (client.close() if one.header == 1 else None, answer(one.header))[1]
    client.sendall(frame(1, b""))
    with end.connect() as other:
        other.sendall(frame(2, b""))
        assert read(other)
    assert all("client is gone" in line for line in end.said)


def test_once(folder: Path, platform: Platform) -> None:
    with SocketFile(folder / "s") as file:
        attachment = Attachment("ivi", platform.ask, pytest.fail, lambda: False)
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(file.path))
        client.close()
        assert attachment.serve(file.listener, once=True)
        stopped = Attachment("ivi", platform.ask, pytest.fail, lambda: True)
        assert not stopped.serve(file.listener, once=True)


def test_the_end_does_not_wait_for_what_a_client_has_sent_ahead(folder: Path, platform: Platform) -> None:
    """Eight thousand frames of a platform that is gone would take an hour."""
    with SocketFile(folder / "s") as file, socket.socket(socket.AF_UNIX) as client:
        attachment = Attachment("ivi", platform.ask, pytest.fail, lambda: len(platform.asked) >= 3)
        client.connect(str(file.path))
        client.sendall(frame(1, b"") * 5000)
        attachment.serve(file.listener)
    assert len(platform.asked) == 3
    assert attachment.served.messages == 3


def test_the_end_does_not_wait_for_a_client_that_does_not_read(
    folder: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attach, "PATIENCE_S", float("inf"))
    platform.act = lambda one: answer(one.header, bytes(4000))
    looks = itertools.count()
    answered: list[int] = []

    def stopping() -> bool:
        """Once nothing has been answered for a while: the client's buffer is full."""
        answered.append(len(platform.asked))
        return next(looks) > 5 and answered[-1] == answered[-4]

    with SocketFile(folder / "s") as file, socket.socket(socket.AF_UNIX) as client:
        attachment = Attachment("ivi", platform.ask, pytest.fail, stopping)
        client.connect(str(file.path))
        client.sendall(frame(1, b"") * 5000)
        attachment.serve(file.listener)
    assert 0 < len(platform.asked) < 5000


def test_a_client_that_does_not_read_is_disconnected(
    end: End, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attach, "PATIENCE_S", 0.0)
    platform.act = lambda one: answer(one.header, bytes(4000))
    with end.connect() as client, end.connect() as other:
        client.sendall(frame(1, b"") * 5000)
        other.sendall(frame(2, b""))
        assert read(other)[:4] == struct.pack("<I", 2)
    assert [line.startswith("the client did not read for 0 s") for line in end.said] == [True]


def test_a_domain_that_got_a_way_back_meanwhile(end: End, platform: Platform) -> None:
    with end.connect() as client:
        client.sendall(frame(1, b""))
        assert read(client)
    platform.inbox = [(NOTE, b"before the client came")]
    with end.connect() as client:
        client.sendall(frame(2, b""))
        assert read(client)[:4] == struct.pack("<I", 2)
        platform.inbox = [(NOTE, b"\1\2\3\4")]
        assert read(client) == struct.pack("<I", NOTE) + b"\1\2\3\4"


# ---- the file ---------------------------------------------------------------------------------


def test_the_socket_is_ones_own_and_goes(folder: Path) -> None:
    path = folder / "s"
    with SocketFile(path):
        found = path.lstat().st_mode
        assert (stat.S_ISSOCK(found), stat.S_IMODE(found)) == (True, 0o600)
    assert not path.exists()


def test_a_file_of_somebody_else_is_not_removed(folder: Path) -> None:
    path = folder / "s"
    with SocketFile(path):
        path.unlink()
        path.write_text("mine")
    assert path.read_text() == "mine"


@pytest.mark.parametrize("what", ["file", "socket", "folder", "dangling link"])
def test_what_is_there_already_is_refused_and_kept(folder: Path, what: str) -> None:
    path = folder / "s"
    if what == "file":
        path.write_text("mine")
    elif what == "socket":
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(path))
        left.close()
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(folder / "nowhere")
    with pytest.raises(UserError, match=r"--socket: .*/s: there is something already"):
        SocketFile(path)
    assert list(folder.iterdir()) == [path]


def test_where_no_socket_can_be(folder: Path) -> None:
    with pytest.raises(UserError, match="cannot make a socket there: No such file or directory"):
        SocketFile(folder / "nowhere" / "s")
    with pytest.raises(UserError, match="the kernel takes 107; shorten it"):
        SocketFile(folder / ("s" * 100))
    assert attach.SOCKET_PATH_BYTES_MAX == 107
