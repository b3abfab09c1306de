"""What a node and the registry say to each other: msgpack, one message per frame, over CURVE.

The classes are the only description of a message: both ends, the tests and the table in LAUNCHING.md read
them. Nobody unpickles anything here; a message of another shape than these does not parse.
"""

from typing import Any, Final

import msgspec

VERSION: Final = 1
MESSAGE_BYTES_MAX: Final = 4 << 20  # of one message; a node's specification is the largest
CHUNK_BYTES: Final = 256 << 10  # of a row file, in one message; more than any row
LEASE_S: Final = 3.0
RENEW_S: Final = 0.5
REFUSALS: Final = {
    "version": "another version of these messages",
    "cluster": "not a process of this platform",
    "role": "the key is not the key of that role and name",
    "unknown": "nobody was given out that identity, or not yet",
    "old": "an incarnation that has ended, or was replaced",
    "taken": "that incarnation runs already, elsewhere",
    "stranger": "who never registered, or not on this link, says something",
    "again": "what is said once was said twice",
    "malformed": "does not parse",
}
LATER: Final = ("unknown", "taken")  # to who was given no incarnation: not now

Key = tuple[str, ...]


class Numbers(msgspec.Struct, frozen=True, array_like=True):
    """A node's counters and histogram counts, by the catalogue's name and then by labels."""

    counters: dict[str, dict[Key, int]]
    histograms: dict[str, dict[Key, list[int]]]

    @classmethod
    def of(cls, snapshot: dict[str, Any]) -> "Numbers":
        return cls(snapshot.get("counters", {}), snapshot.get("histograms", {}))

    @property
    def plain(self) -> dict[str, Any]:
        """As ``deploy.metrics.exporter.snapshot`` has it."""
        return {"counters": self.counters, "histograms": self.histograms}


class Message(msgspec.Struct, frozen=True, array_like=True):
    """Any of them."""


# ---- a node says ------------------------------------------------------------------------------


class Register(Message, frozen=True, tag="register"):
    """Who it says it is, every RENEW_S until it is answered. ``incarnation`` 0: whichever is expected of that
    name; then ``cluster`` may be empty too, for the registry's. ``machine`` is the same for processes that
    share a clock; ``host`` is for people.
    """

    number: int
    version: int
    cluster: str
    role: str
    name: str
    incarnation: int
    machine: str
    host: str
    pid: int


class Renew(Message, frozen=True, tag="renew"):
    """Its lease goes on. ``offset_ns``: what is to be added to its clock to have the registry's, give or take
    ``uncertainty_ns``; -1 while it does not know. ``dropped``: messages that it had no room for, so far.
    """

    number: int
    offset_ns: int
    uncertainty_ns: int
    dropped: int


class Ready(Message, frozen=True, tag="ready"):
    """It is up."""

    facts: dict[str, int | str | list[str]]


class Failed(Message, frozen=True, tag="failed"):
    """It does not come up."""

    why: str


class Stats(Message, frozen=True, tag="stats"):
    """The answer to the word "stats"."""

    numbers: Numbers
    applied: dict[int, int]
    outstanding: int


class Page(Message, frozen=True, tag="page"):
    """The answer to the word "page": its metrics as Prometheus' text, or as OpenMetrics if that was asked."""

    number: int
    text: bytes


class Exit(Message, frozen=True, tag="exit"):
    """It ends, and says why; what it recorded may still follow."""

    code: int
    why: str
    numbers: Numbers


class Lines(Message, frozen=True, tag="lines"):
    """Of its log."""

    lines: list[bytes]


class Rows(Message, frozen=True, tag="rows"):
    """A piece of a file of recorded rows."""

    file: str
    at: int
    data: bytes


class Leave(Message, frozen=True, tag="leave"):
    """All is said."""


# ---- the registry says ------------------------------------------------------------------------


class Accepted(Message, frozen=True, tag="accepted"):
    """It is that incarnation from now on, for ``lease_ns`` from when it asked.

    ``spec``: its encoded NodeSpec. ``shared``: the supervisor's files are its own too. ``machine`` as in
    ``Register``: the supervisor's.
    """

    number: int
    incarnation: int
    lease_ns: int
    spec: bytes
    shared: bool
    machine: str


class Refused(Message, frozen=True, tag="refused"):
    """``word`` is one of REFUSALS."""

    word: str
    detail: str


class Renewed(Message, frozen=True, tag="renewed"):
    """The answer to ``Renew``; ``heard_ns`` is the registry's clock when it came."""

    number: int
    heard_ns: int


class Order(Message, frozen=True, tag="order"):
    """One of the words of ``deploy.node`` and what belongs to it; "end": end in an orderly way."""

    word: str
    arguments: list[Any]


class Took(Message, frozen=True, tag="took"):
    """That piece is on the supervisor's disk; or nobody wants it, which ends as well."""

    file: str
    at: int


class Parted(Message, frozen=True, tag="parted"):
    """The answer to ``Leave``."""


FromNode = Register | Renew | Ready | Failed | Stats | Page | Exit | Lines | Rows | Leave
ToNode = Accepted | Refused | Renewed | Order | Took | Parted

encode = msgspec.msgpack.Encoder().encode
from_node = msgspec.msgpack.Decoder(FromNode).decode
to_node = msgspec.msgpack.Decoder(ToNode).decode
