"""The power domains, and what the system as a whole may be told."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec

from nodes.firmware.platform.described import (
    Described,
    Id,
    Name,
    Positive,
    ResourceId,
    ResourceName,
    Sharing,
    delay,
    repeated,
    says,
    tree,
    unknown,
)

StateId = Annotated[int, msgspec.Meta(ge=1, le=0x0FFF_FFFF)]
CONTEXT_LOST = 1 << 30
ON, OFF = 0, CONTEXT_LOST


class PowerState(Described, frozen=True):
    """A state between on and off."""

    id: Annotated[StateId, says("bits 27:0 of the state in messages")]
    name: Annotated[Name, says("for people")]
    context_lost: Annotated[bool, says("what the domain knew is gone in it, and so is its power")] = False

    @property
    def word(self) -> int:
        """The state as POWER_STATE_SET names it."""
        return self.id | (CONTEXT_LOST if self.context_lost else 0)


class PowerDomain(Described, frozen=True):
    """A power domain."""

    id: ResourceId
    name: ResourceName
    state: Annotated[Literal["on", "off"], says("the state at boot")] = "off"
    parent: Annotated[Id | None, says("a domain that is physically on while this one keeps its context")] = (
        None
    )
    states: Annotated[tuple[PowerState, ...], says("those between on and off, the shallowest first")] = ()
    cpu: Annotated[bool, says("only the platform itself switches it")] = False
    sync_set: Annotated[bool, says("it can be switched at once")] = True
    async_set: Annotated[
        bool, says("it can be switched asynchronously, its end is told by a notification")
    ] = False
    transition_us: Annotated[Id, says("how long that takes")] = 0
    notify: Annotated[bool, says("POWER_STATE_CHANGED is there")] = True
    notify_requests: Annotated[bool, says("POWER_STATE_CHANGE_REQUESTED is there")] = True
    sharing: Annotated[
        Sharing, says("exclusive: while one agent wants it in another state than off, others are denied")
    ] = "votes"

    @property
    def words(self) -> tuple[int, ...]:
        """Every state as POWER_STATE_SET names it, from on to off."""
        return (ON, *(state.word for state in self.states), OFF)


class SystemPower(Described, frozen=True):
    """What SYSTEM_POWER_STATE_SET may do; without this table the protocol is not served."""

    agents: Annotated[
        tuple[Id, ...] | None, says("who may set and ask for the state; absent: the trusted ones")
    ] = None
    warm_reset: Annotated[bool, says("there is a warm reset")] = True
    suspend: Annotated[bool, says("the system can be suspended")] = True
    notify: Annotated[bool, says("agents can be told before")] = True
    graceful_ms: Annotated[Positive, says("how long a graceful request waits after they were")] = 1000


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    domains: tuple[PowerDomain, ...] = platform.power_domain
    parents: Mapping[int, int | None] = {domain.id: domain.parent for domain in domains}
    for at, domain in enumerate(domains):
        yield from tree(f"power_domain[{at}].parent", domain.id, parents)
        yield from _state_problems(f"power_domain[{at}]", domain)
    if platform.system_power is not None and platform.system_power.agents is not None:
        agents = {agent.id for agent in platform.agent}
        yield from unknown("system_power.agents", platform.system_power.agents, "agent", agents)


def _state_problems(place: str, domain: PowerDomain) -> Iterator[str]:
    table = f"{place}.states"
    yield from repeated(table, "id", [state.id for state in domain.states])
    yield from repeated(table, "name", [state.name for state in domain.states])
    yield from delay(f"{place}.transition_us", domain.transition_us, domain.async_set)
    if domain.cpu and domain.async_set:
        yield f"{place}.async_set: nobody but the platform sets a cpu's domain; leave out async_set or cpu"
