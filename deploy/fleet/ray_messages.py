"""What a fleet's crew on Ray and its driver say to each other: JSON, one message per line, over a pipe.

A job is known by its number and attempt. Orders and answers are encoded ones (``messages``); none is secret.
"""

import msgspec


class Message(msgspec.Struct, frozen=True):
    """Any of them."""


class Connect(Message, frozen=True, tag="connect"):
    """First: where the cluster is ("HOST:PORT"), and how many jobs there will be at once."""

    address: str
    size: int


class Give(Message, frozen=True, tag="give"):
    job: int
    attempt: int
    order: bytes


class End(Message, frozen=True, tag="end"):
    """Whoever has it, for good."""

    job: int
    attempt: int


class Connected(Message, frozen=True, tag="connected"):
    """The cluster is joined, and has room for all."""


class Refused(Message, frozen=True, tag="refused"):
    """It cannot work; it has ended. ``why`` is for the user."""

    why: str


class Done(Message, frozen=True, tag="done"):
    job: int
    attempt: int
    answer: bytes


class Lost(Message, frozen=True, tag="lost"):
    """There will be no answer: Ray's worker or its machine ended, or could not do it."""

    job: int
    attempt: int
    how: str


ToDriver = Connect | Give | End
FromDriver = Connected | Refused | Done | Lost

_encoder = msgspec.json.Encoder()
to_driver = msgspec.json.Decoder(ToDriver).decode
from_driver = msgspec.json.Decoder(FromDriver).decode


def line(message: Message) -> bytes:
    return _encoder.encode(message) + b"\n"
