"""ZeroMQ links: Xen is one ROUTER, everybody else a DEALER (PROTOCOL.md, "Links").

A link's identity is a 32-byte token that Xen's side issued. Over ipc the peer presents the token
itself as its routing id. Over tcp the token is its CURVE secret key: the handshake proves it, and
each message must come from the connection whose key its routing id names.
"""

import hashlib
import os
import select
from collections.abc import Callable
from pathlib import Path

import zmq
from zmq.backend import Socket as BackendSocket
from zmq.utils import z85

from bus.frames import ENVELOPE_BYTES_MAX, PAGE_FRAME_BYTES_MAX
from bus.links import XEN, Delivery, LinkError
from bus.links.entrance import Entrance, key_of
from bus.links.listening import IDLE_S, PROBES, PROBES_S

TOKEN_BYTES = 32
QUEUE_MESSAGES = 1024  # per peer and direction; beyond it a message is refused, not dropped
IPC_PATH_BYTES_MAX = 107
FINE_NS = 10_000_000  # a timeout below this is kept more exactly than a socket can
SELECT_BELOW = 1024  # the descriptors that select(2) takes
_MORE = int(zmq.SNDMORE) | int(zmq.DONTWAIT)
_LAST = int(zmq.DONTWAIT)
_READABLE = int(zmq.POLLIN)


def public_key(token: bytes) -> bytes:
    """The raw 32-byte CURVE public key of a token."""
    return z85.decode(zmq.curve_public(z85.encode(token)))


def _prepare(socket: "zmq.Socket[bytes]") -> None:
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, QUEUE_MESSAGES)
    socket.setsockopt(zmq.RCVHWM, QUEUE_MESSAGES)
    socket.setsockopt(zmq.MAXMSGSIZE, ENVELOPE_BYTES_MAX + PAGE_FRAME_BYTES_MAX)


def check_ipc_path(path: str) -> None:
    """Raise LinkError for a socket path that the kernel would refuse."""
    if len(os.fsencode(path)) > IPC_PATH_BYTES_MAX:
        raise LinkError(
            f"{path}: the socket path has {len(os.fsencode(path))} bytes, the kernel takes "
            f"{IPC_PATH_BYTES_MAX}; choose a shorter run directory"
        )


class _Timeout:
    """Sets the socket's receive timeout, and only when it really changes."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self._socket = socket
        self._milliseconds = -1

    def set(self, timeout_ns: int | None) -> None:
        wanted = -1 if timeout_ns is None else max(1, -(-timeout_ns // 1_000_000))
        if wanted != self._milliseconds:
            self._milliseconds = wanted
            self._socket.setsockopt(zmq.RCVTIMEO, wanted)


class DealerLink:
    """The end of EL3, a guest or the toolstack: one connection to Xen, two frames per message.

    ``socket`` is for pollers. Many links of one process may share a ``context``, which is then the
    caller's to end.
    """

    def __init__(
        self,
        endpoint: str,
        token: bytes,
        server_key: bytes | None = None,
        context: "zmq.Context[zmq.Socket[bytes]] | None" = None,
    ) -> None:
        self._own_context: zmq.Context[zmq.Socket[bytes]] | None = None
        if context is None:
            context = self._own_context = zmq.Context(io_threads=1)
        self.socket = context.socket(zmq.DEALER)
        _prepare(self.socket)
        if server_key is None:
            self.socket.setsockopt(zmq.ROUTING_ID, token)
        else:
            self.socket.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(server_key))
            self.socket.setsockopt(zmq.CURVE_SECRETKEY, z85.encode(token))
            self.socket.setsockopt(zmq.CURVE_PUBLICKEY, zmq.curve_public(z85.encode(token)))
            self.socket.setsockopt(zmq.ROUTING_ID, routing_id(token))
            self.socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
            self.socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, IDLE_S)
            self.socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, PROBES_S)
            self.socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, PROBES)
        self.socket.connect(endpoint)
        self._timeout = _Timeout(self.socket)
        self._fine_s: float | None = None
        self._send = BackendSocket.send.__get__(self.socket)
        self._recv = BackendSocket.recv.__get__(self.socket)

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        try:
            self._send(envelope, _MORE)
            self._send(page, _LAST)
        except zmq.Again:
            return False
        return True

    def receive(self) -> Delivery | None:
        if self._fine_s is not None and not self._comes_within(self._fine_s):
            return None
        try:
            envelope = self._recv()
            return XEN, envelope, self._recv()
        except zmq.Again:
            return None

    def resume(self) -> None:
        """After a ``receive`` that a signal's handler broke off: what is left of its message is dropped."""
        if self.socket.getsockopt(zmq.RCVMORE):
            self._recv()

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        """A short one is kept to some microseconds; it may end early, never with a message left unseen."""
        fine = timeout_ns is not None and timeout_ns < FINE_NS
        self._fine_s = timeout_ns / 1e9 if timeout_ns is not None and fine else None
        if not fine:
            self._timeout.set(timeout_ns)

    def _comes_within(self, seconds: float) -> bool:
        """Whether a message is there, or comes in time: sockets themselves count milliseconds."""
        if int(self.socket.getsockopt(zmq.EVENTS)) & _READABLE:
            return True
        descriptor = int(self.socket.getsockopt(zmq.FD))
        if descriptor < SELECT_BELOW:
            select.select((descriptor,), (), (), seconds)
        else:
            self.socket.poll(int(seconds * 1e3) + 1)
        return bool(int(self.socket.getsockopt(zmq.EVENTS)) & _READABLE)

    def close(self) -> None:
        self.socket.close(linger=0)
        if self._own_context is not None:
            self._own_context.term()


def routing_id(token: bytes) -> bytes:
    """The routing id over tcp, derived from the secret: nobody else can take it, or keep its owner out."""
    return b"R" + hashlib.blake2b(token, digest_size=31, person=b"trapline-route").digest()


class RouterLink:
    """Xen's end. ``malformed`` is called for each message that is not envelope and page.

    ``endpoints`` are the bound addresses, with the port that the system chose. A ``secret`` turns
    CURVE on, on one tcp endpoint; then ``admit`` learns which tokens may connect, each once at a time, and
    ``on_refused`` is told by another thread who was not let in (``Entrance.refused``).
    """

    def __init__(
        self,
        endpoints: list[str],
        malformed: Callable[[str], None],
        secret: bytes | None = None,
        page_bytes_max: int = PAGE_FRAME_BYTES_MAX,
    ) -> None:
        self._page_bytes_max = page_bytes_max
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.ROUTER)
        _prepare(self._socket)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._malformed = malformed
        self._routes: dict[bytes, bytes] = {}
        self._tokens: dict[bytes, bytes] = {}
        self._users: dict[str, tuple[bytes, bytes]] = {}  # token and route of each connection that has spoken
        self._entrance: Entrance | None = None
        self.curve = secret is not None
        self.on_refused: Callable[[str, int], None] = lambda word, count: None
        if secret is not None:
            self._turn_curve_on(secret)
        try:
            self.endpoints = [self._bind(endpoint) for endpoint in endpoints]
        except LinkError:
            self.close()
            raise
        self._timeout = _Timeout(self._socket)
        self._send = BackendSocket.send.__get__(self._socket)
        self._recv = BackendSocket.recv.__get__(self._socket)

    def _bind(self, endpoint: str) -> str:
        if self._entrance is not None:
            return self._entrance.bind(endpoint)
        if endpoint.startswith("ipc://"):
            check_ipc_path(endpoint.removeprefix("ipc://"))
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise LinkError(f"{endpoint}: cannot listen there: {error.strerror}; choose another") from None
        if endpoint.startswith("ipc://"):
            Path(endpoint.removeprefix("ipc://")).chmod(0o600)
        return str(self._socket.get_string(zmq.LAST_ENDPOINT)).rstrip("\0")

    # ---- CURVE --------------------------------------------------------------------------------

    def _turn_curve_on(self, secret: bytes) -> None:
        entrance = Entrance(self._context, self._socket, secret, self._tokens.__contains__)
        entrance.refused, entrance.gone = self._refused, self._forget
        self._entrance = entrance

    def admit(self, token: bytes) -> None:
        """Let the holder of ``token`` connect."""
        if self.curve:
            self._routes[token] = routing_id(token)
            self._tokens[public_key(token)] = token

    def dismiss(self, token: bytes) -> None:
        """Its holder may connect no more; a connection that is there is nobody's."""
        if self.curve:
            self._routes.pop(token, None)
            self._tokens.pop(public_key(token), None)

    # ---- messages -----------------------------------------------------------------------------

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        try:
            self._send(self._routes.get(peer, peer), _MORE)
            self._send(envelope, _MORE)
            self._send(page, _LAST)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                return False
            raise
        return True

    def receive(self) -> Delivery | None:
        """The next well-formed message; what is not one is reported to ``malformed`` and skipped."""
        recv = self._recv
        while True:
            try:
                peer = recv()
            except zmq.Again:
                return None
            envelope = recv(0, False)
            if not envelope.more:
                self._malformed("a message without a page frame")
                continue
            page = recv(0, False)
            if page.more:
                self._drain()
                self._malformed("a message of more than two frames")
                continue
            data = page.bytes
            if len(data) > self._page_bytes_max:
                self._malformed(f"a page frame of {len(data)} bytes")
                continue
            if self.curve:
                return self._proven(peer, page), envelope.bytes, data
            return peer, envelope.bytes, data

    def _proven(self, peer: bytes, page: "zmq.Frame") -> bytes:
        """The token of the connection that a message came through, whatever its routing id says."""
        token, route = self._users.get(str(page.get("User-Id"))) or self._meet(peer, page)
        return token if route == peer else b"?" + peer

    def _meet(self, peer: bytes, page: "zmq.Frame") -> tuple[bytes, bytes]:
        """A connection that has not spoken before."""
        user = str(page.get("User-Id"))
        key = key_of(user)
        token = self._tokens.get(key, b"")
        found = token, self._routes.get(token, b"")
        if found[1] == peer and self._entrance is not None:
            self._users[user] = found
            self._entrance.spoke(int(page.get(zmq.SRCFD)), user, key)
        return found

    def _forget(self, user: str) -> None:
        self._users.pop(user, None)

    def _refused(self, word: str, count: int) -> None:
        self.on_refused(word, count)

    def _drain(self) -> None:
        while self._recv(0, False).more:
            pass

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        self._timeout.set(timeout_ns)

    def close(self) -> None:
        for endpoint in getattr(self, "endpoints", []):
            if endpoint.startswith("ipc://"):
                Path(endpoint.removeprefix("ipc://")).unlink(missing_ok=True)
        self._socket.close(linger=0)
        self._context.term()
        if self._entrance is not None:
            self._entrance.join()
