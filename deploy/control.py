"""The control socket: how another terminal speaks to a running platform. Requests and replies as msgpack.

It is a Unix socket in the run directory, so who may enter the directory may use it. This module
knows messages and transport; what a request does is ``deploy.platform``'s business.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import zmq

from bus.frames import U32, U64, Registers, TrapClass
from bus.links.zeromq import check_ipc_path
from bus.shmem import PAYLOAD_BYTES_MAX
from deploy.errors import UserError
from deploy.rundir import RunDirectory
from deploy.toolstack import ToolstackError

ANSWER_S = 30.0
REQUEST_BYTES_MAX = 1 << 20  # of one part; libzmq hangs up on who sends more
TURN_REQUESTS = 64  # answered before the rest of the platform has its turn
LOOK_S = 0.5


class Status(msgspec.Struct, frozen=True, tag="status"):
    pass


class Create(msgspec.Struct, frozen=True, tag="create"):
    """``config`` is an absolute path."""

    config: str


class Destroy(msgspec.Struct, frozen=True, tag="destroy"):
    name: str


class Reboot(msgspec.Struct, frozen=True, tag="reboot"):
    name: str


class Call(msgspec.Struct, frozen=True, tag="call"):
    """One SCMI message on a domain's channel."""

    name: str
    protocol_id: int
    message_id: int
    payload: Annotated[bytes, msgspec.Meta(max_length=PAYLOAD_BYTES_MAX)]


class Message(msgspec.Struct, frozen=True, tag="message"):
    """One SCMI message with a header word of the caller's own, as ``nodes.guest.console.Message``."""

    name: str
    header: U32
    payload: Annotated[bytes, msgspec.Meta(max_length=PAYLOAD_BYTES_MAX)]
    wait_delayed: bool = False


class Take(msgspec.Struct, frozen=True, tag="take"):
    """What a domain's inbox holds: messages that the platform sent unasked."""

    name: str


class Trap(msgspec.Struct, frozen=True, tag="trap"):
    """One SMC or HVC of a domain, with x0..x7."""

    name: str
    ec: TrapClass
    immediate: U64
    x: Registers


class Ledger(msgspec.Struct, frozen=True, tag="ledger"):
    """What an agent holds; ``who`` is its number, its name, or that of its domain."""

    who: str


class Tally(msgspec.Struct, frozen=True, tag="tally"):
    """How much agents hold: (agent, votes and holds, all entries of its ledger) for each that EL3 knows.

    EL3 has a second to answer, and is not asked while it is silent: a screen asks this again and again.
    """

    agents: tuple[int, ...]


class Calls(msgspec.Struct, frozen=True, tag="calls"):
    """What became of a domain's calls by protocol, message and status, and its latency by protocol."""

    name: str


class Inject(msgspec.Struct, frozen=True, tag="inject"):
    """Break a piece of EL3's hardware, or mend it."""

    what: Literal["sensor", "reset"]
    id: int
    broken: bool


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """Send a signal (KILL, STOP or CONT) to the process of a node."""

    node: str
    signal: Literal["KILL", "STOP", "CONT"]


class LogLevel(msgspec.Struct, frozen=True, tag="log_level"):
    """From now on that node (every node: "") writes no lines below that level."""

    node: str
    level: Literal["debug", "info", "warning", "error"]


class Down(msgspec.Struct, frozen=True, tag="down"):
    pass


Request = (
    Status
    | Create
    | Destroy
    | Reboot
    | Call
    | Message
    | Take
    | Trap
    | Ledger
    | Tally
    | Calls
    | Inject
    | Kill
    | LogLevel
    | Down
)


class Reply(msgspec.Struct, frozen=True):
    """``error`` None: it worked and ``result`` says how. ``user``: the mistake is in what was asked.

    ``definite``: what failed surely did not happen.
    """

    result: Any = None
    error: str | None = None
    user: bool = False
    definite: bool = True


_encode = msgspec.msgpack.Encoder().encode
_decode_request = msgspec.msgpack.Decoder(Request).decode
_decode_reply = msgspec.msgpack.Decoder(Reply).decode


class ControlServer:
    """Answers one request at a time; ``serve_one`` is called when ``socket`` is readable."""

    def __init__(self, path: Path, handle: Callable[[Request], Any]) -> None:
        check_ipc_path(str(path))
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 500)
        self.socket.setsockopt(zmq.MAXMSGSIZE, REQUEST_BYTES_MAX)
        self.socket.bind(f"ipc://{path}")
        path.chmod(0o600)
        self._handle = handle
        self.refused = 0

    def serve_one(self) -> None:
        """Take what waits, but not for ever; each request gets one reply, junk is counted and dropped."""
        for _ in range(TURN_REQUESTS):
            if not self.socket.poll(0):
                return
            peer, *rest = self.socket.recv_multipart()
            if len(rest) != 2:
                self.refused += 1
                continue
            self.socket.send_multipart([peer, rest[0], _encode(self._answer(rest[1]))])

    def _answer(self, body: bytes) -> Reply:
        try:
            return Reply(self._handle(_decode_request(body)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.refused += 1
            return Reply(error=f"not a request: {error}", user=True)
        except UserError as error:
            return Reply(error=str(error), user=True)
        except ToolstackError as error:
            unsure = "" if error.definite else " (it may or may not have happened)"
            return Reply(error=f"{error}{unsure}", definite=error.definite)

    def close(self) -> None:
        self._context.destroy(linger=500)


def _wait(run: RunDirectory, socket: "zmq.Socket[bytes]") -> None:
    """Until there is an answer; raises ToolstackError when there will be none."""
    deadline = time.monotonic() + ANSWER_S
    while not socket.poll(int(LOOK_S * 1000)):
        if not run.alive():
            raise ToolstackError("the platform ended before it answered", definite=False)
        if time.monotonic() > deadline:
            raise ToolstackError(f"no answer from the platform within {ANSWER_S:.0f} s", definite=False)


class Session:
    """Requests to the platform of ``run``, one after the other.

    Raises UserError when no platform runs there.
    """

    def __init__(self, run: RunDirectory) -> None:
        if not run.alive() or not run.control_socket.exists():
            raise run.not_running()
        self._run = run
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._connect()

    def _connect(self) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.REQ)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"ipc://{self._run.control_socket}")
        return socket

    def ask(self, request: Request) -> Any:
        """Send a request and wait; gives the result.

        Raises UserError when the request is wrong, ToolstackError when it failed.
        """
        self._socket.send(_encode(request))
        try:
            _wait(self._run, self._socket)
        except ToolstackError:
            self._socket.close()  # what is asked next must not get the answer to this
            self._socket = self._connect()
            raise
        reply = _decode_reply(self._socket.recv())
        if reply.error is not None:
            raise UserError(reply.error) if reply.user else ToolstackError(reply.error, reply.definite)
        return reply.result

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)


def ask(run: RunDirectory, request: Request) -> Any:
    """One request in a session of its own; raises as Session does."""
    with Session(run) as session:
        return session.ask(request)
