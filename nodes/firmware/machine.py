"""What all of EL3's services share: the time, the message in hand, timers, the way back, who may what.

``core.py`` owns it and sets what belongs to the step under way; services read it and plan with it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bus.fields import Message, encode
from bus.shmem import PAYLOAD_AT
from nodes.firmware.delayed import Delayed
from nodes.firmware.outbox import Outbox
from nodes.firmware.permissions import Permissions
from nodes.firmware.platform import Platform
from nodes.firmware.profile import FirmwareProfile
from nodes.firmware.rights import Resource
from nodes.firmware.schedule import Schedule
from nodes.firmware.subscriptions import NOBODY, Subscriptions
from nodes.firmware.views import Views


class Machine:
    """``now_ns``, ``request`` (Xen's number of the last SMC), ``head`` (the header), ``version`` and
    ``command`` (protocol key, name) are the step's. ``refused``: the resource that a handler with rungs of
    its own refused for want of permission, until somebody takes it.

    ``cause`` is the agent whose message (or delayed command) is being carried out, NOBODY when what happens
    is the platform's own doing: notifications tell it. ``payload_bytes`` is what an answer may have, status
    included. ``restart`` takes every agent's configuration and permissions back to those at boot.
    """

    def __init__(
        self, platform: Platform, profile: FirmwareProfile, permissions: Permissions, outbox: Outbox
    ) -> None:
        self.platform = platform
        self.profile = profile
        self.permissions = permissions
        self.outbox = outbox
        self.views = Views(platform, permissions, profile)
        self.schedule = Schedule()
        self.delayed = Delayed(self)
        self.subscriptions: list[Subscriptions] = []
        self.payload_bytes = platform.area_bytes - PAYLOAD_AT
        self.now_ns = 0
        self.request = 0
        self.head = 0
        self.version = 0
        self.command = ("", "")
        self.refused: Resource | None = None
        self.cause = NOBODY
        self.default_versions: dict[int, int] = {}
        self.negotiated: dict[int, dict[int, int]] = {}
        self.restart: Callable[[], None] = nothing
        permissions.moment = lambda: (self.now_ns, self.cause, self.request)

    def spoken(self, agent: int, protocol_id: int) -> int:
        """The version of a protocol that the agent speaks: what it negotiated, or the platform's."""
        return self.negotiated.get(agent, self.default_versions).get(
            protocol_id, self.default_versions[protocol_id]
        )

    @contextmanager
    def caused_by(self, agent: int) -> Iterator[None]:
        """What happens inside is told as caused by ``agent``."""
        before, self.cause = self.cause, agent
        try:
            yield
        finally:
            self.cause = before

    def unsubscribe(self, agent: int) -> None:
        """Take back every subscription of the agent, so that what follows is not told to it."""
        for one in self.subscriptions:
            one.withdraw(agent)

    def encode(self, agent: int, message: Message, version: int) -> bytes:
        """The bytes of a reply, delayed response or notification, with the ids that the agent knows."""
        if agent in self.views.numbered:
            message = self.views.outward(agent, message)
        return encode(message, version)


def nothing() -> None:
    """What a machine without a core restarts."""
