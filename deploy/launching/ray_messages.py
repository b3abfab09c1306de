"""What the supervisor and its Ray driver say to each other (``ray_pipe``).

``number`` is one start of one node. No secret is among this, and neither is one among what Ray carries: a
node makes its key pair on its own machine, and hears everything else from the registry (``ray_actor``).
"""

import msgspec

from deploy.launching import ray_pipe
from deploy.launching.config import NodeConfig
from deploy.launching.ray_pipe import Connected, Message, Refused
from deploy.launching.ray_placing import Demand, Placing

# ---- the supervisor says ----------------------------------------------------------------------


class Connect(ray_pipe.Connect, frozen=True, tag="connect"):
    """``placing``: what is to be set aside there."""

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

to_driver = msgspec.json.Decoder(ToDriver).decode
from_driver = msgspec.json.Decoder(FromDriver).decode
