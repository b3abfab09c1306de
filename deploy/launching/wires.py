"""The sockets of the registry and of its nodes: CURVE over tcp, whole messages in and out, nothing waits.

A node's routing id is derived from its secret key and a number that it drew: nobody else can take it, it is
the same after a connection was lost, and another process with the same key has another one. What a message
means is in ``messages``.
"""

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Final

import zmq
from zmq.utils import z85

from bus.links import LinkError
from bus.links.entrance import Entrance, key_of
from deploy.launching.messages import MESSAGE_BYTES_MAX

QUEUE_MESSAGES: Final = 256  # per peer and direction; beyond it a message is refused
LINKS_OF_A_KEY: Final = 4  # at once: of a process, and of those before it that are not known to be gone
HEARTBEAT_MS: Final = 1000  # a connection that is only half there is made anew
KEY_BYTES: Final = 32
_NOW: Final = int(zmq.DONTWAIT)


def new_keys() -> tuple[bytes, bytes]:
    """(public, secret), raw."""
    public, secret = zmq.curve_keypair()
    return z85.decode(public), z85.decode(secret)


def public_of(secret: bytes) -> bytes:
    return z85.decode(zmq.curve_public(z85.encode(secret)))


def _prepare(socket: "zmq.Socket[bytes]") -> None:
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, QUEUE_MESSAGES)
    socket.setsockopt(zmq.RCVHWM, QUEUE_MESSAGES)
    socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
    socket.setsockopt(zmq.IPV6, 1)


class RouterWire:
    """The registry's end. ``known`` says whether a raw public key may connect; it is asked by another thread.

    ``refused`` counts who was not let in, by the words of ``Entrance.refused``. ``endpoint``: where it
    listens, with its port.
    """

    def __init__(self, endpoint: str, secret: bytes, known: Callable[[bytes], bool]) -> None:
        self.refused: Counter[str] = Counter()
        self._users: dict[str, bytes] = {}  # the keys of connections that have spoken
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self.socket = self._context.socket(zmq.ROUTER)
        _prepare(self.socket)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._entrance = Entrance(self._context, self.socket, secret, known, each=LINKS_OF_A_KEY)
        self._entrance.refused, self._entrance.gone = self._count, self._forget
        try:
            self.endpoint = self._entrance.bind(endpoint)
        except LinkError:
            self.close()
            raise

    def _count(self, word: str, count: int) -> None:
        self.refused[word] += count

    def _forget(self, user: str) -> None:
        self._users.pop(user, None)

    def send(self, link: bytes, message: bytes) -> bool:
        try:
            self.socket.send_multipart((link, message), _NOW)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                return False
            raise
        return True

    def receive(self) -> tuple[bytes, bytes, bytes] | None:
        """(link, raw public key, message); None when nothing is there. Of more than one frame the message is
        empty, which does not parse.
        """
        try:
            link, *rest = self.socket.recv_multipart(_NOW, copy=False)
        except zmq.Again:
            return None
        if not rest:
            return link.bytes, b"", b""
        user = str(rest[0].get("User-Id"))
        key = self._users.get(user) or self._meet(user, rest[0])
        return link.bytes, key, rest[0].bytes if len(rest) == 1 else b""

    def _meet(self, user: str, frame: "zmq.Frame") -> bytes:
        """The key of a connection that has not spoken before."""
        key = self._users[user] = key_of(user)
        self._entrance.spoke(int(frame.get(zmq.SRCFD)), user, key)
        return key

    def close(self) -> None:
        self.socket.close(linger=0)
        self._context.term()
        self._entrance.join()


class DealerWire:
    """A node's end. What is sent while there is no connection is refused."""

    def __init__(self, endpoint: str, secret: bytes, registry_key: bytes) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self.socket = self._context.socket(zmq.DEALER)
        _prepare(self.socket)
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, HEARTBEAT_MS)
        self.socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 2 * HEARTBEAT_MS)
        self.socket.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(registry_key))
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, z85.encode(secret))
        self.socket.setsockopt(zmq.CURVE_PUBLICKEY, z85.encode(public_of(secret)))
        drawn = secrets.token_bytes(16)
        digest = hashlib.blake2b(secret + drawn, digest_size=31, person=b"trapline-regist").digest()
        self.socket.setsockopt(zmq.ROUTING_ID, b"N" + digest)
        try:
            self.socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise LinkError(f"{endpoint}: no address to connect to: {error.strerror}") from None

    def send(self, message: bytes) -> bool:
        try:
            self.socket.send(message, _NOW)
        except zmq.Again:
            return False
        return True

    def receive(self) -> bytes | None:
        """None when nothing is there."""
        try:
            first, *more = self.socket.recv_multipart(_NOW)
        except zmq.Again:
            return None
        return b"" if more else first

    def close(self) -> None:
        self.socket.close(linger=0)
        self._context.term()
