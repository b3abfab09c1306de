"""What the supervisor and its Ray driver say to each other: JSON, one message per line, over a pipe.

``number`` is one start of one node. No secret is among this, and neither is one among what Ray carries: a
node makes its key pair on its own machine, and hears everything else from the registry (``ray_actor``).
"""

import msgspec

from deploy.launching.config import NodeConfig
from deploy.launching.ray_placing import Demand, Placing

LINE_BYTES_MAX = 1 << 16


class Message(msgspec.Struct, frozen=True):
    """Any of them."""


# ---- the supervisor says ----------------------------------------------------------------------


class Connect(Message, frozen=True, tag="connect"):
    """First: where the cluster is ("HOST:PORT"), and what is to be set aside there."""

    address: str
    placing: Placing


class Prepare(Message, frozen=True, tag="prepare"):
    """Find a machine for a node that is called ``title``, and have it make a key."""

    number: int
    title: str
    demand: Demand


class Begin(Message, frozen=True, tag="begin"):
    """Its key is known now: start the process."""

    number: int
    role: str
    config: NodeConfig


class Signal(Message, frozen=True, tag="signal"):
    number: int
    signal: int


class Kill(Message, frozen=True, tag="kill"):
    """For good, whether its machine answers or not."""

    number: int


# ---- the driver says --------------------------------------------------------------------------


class Connected(Message, frozen=True, tag="connected"):
    """``address``: this machine's, as the cluster knows it."""

    address: str


class Refused(Message, frozen=True, tag="refused"):
    """It cannot work; it has ended. ``why`` is for the user."""

    why: str


class Prepared(Message, frozen=True, tag="prepared"):
    """A machine is found. ``public``: the node's public key, Z85."""

    number: int
    host: str
    public: str


class Ended(Message, frozen=True, tag="ended"):
    """``code`` as subprocess has it, None where nobody knows; ``why`` is "" unless there is more to say."""

    number: int
    code: int | None
    why: str


ToDriver = Connect | Prepare | Begin | Signal | Kill
FromDriver = Connected | Refused | Prepared | Ended

_encoder = msgspec.json.Encoder()
to_driver = msgspec.json.Decoder(ToDriver).decode
from_driver = msgspec.json.Decoder(FromDriver).decode


def line(message: Message) -> bytes:
    return _encoder.encode(message) + b"\n"
