"""The power domains as they physically are: a tree in which a parent is on while a child keeps its context.

What a domain should be is told by ``demand``; what it is can be shallower. Who demanded is not known here.
"""

from collections.abc import Callable

from nodes.firmware.platform.power import CONTEXT_LOST, OFF, ON, PowerDomain


class PowerGrid:
    """``on`` and ``state`` tell, ``demand`` switches; ``on_change`` is called with each domain that changed.

    A parent comes on before its child and goes off after it. Switching costs what there are parents.
    """

    def __init__(self, domains: tuple[PowerDomain, ...]) -> None:
        self.on_change: list[Callable[[int], None]] = []
        self._parent = {domain.id: domain.parent for domain in domains}
        self._boot = {domain.id: ON if domain.state == "on" else OFF for domain in domains}
        self._demand = dict.fromkeys(self._boot, OFF)
        self._state = dict.fromkeys(self._boot, OFF)
        self._needed_by = dict.fromkeys(self._boot, 0)
        for domain_id in self._boot:
            self.demand(domain_id, None)

    def state(self, domain_id: int) -> int:
        """The physical state, as a word of POWER_STATE_SET."""
        return self._state[domain_id]

    def on(self, domain_id: int) -> bool:
        """Whether the domain is physically on; in a state between on and off it is not."""
        return self._state[domain_id] == ON

    def demand(self, domain_id: int, state: int | None) -> None:
        """Ask for a state; None asks for that at boot."""
        self._demand[domain_id] = self._boot[domain_id] if state is None else state
        self._settle(domain_id)

    def _settle(self, domain_id: int) -> None:
        before = self._state[domain_id]
        after = ON if self._needed_by[domain_id] else self._demand[domain_id]
        if before == after:
            return
        parent = self._parent[domain_id]
        needs = (before & CONTEXT_LOST) - (after & CONTEXT_LOST)
        if parent is not None and needs > 0:
            self._needed_by[parent] += 1
            self._settle(parent)
        self._state[domain_id] = after
        for tell in self.on_change:
            tell(domain_id)
        if parent is not None and needs < 0:
            self._needed_by[parent] -= 1
            self._settle(parent)
