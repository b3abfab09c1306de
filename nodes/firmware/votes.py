"""What several agents wish of one shared resource. The services aggregate; this only remembers.

Casting and reading cost the same however many resources there are; withdrawing costs what the
agent holds.
"""


class Votes:
    """One wish per (agent, resource): ``cast``, ``of``, ``held_by``, ``withdraw``."""

    def __init__(self) -> None:
        self._by_resource: dict[int, dict[int, int]] = {}
        self._by_agent: dict[int, dict[int, int]] = {}

    def cast(self, agent_id: int, resource_id: int, value: int) -> None:
        self._by_resource.setdefault(resource_id, {})[agent_id] = value
        self._by_agent.setdefault(agent_id, {})[resource_id] = value

    def of(self, resource_id: int) -> dict[int, int]:
        """Every agent's wish for a resource."""
        return self._by_resource.get(resource_id, {})

    def held_by(self, agent_id: int) -> dict[int, int]:
        """Every wish of an agent, by resource."""
        return self._by_agent.get(agent_id, {})

    def drop(self, agent_id: int, resource_id: int) -> None:
        """Take one wish back; nothing happens when there is none."""
        self._by_agent.get(agent_id, {}).pop(resource_id, None)
        self._by_resource.get(resource_id, {}).pop(agent_id, None)

    def withdraw(self, agent_id: int) -> list[int]:
        """Take back everything an agent wished; the resources concerned, ascending."""
        concerned = sorted(self._by_agent.pop(agent_id, {}))
        for resource_id in concerned:
            del self._by_resource[resource_id][agent_id]
        return concerned
