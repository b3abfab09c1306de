"""The question that libzmq asks about a handshake (ZAP, RFC 27), for CURVE, and its answer.

It knows keys, not whose they are; the socket is ``bus.links.entrance``'s.
"""

from collections.abc import Callable
from typing import Final

ENDPOINT: Final = "inproc://zeromq.zap.01"
REQUEST_FRAMES: Final = 7
VERSION: Final = b"1.0"


def judge(request: list[bytes], user_of: Callable[[bytes], str | None]) -> list[bytes]:
    """The reply to one request. ``user_of`` a raw public key gives the connection's User-Id; None: the key
    is not on the list, and who shows it will not try again; "": not now, and it will.
    """
    sequence = request[1] if len(request) > 1 else b""
    if len(request) != REQUEST_FRAMES or request[0] != VERSION or request[5] != b"CURVE":
        return [VERSION, sequence, b"500", b"not a CURVE request", b"", b""]
    user = user_of(request[6])
    if user is None:
        return [VERSION, sequence, b"400", b"unknown key", b"", b""]
    if not user:
        return [VERSION, sequence, b"300", b"not now", b"", b""]
    return [VERSION, sequence, b"200", b"OK", user.encode(), b""]
