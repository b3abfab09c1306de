"""The ZeroMQ authentication handler (ZAP, RFC 27) for CURVE: is this key on the list?

One thread with one REP socket, as libzmq asks for it. It knows keys, not whose they are.
"""

import threading
from collections.abc import Callable

import zmq
from zmq.utils import z85

ENDPOINT = "inproc://zeromq.zap.01"
REQUEST_FRAMES = 7
VERSION = b"1.0"


class KeyCheck:
    """Asks ``admits(raw public key)`` for every handshake of ``context`` until the context ends."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", admits: Callable[[bytes], bool]) -> None:
        self._admits = admits
        self._socket = context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(ENDPOINT)
        self._thread = threading.Thread(target=self._run, name="zap", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                self._socket.send_multipart(self._judge(self._socket.recv_multipart()))
        except zmq.ContextTerminated:
            self._socket.close()

    def _judge(self, request: list[bytes]) -> list[bytes]:
        """The reply to one request; the accepted key becomes the connection's User-Id."""
        sequence = request[1] if len(request) > 1 else b""
        if len(request) != REQUEST_FRAMES or request[0] != VERSION or request[5] != b"CURVE":
            return [VERSION, sequence, b"500", b"not a CURVE request", b"", b""]
        key = request[6]
        if not self._admits(key):
            return [VERSION, sequence, b"400", b"unknown key", b"", b""]
        return [VERSION, sequence, b"200", b"OK", z85.encode(key), b""]

    def join(self) -> None:
        """Wait for the thread's end; the context must be terminating."""
        self._thread.join()
