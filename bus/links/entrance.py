"""The entrance of a ROUTER on tcp: CURVE, who may shake hands, and how many may stand before the door.

One thread answers libzmq's questions about keys (ZAP, RFC 27) and hears what becomes of connections. libzmq
itself has no limit for connections that say nothing, for junk, or for how many one key opens; ``porch`` has,
and this carries it out: by shutting a connection, or by having the kernel keep an address out for a while.
"""

import os
import resource
import socket as sockets
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import zmq
from zmq.utils import z85

from bus.links import listening
from bus.links.porch import OTHERS, STRANGERS_MAX, Porch
from bus.links.zap import ENDPOINT, judge

HANDSHAKE_MS: Final = 5_000  # for the whole of it
AT_ONCE: Final = 16  # connections heard of between two looks at what they mean
REST_S: Final = 0.0002  # after so many: whoever works with those that are inside needs the interpreter, too
_EVENTS: Final = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_DISCONNECTED
)
_FAILED: Final = (
    int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL),
    int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL),
    int(zmq.EVENT_HANDSHAKE_FAILED_AUTH),
)
_ACCEPTED, _SHAKEN, _CLOSED = (
    int(zmq.EVENT_ACCEPTED),
    int(zmq.EVENT_HANDSHAKE_SUCCEEDED),
    int(zmq.EVENT_DISCONNECTED),
)
_KEY: Final = 40  # characters of a key in Z85
_EVENT: Final = struct.Struct("=HI")
_NOW: Final = int(zmq.DONTWAIT)


def _prepare(socket: "zmq.Socket[bytes]", secret: bytes) -> None:
    """CURVE; of a key's connections that ``Porch`` admits the newest is heard; dead ones are noticed."""
    for option, value in (
        (zmq.CURVE_SERVER, 1),
        (zmq.ROUTER_HANDOVER, 1),
        (zmq.HANDSHAKE_IVL, HANDSHAKE_MS),
        (zmq.TCP_KEEPALIVE, 1),
        (zmq.TCP_KEEPALIVE_IDLE, listening.IDLE_S),
        (zmq.TCP_KEEPALIVE_INTVL, listening.PROBES_S),
        (zmq.TCP_KEEPALIVE_CNT, listening.PROBES),
    ):
        socket.setsockopt(option, value)
    socket.setsockopt(zmq.CURVE_SECRETKEY, z85.encode(secret))


def key_of(user: str) -> bytes:
    """The raw public key in a User-Id."""
    return z85.decode(user[:_KEY].encode())


class Entrance:
    """Prepares ``socket`` before it is bound; ``bind`` in its place, ``join`` when the context is ending.

    ``known`` says whether a raw public key may come; ``each``: how many connections one key may have.
    ``refused(word, how many)`` and ``gone(user)`` are called by the thread: the words of ``Porch.refused``
    and "kept_out", once each time an address is. A message's User-Id is the key in Z85, "#" and the number of
    its connection's handshake.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        socket: "zmq.Socket[bytes]",
        secret: bytes,
        known: Callable[[bytes], bool],
        each: int = 1,
    ) -> None:
        self.refused: Callable[[str, int], None] = lambda word, count: None
        self.gone: Callable[[str], None] = lambda user: None
        self._known = known
        self._porch = Porch(each, min(STRANGERS_MAX, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 3))
        self._peers: dict[int, tuple[str, int]] = {}
        self._spoken: deque[tuple[int, str, bytes]] = deque()
        self._out: tuple[bytes, ...] = ()
        self._told: dict[str, int] = {}
        self._number = 0
        self._listening: sockets.socket | None = None
        self._questions = context.socket(zmq.REP)
        self._questions.setsockopt(zmq.LINGER, 0)
        self._questions.bind(ENDPOINT)
        _prepare(socket, secret)
        self._news = context.socket(zmq.PAIR)
        self._news.setsockopt(zmq.LINGER, 0)
        where = f"inproc://entrance-{id(self):x}"
        socket.monitor(where, _EVENTS)
        self._news.connect(where)
        self._socket = socket
        self._thread = threading.Thread(target=self._run, name="entrance", daemon=True)
        self._thread.start()

    def bind(self, endpoint: str) -> str:
        """Listen at a tcp endpoint; gives it with its port. Raises LinkError."""
        made = listening.listen(endpoint)
        self._listening = made
        self._socket.setsockopt(zmq.USE_FD, os.dup(made.fileno()))
        host, port = made.getsockname()[:2]
        self._socket.bind(f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}")
        return str(self._socket.get_string(zmq.LAST_ENDPOINT)).rstrip("\0")

    def join(self) -> None:
        """Wait for the thread's end; the context must be terminating."""
        self._thread.join()

    # ---- another thread's ---------------------------------------------------------------------

    def spoke(self, fd: int, user: str, key: bytes) -> None:
        """The first message came through that connection that its key allows."""
        self._spoken.append((fd, user, key))

    # ---- the thread's -------------------------------------------------------------------------

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._questions, zmq.POLLIN)
        poller.register(self._news, zmq.POLLIN)
        try:
            while True:
                poller.poll(self._wait_ms())
                self._turn()
        except zmq.ContextTerminated:
            self._close()

    def _wait_ms(self) -> int | None:
        deadline_ns = self._porch.deadline_ns()
        if deadline_ns is None:
            return None
        return max(0, (deadline_ns - time.monotonic_ns()) // 1_000_000 + 1)

    def _turn(self) -> None:
        for _ in range(AT_ONCE):
            if not self._hear():
                self._answer()
                break
        else:
            time.sleep(REST_S)
        self._carry_out()

    def _hear(self) -> bool:
        """What became of one connection; False if there is no news."""
        try:
            news = self._news.recv_multipart(_NOW)
        except zmq.Again:
            return False
        event, fd = _EVENT.unpack(news[0])
        if event == _ACCEPTED:
            peer = listening.peer_of(fd)
            self._peers[fd] = peer or ("0.0.0.0", 0)
            self._porch.accepted(fd, listening.source(self._peers[fd][0]), time.monotonic_ns())
        elif event == _CLOSED:
            self._take_spoken()
            self._peers.pop(fd, None)
            user = self._porch.closed(fd)
            if user:
                self.gone(user)
        elif event == _SHAKEN:
            self._porch.shaken()
        elif event in _FAILED:
            self._porch.failed()
        return True

    def _take_spoken(self) -> None:
        while self._spoken:
            fd, user, key = self._spoken.popleft()
            if not self._porch.spoke(fd, user, key):
                self.gone(user)

    def _answer(self) -> None:
        """One question about a key, after all news: a connection that has just ended counts no more."""
        try:
            question = self._questions.recv_multipart(_NOW)
        except zmq.Again:
            return
        self._take_spoken()
        self._questions.send_multipart(judge(question, self._user_of))

    def _user_of(self, key: bytes) -> str | None:
        if not self._known(key):
            return None  # counted when its handshake fails
        if not self._porch.admits(key, time.monotonic_ns()):
            return ""
        self._number += 1
        return f"{z85.encode(key).decode()}#{self._number}"

    def _carry_out(self) -> None:
        self._take_spoken()
        for fd in self._porch.to_shut:
            listening.shut(fd, self._peers.get(fd, ("", 0)))
        self._porch.to_shut.clear()
        self._keep_out(self._porch.kept_out(time.monotonic_ns()))
        for word, count in self._porch.refused.items():
            more = count - self._told.get(word, 0)
            if more > 0:
                self._told[word] = count
                self.refused(word, more)

    def _keep_out(self, out: tuple[bytes, ...]) -> None:
        """As the porch says; a kernel that does not filter leaves it at so many strangers at once."""
        if out == self._out or self._listening is None:
            return
        try:
            listening.keep_out(self._listening, None if OTHERS in out else out)
        except OSError:
            return
        if set(out) - set(self._out):
            self.refused("kept_out", len(set(out) - set(self._out)))
        self._out = out

    def _close(self) -> None:
        self._questions.close()
        self._news.close()
        if self._listening is not None:
            self._listening.close()
