"""What a protocol's service looks like to the ladder: handlers by command name, hooks for a reset.

A handler gets the caller's agent id and the decoded request, after every generic rung of the ladder
was passed, and gives back a reply message (SUCCESS) or another status. What it needs beyond that (the time,
timers, the version spoken) is in the ``Machine``; what is physically true is in ``hardware``.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from bus.fields import Message
from bus.scmi import protocol
from bus.scmi.status import Status
from nodes.firmware.ledger import Entry

Answer = Message | Status
Handler = Callable[[int, Any], Answer]


class Service(Protocol):
    """One protocol's behaviour. ``resources[kind]`` says which ids exist.

    ``own_ladder`` names the commands whose handler checks reserved bits itself, because the
    specification wants another check first.
    """

    @property
    def table(self) -> protocol.Protocol: ...

    @property
    def handlers(self) -> Mapping[str, Handler]: ...

    @property
    def resources(self) -> Mapping[str, Collection[int]]: ...

    @property
    def own_ladder(self) -> frozenset[str]: ...

    @property
    def offers(self) -> int:
        """The version that is spoken by default; 0 for the newest with a layout."""
        ...

    def message_attributes(self, command: str) -> int | Status:
        """The word that PROTOCOL_MESSAGE_ATTRIBUTES gives for an implemented command, or a status instead."""
        ...

    def reset(self, agent_id: int) -> None:
        """Forget all that the agent wished of its resources. The agent's subscriptions are gone already."""
        ...

    def ledger(self, agent_id: int) -> list[Entry]:
        """What the agent holds; empty after ``reset``."""
        ...


class Served:
    """What most services share: nothing special about messages, no command with a ladder of its own."""

    own_ladder: frozenset[str] = frozenset()
    offers: int = 0

    def message_attributes(self, _command: str) -> int | Status:
        return 0
