"""A guest's SMC, while EL3 works on it or while it waits for its channel."""

import msgspec

from nodes.contract import Received
from nodes.xen.channel import Channel
from nodes.xen.domain import Domain


class Call(msgspec.Struct, frozen=True, gc=False):
    """A guest's SMC that EL3 has not answered yet."""

    domain: Domain
    channel: Channel
    link: bytes
    request: int
    cause: int


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A guest's trap that waits for its channel."""

    domain: Domain
    event: Received
    since_ns: int
