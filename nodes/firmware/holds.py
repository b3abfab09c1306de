"""Who has a resource to itself: where ``sharing = "exclusive"``, the first agent that changes it.

The others' wishes are refused until it gives the resource back or is reset. Shared resources are never held.
"""

from collections.abc import Iterable
from typing import Protocol

from nodes.firmware.ledger import Entry


class Shareable(Protocol):
    """A declared resource that may be exclusive."""

    @property
    def id(self) -> int: ...

    @property
    def sharing(self) -> str: ...


class Holds:
    """``taken`` asks, ``take`` holds, ``drop`` gives back; ``withdraw`` is for a reset."""

    def __init__(self, protocol: str, kind: str, resources: Iterable[Shareable]) -> None:
        self._protocol, self._kind = protocol, kind
        self._exclusive = {one.id for one in resources if one.sharing == "exclusive"}
        self._holder: dict[int, int] = {}
        self._by_agent: dict[int, set[int]] = {}

    def taken(self, agent: int, resource_id: int) -> bool:
        """Whether another agent has the resource to itself."""
        return self._holder.get(resource_id, agent) != agent

    def take(self, agent: int, resource_id: int) -> None:
        """The agent changes the resource: if it is exclusive, the agent has it from now on."""
        if resource_id in self._exclusive:
            self._holder[resource_id] = agent
            self._by_agent.setdefault(agent, set()).add(resource_id)

    def drop(self, agent: int, resource_id: int) -> bool:
        """The agent gives the resource back; whether it had it."""
        if self._holder.get(resource_id) != agent:
            return False
        del self._holder[resource_id]
        self._by_agent[agent].discard(resource_id)
        return True

    def withdraw(self, agent: int) -> None:
        """Give back everything that the agent has."""
        for resource_id in self._by_agent.pop(agent, ()):
            del self._holder[resource_id]

    def ledger(self, agent: int) -> list[Entry]:
        held = sorted(self._by_agent.get(agent, ()))
        return [Entry("hold", self._protocol, f"{self._kind} {one}", "exclusive") for one in held]
