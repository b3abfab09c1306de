"""EL3's power domains: the shallowest state that anyone wants wins, so a domain is on while one wants it on.

A domain that nobody has a wish for is as at boot. POWER_STATE_GET shows the physical state: a parent is on
while a child needs it, whatever was wished for the parent itself. With ``agent_view = "own"`` it shows an
agent's own wish where it has one.
"""

from bus.scmi import power
from bus.scmi.power import (
    POWER_STATE_CHANGE_REQUESTED,
    POWER_STATE_CHANGED,
    StateChanged,
    StateChangeRequested,
)
from bus.scmi.status import Status
from nodes.firmware.hardware import Board
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import PowerDomain
from nodes.firmware.service import Answer, Handler, Served
from nodes.firmware.subscriptions import Subscriptions
from nodes.firmware.votes import Votes

KIND = "power_domain"
NAMED = 0x30000  # since when a domain has a long name, and tells whether requests are notified
SHORT_NAME = 15


class PowerService(Served):
    """``votes`` are the agents' wishes, ``board.power`` is what they come to.

    The end of an asynchronous set is seen by POWER_STATE_CHANGED only; until then the domain is BUSY.
    """

    table = power.PROTOCOL

    def __init__(self, machine: Machine, board: Board) -> None:
        self.domains: dict[int, PowerDomain] = {domain.id: domain for domain in machine.platform.power_domain}
        self.resources = {KIND: self.domains}
        self._words = {domain.id: domain.words for domain in machine.platform.power_domain}
        self.votes = Votes()
        self._machine = machine
        self._grid = board.power
        self._changed = Subscriptions(machine, self.table, POWER_STATE_CHANGED, KIND)
        self._requested = Subscriptions(machine, self.table, POWER_STATE_CHANGE_REQUESTED, KIND)
        board.power.on_change.append(self._tell)
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "POWER_DOMAIN_ATTRIBUTES": self.attributes,
            "POWER_STATE_SET": self.state_set,
            "POWER_STATE_GET": self.state_get,
            "POWER_STATE_NOTIFY": self.state_notify,
            "POWER_STATE_CHANGE_REQUESTED_NOTIFY": self.state_change_requested_notify,
            "POWER_DOMAIN_NAME_GET": self.name_get,
        }

    def protocol_attributes(self, _agent: int, _request: object) -> Answer:
        return power.ProtocolAttributesReply(power.ATTRIBUTES.pack(num_domains=len(self.domains)), 0, 0)

    def attributes(self, agent: int, request: power.DomainAttributes) -> Answer:
        domain = self.domains[request.domain_id]
        reached = self._machine.outbox.reaches(agent)
        newer = self._machine.version >= NAMED
        bits = power.DOMAIN.pack(
            state_change_notify=domain.notify and reached,
            async_set=domain.async_set and reached,
            sync_set=domain.sync_set and not domain.cpu,
            change_requested_notify=newer and domain.notify_requests and reached,
            extended_name=newer and len(domain.name) > SHORT_NAME,
        )
        return power.DomainAttributesReply(bits, domain.name)

    def state_set(self, agent: int, request: power.StateSet) -> Answer:
        domain = self.domains[request.domain_id]
        if request.power_state not in self._words[domain.id]:
            return Status.INVALID_PARAMETERS
        later = power.SET_FLAGS.get(request.flags, "async_set")
        if not self._settable(agent, domain, bool(later)):
            return Status.NOT_SUPPORTED
        if self._held_by_another(agent, domain):
            return Status.DENIED
        if domain.async_set and self._machine.delayed.under_way((KIND, domain.id)):
            return Status.BUSY
        if later:
            status = self._begin(agent, domain, request.power_state)
            if status is not Status.SUCCESS:
                return status
        asked = StateChangeRequested(agent, domain.id, request.power_state)
        self._requested.tell(domain.id, asked, but=agent)
        if not later:
            self._wish(agent, domain.id, request.power_state)
        return Status.SUCCESS

    def _settable(self, agent: int, domain: PowerDomain, later: bool) -> bool:
        if later:
            return domain.async_set and self._machine.outbox.reaches(agent)
        return domain.sync_set and not domain.cpu

    def _held_by_another(self, agent: int, domain: PowerDomain) -> bool:
        if domain.sharing == "votes":
            return False
        return any(one != agent and state != power.OFF for one, state in self.votes.of(domain.id).items())

    def _begin(self, agent: int, domain: PowerDomain, state: int) -> Status:
        def finish() -> Status:
            self._wish(agent, domain.id, state)
            return Status.SUCCESS

        return self._machine.delayed.start(
            agent, (KIND, domain.id), domain.transition_us, finish, silent=True
        )

    def _wish(self, agent: int, domain_id: int, state: int) -> None:
        self.votes.cast(agent, domain_id, state)
        self._settle(domain_id)

    def _settle(self, domain_id: int) -> None:
        wishes = self.votes.of(domain_id)
        shallowest = min(wishes.values(), key=self._words[domain_id].index) if wishes else None
        self._grid.demand(domain_id, shallowest)

    def _tell(self, domain_id: int) -> None:
        if self._changed.of(domain_id):
            self._changed.tell(domain_id, StateChanged(self._machine.cause, domain_id, self.state(domain_id)))

    def state(self, domain_id: int) -> int:
        """The real state of a domain."""
        return self._grid.state(domain_id)

    def state_get(self, agent: int, request: power.StateGet) -> Answer:
        own = self.votes.held_by(agent) if self._machine.platform.agent_view == "own" else {}
        return power.StateGetReply(own.get(request.domain_id, self.state(request.domain_id)))

    def state_notify(self, agent: int, request: power.StateNotify) -> Answer:
        if not self.domains[request.domain_id].notify:
            return Status.NOT_SUPPORTED
        return self._changed.set(agent, request.domain_id, request.notify_enable)

    def state_change_requested_notify(self, agent: int, request: power.StateChangeRequestedNotify) -> Answer:
        if not self.domains[request.domain_id].notify_requests:
            return Status.NOT_SUPPORTED
        return self._requested.set(agent, request.domain_id, request.notify_enable)

    def name_get(self, _agent: int, request: power.DomainNameGet) -> Answer:
        return power.DomainNameGetReply(0, self.domains[request.domain_id].name)

    def reset(self, agent_id: int) -> None:
        for domain_id in self.votes.withdraw(agent_id):
            self._settle(domain_id)

    def ledger(self, agent_id: int) -> list[Entry]:
        held = self.votes.held_by(agent_id)
        votes = [Entry("vote", "power", f"{KIND} {one}", "state", held[one]) for one in sorted(held)]
        return [*votes, *self._changed.ledger(agent_id), *self._requested.ledger(agent_id)]
