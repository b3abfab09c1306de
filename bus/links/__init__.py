"""How frames move. One small interface, two links: ``zeromq`` (sockets) and ``simulated`` (virtual time).

A link moves ``(peer, envelope, page)`` triples of bytes and says who the peer is; it never decodes
an envelope and never looks at a page.
"""

from typing import Protocol

XEN = b"xen"  # how a peer of Xen names its one counterpart

Delivery = tuple[bytes, bytes, bytes]


class LinkError(ValueError):
    """A link that cannot be opened as asked; says which address and why."""


class Link(Protocol):
    """One node's end. Not for sharing between threads."""

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        """Hand a message over without waiting; False when the peer is gone or takes no more."""
        ...

    def receive(self) -> Delivery | None:
        """The next message, or None when the timeout passed first."""
        ...

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        """How long ``receive`` may wait; None waits for ever."""
        ...

    def close(self) -> None:
        """Give up what waits to be sent, and the socket."""
        ...
