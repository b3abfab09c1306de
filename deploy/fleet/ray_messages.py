"""What a fleet's crew on Ray and its driver say to each other (``launching.ray_pipe``).

A job is known by its number and attempt. Orders and answers are encoded ones (``messages``); none is secret.
"""

import msgspec

from deploy.launching import ray_pipe
from deploy.launching.ray_pipe import Connected, Message, Refused


class Connect(ray_pipe.Connect, frozen=True, tag="connect"):
    """``size``: how many jobs there will be at once."""

    size: int


class Give(Message, frozen=True, tag="give"):
    job: int
    attempt: int
    order: bytes


class End(Message, frozen=True, tag="end"):
    """Whoever has it, for good."""

    job: int
    attempt: int


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

to_driver = msgspec.json.Decoder(ToDriver).decode
from_driver = msgspec.json.Decoder(FromDriver).decode
