"""The HTTP of a metrics port: GET over connections that stay open, TLS and an account when asked for.

It answers what Prometheus, a browser and curl ask, in as few steps as that takes: a scrape each second comes
to every process of a platform. What a client sends is bounded in bytes, lines and time; nothing it does
reaches the terminal. It knows no metric.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol
from urllib.parse import unquote

from deploy.metrics.access import Access, Door, tls
from deploy.metrics.exposition import OPENMETRICS, TEXT

CONNECTIONS_MAX: Final = 16  # at once; one more is closed at once
LINE_BYTES_MAX: Final = 8192
HEADERS_MAX: Final = 64
PATIENCE_S: Final = 75.0  # with a client that says nothing; a scrape a minute finds its connection open
WRONG_S: Final = 0.2  # what a wrong password costs whoever says it
FAREWELL_S: Final = 0.2
FAREWELL_READS: Final = 16  # of LINE_BYTES_MAX each
PATHS: Final = ("/", "/metrics")
REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


class Unavailable(Exception):  # noqa: N818 - what a reader is told, no error of ours
    """There is nothing to say just now."""


class Said(Protocol):
    """What is served; asked from any thread, and from several at once. Both may raise Unavailable."""

    def text(self) -> bytes: ...

    def open_text(self) -> bytes: ...


NONE: Final[Mapping[str, Said]] = {}


class BadRequest(Exception):  # noqa: N818 - a client's doing, not an error of ours
    """Not HTTP as it is spoken here; the connection ends."""


class Listener:
    """Listens until ``stop``; raises OSError if it cannot. ``port`` 0: one of the system's choice.

    ``others``: what is said at other paths than PATHS.
    """

    def __init__(self, said: Said, access: Access, port: int = 0, others: Mapping[str, Said] = NONE) -> None:
        self._said = said
        self._others = others
        self._door = Door(access)
        self._context = tls(access)
        self._at_the_door = threading.Lock()
        self._open: set[socket.socket] = set()
        self._stopped = threading.Event()
        family = socket.AF_INET6 if ":" in access.address else socket.AF_INET
        self._socket = socket.create_server((access.address, port), family=family, backlog=CONNECTIONS_MAX)
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End every connection; nothing listens afterwards. Safe to call twice."""
        self._stopped.set()
        for one in (self._socket, *list(self._open)):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                self._stopped.wait(0.05)  # out of file descriptors, say: others may give some back
                continue
            if len(self._open) >= CONNECTIONS_MAX:
                client.close()
                continue
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), name="scrape", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """One connection, from its thread. Whatever a client does wrong ends it and nothing else."""
        talking = client
        try:
            client.settimeout(PATIENCE_S)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                talking = self._context.wrap_socket(client, server_side=True)
                self._open.add(talking)
                self._open.discard(client)
            with talking.makefile("rb") as lines:
                while self._exchange(talking, lines.readline):
                    pass
        except (OSError, ssl.SSLError, BadRequest, UnicodeError, ValueError):
            pass
        finally:
            self._open -= {client, talking}
            _part(talking)

    def _exchange(self, client: socket.socket, line: Callable[[int], bytes]) -> bool:
        """One request and its answer; False when the connection is over."""
        request = line(LINE_BYTES_MAX)
        if not request:
            return False
        words = request.decode("latin-1").split()
        if len(words) != 3 or not words[2].startswith("HTTP/1.") or not request.endswith(b"\n"):
            client.sendall(_answer(400, b"", close=True))
            return False
        headers = _headers(line)
        method, path, version = words
        close = version == "HTTP/1.0" or "close" in headers.get("connection", "").lower()
        close = close or "content-length" in headers or "transfer-encoding" in headers
        client.sendall(self._answered(method, path, headers, close))
        return not close

    def _answered(self, method: str, path: str, headers: Mapping[str, str], close: bool) -> bytes:
        if not self._door.knows(headers.get("authorization", "")) and not self._enters(headers):
            return _answer(401, b"", close=close, more='WWW-Authenticate: Basic realm="metrics"\r\n')
        if method not in ("GET", "HEAD"):
            return _answer(405, b"", close=close, more="Allow: GET, HEAD\r\n")
        path = unquote(path.partition("?")[0])
        said = self._said if path in PATHS else self._others.get(path)
        if said is None:
            return _answer(404, b"", close=close)
        accept = headers.get("accept", "")
        only_open = "openmetrics" in accept and "text/plain" not in accept and "*/*" not in accept
        try:
            body = said.open_text() if only_open else said.text()
        except Unavailable as why:
            return _answer(503, f"{why}\n".encode(), close=close, head=method == "HEAD")
        kind = OPENMETRICS if only_open else TEXT
        return _answer(200, body, close=close, kind=kind, head=method == "HEAD")

    def _enters(self, headers: Mapping[str, str]) -> bool:
        """One at a time, and whoever is wrong waits: guessing costs a node next to nothing."""
        with self._at_the_door:
            if self._door.admits(headers.get("authorization", "")):
                return True
            if "authorization" in headers:
                time.sleep(WRONG_S)
            return False


def _part(client: socket.socket) -> None:
    """Close it so that the last answer arrives: with a client's words unread it would be thrown away."""
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        client.settimeout(FAREWELL_S)
        for _ in range(FAREWELL_READS):
            if not client.recv(LINE_BYTES_MAX):
                break
    client.close()


def _headers(line: Callable[[int], bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    for _ in range(HEADERS_MAX):
        one = line(LINE_BYTES_MAX)
        if one in (b"\r\n", b"\n"):
            return found
        name, colon, value = one.decode("latin-1").partition(":")
        if not colon or not one.endswith(b"\n"):
            raise BadRequest
        found[name.strip().lower()] = value.strip()
    raise BadRequest


def _answer(
    code: int, body: bytes, *, close: bool, kind: str = TEXT, more: str = "", head: bool = False
) -> bytes:
    connection = "Connection: close\r\n" if close else ""
    start = (
        f"HTTP/1.1 {code} {REASONS[code]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"{connection}{more}\r\n"
    )
    return start.encode("latin-1") + (b"" if head else body)
