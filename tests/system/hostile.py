"""Programs of a hostile network, and the victim beside it: ``python -m tests.system.hostile WORD ...``.

Each says "ready" on stdout, does what it does until its stdin ends, and prints one JSON line for each line it
is told. Secrets come through stdin.
"""

import json
import os
import secrets
import selectors
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from bus import frames
from bus.links import XEN
from bus.links.zeromq import DealerLink

VERSION: Final = frames.PROTOCOL_VERSION
PSCI_VERSION: Final = 0x8400_0000  # which Xen answers by itself
PAUSE_NS: Final = 2_000_000
JUNK: Final = secrets.token_bytes(1 << 18)
LOOK_S: Final = 0.02


class Said:
    """What is told on stdin, without waiting for it."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin, selectors.EVENT_READ)

    def line(self, within_s: float = 0.0) -> str | None:
        """None: nothing was said; "": it is over."""
        return sys.stdin.readline() if self._selector.select(within_s) else None


def tell(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def victim(endpoint: str) -> None:
    """A domain that makes one call after another; on each line: what those since then took, us."""
    token, server_key, page = json.loads(sys.stdin.readline())
    link = DealerLink(endpoint, bytes.fromhex(token), bytes.fromhex(server_key))
    link.set_timeout_ns(20_000_000_000)
    link.send(XEN, frames.encode(frames.Hello(VERSION, 1, 1, "guest")), b"")
    assert link.receive() is not None
    tell("ready")
    said, took, request = Said(), [], 2
    registers = (PSCI_VERSION, 0, 0, 0, 0, 0, 0, 0)
    while (line := said.line()) != "":
        if line is not None:
            took.sort()
            tell(
                {
                    "calls": len(took),
                    "p50": took[len(took) // 2] / 1e3,
                    "p99": took[len(took) * 99 // 100] / 1e3,
                }
            )
            took = []
        begun = time.monotonic_ns()
        link.send(XEN, frames.encode(frames.Trap(VERSION, request, request, 0x17, 0, registers, page)), b"")
        assert link.receive() is not None, "no answer"
        ended = time.monotonic_ns()
        took.append(ended - begun)
        request += 1
        time.sleep(max(0, PAUSE_NS - (ended - begun)) / 1e9)


def crowd(host: str, port: int, count: int) -> None:
    """So many connections that say nothing, as soon as they can be had, and held."""
    held: list[socket.socket] = []
    said = Said()
    tell("ready")
    done = False
    while (line := said.line(0.0 if not done else LOOK_S)) != "":
        if line is not None:
            tell({"tried": len(held)})
        for _ in range(min(64, count - len(held))):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex((host, port))
            held.append(one)
        done = len(held) >= count


def junk(host: str, port: int) -> None:
    """As many bytes as go, of connections that are made anew whenever they end."""
    said = Said()
    sent, ended = 0, 0
    tell("ready")
    one: socket.socket | None = None
    while (line := said.line()) != "":
        if line is not None:
            tell({"bytes": sent, "connections": ended})
        try:
            if one is None:
                one = socket.create_connection((host, port), timeout=LOOK_S)
            sent += one.send(JUNK)
        except OSError:
            ended += 1
            if one is not None:
                one.close()
            one = None


def sink() -> None:
    """Somebody else's port, for the control: takes what comes and throws it away."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    tell(listening.getsockname()[1])
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listening:
                one, _ = listening.accept()
                selector.register(one, selectors.EVENT_READ)
            elif isinstance(key.fileobj, socket.socket) and not _taken(key.fileobj):
                selector.unregister(key.fileobj)
                key.fileobj.close()


def _taken(one: socket.socket) -> bool:
    try:
        return bool(one.recv(1 << 18))
    except OSError:
        return False


WORDS: Final[dict[str, Callable[..., None]]] = {
    "victim": victim,
    "crowd": lambda host, port, count: crowd(host, int(port), int(count)),
    "junk": lambda host, port: junk(host, int(port)),
    "sink": sink,
}

if __name__ == "__main__":
    os.nice(5 if sys.argv[1] != "victim" else 0)
    WORDS[sys.argv[1]](*sys.argv[2:])
