"""A guest's SMC, while EL3 works on it or while it waits for its channel."""

import msgspec

from nodes.contract import Received
from nodes.xen.channel import Channel
from nodes.xen.domain import Domain
from nodes.xen.metering import Allowance


class Call(msgspec.Struct, frozen=True, gc=False):
    """A guest's SMC that EL3 has not answered yet. ``allowance`` pays for EL3's time, if anybody does."""

    domain: Domain
    channel: Channel
    link: bytes
    request: int
    cause: int
    allowance: Allowance | None
    sent_ns: int


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A guest's trap that waits for its channel, whose label it keeps."""

    domain: Domain
    label: str
    event: Received
    allowance: Allowance | None
    since_ns: int
