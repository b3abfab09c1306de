"""What a protocol's service looks like to the ladder: handlers by command name, hooks for a reset.

A handler gets the caller's agent id and the decoded request, after every generic rung of the ladder
was passed, and gives back a reply message (SUCCESS) or another status.
"""

from collections.abc import Callable, Container, Mapping
from typing import Any, Protocol

from bus.fields import Message
from bus.scmi import protocol
from bus.scmi.status import Status

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
    def resources(self) -> Mapping[str, Container[int]]: ...

    @property
    def own_ladder(self) -> frozenset[str]: ...

    def reset(self, agent_id: int) -> None:
        """Forget everything the agent wished of this protocol's resources."""
        ...

    def ledger(self, agent_id: int) -> dict[str, int]:
        """What the agent holds, as ``what -> value``; empty after ``reset``."""
        ...


def not_advertised(_agent_id: int, _request: Message) -> Status:
    """For notifications: behind an SMC channel there is no way to deliver one, so no resource offers it."""
    return Status.NOT_SUPPORTED
