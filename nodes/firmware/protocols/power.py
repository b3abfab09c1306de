"""EL3's power domains: on while anyone wants it on."""

from bus.scmi import power
from bus.scmi.status import Status
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import PowerDomain
from nodes.firmware.service import Answer, Handler, Served
from nodes.firmware.votes import Votes


class PowerService(Served):
    """A domain is on if an agent votes on; off if all who voted say off; as at boot if nobody voted."""

    table = power.PROTOCOL

    def __init__(self, machine: Machine) -> None:
        self.domains: dict[int, PowerDomain] = {domain.id: domain for domain in machine.platform.power_domain}
        self.resources = {"power_domain": self.domains}
        self.votes = Votes()
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "POWER_DOMAIN_ATTRIBUTES": self.attributes,
            "POWER_STATE_SET": self.state_set,
            "POWER_STATE_GET": self.state_get,
            "POWER_STATE_NOTIFY": lambda _agent, _request: Status.NOT_SUPPORTED,
            "POWER_STATE_CHANGE_REQUESTED_NOTIFY": lambda _agent, _request: Status.NOT_SUPPORTED,
            "POWER_DOMAIN_NAME_GET": self.name_get,
        }

    def protocol_attributes(self, _agent: int, _request: object) -> Answer:
        return power.ProtocolAttributesReply(power.ATTRIBUTES.pack(num_domains=len(self.domains)), 0, 0)

    def attributes(self, _agent: int, request: power.DomainAttributes) -> Answer:
        name = self.domains[request.domain_id].name
        bits = power.DOMAIN.pack(sync_set=1, extended_name=len(name) > 15)
        return power.DomainAttributesReply(bits, name)

    def state_set(self, agent: int, request: power.StateSet) -> Answer:
        if power.SET_FLAGS.get(request.flags, "async_set"):
            return Status.NOT_SUPPORTED
        if request.power_state not in (power.ON, power.OFF):
            return Status.INVALID_PARAMETERS
        self.votes.cast(agent, request.domain_id, request.power_state)
        return Status.SUCCESS

    def state(self, domain_id: int) -> int:
        """The real state of a domain."""
        votes = self.votes.of(domain_id)
        if votes:
            return power.ON if power.ON in votes.values() else power.OFF
        return power.ON if self.domains[domain_id].state == "on" else power.OFF

    def state_get(self, _agent: int, request: power.StateGet) -> Answer:
        return power.StateGetReply(self.state(request.domain_id))

    def name_get(self, _agent: int, request: power.DomainNameGet) -> Answer:
        return power.DomainNameGetReply(0, self.domains[request.domain_id].name)

    def reset(self, agent_id: int) -> None:
        self.votes.withdraw(agent_id)

    def ledger(self, agent_id: int) -> list[Entry]:
        held = self.votes.held_by(agent_id)
        return [Entry("vote", "power", f"power_domain {one}", "state", held[one]) for one in sorted(held)]
