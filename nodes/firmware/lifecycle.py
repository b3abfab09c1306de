"""What an agent holds, and how it loses all of it: BASE_RESET_AGENT_CONFIGURATION.

The order is stated: the agent's channel (page, pending delayed responses, messages under way, negotiated
versions), then its permissions, then each protocol's own hook. What is left afterwards and should not be is a
leak: counted, and remembered for whoever looks.
"""

from collections.abc import Callable, Sequence

import msgspec

from nodes.firmware.ladder import Ladder
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.service import Service
from nodes.meters import Meters

GRANT = "grant"
NO_AGENT = -1  # as the caller of a reset: nobody's page is spared


class ResetRecord(msgspec.Struct, frozen=True):
    """An agent's last reset: when, all that it held before and after; ``leaks`` is what should have gone."""

    at_ns: int
    before: tuple[Entry, ...]
    after: tuple[Entry, ...]
    leaks: tuple[Entry, ...]


class Lifecycle:
    """``idle`` puts an agent's page back to its state at boot, ``channel`` tells what its channel holds.

    ``last_reset`` is by agent id. ``on_reset`` is told of each (agent id, record).
    """

    def __init__(
        self,
        machine: Machine,
        ladder: Ladder,
        services: Sequence[Service],
        meters: Meters,
        *,
        idle: Callable[[int], None],
        channel: Callable[[int], list[Entry]],
    ) -> None:
        self._machine = machine
        self._ladder = ladder
        self._services = services
        self._idle = idle
        self._channel = channel
        self._applied = meters.counter("trapline_agent_resets_applied_total")
        self._leaks = meters.counter("trapline_agent_reset_leaks_total")
        self._at_boot: dict[int, frozenset[Entry]] = {}
        self.last_reset: dict[int, ResetRecord] = {}
        self.on_reset: Callable[[int, ResetRecord], None] = lambda agent, record: None

    def boot(self) -> None:
        """Remember what every agent is granted from the beginning."""
        for agent in self._machine.platform.agent:
            self._at_boot[agent.id] = frozenset(self.ledger(agent.id))

    def restart(self) -> None:
        """The board was reset: whatever any agent configured is gone, whichever firmware it is.

        Nobody is told of what that changes: those who listened are gone as well.
        """
        agents = [agent.id for agent in self._machine.platform.agent]
        before = {agent: tuple(self.ledger(agent)) for agent in agents}
        for agent in agents:
            self._machine.unsubscribe(agent)
        for agent in agents:
            self.reset(NO_AGENT, agent, also_permissions=True, physically=True)
            record = self.last_reset[agent]
            self.last_reset[agent] = msgspec.structs.replace(record, before=before[agent])

    def reset(self, caller: int, agent: int, also_permissions: bool, *, physically: bool = False) -> None:
        """Drop the agent's configuration as far as the profile does; its permissions only if told to."""
        before = tuple(self.ledger(agent))
        profile = self._machine.profile
        if physically or (
            profile.reset == "full" and (also_permissions or profile.reset_flags_0 == "configuration")
        ):
            self._drop(caller, agent, also_permissions)
        elif also_permissions:
            self._machine.permissions.restore(agent)
        after = tuple(self.ledger(agent))
        leaks = tuple(one for one in after if self._should_be_gone(agent, one, also_permissions))
        self._applied[(str(agent),)] += 1
        if leaks:
            self._leaks[(str(agent),)] += len(leaks)
        record = ResetRecord(self._machine.now_ns, before, after, leaks)
        self.last_reset[agent] = record
        self.on_reset(agent, record)

    def _drop(self, caller: int, agent: int, also_permissions: bool) -> None:
        machine = self._machine
        if agent != caller:
            self._idle(agent)  # whoever resets itself waits for the answer in that page
        machine.delayed.withdraw(agent)
        machine.unsubscribe(agent)
        machine.outbox.reset(agent)
        self._ladder.reset(agent)
        if also_permissions:
            machine.permissions.restore(agent)
        for service in self._services:
            service.reset(agent)

    def _should_be_gone(self, agent: int, entry: Entry, also_permissions: bool) -> bool:
        if entry.kind == GRANT and not also_permissions:
            return False
        return entry not in self._at_boot[agent]

    def ledger(self, agent: int) -> list[Entry]:
        """All that an agent holds: grants, votes, subscriptions, pending replies, negotiated versions."""
        held = [*self._channel(agent), *self._ladder.ledger(agent), *self._machine.delayed.ledger(agent)]
        waiting = self._machine.outbox.waiting(agent)
        if waiting:
            held.append(Entry("channel", "", "", "messages under way to the agent", waiting))
        for service in self._services:
            held.extend(service.ledger(agent))
        return held
