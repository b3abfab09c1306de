"""What the tests of the ZeroMQ link work with: links that are closed for sure, and hostile raw sockets."""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import zmq
from zmq.utils import z85

from bus.links import Delivery
from bus.links.porch import Porch
from bus.links.zeromq import TOKEN_BYTES, DealerLink, RouterLink, public_key, routing_id

SECOND_NS = 1_000_000_000
PATIENCE_S = 20.0
TCP = "tcp://127.0.0.1:*"


def token() -> bytes:
    return b"T" + secrets.token_bytes(TOKEN_BYTES - 1)


class Bench:
    """Opens links and raw sockets and closes every one of them; ``reports`` are the malformed messages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: list[str] = []
        self.refused = threading.Event()
        self.counts: Counter[str] = Counter()
        self._open: list[DealerLink | RouterLink] = []
        self._raw: list[zmq.Socket[bytes]] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)

    def router(self, endpoint: str, secret: bytes | None = None) -> RouterLink:
        link = RouterLink([endpoint], self.reports.append, secret)
        link.on_refused = self._count
        link.set_timeout_ns(SECOND_NS // 20)
        self._open.append(link)
        return link

    def _count(self, word: str, count: int) -> None:
        self.counts[word] += count
        self.refused.set()

    def porch(self, router: RouterLink) -> Porch:
        """Who stands before its door."""
        assert router._entrance is not None
        return router._entrance._porch

    def counted(self, word: str, least: int = 1) -> bool:
        """Whether so many were refused with that word, or are soon."""
        until = time.monotonic() + PATIENCE_S
        while self.counts[word] < least and time.monotonic() < until:
            self.refused.clear()
            self.refused.wait(0.05)
        return self.counts[word] >= least

    def dealer(self, endpoint: str, identity: bytes, server_key: bytes | None = None) -> DealerLink:
        link = DealerLink(endpoint, identity, server_key)
        link.set_timeout_ns(int(PATIENCE_S) * SECOND_NS)
        self._open.append(link)
        return link

    def raw(self, **options: bytes) -> "zmq.Socket[bytes]":
        """A DEALER that keeps to no rule; options are set before it connects anywhere."""
        socket = self._context.socket(zmq.DEALER)
        for name, value in options.items():
            socket.setsockopt(getattr(zmq, name), value)
        self._raw.append(socket)
        return socket

    def shut(self, link: DealerLink | RouterLink) -> None:
        self._open.remove(link)
        link.close()

    def close(self) -> None:
        for link in self._open:
            link.close()
        for socket in self._raw:
            socket.close(linger=0)
        self._context.term()


def deliveries(router: RouterLink, enough: Callable[[list[Delivery]], bool]) -> list[Delivery]:
    """What the router delivers until ``enough`` of it; fails when that takes too long."""
    found: list[Delivery] = []
    until = time.monotonic() + PATIENCE_S
    while not enough(found):
        assert time.monotonic() < until, f"waited in vain; so far {found}"
        delivery = router.receive()
        if delivery is not None:
            found.append(delivery)
    return found


def first(router: RouterLink) -> Delivery:
    return deliveries(router, bool)[0]


class Pair:
    """Xen's end and one good peer on either transport; the peer's token is issued."""

    def __init__(self, bench: Bench, transport: str) -> None:
        self.bench = bench
        self.secret = secrets.token_bytes(TOKEN_BYTES) if transport == "tcp" else None
        self.server_key = None if self.secret is None else public_key(self.secret)
        self.router = bench.router(TCP if self.secret else f"ipc://{bench.folder}/xen.sock", self.secret)
        self.endpoint = self.router.endpoints[0]
        self.token = token()
        self.router.admit(self.token)
        self.dealer = bench.dealer(self.endpoint, self.token, self.server_key)

    def another(self) -> tuple[bytes, DealerLink]:
        identity = token()
        self.router.admit(identity)
        return identity, self.bench.dealer(self.endpoint, identity, self.server_key)

    def raw(self, identity: bytes) -> "zmq.Socket[bytes]":
        """A hostile socket with a good identity."""
        if self.server_key is None:
            socket = self.bench.raw(ROUTING_ID=identity)
        else:
            self.router.admit(identity)
            socket = self.bench.raw(
                CURVE_SERVERKEY=z85.encode(self.server_key),
                CURVE_SECRETKEY=z85.encode(identity),
                CURVE_PUBLICKEY=z85.encode(public_key(identity)),
                ROUTING_ID=routing_id(identity),
            )
        socket.connect(self.endpoint)
        return socket
