"""The power domains, and what the system as a whole may be told."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec

from nodes.firmware.platform.described import Described, Id, Name, Positive, Sharing, repeated, tree, unknown

StateId = Annotated[int, msgspec.Meta(ge=1, le=0x0FFF_FFFF)]
CONTEXT_LOST = 1 << 30
ON, OFF = 0, CONTEXT_LOST


class PowerState(Described, frozen=True):
    """A state between on and off. ``context_lost``: what the domain knew is gone in it, so is its power."""

    id: StateId
    name: Name
    context_lost: bool = False

    @property
    def word(self) -> int:
        """The state as POWER_STATE_SET names it."""
        return self.id | (CONTEXT_LOST if self.context_lost else 0)


class PowerDomain(Described, frozen=True):
    """A power domain. ``state`` is the state at boot; ``states`` those between on and off, shallowest first.

    ``parent`` is physically on while this domain keeps its context. ``cpu``: only the platform itself may
    switch it. ``sync_set``, ``async_set``: how it may be switched; ``transition_us`` is how long the latter
    takes. ``exclusive`` sharing: while one agent wants it in another state than off, nobody else may wish.
    """

    id: Id
    name: Name
    state: Literal["on", "off"] = "off"
    parent: Id | None = None
    states: tuple[PowerState, ...] = ()
    cpu: bool = False
    sync_set: bool = True
    async_set: bool = False
    transition_us: Id = 0
    notify: bool = True
    notify_requests: bool = True
    sharing: Sharing = "votes"

    @property
    def words(self) -> tuple[int, ...]:
        """Every state as POWER_STATE_SET names it, from on to off."""
        return (ON, *(state.word for state in self.states), OFF)


class SystemPower(Described, frozen=True):
    """What SYSTEM_POWER_STATE_SET may do; without this table the protocol is not served.

    ``agents`` may set and query the state, the trusted ones if it is absent. A graceful request takes
    effect ``graceful_ms`` after the subscribers were told.
    """

    agents: tuple[Id, ...] | None = None
    warm_reset: bool = True
    suspend: bool = True
    notify: bool = True
    graceful_ms: Positive = 1000


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
    if domain.transition_us and not domain.async_set:
        yield f"{place}.transition_us: only an asynchronous set takes time; set async_set or leave it out"
    if domain.cpu and domain.async_set:
        yield f"{place}.async_set: nobody but the platform sets a cpu's domain; leave out async_set or cpu"
