"""A tcp socket that listens, made for somebody else, and the addresses that its kernel keeps out.

Keeping out is a filter on the listening socket: a SYN of such an address is dropped before it costs anything,
and its sender tries again later. Connections that exist are not touched. It knows no reason for it.
"""

import ctypes
import ipaddress
import os
import socket
import struct
from contextlib import suppress
from typing import Final

from bus.links import LinkError

BACKLOG: Final = 512
IDLE_S, PROBES_S, PROBES = 5, 2, 3  # a peer whose machine is gone is noticed after 11 s
SO_ATTACH_FILTER: Final = 26
SO_DETACH_FILTER: Final = 27
_NET: Final = 0xFFF00000  # where a filter finds the network header
_LOAD_BYTE, _LOAD_WORD, _AND, _IF_EQUAL, _RETURN = 0x30, 0x20, 0x54, 0x15, 0x06
_FLAGS_AT, _SYN, _SYN_ACK = 13, 0x02, 0x12
_SOURCE_AT: Final = {4: (12,), 8: (8, 12)}  # IPv4; the network half of IPv6
_ALL: Final = 0xFFFFFFFF
Step = tuple[int, int, int, int]


def listen(endpoint: str) -> socket.socket:
    """For "tcp://HOST:PORT", PORT "*" or 0 for any; raises LinkError if nothing can listen there."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    try:
        number = 0 if port == "*" else int(port)
        found = socket.getaddrinfo(host.strip("[]"), number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        made = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, ValueError, UnicodeError) as error:
        raise LinkError(f"{endpoint}: cannot listen there: {_told(error)}; choose another") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise LinkError(f"{endpoint}: cannot listen there: {_told(error)}; choose another") from None
    return made


def _told(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def source(host: str) -> bytes:
    """What a peer's address is kept out by: all of IPv4, the network half of IPv6."""
    packed = ipaddress.ip_address(host.partition("%")[0]).packed
    return packed if len(packed) == 4 else packed[:8]


def peer_of(fd: int) -> tuple[str, int] | None:
    """Address and port of the other end; None if the connection is gone."""
    try:
        with socket.socket(fileno=os.dup(fd)) as one:
            name = one.getpeername()
            return str(name[0]), int(name[1])
    except (OSError, IndexError):
        return None


def shut(fd: int, peer: tuple[str, int]) -> None:
    """End the connection, if it is still the one to ``peer``; whoever owns ``fd`` then closes it."""
    with suppress(OSError), socket.socket(fileno=os.dup(fd)) as one:
        if tuple(one.getpeername()[:2]) == peer:
            one.shutdown(socket.SHUT_RDWR)


def keep_out(listening: socket.socket, sources: tuple[bytes, ...] | None) -> None:
    """From now on SYNs of these do not arrive; None: of nobody. Raises OSError."""
    if sources == ():
        with suppress(FileNotFoundError):  # there was none
            listening.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, struct.pack("i", 0))
        return
    steps = program(sources)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    pointer = struct.pack("HL", len(steps), ctypes.addressof(code))
    listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)


def program(sources: tuple[bytes, ...] | None) -> list[Step]:
    """The filter, in the kernel's classic BPF: what is no SYN passes, and a SYN of nobody in ``sources``."""
    steps: list[Step] = [
        (_LOAD_BYTE, 0, 0, _FLAGS_AT),
        (_AND, 0, 0, _SYN_ACK),
        (_IF_EQUAL, 1, 0, _SYN),
        (_RETURN, 0, 0, _ALL),
    ]
    for one in sources or ():
        steps += _refuse(one)
    return [*steps, (_RETURN, 0, 0, 0 if sources is None else _ALL)]


def _refuse(one: bytes) -> list[Step]:
    """Dropped if it comes from there; else on with the next step."""
    places = _SOURCE_AT[len(one)]
    steps: list[Step] = []
    for number, at in enumerate(places):
        left = 2 * (len(places) - number) - 1
        steps += [
            (_LOAD_WORD, 0, 0, _NET + at),
            (_IF_EQUAL, 0, left, int.from_bytes(one[4 * number : 4 * number + 4], "big")),
        ]
    return [*steps, (_RETURN, 0, 0, 0)]
