"""The control socket: one reply to each request, junk counted, errors told apart."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from bus.shmem import PAYLOAD_BYTES_MAX
from deploy import control
from deploy.errors import UserError
from deploy.toolstack import ToolstackError

DEEP = b"\x82\xa4type\xa6status\xa1x" + b"\x91" * 100_000 + b"\xc0"


class End:
    """A server with a handler of the test's choice, and a peer."""

    def __init__(self, path: Path) -> None:
        self.requests: list[control.Request] = []
        self.act: Callable[[], Any] = lambda: None
        self.server = control.ControlServer(path, self._handle)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.peer = self.context.socket(zmq.DEALER)
        self.peer.connect(f"ipc://{path}")

    def _handle(self, request: control.Request) -> Any:
        self.requests.append(request)
        return self.act()

    def send(self, *parts: bytes) -> None:
        self.peer.send_multipart(list(parts))
        assert self.server.socket.poll(5000)
        self.server.serve_one()

    def ask(self, body: bytes) -> control.Reply:
        self.send(b"", body)
        assert self.peer.poll(5000)
        return msgspec.msgpack.decode(self.peer.recv_multipart()[-1], type=control.Reply)

    def close(self) -> None:
        self.context.destroy(linger=0)
        self.server.close()


@pytest.fixture
def end() -> Iterator[End]:
    folder = Path(tempfile.mkdtemp(prefix="tl-", dir="/tmp"))
    made = End(folder / "control.sock")
    assert (folder / "control.sock").stat().st_mode & 0o777 == 0o600
    yield made
    made.close()
    shutil.rmtree(folder)


def test_a_request_and_its_result(end: End) -> None:
    end.act = lambda: {"pid": 7}
    assert end.ask(msgspec.msgpack.encode(control.Status())) == control.Reply({"pid": 7})
    assert end.requests == [control.Status()]


def test_errors_are_told_apart(end: End) -> None:
    def fail(error: Exception) -> Callable[[], Any]:
        def act() -> Any:
            raise error

        return act

    body = msgspec.msgpack.encode(control.Down())
    end.act = fail(UserError("no such file"))
    assert end.ask(body) == control.Reply(error="no such file", user=True)
    end.act = fail(ToolstackError("refused"))
    assert end.ask(body) == control.Reply(error="refused")
    end.act = fail(ToolstackError("no answer", definite=False))
    unsure = end.ask(body)
    assert "may or may not" in str(unsure.error)
    assert not unsure.definite


@pytest.mark.parametrize("body", [b"", b"\xc1", DEEP, b"\x81\xa4type\xa4nope", b"\x81\xa4type\xa2\xff\xff"])
def test_what_is_no_request_is_counted_and_answered(end: End, body: bytes) -> None:
    reply = end.ask(body)
    assert reply.user
    assert "not a request" in str(reply.error)
    assert (end.server.refused, end.requests) == (1, [])


@pytest.mark.parametrize("parts", [(b"",), (b"", b"", b""), (b"x",) * 9])
def test_what_is_no_message_is_counted(end: End, parts: tuple[bytes, ...]) -> None:
    end.send(*parts)
    assert (end.server.refused, end.requests) == (1, [])


def test_a_payload_fits_a_page(end: End) -> None:
    def call(size: int) -> bytes:
        return msgspec.msgpack.encode(control.Call("ivi", 0x10, 0, bytes(size)))

    assert end.ask(call(PAYLOAD_BYTES_MAX)).error is None
    assert end.ask(call(PAYLOAD_BYTES_MAX + 1)).user


def test_a_flood_leaves_a_turn_to_the_others(end: End) -> None:
    for _ in range(3 * control.TURN_REQUESTS):
        end.peer.send_multipart([b"junk"])
    served = []
    while sum(served) < 3 * control.TURN_REQUESTS and end.server.socket.poll(5000):
        before = end.server.refused
        end.server.serve_one()
        served.append(end.server.refused - before)
    assert sum(served) == 3 * control.TURN_REQUESTS
    assert max(served) <= control.TURN_REQUESTS


def test_who_sends_far_too_much_is_not_listened_to(end: End) -> None:
    end.peer.send_multipart([b"", bytes(control.REQUEST_BYTES_MAX + 1)])
    other = end.context.socket(zmq.DEALER)
    other.connect(end.peer.getsockopt_string(zmq.LAST_ENDPOINT))
    other.send_multipart([b"", msgspec.msgpack.encode(control.Status())])
    assert end.server.socket.poll(5000)
    end.server.serve_one()
    assert end.requests == [control.Status()]
    assert end.server.refused == 0, "what is too long never arrived"
    other.close(linger=0)
